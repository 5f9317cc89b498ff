/** Throttles only while there is a slot for one tenant more, of those that all workers share (stores/throttle-slots.ts). */
import type { Outcome, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import type { ApiKeyId } from '../core/vocabulary.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import type { ThrottleSlots } from '../stores/throttle-slots.ts'
import type { Performer } from './performer.ts'

type PlanEffect = ThrottleEffect | RestoreEffect

export async function withinSlots(
  inner: Performer<PlanEffect>,
  { slots, journal, most }: { readonly slots: ThrottleSlots; readonly journal: EffectJournal; readonly most: number },
): Promise<Performer<PlanEffect>> {
  const isLowered = (keyId: ApiKeyId): boolean =>
    [...journal.stories().values()].some(({ holders }) => holders.includes(keyId))
  await slots.giveBackAllBut(isLowered)
  return {
    ...inner,
    async perform(effect, signal) {
      if (effect.kind === 'throttle' && !(await slots.take(effect.keyId))) return tooMany(most)
      const outcome = await inner.perform(effect, signal)
      // What is done is done: a slot that is left over the part's next life gives back.
      if (!isLowered(effect.keyId)) await slots.giveBack(effect.keyId).catch(() => undefined)
      return outcome
    },
  }
}

const tooMany = (most: number): Outcome => ({
  kind: 'refused',
  because: `all workers together have throttled ${most} tenants already (throttle.maxTenants)`,
})
