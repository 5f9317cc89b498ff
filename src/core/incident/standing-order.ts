/**
 * What is to be done about a limit that Weir has lowered and does not give back itself. It waits at AWS while a throttle is on, and
 * whoever is handed it (dead-man/) holds it against what the gateway has:
 *
 *     a plan has                            a key is                                          what is done
 *     a limit that we set, or may have set  in the penalty plan, or in none of the stages →   the original, to the digit
 *     the original                          in its own plans                              →   nothing: it was given back
 *     anything else                         in another plan of these stages               →   nothing: a person's change wins
 *
 * Pure, so that the order and the answer to it are made of the same facts.
 */
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'
import type { GiveBack } from './give-back.ts'
import { isMethod, type LimitsOrNone, type MethodLimits, type MethodPlace, sameLimits } from './plan-story.ts'

const schema = 'weir.standing-order/1'

export interface StandingOrder {
  readonly schema: typeof schema
  /** The last change that it covers: `<incident id>/<step>`. */
  readonly effectId: string
  /** For whom the limit is lowered. */
  readonly holders: readonly ApiKeyId[]
  /** When the throttle was to end, epoch ms. */
  readonly expiresAt: EpochMs
  readonly giveBack: OrderedGiveBack
}

export type PlanGiveBack = Extract<GiveBack, { kind: 'plan' }>
export type MoveGiveBack = Extract<GiveBack, { kind: 'move' }>
/** A row of an authorizer's table ends by itself. */
export type OrderedGiveBack = PlanGiveBack | MoveGiveBack

export type Left = { readonly kind: 'leave'; readonly because: 'back' | 'others' }

/** All limits of a plan as the gateway has them. undefined: a rate without a burst or a burst without a rate, which we never set. */
export interface FoundSettings {
  readonly limits: LimitsOrNone | undefined
  readonly methods: readonly (MethodPlace & { readonly limits: LimitsOrNone | undefined })[]
}

export type PlanVerdict =
  /** `limits` is not there: they are not ours to set. */
  { readonly kind: 'restore'; readonly limits?: LimitsOrNone; readonly methods: readonly MethodLimits[] } | Left

export function judgePlan({ original, mayHave, methods }: PlanGiveBack, found: FoundSettings): PlanVerdict {
  const own = judge({ original, mayHave }, found.limits)
  const ofMethods = methods.map(method => {
    const current = found.methods.find(other => isMethod(other, method))?.limits
    return { ...method, verdict: judge(method, current) }
  })
  const restored = ofMethods.filter(({ verdict }) => verdict === 'restore')
  if (own === 'restore' || restored.length > 0) {
    const back = restored.map(({ apiStage, method, original }) => ({ apiStage, method, limits: original }))
    return { kind: 'restore', ...(own === 'restore' && { limits: original }), methods: back }
  }
  const isBack = own === 'back' && ofMethods.every(({ verdict }) => verdict === 'back')
  return { kind: 'leave', because: isBack ? 'back' : 'others' }
}

function judge(
  { original, mayHave }: { readonly original: LimitsOrNone; readonly mayHave: readonly LimitsOrNone[] },
  current: LimitsOrNone | undefined,
): 'restore' | 'back' | 'others' {
  if (current === undefined) return 'others'
  if (sameLimits(current, original)) return 'back'
  return mayHave.some(limits => sameLimits(limits, current)) ? 'restore' : 'others'
}

/** A plan that the key is in, with `apiId/stage` of each stage that it is for. */
export interface FoundPlan {
  readonly id: string
  readonly stages: readonly string[]
}

export type MoveVerdict =
  /** Out of the one first: a key may be in one plan a stage only. */
  { readonly kind: 'restore'; readonly removeFrom: string | undefined; readonly addTo: readonly string[] } | Left

/**
 * In none of these stages' plans the key gets 403 for every call, which is what a move leaves behind that was cut short: it gets
 * its plans back. A person who wants a client out disables its key or deletes it.
 */
export function judgeMove({ from, to, stages }: MoveGiveBack, current: readonly FoundPlan[]): MoveVerdict {
  const isIn = (planId: string): boolean => current.some(({ id }) => id === planId)
  const addTo = from.filter(planId => !isIn(planId))
  if (isIn(to)) return { kind: 'restore', removeFrom: to, addTo }
  if (addTo.length === 0) return { kind: 'leave', because: 'back' }
  const isOthers = current.some(plan => !from.includes(plan.id) && plan.stages.some(stage => stages.includes(stage)))
  return isOthers ? { kind: 'leave', because: 'others' } : { kind: 'restore', removeFrom: undefined, addTo }
}

/**
 * One of these waits for a limit at a time: so it is named by the limit, and unique in an account and region. Of a shared stream
 * by its part as well: one part may be late to delete its own when another has lowered the same limit.
 */
export function orderName(giveBack: OrderedGiveBack, part?: string): string {
  const name = giveBack.kind === 'plan' ? `weir-plan-${giveBack.planId}` : `weir-key-${giveBack.movedKey}`
  const whole = part === undefined ? name : `${name.slice(0, 39)}-${part.slice(-24)}`
  return whole.replaceAll(/[^\w.-]/g, '_').slice(0, 64)
}

export const standingOrder = (order: Omit<StandingOrder, 'schema'>): StandingOrder => ({ schema, ...order })

/** undefined: not one of ours, or of a version that is not known here; nothing is to be done for it. */
export function readOrder(value: unknown): StandingOrder | undefined {
  if (!isMapping(value) || value.schema !== schema) return undefined
  const { effectId, holders, expiresAt } = value
  const giveBack = readGiveBack(value.giveBack)
  if (typeof effectId !== 'string' || !isTexts(holders) || !isMoment(expiresAt)) return undefined
  return giveBack && standingOrder({ effectId, holders, expiresAt, giveBack })
}

function readGiveBack(value: unknown): OrderedGiveBack | undefined {
  if (!isMapping(value)) return undefined
  const { kind, gateway } = value
  const at = typeof gateway === 'string' ? { gateway } : {}
  if (kind === 'plan') {
    const { planId, original, mayHave, methods } = value
    if (typeof planId !== 'string' || !isLimits(original) || !isAll(mayHave, isLimits)) return undefined
    return isAll(methods, isMethodGiveBack) ? { kind, ...at, planId, original, mayHave, methods } : undefined
  }
  const { movedKey, from, to, stages } = value
  if (kind !== 'move' || typeof movedKey !== 'string' || typeof to !== 'string') return undefined
  return isTexts(from) && isTexts(stages) ? { kind, ...at, movedKey, from, to, stages } : undefined
}

function isMethodGiveBack(value: unknown): value is PlanGiveBack['methods'][number] {
  if (!isMapping(value) || typeof value.apiStage !== 'string' || typeof value.method !== 'string') return false
  const isOwn = (limits: unknown) => limits !== null && isLimits(limits)
  return isOwn(value.original) && Array.isArray(value.mayHave) && value.mayHave.every(isOwn)
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isAll<T>(value: unknown, isOne: (one: unknown) => one is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isOne)
}

const isTexts = (value: unknown): value is readonly string[] => isAll(value, one => typeof one === 'string')

function isLimits(value: unknown): value is LimitsOrNone {
  return value === null || (isMapping(value) && isRate(value.rateLimit) && isRate(value.burstLimit))
}

/** That a calendar has. */
const isMoment = (value: unknown): value is EpochMs => typeof value === 'number' && Math.abs(value) <= 8.64e15

const isRate = (value: unknown): boolean => typeof value === 'number' && value >= 0
