/**
 * What the keys of a tenant normally need now: so that a throttle for one of them leaves the others what they need, where
 * they share a plan of their tenant's.
 */
import type { Engine } from '../engine-state.ts'
import { slotOf } from '../state/baseline.ts'
import { knowledgeFor } from '../state/key-state.ts'
import type { ApiKeyId } from '../vocabulary.ts'
import type { KeyNeed } from './effect.ts'
import { throttledLimits } from './response.ts'

export function siblingNeeds(engine: Engine, keyId: ApiKeyId): readonly KeyNeed[] {
  const listed = engine.settings.tenants.byKey.get(keyId)?.keys ?? []
  return listed.filter(other => other !== keyId).map(other => needOf(engine, other))
}

function needOf({ state, settings }: Engine, keyId: ApiKeyId): KeyNeed {
  for (const owner of state.owners.values()) {
    const key = owner.keys.get(keyId)
    if (key === undefined) continue
    const { usual } = knowledgeFor(key, owner.coverage, slotOf(owner.time.highest), 'early')
    return { keyId, limits: usual && throttledLimits(usual, settings.config.throttle) }
  }
  return { keyId, limits: undefined }
}
