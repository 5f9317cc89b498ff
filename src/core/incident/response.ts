/**
 * What is done about a signal: the policy, with its reason. Misbehaviour is surprise *and* harm; surprise alone is told
 * and never throttled. The order of the questions is the order of the answers' precedence.
 */
import type { Kind, Usual } from '../../../detectors/contract.ts'
import type { Mode, WeirConfig } from '../config/config.ts'
import type { Action, IncidentKind, Severity } from '../explanation/explanation.ts'
import { ANONYMOUS, type ApiKeyId, type EpochMs, MINUTE_MS, type PlanLimits } from '../vocabulary.ts'

export interface ResponseQuestion {
  readonly mode: Mode
  readonly keyId: ApiKeyId
  readonly isExempt: boolean
  readonly severity: Severity
  readonly usual: Usual | undefined
  /** Many keys are wrong at once, and this one is not far worse than all others together. */
  readonly isPlatformIncident: boolean
  /** A person has said that nobody is to be throttled. */
  readonly haltedBy: string | undefined
  /** How often this key was throttled within the last 7 days. */
  readonly throttlesOfWeek: number
  /** Tenants throttled now, this one not counted. */
  readonly throttledTenants: number
  readonly now: EpochMs
  /** End of what was looked at, event time: long before `now` when the worker is catching up. */
  readonly at: EpochMs
  /** It is seen while the worker reads what came when it was away. */
  readonly isPast: boolean
}

/** Limits are of now: what somebody called longer ago than this says nothing about what to do to them now. */
const TOO_OLD_MS = 5 * MINUTE_MS

export function respond(question: ResponseQuestion, policy: WeirConfig['throttle']): Action {
  const { keyId, usual } = question
  if (question.isPlatformIncident) return { kind: 'held', because: 'platform-incident' }
  if (question.severity === 'low') return { kind: 'held', because: 'no-harm' }
  if (keyId === ANONYMOUS) return { kind: 'held', because: 'anonymous' }
  if (keyId.startsWith('hash:')) return { kind: 'held', because: 'key-id-unknown' }
  if (question.isExempt) return { kind: 'held', because: 'exempt' }
  if (question.isPast || question.now - question.at > TOO_OLD_MS) return { kind: 'held', because: 'too-old' }
  if (question.mode === 'observe') return { kind: 'held', because: 'observe-mode' }
  if (usual === undefined) return { kind: 'held', because: 'history-unknown' }
  const limits = throttledLimits(usual, policy)
  if (question.mode === 'suggest') return { kind: 'suggest', limits }
  if (question.haltedBy !== undefined) return { kind: 'held', because: 'halted', by: question.haltedBy }
  if (question.throttledTenants >= policy.maxTenants) return { kind: 'held', because: 'too-many-throttled' }
  const before = policy.repeatFactor > 1 ? question.throttlesOfWeek : 0
  const expiresAt = question.now + throttledForMs(before, policy)
  return { kind: 'throttle', limits, expiresAt, ...(before > 0 && { ofWeek: before + 1 }) }
}

/** Who does it again is held longer each time, up to a bound; never shorter than the first time. */
export function throttledForMs(before: number, policy: WeirConfig['throttle']): number {
  const { expiresAfter, repeatFactor, longest } = policy
  return Math.max(expiresAfter, Math.min(longest, expiresAfter * repeatFactor ** before))
}

/**
 * What the tenant normally needs now, with headroom, in whole calls a second (a usage plan's rates are a second's; a
 * fraction would starve the tenant it is meant to spare). The performer takes the plan's own where that is lower.
 */
export function throttledLimits(usual: Usual, policy: WeirConfig['throttle']): PlanLimits {
  const rateLimit = Math.max(policy.floorPerSecond, Math.ceil((usual.upperPerMinute * policy.headroom) / 60))
  return { rateLimit, burstLimit: Math.ceil(rateLimit * policy.burstSeconds) }
}

/** How a key stands in the fleet over the last ten seconds. */
export interface Standing {
  readonly calls: number
  /** Calls beyond the upper end of what is usual in ten seconds; 0 where nothing usual is known. */
  readonly excess: number
  /** How many times the upper end of the usual it calls; undefined where nothing usual is known. */
  readonly timesUpper: number | undefined
  /** The whole fleet, this key included. */
  readonly fleetCalls: number
  readonly fleetExcess: number
  /** Calls in ten seconds that the API has been seen to carry: what it answered in its busiest minute of the last seven days. */
  readonly provenCalls: number
  /** Whether many other keys' calls are failing. */
  readonly othersFail: boolean
  /** Of the pool in which all calls run; undefined where none is configured. */
  readonly pool: PoolOutlook | undefined
}

/** How long the pool lasts, by everybody's executions. */
export interface PoolOutlook {
  readonly concurrency: number
  /** At once, over the last ten seconds. */
  readonly executions: number
  /** At this growth: 0 when it is full, infinite while nothing grows. */
  readonly secondsLeft: number
}

/**
 * A key that makes half of all excess, at many times its usual, is worse than everyone else together; if the API feels it at all: where
 * it is a trifle beside what all call, somebody else's trouble is not its doing.
 */
export const DOMINANT_SHARE = 0.5
export const DOMINANT_TIMES = 10
export const FELT_SHARE = 0.1
/** Ten seconds of a busy minute may well be twice as busy as it; and nobody runs an API without any room above its busiest one. */
export const BEYOND_PROVEN_TIMES = 3
/** While an API is sick everybody may retry, and one of few soon makes half of it: whose doing it is makes nearly all. */
const FAR_WORSE_SHARE = 0.8

/** The questions that decide whether a surge harms, each with its answer. */
export interface Harm {
  readonly isManyTimes: boolean
  readonly isMostOfExcess: boolean
  readonly isFelt: boolean
  readonly isMostOfCalls: boolean
  readonly isBeyondProven: boolean
  readonly othersFail: boolean
}

export const harmOf = (standing: Standing): Harm => ({
  isManyTimes: standing.timesUpper !== undefined && standing.timesUpper >= DOMINANT_TIMES,
  isMostOfExcess: standing.excess >= DOMINANT_SHARE * standing.fleetExcess,
  isFelt: standing.excess >= FELT_SHARE * standing.fleetCalls,
  isMostOfCalls: standing.calls >= DOMINANT_SHARE * standing.fleetCalls,
  isBeyondProven: standing.fleetCalls > BEYOND_PROVEN_TIMES * standing.provenCalls,
  othersFail: standing.othersFail,
})

export function isDominant(standing: Standing): boolean {
  const { isManyTimes, isMostOfExcess, isFelt } = harmOf(standing)
  return isManyTimes && isMostOfExcess && isFelt
}

/** Whether it is this key, and not the API, that is sick when many are in trouble. */
export const isFarWorse = (standing: Standing): boolean =>
  isDominant(standing) && standing.excess >= FAR_WORSE_SHARE * standing.fleetExcess

/**
 * Retries after failures harm by themselves. Taking more than one's part of the pool harms when the pool runs out
 * soon. A surge with the usual errors harms when it drowns the others: it brings more than all other clients together, at
 * many times its usual, and together they are far more than the API has been seen to carry; or the others have begun to fail
 * while it dominates. Errors and refusals cost the API little, and are their client's own loss; so are a silence and a fall.
 */
export function severityOf(kind: Kind, standing: Standing): Severity {
  switch (kind) {
    case 'retry-storm':
      return 'high'
    case 'pool-share':
      return (standing.pool?.secondsLeft ?? Number.POSITIVE_INFINITY) <= SOON_SECONDS ? 'high' : 'low'
    case 'error-loop':
    case 'limit-pressure':
    case 'silence':
    case 'enumeration':
    case 'new-place':
    case 'stuck-poller':
    case 'fall':
      return 'low'
    case 'surge': {
      const { isMostOfCalls, isBeyondProven, othersFail } = harmOf(standing)
      const drowns = isMostOfCalls && isBeyondProven
      return isDominant(standing) && (drowns || othersFail) ? 'high' : 'low'
    }
    default:
      return kind satisfies never
  }
}

/** A pool that lasts longer than this is not yet running out: who fills it may be done by then. */
export const SOON_SECONDS = 2 * 60

/** Which of two kinds names the misbehaviour where both are seen: above 0 the first, 0 where either may. */
export const compareHarm = (one: IncidentKind, other: IncidentKind): number => HARM[one] - HARM[other]

/**
 * A storm fills the pool and is refused as well, and any of them may be a surge: the cause names it. What fails all the same
 * may come evenly, or from elsewhere. Who has fallen may then stop calling altogether, or come back with all that waited.
 */
const HARM: Readonly<Record<IncidentKind, number>> = {
  platform: 5,
  'retry-storm': 4,
  'pool-share': 3,
  'error-loop': 2,
  'limit-pressure': 2,
  silence: 2,
  enumeration: 1,
  'new-place': 1,
  'stuck-poller': 1,
  surge: 0,
  fall: -1,
}
