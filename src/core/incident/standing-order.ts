/**
 * What is to be done about a limit that Weir has lowered and does not give back itself, as data that needs no other store:
 * it waits at AWS while a throttle is on, and whoever is handed it (dead-man/) holds it against what the gateway has.
 *
 *     a plan has                            a key is                                          what is done
 *     a limit that we set, or may have set  in the penalty plan, or in no plan at all    →    the original, to the digit
 *     the original                          in its own plans                             →    nothing: it was given back
 *     anything else, or is gone             anywhere else, or is gone                    →    nothing: a person's change wins
 *
 * Pure, so that the order and the answer to it are made of the same facts.
 */
import type { ApiKeyId, EpochMs, PlanLimits } from '../vocabulary.ts'
import { type LimitsOrNone, sameLimits } from './plan-story.ts'

const schema = 'weir.standing-order/1'

export interface StandingOrder {
  readonly schema: typeof schema
  /** The last change that it covers. */
  readonly effectId: string
  readonly incidentId: string
  /** For whom the limit is lowered. */
  readonly keyIds: readonly ApiKeyId[]
  /** Name in `gateways` of weir.yaml, for people; not there: `gateway`. */
  readonly gateway?: string | undefined
  /** When that change was journaled, and when the throttle was to end, epoch ms. */
  readonly journaledAt: EpochMs
  readonly expiresAt: EpochMs
  readonly giveBack: GiveBack
}

export type GiveBack = PlanGiveBack | MoveGiveBack

/** null: the plan has no throttle of its own. */
export interface PlanGiveBack {
  readonly way: 'plan'
  readonly planId: string
  readonly original: LimitsOrNone
  /** What we set, and what we may have set by the time that this is read. */
  readonly lowered: readonly LimitsOrNone[]
}

/** The key is in a plan for those who misbehave, instead of its own. */
export interface MoveGiveBack {
  readonly way: 'move'
  readonly keyId: ApiKeyId
  readonly penaltyPlanId: string
  readonly planIds: readonly string[]
}

export type PlanVerdict =
  | { readonly kind: 'restore'; readonly to: LimitsOrNone }
  | { readonly kind: 'leave'; readonly because: 'back' | 'others' }

export function judgePlan({ original, lowered }: PlanGiveBack, current: LimitsOrNone): PlanVerdict {
  if (sameLimits(current, original)) return { kind: 'leave', because: 'back' }
  if (lowered.some(limits => sameLimits(limits, current))) return { kind: 'restore', to: original }
  return { kind: 'leave', because: 'others' }
}

export type MoveVerdict =
  /** Taken out of the one first: a key may be in one plan a stage only. */
  | { readonly kind: 'restore'; readonly removeFrom: string | undefined; readonly addTo: readonly string[] }
  | { readonly kind: 'leave'; readonly because: 'back' | 'others' }

/**
 * `current`: the plans that the key is in. In none it gets 403 for every call, which is what a move that was cut short
 * leaves behind: it gets its plans back. A person who wants a client out disables its key or deletes it.
 */
export function judgeMove({ penaltyPlanId, planIds }: MoveGiveBack, current: readonly string[]): MoveVerdict {
  const addTo = planIds.filter(planId => !current.includes(planId))
  if (current.includes(penaltyPlanId)) return { kind: 'restore', removeFrom: penaltyPlanId, addTo }
  if (addTo.length === 0) return { kind: 'leave', because: 'back' }
  if (current.some(planId => !planIds.includes(planId))) return { kind: 'leave', because: 'others' }
  return { kind: 'restore', removeFrom: undefined, addTo }
}

/** One of these waits for a limit at a time: so it is named by the limit, and unique in an account and region. */
export function orderName(giveBack: GiveBack): string {
  const name = giveBack.way === 'plan' ? `plan-${giveBack.planId}` : `key-${giveBack.keyId}`
  return name.replaceAll(/[^\w.-]/g, '_')
}

export function standingOrder(order: Omit<StandingOrder, 'schema'>): StandingOrder {
  return { schema, ...order }
}

/** undefined: not one of ours, or of a version that is not known here; nothing is to be done for it. */
export function readOrder(value: unknown): StandingOrder | undefined {
  if (!isMapping(value) || value.schema !== schema) return undefined
  const { effectId, incidentId, keyIds, gateway, journaledAt, expiresAt } = value
  const giveBack = readGiveBack(value.giveBack)
  if (typeof effectId !== 'string' || typeof incidentId !== 'string' || giveBack === undefined) return undefined
  if (!isTexts(keyIds) || typeof journaledAt !== 'number' || typeof expiresAt !== 'number') return undefined
  const named = typeof gateway === 'string' ? { gateway } : {}
  return standingOrder({ effectId, incidentId, keyIds, ...named, journaledAt, expiresAt, giveBack })
}

function readGiveBack(value: unknown): GiveBack | undefined {
  if (!isMapping(value)) return undefined
  if (value.way === 'plan') {
    const { planId, original, lowered } = value
    if (typeof planId !== 'string' || !isLimits(original) || !Array.isArray(lowered)) return undefined
    return lowered.every(isLimits) ? { way: 'plan', planId, original, lowered } : undefined
  }
  const { way, keyId, penaltyPlanId, planIds } = value
  if (way !== 'move' || typeof keyId !== 'string' || typeof penaltyPlanId !== 'string') return undefined
  return isTexts(planIds) && planIds.length > 0 ? { way, keyId, penaltyPlanId, planIds } : undefined
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(text => typeof text === 'string')
}

function isLimits(value: unknown): value is LimitsOrNone {
  return value === null || (isMapping(value) && isRate(value.rateLimit) && isRate(value.burstLimit))
}

const isRate = (value: unknown): value is PlanLimits['rateLimit'] => typeof value === 'number' && value >= 0
