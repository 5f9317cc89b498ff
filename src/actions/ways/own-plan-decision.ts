/**
 * What a usage plan should have, given what it has and what we did to it: pure, so that every corner can be shown.
 * Never raised by a throttle, never restored over somebody else's change, and the original comes back to the byte: of the
 * plan's own limits, and of each method to which it gives others.
 */
import type { PatchOperation } from '@aws-sdk/client-api-gateway'
import { cleanText, limitsText } from '../../core/explanation/plain-text.ts'
import type { Outcome, PlanLimits, RestoreEffect, ThrottleEffect } from '../../core/incident/effect.ts'
import {
  type LimitsOrNone,
  limitsOf,
  type MethodChange,
  type MethodPlace,
  mayHave,
  type PlanSettings,
  type PlanStory,
  type SettingsChange,
  sameLimits,
} from '../../core/incident/plan-story.ts'

export type PlanDecision =
  /** `left`: what is somebody else's by now and stays as it is, for people. */
  | { readonly kind: 'set'; readonly change: Change; readonly left?: string }
  | { readonly kind: 'answer'; readonly outcome: Outcome }

export type Change = Required<SettingsChange>

/** `story`: what we did to this very plan, if it is not known to have its original. */
export function decidePlan(
  effect: ThrottleEffect | RestoreEffect,
  current: PlanSettings,
  story: PlanStory | undefined,
): PlanDecision {
  if (effect.kind === 'throttle') return lowered(effect, current)
  return story?.holders.includes(effect.keyId) ? restored(effect, current, story) : already(current.limits)
}

/** How a method's path is written into a patch: AWS's reference says `~1`, and users of it send slashes. */
export type PathForm = 'raw' | 'escaped'

/** The PATCH that makes the change: all numbers in one call, since there is but one call in 20 s. */
export function patchTo({ before, after, methods }: Change, form: PathForm): PatchOperation[] {
  const own = sameLimits(before, after) ? [] : limitsPatch('/throttle', after)
  const others = methods.flatMap(method => limitsPatch(methodPath(method, form), method.after))
  return [...own, ...others]
}

/** Whether a plan that has these settings has all that the change was to set; or which of its methods have not. */
export function unsetMethods({ methods }: Change, current: PlanSettings): readonly MethodChange[] {
  return methods.filter(method => !sameLimits(limitsOf(current.methods, method) ?? null, method.after))
}

export const hasArrived = (change: Change, current: PlanSettings): boolean =>
  sameLimits(current.limits, change.after) && unsetMethods(change, current).length === 0

export const sameChange = (one: Change, other: Change): boolean => JSON.stringify(one) === JSON.stringify(other)

/** A path is the user's own, and passes as any text from outside before it is shown. */
export const methodsText = (methods: readonly MethodPlace[]): string =>
  methods.map(({ apiStage, method }) => cleanText(`${method} of ${apiStage}`)).join(', ')

function limitsPatch(path: string, limits: LimitsOrNone): PatchOperation[] {
  if (limits === null) return [{ op: 'remove', path }]
  return [
    { op: 'replace', path: `${path}/rateLimit`, value: String(limits.rateLimit) },
    { op: 'replace', path: `${path}/burstLimit`, value: String(limits.burstLimit) },
  ]
}

function methodPath({ apiStage, method }: MethodPlace, form: PathForm): string {
  const slash = method.lastIndexOf('/')
  const [path, verb] = [method.slice(0, slash), method.slice(slash + 1)]
  const written = form === 'raw' ? path : path.replaceAll('~', '~0').replaceAll('/', '~1')
  return `/apiStages/${apiStage}/throttle/${written}/${verb}`
}

/** A method above the plan's new limits would let through there what is stopped elsewhere: none stays above them. */
function lowered(effect: ThrottleEffect, current: PlanSettings): PlanDecision {
  const after = lower(current.limits, effect.limits)
  const methods = current.methods.flatMap(({ limits: before, ...place }): readonly MethodChange[] => {
    const lowest = lowerOf(before, after)
    return sameLimits(before, lowest) ? [] : [{ ...place, before, after: lowest }]
  })
  return setUnless({ before: current.limits, after, methods })
}

/** Per number the lower one. A burst is whole, and at least 1 of our own will: with 0 the gateway refuses every call. */
function lower(current: LimitsOrNone, wanted: PlanLimits): PlanLimits {
  const whole = { rateLimit: wanted.rateLimit, burstLimit: Math.max(Math.floor(wanted.burstLimit), 1) }
  return current === null ? whole : lowerOf(current, whole)
}

const lowerOf = (one: PlanLimits, other: PlanLimits): PlanLimits => ({
  rateLimit: Math.min(one.rateLimit, other.rateLimit),
  burstLimit: Math.min(one.burstLimit, other.burstLimit),
})

/** Each of what we lowered by itself: somebody else's change of one of them wins for that one. */
function restored(effect: RestoreEffect, current: PlanSettings, story: PlanStory): PlanDecision {
  const isOthers = !mayHave(story, current.limits) && !sameLimits(current.limits, story.original)
  const after = mayHave(story, current.limits) ? targetOf(effect, story, story, current.limits) : current.limits
  const methods: MethodChange[] = []
  const others: MethodPlace[] = []
  for (const method of story.methods) {
    const { apiStage, method: name, original } = method
    const before = limitsOf(current.methods, method)
    if (before !== undefined && mayHave(method, before)) {
      // Both are limits, so what lies between them is.
      const target = targetOf(effect, story, method, before) ?? original
      if (!sameLimits(before, target)) methods.push({ apiStage, method: name, before, after: target })
    } else if (before === undefined || !sameLimits(before, original)) others.push(method)
  }
  const left = [
    ...(isOthers ? [othersText(current.limits, story.original)] : []),
    ...(others.length === 0 ? [] : [`${methodsText(others)}: ${changedMeanwhile}`]),
  ].join('; ')
  const decision = setUnless({ before: current.limits, after, methods })
  if (decision.kind === 'set') return left === '' ? decision : { ...decision, left }
  if (isOthers) return { kind: 'answer', outcome: { kind: 'refused', because: left } }
  return left === '' ? decision : { kind: 'answer', outcome: { ...already(current.limits).outcome, missed: left } }
}

/** Both, since whoever reads it has only this to go by. */
const othersText = (now: LimitsOrNone, original: LimitsOrNone): string =>
  `set by somebody else meanwhile, and left as it is: it has ${limitsText(now ?? undefined)}, and had ${limitsText(original ?? undefined)} before Weir lowered it`

const changedMeanwhile = 'changed meanwhile by someone else; left as it is'

function targetOf(
  effect: RestoreEffect,
  story: PlanStory,
  { original, lastSet }: { readonly original: LimitsOrNone; readonly lastSet: LimitsOrNone },
  current: LimitsOrNone,
): LimitsOrNone {
  if (effect.step === 'full') return original
  // Tried before and cut short: the same target as then, not half of the way that is left.
  return story.effectId === effect.id ? lastSet : halfWay(current, original)
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

function setUnless(change: Change): PlanDecision {
  const isSame = sameLimits(change.before, change.after) && change.methods.length === 0
  return isSame ? already(change.before) : { kind: 'set', change }
}

function already(current: LimitsOrNone): {
  readonly kind: 'answer'
  readonly outcome: Extract<Outcome, { kind: 'already' }>
} {
  return { kind: 'answer', outcome: { kind: 'already', after: current ?? undefined } }
}
