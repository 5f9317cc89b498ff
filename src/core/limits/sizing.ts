/**
 * From what a key needed to the limits that are suggested for it:
 *
 *   of all pairs of rate and burst that refuse no more of its calls than may be,
 *   the one that lets least through in half a minute, burst + 30 · rate;     × headroom
 *
 * rounded up to nice numbers, never below the floor. Half a minute is about what a client that goes wrong has until Weir has
 * acted: what a client calls for longer than that becomes its rate, what it calls at once its burst. They hold for what it called, and for as much again as the headroom
 * says: a bucket that is h times as large and fills h times as fast holds against h times the calls.
 *
 * One day in seven may be left out where it needed five times what any other did: a storm that nobody has cut out of the log
 * must not become the limit. It is named.
 */
import { type ApiKeyId, BASELINE_DAYS, DAY_MS, type EpochMs, type PlanLimits } from '../vocabulary.ts'
import { callsAbove, type DayDemand, type Demand, largestBurst, rates } from './demand.ts'
import { niceAbove, niceNumbers } from './nice-number.ts'

export interface SizingPolicy {
  readonly headroom: number
  /** Share of a key's calls that may be refused. */
  readonly refuseAtMost: number
  readonly floorPerSecond: number
  /** A burst is at least so many seconds of its rate. */
  readonly burstSeconds: number
  /** Known for less than this, nothing is suggested. */
  readonly leastDays: number
  /** Whether no day is left out. */
  readonly allDays: boolean
}

export interface Busiest {
  /** Calls; undefined where nobody has seen so short a time. */
  readonly second: number | undefined
  readonly tenSeconds: number | undefined
  readonly minute: number | undefined
}

/** What is known of one key, and what follows. */
export interface Sizing {
  readonly keyId: ApiKeyId
  /** calls: played one by one. counts: rows over longer than a second tell no burst. state: what a worker remembers. */
  readonly basis: 'calls' | 'counts' | 'state'
  readonly calls: number
  readonly knownDays: number
  readonly busiest: Busiest
  /** Upper end of what is usual, the highest of the day, calls a minute. */
  readonly upperPerMinute: number | undefined
  /** Of a call that runs, mean. */
  readonly latencyMs: number | undefined
  readonly suggestion: Suggestion
}

export type Suggestion =
  | {
      readonly kind: 'limits'
      readonly limits: PlanLimits
      /** Calls of what was looked at that these would have refused, at most; of a state an estimate for a week. */
      readonly refused: number
      readonly leftOut: readonly LeftOutDay[]
    }
  | { readonly kind: 'none'; readonly because: NoSuggestion }

export type NoSuggestion = 'too-young' | 'key-id-unknown' | 'no-calls' | 'too-busy'

/** A day (UTC) that is not what this key usually does. */
export interface LeftOutDay {
  readonly at: EpochMs
  readonly busiestMinute: number
  /** How many times what the busiest of the other days needed. */
  readonly times: number
}

/** A day that needs this many times what all others do is no day of this key's. */
const UNUSUAL_TIMES = 5
const ACTS_WITHIN_SECONDS = 30
/** Fewer days do not tell which of them is unusual. */
const LEAST_DAYS_TO_TELL = 4

/** Of calls that were played. `knownDays`: from when on the key was known to the end of the log. */
export function sizeDemand(
  {
    keyId,
    demand,
    knownDays,
    upperPerMinute,
  }: Pick<Sizing, 'keyId' | 'knownDays' | 'upperPerMinute'> & { readonly demand: Demand },
  policy: SizingPolicy,
): Sizing {
  const all = [...demand.days].sort(([one], [other]) => one - other)
  const unusual = policy.allDays ? [] : unusualDays(all)
  const usual = all.filter(day => !unusual.some(({ day: other }) => other === day)).map(([, day]) => day)
  const isCounted = all.some(([, { countedRate }]) => countedRate > 0)
  return {
    ...{ keyId, knownDays, upperPerMinute, calls: demand.calls },
    basis: isCounted ? 'counts' : 'calls',
    busiest: busiestOf(usual),
    latencyMs: demand.latencyCount === 0 ? undefined : demand.latencySumMs / demand.latencyCount,
    suggestion: suggestionFor({ keyId, knownDays, usual, unusual }, policy),
  }
}

type Day = readonly [number, DayDemand]

interface UnusualDay {
  readonly day: Day
  readonly times: number
}

function unusualDays(days: readonly Day[]): readonly UnusualDay[] {
  const unusual: UnusualDay[] = []
  const left = days
    .map(day => ({ day, need: through(needOf([day[1]], 0)) }))
    .sort((one, other) => other.need - one.need)
  for (let most = Math.max(1, Math.floor(days.length / BASELINE_DAYS)); most > 0; most--) {
    const [first, second] = left
    if (first === undefined || second === undefined || left.length < LEAST_DAYS_TO_TELL) break
    if (first.need < UNUSUAL_TIMES * second.need) break
    unusual.push({ day: first.day, times: first.need / second.need })
    left.shift()
  }
  return unusual
}

function suggestionFor(
  {
    keyId,
    knownDays,
    usual,
    unusual,
  }: Pick<Sizing, 'keyId' | 'knownDays'> & {
    readonly usual: readonly DayDemand[]
    readonly unusual: readonly UnusualDay[]
  },
  policy: SizingPolicy,
): Suggestion {
  const calls = usual.reduce((sum, day) => sum + day.calls, 0)
  const none = withheld({ keyId, knownDays, calls }, policy)
  if (none !== undefined) return none
  const need = needOf(usual, policy.refuseAtMost * calls, policy.floorPerSecond / policy.headroom)
  if (need === undefined) return { kind: 'none', because: 'too-busy' }
  const leftOut = unusual.map(
    ({ day: [number, { busiestMinute }], times }): LeftOutDay => ({ at: number * DAY_MS, busiestMinute, times }),
  )
  return { kind: 'limits', limits: withHeadroom(need, policy), refused: refusedOf(usual, need), leftOut }
}

/** Why nothing is suggested for a key, where that is so. */
export function withheld(
  { keyId, knownDays, calls }: Pick<Sizing, 'keyId' | 'knownDays' | 'calls'>,
  { leastDays }: SizingPolicy,
): Suggestion | undefined {
  if (keyId.startsWith('hash:')) return { kind: 'none', because: 'key-id-unknown' }
  if (calls === 0) return { kind: 'none', because: 'no-calls' }
  return knownDays < leastDays ? { kind: 'none', because: 'too-young' } : undefined
}

const through = (limits: PlanLimits | undefined): number =>
  limits === undefined ? Number.POSITIVE_INFINITY : limits.burstLimit + ACTS_WITHIN_SECONDS * limits.rateLimit

/**
 * What these days needed, without headroom; undefined where no bucket that an account may have is enough. Rates that end at
 * the floor all the same are no candidates, but for the highest of them: a larger burst would buy nothing.
 */
function needOf(days: readonly DayDemand[], mayRefuse: number, atFloor = 0): PlanLimits | undefined {
  const counted = Math.max(0, ...days.map(({ countedRate }) => countedRate))
  // A busy minute is on average twice as busy as its five minutes are, and ten seconds three times (core/state/own-reach.ts).
  const lowest = rates.findLast(rate => rate <= atFloor) ?? 0
  const least = { rate: Math.max(lowest, 2 * counted), burst: 30 * counted }
  let tightest: PlanLimits | undefined
  for (const [index, rateLimit] of rates.entries()) {
    if (rateLimit < least.rate) continue
    const need = { rateLimit, burstLimit: Math.max(least.burst, burstAt(days, index, mayRefuse)) }
    // Of two that let as much through the one with the smaller burst.
    if (need.burstLimit <= largestBurst && through(need) <= through(tightest)) tightest = need
  }
  return tightest
}

/** The smallest burst at a candidate rate that refuses no more than it may: the peak itself, or one of the nice numbers below it. */
function burstAt(days: readonly DayDemand[], index: number, mayRefuse: number): number {
  const peak = Math.max(1, ...days.map(({ peaks }) => peaks[index] ?? 1))
  if (mayRefuse < 1) return peak
  const rate = rates[index] ?? 1
  for (const burst of niceNumbers) {
    if (burst >= peak) return peak
    if (days.reduce((sum, day) => sum + callsAbove(day, rate, burst), 0) <= mayRefuse) return burst
  }
  return peak
}

/** At most so many of these days' calls would have been refused: none where the burst is the peak. */
function refusedOf(days: readonly DayDemand[], { rateLimit, burstLimit }: PlanLimits): number {
  const step = niceNumbers.findLast(number => number <= burstLimit) ?? 1
  const index = rates.indexOf(rateLimit)
  return days.reduce(
    (sum, day) => ((day.peaks[index] ?? 1) <= burstLimit ? sum : sum + callsAbove(day, rateLimit, step)),
    0,
  )
}

export function withHeadroom(need: PlanLimits, { headroom, floorPerSecond, burstSeconds }: SizingPolicy): PlanLimits {
  const rateLimit = niceAbove(Math.max(floorPerSecond, need.rateLimit * headroom))
  return { rateLimit, burstLimit: niceAbove(Math.max(need.burstLimit * headroom, rateLimit * burstSeconds)) }
}

function busiestOf(days: readonly DayDemand[]): Busiest {
  const most = (of: (day: DayDemand) => number): number | undefined => {
    const calls = Math.max(0, ...days.map(of))
    return calls === 0 ? undefined : calls
  }
  const counted = most(({ countedRate }) => countedRate * 60)
  const minute = most(({ busiestMinute }) => busiestMinute)
  return {
    second: most(({ busiestSecond }) => busiestSecond),
    tenSeconds: most(({ busiestTenSeconds }) => busiestTenSeconds),
    minute: minute === undefined ? counted : Math.max(minute, counted ?? 0),
  }
}
