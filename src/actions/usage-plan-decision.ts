/**
 * What a usage plan should have, given what it has and what we did to it: pure, so that every corner can be shown.
 * Never raised by a throttle, never restored over somebody else's change, and the original comes back to the byte.
 */
import type { PatchOperation } from '@aws-sdk/client-api-gateway'
import type { Outcome, PlanLimits, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import { type LimitsOrNone, mayHave, type PlanStory, sameLimits } from '../core/incident/plan-story.ts'

export type PlanDecision =
  | { readonly kind: 'set'; readonly after: LimitsOrNone }
  | { readonly kind: 'answer'; readonly outcome: Outcome }

/** `story`: what we did to this very plan, if it is not known to have its original. */
export function decidePlan(
  effect: ThrottleEffect | RestoreEffect,
  current: LimitsOrNone,
  story: PlanStory | undefined,
): PlanDecision {
  if (effect.kind === 'throttle') return setUnless(current, lower(current, effect.limits))
  if (!story?.holders.includes(effect.keyId)) return already(current)
  if (!mayHave(story, current)) {
    return sameLimits(current, story.original)
      ? already(current)
      : refused('changed meanwhile by someone else; left as it is')
  }
  if (effect.step === 'full') return setUnless(current, story.original)
  // Tried before and cut short: the same target as then, not half of the way that is left.
  if (story.effectId === effect.id) return setUnless(current, story.lastSet)
  return setUnless(current, halfWay(current, story.original))
}

/** The PATCH that takes a plan there: both numbers in one call, since there is but one call in 20 s. */
export function patchTo(after: LimitsOrNone): PatchOperation[] {
  if (after === null) return [{ op: 'remove', path: '/throttle' }]
  return [
    { op: 'replace', path: '/throttle/rateLimit', value: String(after.rateLimit) },
    { op: 'replace', path: '/throttle/burstLimit', value: String(after.burstLimit) },
  ]
}

/** Per number the lower one. A burst is whole, and at least 1 of our own will: with 0 the gateway refuses every call. */
function lower(current: LimitsOrNone, wanted: PlanLimits): PlanLimits {
  const burstLimit = Math.max(Math.floor(wanted.burstLimit), 1)
  if (current === null) return { rateLimit: wanted.rateLimit, burstLimit }
  return {
    rateLimit: Math.min(current.rateLimit, wanted.rateLimit),
    burstLimit: Math.min(current.burstLimit, burstLimit),
  }
}

/** Without an original there is no half way to nowhere: twice the throttled. */
export function halfWay(throttled: LimitsOrNone, original: LimitsOrNone): LimitsOrNone {
  if (throttled === null) return null
  if (original === null) return { rateLimit: throttled.rateLimit * 2, burstLimit: throttled.burstLimit * 2 }
  return {
    rateLimit: middle(throttled.rateLimit, original.rateLimit),
    burstLimit: middle(throttled.burstLimit, original.burstLimit),
  }
}

/**
 * Half way in proportion: between 15 and 5,000 that is 274, which still stops a storm, where 2,508 would stop nothing. In
 * whole numbers, and never outside the two: between 0.5 and 0.8 there is no whole number.
 */
function middle(low: number, high: number): number {
  return Math.min(Math.max(Math.round(Math.sqrt(low * high)), low), high)
}

function setUnless(current: LimitsOrNone, after: LimitsOrNone): PlanDecision {
  return sameLimits(current, after) ? already(current) : { kind: 'set', after }
}

function already(current: LimitsOrNone): PlanDecision {
  return { kind: 'answer', outcome: { kind: 'already', after: current ?? undefined } }
}

function refused(because: string): PlanDecision {
  return { kind: 'answer', outcome: { kind: 'refused', because } }
}
