/**
 * What an earlier life decided, after its last checkpoint and before it was killed, is known again; with what it heard of its
 * effects and was told by people meanwhile, each in its place between the decisions, as the journal has them:
 *
 *     command ──► memo of what it led to ──► answer ──► memo …  ✝
 *                                                         └─ whatever has no memo behind it may have led to what nobody has done yet
 *
 * What a memo says of a key goes before whatever led to it: that was journaled, and told, by the life that decided it. Of what
 * is behind the last memo of its key nobody knows whether it was carried out so far, so it is decided here.
 */
import type { Recollection } from './engine-input.ts'
import type { Engine, Out } from './engine-state.ts'
import type { Memo } from './incident/memo.ts'
import { recallKey, takeOutcome } from './incident/storyline.ts'
import { ownerOf, placeOf } from './key-places.ts'
import { takeOperator } from './operator.ts'
import { liveKey } from './state/live-keys.ts'
import { beginTenant, tenantWideOwner } from './tenant-wide.ts'
import type { ApiKeyId, PartitionId } from './vocabulary.ts'

export function recall(engine: Engine, entries: readonly Recollection[], out: Out): void {
  const { state } = engine
  const lastMemo = lastMemos(entries)
  for (const [index, entry] of entries.entries()) {
    state.now = Math.max(state.now, entry.at)
    const isNews = (keyId: ApiKeyId): boolean => (lastMemo.get(keyId) ?? -1) < index
    const led: Out = { effects: [], changes: [], memos: [], measured: [] }
    take(engine, entry, led)
    out.effects.push(...led.effects.filter(({ keyId }) => isNews(keyId)))
    out.changes.push(...led.changes.filter(({ keyId }) => isNews(keyId)))
    out.memos.push(...led.memos.filter(memo => memo.kind === 'key' && isNews(memo.keyId)))
  }
}

function lastMemos(entries: readonly Recollection[]): ReadonlyMap<ApiKeyId, number> {
  const last = new Map<ApiKeyId, number>()
  for (const [index, entry] of entries.entries())
    if (entry.kind === 'memo' && entry.memo.kind === 'key') last.set(entry.memo.keyId, index)
  return last
}

function take(engine: Engine, entry: Recollection, led: Out): void {
  switch (entry.kind) {
    case 'memo':
      recallMemo(engine, entry.memo)
      break
    case 'outcome':
      takeOutcome(engine, entry.report, led)
      break
    case 'operator':
      takeOperator(engine, entry, led)
      break
    default:
      throw new Error(`no such recollection: ${entry satisfies never}`)
  }
}

/** What was decided in an earlier life, whose calls since its checkpoint are about to be read again. */
function recallMemo(engine: Engine, memo: Memo): void {
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
