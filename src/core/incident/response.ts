/**
 * What is done about a signal: the policy, with its reason. Misbehaviour is surprise *and* harm; surprise alone is told
 * and never throttled. The order of the questions is the order of the answers' precedence.
 */
import type { Kind, Usual } from '../../../detectors/contract.ts'
import type { Mode, WeirConfig } from '../config/config.ts'
import type { Action, Severity } from '../explanation/explanation.ts'
import { ANONYMOUS, type ApiKeyId, type EpochMs, MINUTE_MS, type PlanLimits } from '../vocabulary.ts'

export interface ResponseQuestion {
  readonly mode: Mode
  readonly keyId: ApiKeyId
  readonly isExempt: boolean
  readonly severity: Severity
  readonly usual: Usual | undefined
  /** Many keys are wrong at once, and this one is not far worse than all others together. */
  readonly isPlatformIncident: boolean
  /** Tenants throttled now, this one not counted. */
  readonly throttledTenants: number
  readonly now: EpochMs
  /** End of what was looked at, event time: long before `now` when the worker is catching up. */
  readonly at: EpochMs
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
  if (question.now - question.at > TOO_OLD_MS) return { kind: 'held', because: 'too-old' }
  if (question.mode === 'observe') return { kind: 'held', because: 'observe-mode' }
  if (usual === undefined) return { kind: 'held', because: 'history-unknown' }
  const limits = throttledLimits(usual, policy)
  if (question.mode === 'suggest') return { kind: 'suggest', limits }
  if (question.throttledTenants >= policy.maxTenants) return { kind: 'held', because: 'too-many-throttled' }
  return { kind: 'throttle', limits, expiresAt: question.now + policy.expiresAfter }
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
  /** Calls in ten seconds that the whole fleet has been seen to carry: its busiest minute of the last seven days. */
  readonly provenCalls: number
  /** Whether many other keys' calls are failing. */
  readonly othersFail: boolean
}

/** A key that makes half of all excess, at many times its usual, is far worse than everyone. */
export const DOMINANT_SHARE = 0.5
export const DOMINANT_TIMES = 10

/** The questions that decide whether a surge harms, each with its answer. */
export interface Harm {
  readonly isManyTimes: boolean
  readonly isMostOfExcess: boolean
  readonly isMostOfCalls: boolean
  readonly isBeyondProven: boolean
  readonly othersFail: boolean
}

export const harmOf = (standing: Standing): Harm => ({
  isManyTimes: standing.timesUpper !== undefined && standing.timesUpper >= DOMINANT_TIMES,
  isMostOfExcess: standing.excess >= DOMINANT_SHARE * standing.fleetExcess,
  isMostOfCalls: standing.calls >= DOMINANT_SHARE * standing.fleetCalls,
  isBeyondProven: standing.fleetCalls > standing.provenCalls,
  othersFail: standing.othersFail,
})

export function isDominant(standing: Standing): boolean {
  const { isManyTimes, isMostOfExcess } = harmOf(standing)
  return isManyTimes && isMostOfExcess
}

/**
 * Retries after failures harm by themselves. A surge with the usual errors harms when it drowns the others: it brings
 * more than all other clients together, at many times its usual, and together they are more than the API has been seen
 * to carry; or the others have begun to fail while it dominates.
 */
export function severityOf(kind: Kind, standing: Standing): Severity {
  if (kind === 'retry-storm') return 'high'
  if (kind === 'fall') return 'low'
  const { isManyTimes, isMostOfExcess, isMostOfCalls, isBeyondProven, othersFail } = harmOf(standing)
  const drowns = isMostOfCalls && isBeyondProven
  return isManyTimes && isMostOfExcess && (drowns || othersFail) ? 'high' : 'low'
}
