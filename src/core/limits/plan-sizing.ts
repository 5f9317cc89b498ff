/**
 * From keys to usage plans. A plan's limits hold for each of its keys by itself, so a plan gets what the neediest of them
 * needs; and where a key of it is not known yet, nothing is suggested for it, since nobody knows what that one needs.
 */
import type { LimitsOrNone, PlanPlace } from '../incident/plan-story.ts'
import type { ApiKeyId, PlanLimits } from '../vocabulary.ts'
import type { Sizing } from './sizing.ts'

/** A plan as it was found: at the gateway, or by its id in tenants.yaml alone. */
export interface SeenPlan extends PlanPlace {
  readonly name: string | undefined
  /** `apiId/stage` of each stage that the plan is for; none where the gateway was not asked. */
  readonly stages: readonly string[]
  /** null = no throttle set; undefined: not known. */
  readonly present: LimitsOrNone | undefined
  /** Weir has lowered it at the moment; `present` is what it will get back. */
  readonly isLowered: boolean
  readonly keyIds: readonly ApiKeyId[]
}

export interface SizedKey {
  readonly sizing: Sizing
  /** Calls of its usual days that the plan's present limits would have refused; undefined where they were not played. */
  readonly refusedNow: number | undefined
  /** It needs far less than its plan: where it would be better off. */
  readonly betterIn: BetterPlace | undefined
}

export type BetterPlace = { readonly kind: 'own-plan' } | { readonly kind: 'plan'; readonly planId: string }

export interface SizedPlan extends SeenPlan {
  /** Neediest first. */
  readonly keys: readonly SizedKey[]
  /** In the plan, and without a call in what was looked at. */
  readonly silent: readonly ApiKeyId[]
  readonly verdict: PlanVerdict
}

export type PlanVerdict =
  | { readonly kind: 'none'; readonly because: 'nobody-known' | 'some-too-young'; readonly keyIds: readonly ApiKeyId[] }
  /** `times`: the present rate as a multiple of the suggested one; undefined where there is none, or it is not known. */
  | {
      readonly kind: 'no-limit' | 'too-wide' | 'too-tight' | 'fits' | 'unknown'
      readonly suggested: PlanLimits
      readonly times: number | undefined
    }

/** From so many times what is suggested on, a limit is no limit. */
const WIDE_TIMES = 2
/** Who needs less than this share of what the plan must have is in the wrong one. */
const FAR_LESS = 0.25

export function sizePlans(
  plans: readonly SeenPlan[],
  { sizings, headroom }: { readonly sizings: ReadonlyMap<ApiKeyId, Sizing>; readonly headroom: number },
  refusedNow: (sizing: Sizing, plan: SeenPlan) => number | undefined,
): readonly SizedPlan[] {
  const sized = plans.map(plan => {
    const known = plan.keyIds.flatMap(keyId => sizings.get(keyId) ?? [])
    const keys = known
      .map((sizing): SizedKey => ({ sizing, refusedNow: refusedNow(sizing, plan), betterIn: undefined }))
      .sort((one, other) => rateOf(other.sizing) - rateOf(one.sizing))
    const silent = plan.keyIds.filter(keyId => !sizings.has(keyId))
    return { ...plan, keys, silent, verdict: verdictOn(plan, keys, headroom) }
  })
  return sized.map(plan => ({
    ...plan,
    keys: plan.keys.map(key => ({ ...key, betterIn: betterPlace(key.sizing, plan, sized) })),
  }))
}

const rateOf = ({ suggestion }: Sizing): number => (suggestion.kind === 'limits' ? suggestion.limits.rateLimit : 0)

function verdictOn({ present }: SeenPlan, keys: readonly SizedKey[], headroom: number): PlanVerdict {
  const young = keys.flatMap(({ sizing: { keyId, suggestion } }) =>
    suggestion.kind === 'none' && suggestion.because !== 'no-calls' ? [keyId] : [],
  )
  if (young.length > 0) return { kind: 'none', because: 'some-too-young', keyIds: young }
  const wanted = keys.flatMap(({ sizing: { suggestion } }) => (suggestion.kind === 'limits' ? [suggestion.limits] : []))
  if (wanted.length === 0) return { kind: 'none', because: 'nobody-known', keyIds: [] }
  const suggested = {
    rateLimit: Math.max(...wanted.map(({ rateLimit }) => rateLimit)),
    burstLimit: Math.max(...wanted.map(({ burstLimit }) => burstLimit)),
  }
  if (present === undefined) return { kind: 'unknown', suggested, times: undefined }
  if (present === null) return { kind: 'no-limit', suggested, times: undefined }
  const times = present.rateLimit / suggested.rateLimit
  const isPlayed = keys.every(({ refusedNow }) => refusedNow !== undefined)
  const isBelow = (share: number): boolean =>
    present.rateLimit < share * suggested.rateLimit || present.burstLimit < share * suggested.burstLimit
  // Where no call was played, who has what is needed and no more room than that is let be.
  const refuses = isPlayed ? isBelow(1) && keys.some(({ refusedNow = 0 }) => refusedNow > 0) : isBelow(1 / headroom)
  if (refuses) return { kind: 'too-tight', suggested, times }
  return { kind: times >= WIDE_TIMES ? 'too-wide' : 'fits', suggested, times }
}

/** Of the plans for the same stages the tightest that is enough for it, if that is much tighter than its own. */
function betterPlace(sizing: Sizing, own: SizedPlan, plans: readonly SizedPlan[]): BetterPlace | undefined {
  if (sizing.suggestion.kind === 'none' || own.verdict.kind === 'none' || own.keyIds.length < 2) return undefined
  const { limits } = sizing.suggestion
  const { suggested } = own.verdict
  if (limits.rateLimit > FAR_LESS * suggested.rateLimit) return undefined
  const stages = [...own.stages].sort().join()
  const enough = plans.flatMap(plan => {
    if (plan.gateway !== own.gateway || plan.planId === own.planId || plan.verdict.kind === 'none') return []
    if ([...plan.stages].sort().join() !== stages) return []
    const { rateLimit, burstLimit } = plan.verdict.suggested
    const isEnough = rateLimit >= limits.rateLimit && burstLimit >= limits.burstLimit
    return isEnough && rateLimit <= suggested.rateLimit / 2 ? [{ planId: plan.planId, rateLimit }] : []
  })
  const [tightest] = enough.sort((one, other) => one.rateLimit - other.rateLimit)
  return tightest === undefined ? { kind: 'own-plan' } : { kind: 'plan', planId: tightest.planId }
}

/** What all suggestions come to, when many clients are at their limits at once. */
export interface LimitTotals {
  readonly clients: number
  readonly ratePerSecond: number
  readonly account: Exhaustion
  /** Of the pool that is configured, by how long calls take; undefined where either is not known. */
  readonly pool: Exhaustion | undefined
}

export interface Exhaustion {
  readonly of: number
  /** So many of the largest at once are enough; undefined: not even all of them. */
  readonly clients: number | undefined
}

/** All clients of an account and region together (aws-docs: API Gateway quotas). */
export const ACCOUNT_PER_SECOND = 10_000

/** Each key at the limit that it would have: its plan's, else the one suggested for itself. */
export function totalsOf(
  clients: readonly { readonly rateLimit: number; readonly latencyMs: number | undefined }[],
  poolConcurrency: number | undefined,
): LimitTotals {
  const running = clients.flatMap(({ rateLimit, latencyMs }) =>
    latencyMs === undefined ? [] : [(rateLimit * latencyMs) / 1_000],
  )
  return {
    clients: clients.length,
    ratePerSecond: clients.reduce((sum, { rateLimit }) => sum + rateLimit, 0),
    account: exhaustion(
      clients.map(({ rateLimit }) => rateLimit),
      ACCOUNT_PER_SECOND,
    ),
    pool: poolConcurrency === undefined || running.length === 0 ? undefined : exhaustion(running, poolConcurrency),
  }
}

function exhaustion(loads: readonly number[], of: number): Exhaustion {
  let left = of
  for (const [index, load] of [...loads].sort((one, other) => other - one).entries()) {
    left -= load
    if (left <= 0) return { of, clients: index + 1 }
  }
  return { of, clients: undefined }
}
