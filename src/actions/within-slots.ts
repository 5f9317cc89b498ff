/** Throttles only while there is a slot for one tenant more, of those that all workers share (stores/throttle-slots.ts). */
import type { Outcome, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import type { ApiKeyId } from '../core/vocabulary.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import type { ThrottleSlots } from '../stores/throttle-slots.ts'
import type { Performer } from './performer.ts'
import { superseded } from './ways/way.ts'

type PlanEffect = ThrottleEffect | RestoreEffect

export async function withinSlots(
  inner: Performer<PlanEffect>,
  { slots, journal, most }: { readonly slots: ThrottleSlots; readonly journal: EffectJournal; readonly most: number },
): Promise<Performer<PlanEffect>> {
  const isLowered = (keyId: ApiKeyId): boolean =>
    [...journal.stories().values()].some(({ holders }) => holders.includes(keyId))
  /** Of those in hand, by key. */
  const askedLast = new Map<ApiKeyId, string>()
  await slots.giveBackAllBut(isLowered)
  return {
    ...inner,
    async perform(effect, signal) {
      const { id, keyId } = effect
      askedLast.set(keyId, id)
      try {
        if (effect.kind === 'throttle' && !(await slots.take(keyId))) return tooMany(most)
        // Asked for while it waited for its slot, and done by now: in the gateway's queue this one would come behind it.
        const isLast = askedLast.get(keyId) === id
        const outcome = isLast || effect.kind === 'restore' ? await inner.perform(effect, signal) : superseded
        // What is done is done: a slot that is left over the part's next life gives back.
        if (!isLowered(keyId)) await slots.giveBack(keyId).catch(() => undefined)
        return outcome
      } finally {
        if (askedLast.get(keyId) === id) askedLast.delete(keyId)
      }
    },
  }
}

const tooMany = (most: number): Outcome => ({
  kind: 'refused',
  because: `all workers together have throttled ${most} tenants already (throttle.maxTenants)`,
})
