/**
 * Whether a lowered limit holds, by what the log shows of the calls after it. The gateway's answer says only that the
 * plan has the limit: it bites up to two minutes later, and never where calls take another plan, another stage, or a
 * method that wants no key.
 *
 *     outcome → too-early ─┬─ refuses, and answers no more than the limit allows ───────────→ bites
 *                          ├─ settled, and it answers twice what the limit allows ──→ does-not-bite
 *                          └─ settled, and a minute shows neither ─────────────────────→ cannot-tell
 *     Each goes on to the first two when it is seen; from these nothing goes back to doubt.
 *
 * In any n whole seconds a bucket of rate r and burst b lets through b + r·n calls at most, and r more where the log's
 * clock and the bucket's cut the seconds otherwise. Twice the rate is given, since AWS calls its limits best effort, and
 * 20 calls, below which nothing is ever an incident. So a limit that holds is never said not to. Only closed seconds
 * count, by event time: a line that comes late moves nothing. Called `accepted` is what surely went through (2xx, 5xx):
 * a 4xx may be the gateway's own refusal, as of a key that somebody has disabled.
 *
 * A restored limit is not looked at: a raise that does not bite harms nobody but for a while, and whose client asks for
 * less than its limit, as one that has calmed down does, the log cannot show it of.
 */
import { type ApiKeyId, type EpochMs, type PlanLimits, SECOND_MS } from '../vocabulary.ts'

/** A plan as a throttle left it. Its limits hold for each key in it by itself. */
export interface LoweredPlan {
  /** Name in `gateways`; undefined: `gateway`. */
  readonly gateway?: string | undefined
  readonly region?: string | undefined
  readonly planId: string
  /** `apiId/stage`, where the gateway was asked which. */
  readonly stages?: readonly string[] | undefined
  readonly limits: PlanLimits
  /** Of the keys that the throttle is about those that are in it. */
  readonly keys: readonly ApiKeyId[]
}

/** What the log has of one second of the key, or of all keys of the tenant that the incident is about. */
export interface SecondSeen {
  /** Epoch s, event time. */
  readonly second: number
  /** Answered 2xx or 5xx: through the gateway for sure. */
  readonly accepted: number
  /** 429. */
  readonly refused: number
  /** Whatever else, or without a status. */
  readonly unclear: number
}

/** A stretch of closed seconds, summed. */
export interface Seen {
  readonly from: EpochMs
  readonly seconds: number
  readonly accepted: number
  readonly refused: number
  readonly unclear: number
  /** The most that a bucket of this rate and burst lets through in so many seconds. */
  readonly allowed: number
}

export type Doubt =
  /** It calls less than the limit lets it. */
  | 'asks-less'
  /** About as much as the limit lets it: a limit that holds and one that does not would look the same. */
  | 'near-limit'
  /** No call of it is in the log, which may leave out what is refused. */
  | 'silent'
  /** Refused, at less than the limit: something else holds it, as the account's limit or a method's own. */
  | 'held-otherwise'
  /** Mostly neither 2xx, 5xx nor 429: the gateway may have answered these by itself. */
  | 'unclear-answers'
  /** The log has not come so far. */
  | 'not-delivered'
  /** The limit was given back before it could be told. */
  | 'ended-early'

export type Verdict =
  | { readonly kind: 'too-early' }
  | {
      readonly kind: 'bites'
      /** The first second in which it held, event time, and how long after the gateway's answer that was; undefined where it was so already. */
      readonly since: EpochMs
      readonly afterMs: number | undefined
      readonly seen: Seen
    }
  | { readonly kind: 'does-not-bite'; readonly seen: Seen }
  | { readonly kind: 'cannot-tell'; readonly because: Doubt; readonly seen: Seen | undefined }

export interface Verification {
  readonly verdict: Verdict
  readonly plans: readonly LoweredPlan[]
  /** Of all these keys in all these plans together. */
  readonly limits: PlanLimits
  /** When the gateway had answered, arrival clock; `wasSo`: it had nothing to change. */
  readonly changedAt: EpochMs
  readonly wasSo: boolean
  /** Event time from which on a limit that does not bite is called so. */
  readonly settledAt: EpochMs
  /** What could not be lowered, and why, for people. */
  readonly missed: string | undefined
  /** Closed seconds before this one were looked at (epoch s). */
  readonly lookedTo: number
  /** What people were alerted of: nothing, that it does not bite, that it does by now. */
  readonly alerted: 'nothing' | 'unheld' | 'held-again'
}

/** What a limit is verified against: undefined where no gateway has said what it holds, as in a replay. */
export function beginVerification(
  {
    plans,
    wasSo,
    missed,
  }: {
    readonly plans: readonly LoweredPlan[] | undefined
    readonly wasSo: boolean
    readonly missed?: string | undefined
  },
  { now, newest, settleMs }: { readonly now: EpochMs; readonly newest: EpochMs; readonly settleMs: number },
): Verification | undefined {
  if (plans === undefined || plans.length === 0) return undefined
  return {
    verdict: { kind: 'too-early' },
    plans,
    limits: together(plans),
    changedAt: now,
    wasSo,
    // The stream may be ahead of our own clock: then the later counts, so that nothing is judged too soon.
    settledAt: Math.max(now, newest) + settleMs,
    missed,
    lookedTo: Math.floor(now / SECOND_MS),
    alerted: 'nothing',
  }
}

function together(plans: readonly LoweredPlan[]): PlanLimits {
  let rateLimit = 0
  let burstLimit = 0
  for (const { limits, keys } of plans) {
    rateLimit += limits.rateLimit * keys.length
    burstLimit += limits.burstLimit * keys.length
  }
  return { rateLimit, burstLimit }
}

export interface Look {
  /** Closed seconds that had calls, oldest first, of the last five minutes. */
  readonly seconds: readonly SecondSeen[]
  /** All seconds before this one are closed (epoch s). */
  readonly closedTo: number
  /** Arrival clock, and how long a line may be under way. */
  readonly now: EpochMs
  readonly deliveryMs: number
}

/** So many closed seconds are looked back at: no more are kept. */
const KEPT_SECONDS = 300

/** Each closed second is looked at as it would have been by itself, so that it does not show how many closed at once. */
export function verify(before: Verification, { seconds, closedTo, now, deliveryMs }: Look): Verification {
  let verdict = before.verdict
  for (let end = Math.max(before.lookedTo, closedTo - KEPT_SECONDS) + 1; end <= closedTo; end++)
    verdict = verdictAt({ ...before, verdict }, seconds, end)
  const overdueAt = before.settledAt + DOUBT_SECONDS * SECOND_MS + 2 * deliveryMs
  if (verdict.kind === 'too-early' && now >= overdueAt)
    verdict = { kind: 'cannot-tell', because: 'not-delivered', seen: undefined }
  const after = { ...before, verdict, lookedTo: Math.max(before.lookedTo, closedTo) }
  return { ...after, alerted: alertedAfter(before, after) }
}

/** The throttle is over: what has not shown by now will not. */
export const endVerification = (verification: Verification | undefined): Verification | undefined =>
  verification?.verdict.kind === 'too-early'
    ? { ...verification, verdict: { kind: 'cannot-tell', because: 'ended-early', seen: undefined } }
    : verification

/**
 * Who is told of a new verdict: nobody, those who follow, or people, whom it alerts. People once that it does not bite, and
 * once that it does by now; one that goes on to and fro after that is no news, until the end tells how it stood.
 */
export function newsOf(before: Verification, after: Verification): 'none' | 'told' | 'alerted' {
  if (before.alerted !== after.alerted) return 'alerted'
  return after.verdict.kind === 'bites' && before.verdict.kind !== 'bites' && after.alerted === 'nothing'
    ? 'told'
    : 'none'
}

/** Whether it is known whether it holds. */
export const isVerified = (verification: Verification | undefined): boolean =>
  verification?.verdict.kind === 'bites' || verification?.verdict.kind === 'does-not-bite'

function alertedAfter({ alerted }: Verification, { verdict: { kind } }: Verification): Verification['alerted'] {
  if (kind === 'does-not-bite' && alerted === 'nothing') return 'unheld'
  if (kind === 'bites' && alerted === 'unheld') return 'held-again'
  return alerted
}

/** Ten seconds of a storm are plenty; of somebody who calls a little more than the limit, a minute tells. */
const HOLD_WINDOWS = [10, 30, 60]
/** Of one that was said not to bite. */
const HOLD_AGAIN_WINDOWS = [60]
/** Shorter ones prove a storm, longer ones what is little more than twice the limit. All lie after the settle time. */
const LEAK_WINDOWS = [30, 60, 120, 240]
/** A minute after the settle time that shows neither leaves it in doubt. */
const DOUBT_SECONDS = 60

function verdictAt(verification: Verification, seconds: readonly SecondSeen[], end: number): Verdict {
  const { verdict, limits, changedAt, settledAt, wasSo } = verification
  const sum = (count: number): Seen => seenIn(seconds, end - count, end, limits)
  if (verdict.kind !== 'bites') {
    const from = Math.floor(changedAt / SECOND_MS)
    const count = heldFor({ seconds, from, end, limits, isAgain: verdict.kind === 'does-not-bite' })
    if (count !== undefined) {
      const since = firstHeld(seconds, end - count, end, limits) * SECOND_MS
      return { kind: 'bites', since, afterMs: wasSo ? undefined : Math.max(0, since - changedAt), seen: sum(count) }
    }
  }
  const settled = Math.ceil(settledAt / SECOND_MS)
  if (verdict.kind !== 'does-not-bite') {
    const count = LEAK_WINDOWS.find(length => end - length >= settled && isLeaking(seconds, end, length, limits))
    if (count !== undefined) return { kind: 'does-not-bite', seen: sum(count) }
  }
  if (verdict.kind === 'bites' || verdict.kind === 'does-not-bite' || end - settled < DOUBT_SECONDS) return verdict
  return { kind: 'cannot-tell', because: doubtOf(seconds, end, limits), seen: sum(DOUBT_SECONDS) }
}

/** Each third of it by itself, and not held just now: a hiccup of the gateway is let be, and so is a limit that begins to bite half way. */
function isLeaking(seconds: readonly SecondSeen[], end: number, length: number, limits: PlanLimits): boolean {
  const third = length / 3
  const thirds = [end, end - third, end - 2 * third].map(to => seenIn(seconds, to - third, to, limits))
  return thirds.every(seen => exceeds(seen, limits)) && !isHeld(seconds, end - NOW_SECONDS, end, limits)
}

const NOW_SECONDS = 10

/** Over so much more than the limit that no bucket of this rate and burst lets it through, however roughly it counts. */
const exceeds = ({ accepted, seconds }: Seen, { rateLimit, burstLimit }: PlanLimits): boolean =>
  accepted > ROUGHLY * rateLimit * seconds + burstLimit + rateLimit + LEAST_EXCESS

/** AWS: limits are targets, not ceilings. A storm that is held to twice its limit is held. */
const ROUGHLY = 2
const LEAST_EXCESS = 20

interface HoldQuestion {
  readonly seconds: readonly SecondSeen[]
  /** None before this second says anything. */
  readonly from: number
  readonly end: number
  readonly limits: PlanLimits
  /** Of one that was said not to bite more is asked. */
  readonly isAgain: boolean
}

/** For so many seconds up to `end` it was seen to hold; undefined where it was not. */
function heldFor({ seconds, from, end, limits, isAgain }: HoldQuestion): number | undefined {
  const windows = isAgain ? HOLD_AGAIN_WINDOWS : HOLD_WINDOWS
  const refusing = windows.find(count => end - count >= from && isHeld(seconds, end - count, end, limits))
  if (refusing !== undefined || isAgain) return refusing
  return end - PINNED_SECONDS >= from && isPinned(seconds, end, limits) ? PINNED_SECONDS : undefined
}

/**
 * The gateway may log none of what it refuses. What it lets through is then the limit in each second, as no client calls by
 * itself: one that comes by chance as often as 15 times a second does not keep to 14 to 16 for half a minute.
 */
function isPinned(seconds: readonly SecondSeen[], end: number, { rateLimit }: PlanLimits): boolean {
  if (rateLimit < LEAST_PINNED_RATE) return false
  const pinned = seconds.filter(
    ({ second, accepted, unclear }) =>
      second >= end - PINNED_SECONDS &&
      second < end &&
      Math.abs(accepted + unclear - rateLimit) <= Math.max(1, rateLimit * PINNED_WITHIN),
  )
  return pinned.length === PINNED_SECONDS
}

const PINNED_SECONDS = 30
const PINNED_WITHIN = 0.1
/** Of fewer a second the next whole number is too near. */
const LEAST_PINNED_RATE = 5

/**
 * Refused by this limit, and not by another: more was asked than it allows, what was let through is no more than that, and no
 * less than half of what it lets through in the seconds in which it refused.
 */
function isHeld(seconds: readonly SecondSeen[], from: number, to: number, limits: PlanLimits): boolean {
  const { accepted, refused, unclear } = seenIn(seconds, from, to, limits)
  const { rateLimit, burstLimit } = limits
  const answered = accepted + unclear
  const atRate = rateLimit * (to - from)
  if (refused < LEAST_REFUSED || answered > HELD_WITHIN * atRate + burstLimit + rateLimit) return false
  const isPressed = answered + refused >= PRESSED * atRate || answered >= NEARLY * atRate
  return isPressed && answered >= Math.min(atRate, burstLimit + rateLimit * refusingSeconds(seconds, from, to)) / 2
}

const LEAST_REFUSED = 5
const HELD_WITHIN = 1.5
const PRESSED = 1.25
const NEARLY = 0.8

function refusingSeconds(seconds: readonly SecondSeen[], from: number, to: number): number {
  let count = 0
  for (const { second, refused } of seconds) if (second >= from && second < to && refused > 0) count++
  return count
}

/** The first second that refuses and lets no more through than a full bucket holds. */
function firstHeld(
  seconds: readonly SecondSeen[],
  from: number,
  to: number,
  { rateLimit, burstLimit }: PlanLimits,
): number {
  const most = HELD_WITHIN * rateLimit + burstLimit
  const first = seconds.find(
    ({ second, refused, accepted }) => second >= from && second < to && refused > 0 && accepted <= most,
  )
  return first?.second ?? from
}

function doubtOf(seconds: readonly SecondSeen[], end: number, limits: PlanLimits): Doubt {
  const { accepted, refused, unclear, allowed } = seenIn(seconds, end - DOUBT_SECONDS, end, limits)
  const calls = accepted + refused + unclear
  if (calls === 0) return 'silent'
  if (accepted + unclear > allowed && unclear > accepted) return 'unclear-answers'
  if (calls < NEARLY * limits.rateLimit * DOUBT_SECONDS)
    return refused >= LEAST_REFUSED ? 'held-otherwise' : 'asks-less'
  return accepted < (limits.rateLimit * DOUBT_SECONDS) / 2 && refused > accepted ? 'held-otherwise' : 'near-limit'
}

/** Seconds from `from` to `to` (exclusive). */
function seenIn(seconds: readonly SecondSeen[], from: number, to: number, { rateLimit, burstLimit }: PlanLimits): Seen {
  let accepted = 0
  let refused = 0
  let unclear = 0
  for (const one of seconds) {
    if (one.second < from || one.second >= to) continue
    accepted += one.accepted
    refused += one.refused
    unclear += one.unclear
  }
  const allowed = rateLimit * (to - from) + burstLimit
  return { from: from * SECOND_MS, seconds: to - from, accepted, refused, unclear, allowed }
}
