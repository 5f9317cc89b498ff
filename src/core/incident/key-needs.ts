/**
 * Whose limits a throttle is about, and what those keys normally need now: of a tenant as a whole all its keys, each
 * with what it needs itself; of one key that key, and what its tenant's others must be left, where they share a plan.
 *
 * Of a shared stream only those that this part watches: what another's needs now is not known here, and whatever it was taught
 * of it at the start is no answer. So a plan that holds one of those too is not the tenant's own, as far as this part can say.
 */
import { isTenantWide } from '../config/tenants.ts'
import type { Engine } from '../engine-state.ts'
import { planAt, planOf } from '../planned/schedule.ts'
import { slotOf } from '../state/baseline.ts'
import { expectedOf } from '../state/key-state.ts'
import { findKey } from '../state/known-keys.ts'
import { SHARED_OWNER } from '../state/owner.ts'
import { usualOf } from '../state/usual.ts'
import { type ApiKeyId, MINUTE_MS, type PlanLimits } from '../vocabulary.ts'
import type { KeyNeed, ThrottleEffect } from './effect.ts'
import { throttledLimits } from './response.ts'

export function keyNeeds(
  engine: Engine,
  keyId: ApiKeyId,
  limits: PlanLimits,
): Pick<ThrottleEffect, 'keys' | 'siblings'> {
  const listed = engine.settings.tenants.byKey.get(keyId)?.keys ?? []
  const others = listed
    .filter(other => other !== keyId && !isElsewhere(engine, other))
    .map(other => needOf(engine, other))
  return isTenantWide(keyId) ? { keys: others, siblings: [] } : { keys: [{ keyId, limits }], siblings: others }
}

function isElsewhere({ state }: Engine, keyId: ApiKeyId): boolean {
  if (state.others === undefined) return false
  return ![...state.owners].some(([name, { keys }]) => name !== SHARED_OWNER && findKey(keys, keyId) !== undefined)
}

function needOf({ state, settings, schedule }: Engine, keyId: ApiKeyId): KeyNeed {
  for (const owner of state.owners.values()) {
    const key = findKey(owner.keys, keyId)
    if (key === undefined) continue
    const slot = slotOf(owner.time.highest)
    const usual = usualOf(owner.keys, key, owner.coverage, slot)
    const plan = planOf(planAt(schedule, Math.floor(owner.time.highest / MINUTE_MS)), settings.tenants, keyId)
    const expected = plan && usual ? expectedOf(key, owner, { slot, usual }, plan) : usual
    return { keyId, limits: expected && throttledLimits(expected, settings.config.throttle) }
  }
  return { keyId, limits: undefined }
}
