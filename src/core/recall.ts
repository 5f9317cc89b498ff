/** What an earlier life decided, after its last checkpoint and before it was killed, is known again. */
import type { Engine } from './engine-state.ts'
import type { Memo } from './incident/memo.ts'
import { recallKey } from './incident/storyline.ts'
import { ownerOf, placeOf } from './key-places.ts'
import { liveKey } from './state/live-keys.ts'
import { beginTenant, tenantWideOwner } from './tenant-wide.ts'
import type { PartitionId } from './vocabulary.ts'

/** What was decided in an earlier life, whose calls since its checkpoint are about to be read again. */
export function recall(engine: Engine, memo: Memo): void {
  const { state } = engine
  if (memo.kind === 'platform') {
    state.platform = memo.platform
    state.platformIncidents = Math.max(state.platformIncidents, memo.incidents)
    return
  }
  const { keyId, at } = memo
  const owner = memo.owner === undefined ? tenantWideOwner(engine) : ownerOf(engine, memo.owner as PartitionId)
  const number = memo.owner === undefined ? beginTenant(engine, owner, keyId, at) : placeOf(engine, owner, keyId, at)
  if (number !== undefined) recallKey(engine, owner, liveKey(owner, number), memo)
}
