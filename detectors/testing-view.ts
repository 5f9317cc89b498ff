/**
 * Views for tests: a story of seconds goes in, and what the core would show of it comes out, windows, aligned periods
 * and sequential evidence agreeing with each other. Only tests import this file. It is no second core: it sums a list,
 * and knows one usual rate for all of it.
 */
import type {
  Counts,
  Detector,
  Finding,
  PlacesSeen,
  PlainBaseline,
  RoutesSeen,
  SequentialEvidence,
  TenantView,
  Usual,
  WindowCounts,
} from './contract.ts'
import { MINUTE_MS, periodStart, SLOT_MS } from './statistics.ts'
import { defaultValues } from './thresholds.ts'

/** What came in one second; calls are their sum. `ranMs`: how long all of them ran together. */
export type Second = Partial<Omit<Counts, 'calls'>> & { readonly ranMs?: number }

export interface Story {
  readonly at?: number
  /** Oldest first; the last one ends at `at`. Before the first there was nothing. */
  readonly seconds?: readonly Second[]
  readonly usual?: Partial<Usual> | undefined
  readonly plain?: Partial<PlainBaseline>
  /** Of the pool that all clients share; undefined: none is configured. */
  readonly concurrency?: number | undefined
  readonly plannedTimes?: number
  readonly routes?: RoutesSeen | undefined
  readonly places?: PlacesSeen | undefined
  /** As long as the story, unless it says otherwise. */
  readonly steadySeconds?: number
}

/** Ten calls a second, one in a thousand fails, and it varies by a tenth: a middling tenant of a payment API. */
const middlingUsual: Usual = {
  callsPerMinute: 600,
  lowerPerMinute: 500,
  upperPerMinute: 700,
  dispersion: 0.01,
  slotUpperPerMinute: 660,
  slotLowerPerMinute: 550,
  clientErrorShare: 0.02,
  refusedShare: 0,
  failureShare: 0.001,
  answered: 100_000,
  latencyMs: undefined,
  days: 7,
  reaches: [
    { seconds: 10, upperCalls: 130, perWeek: 0.4, tail: 4, cautiousTail: 2, busiestCalls: 200 },
    { seconds: 60, upperCalls: 700, perWeek: 0.4, tail: 4, cautiousTail: 2, busiestCalls: 900 },
    { seconds: 300, upperCalls: 3_300, perWeek: 0.4, tail: 4, cautiousTail: 2, busiestCalls: 3_600 },
  ],
  longestPause: undefined,
}
const middlingPlain: PlainBaseline = {
  slotMeanCalls: 3_000,
  slotMinuteMean: 600,
  slotMinuteStdDev: 60,
  weekMinuteMean: 400,
}

/** Half past a minute, in the third minute of its slot. */
export const HALF_PAST = Date.parse('2026-11-20T10:07:30Z')

export function viewOf(story: Story = {}): TenantView {
  const at = story.at ?? HALF_PAST
  const seconds = (story.seconds ?? []).map(counted)
  const usual = 'usual' in story && story.usual === undefined ? undefined : { ...middlingUsual, ...story.usual }
  const last = (count: number): readonly Counts[] => seconds.slice(-count)
  const soFar = (lengthMs: number): Counts => total(last((at - periodStart({ at, lengthMs })) / 1_000))
  const window = (count: number): WindowCounts => ({ ...total(last(count)), seconds: count })

  return {
    keyId: 'key_abc123',
    at,
    look: 'early',
    last10s: window(10),
    last60s: window(60),
    last5min: window(300),
    minuteSoFar: soFar(MINUTE_MS),
    slotSoFar: soFar(SLOT_MS),
    usual,
    plain: { ...middlingPlain, ...story.plain },
    silentSeconds: silentIn(seconds),
    steadySeconds: story.steadySeconds ?? seconds.length,
    pool: story.concurrency === undefined ? undefined : { concurrency: story.concurrency, executions: ran(story) },
    plannedTimes: story.plannedTimes ?? 1,
    routes: story.routes,
    places: story.places,
    sequential: [2, 4, 16, 64].map(multiple => accumulated({ multiple, seconds, usual, at })),
  }
}

/** The same second so many times. */
export function repeat(times: number, second: Second): Second[] {
  return Array.from({ length: times }, () => second)
}

/** What the detector says of a story, with its default thresholds. */
export function judge(detector: Detector, story: Story): Finding | undefined {
  return detector.evaluate(viewOf(story), defaultValues(detector))
}

function counted({ status2xx = 0, status4xx = 0, status429 = 0, status5xx = 0 }: Second): Counts {
  return { calls: status2xx + status4xx + status429 + status5xx, status2xx, status4xx, status429, status5xx }
}

/** At the end of the story; before it there was nothing to be heard of either. */
function silentIn(seconds: readonly Counts[]): number {
  const last = seconds.findLastIndex(({ calls }) => calls > 0)
  return last < 0 ? 0 : seconds.length - 1 - last
}

/** At once, over the last ten seconds. */
const ran = ({ seconds = [] }: Story): number =>
  seconds.slice(-10).reduce((sum, { ranMs = 0 }) => sum + ranMs, 0) / 10_000

function total(counts: readonly Counts[]): Counts {
  const sum = (of: (one: Counts) => number) => counts.reduce((soFar, one) => soFar + of(one), 0)
  return {
    calls: sum(one => one.calls),
    status2xx: sum(one => one.status2xx),
    status4xx: sum(one => one.status4xx),
    status429: sum(one => one.status429),
    status5xx: sum(one => one.status5xx),
  }
}

/**
 * CUSUM of the log-likelihood ratio between negative binomial counts of mean `multiple × usual` and of mean `usual`:
 *
 *     nats ← max(0, nats + x·(ln m − ln((1 + dmλ) ÷ (1 + dλ))) − ln((1 + dmλ) ÷ (1 + dλ)) ÷ d)        d: dispersion, λ: usual a second
 */
function accumulated(story: {
  readonly multiple: number
  readonly seconds: readonly Counts[]
  readonly usual: Usual | undefined
  readonly at: number
}): SequentialEvidence {
  const { multiple, seconds, usual, at } = story
  const quiet = { multiple, nats: 0, calls: 0, usualCalls: 0 }
  if (usual === undefined) return { ...quiet, since: at }

  const usualCalls = Math.max(usual.callsPerMinute / 60, 1e-3)
  const dispersion = Math.max(usual.dispersion, 1e-6)
  const spread = Math.log((1 + dispersion * multiple * usualCalls) / (1 + dispersion * usualCalls))

  let evidence: SequentialEvidence = { ...quiet, since: at - seconds.length * 1_000 }
  for (const [index, { calls }] of seconds.entries()) {
    const nats = evidence.nats + calls * (Math.log(multiple) - spread) - spread / dispersion
    evidence =
      nats <= 0
        ? { ...quiet, since: at - (seconds.length - index - 1) * 1_000 }
        : { ...evidence, nats, calls: evidence.calls + calls, usualCalls: evidence.usualCalls + usualCalls }
  }
  return evidence
}
