/**
 * What one key's own calls would have needed of a token bucket, found while they are played, once, in order:
 *
 *   for each candidate rate r    level = max(0, level - r · seconds since the last call) + 1
 *
 * `level` is how large a bucket that fills at r must be for this call to get through. Its peak is the burst that refuses
 * nothing; and a bucket of b refuses no more calls than found a level above b, since calls that it refuses fill no bucket.
 * Candidates are the nice numbers, and a call touches only those at which its key is still felt: mostly none or two.
 *
 * Kept day by day, so that one unusual day can be left out (`sizing.ts`). Memory: some 2 KB a key and day. Mutable on purpose.
 */
import { DAY_MS, type EpochMs, type PlanLimits, SECOND_MS } from '../vocabulary.ts'
import { niceNumbers } from './nice-number.ts'

/** Candidate rates, calls a second: up to what an account may have. */
export const rates: readonly number[] = [0.1, 0.2, 0.5, ...niceNumbers.filter(number => number <= 10_000)]
/** A level is followed up to here: all clients of an account together have no larger bucket (API Gateway quotas). */
export const largestBurst = 5_000

export interface DayDemand {
  calls: number
  busiestSecond: number
  busiestTenSeconds: number
  busiestMinute: number
  /** For each candidate rate the highest level. */
  readonly peaks: Float64Array
  /** For each candidate rate how many calls found a level above each nice number and not above the next; where they are wanted. */
  readonly levels: Map<number, number> | undefined
  /** Highest rate of a row that counts calls over longer than a second, calls a second. */
  countedRate: number
  /** Calls that the plan's present limits would have refused, for each of them. */
  readonly refused: number[]
}

export interface Demand {
  firstAt: EpochMs
  lastAt: EpochMs
  calls: number
  /** Of those that ran. */
  latencySumMs: number
  latencyCount: number
  readonly days: Map<number, DayDemand>
  /** Levels of the first `felt` rates; of all others it is 1. */
  readonly level: Float64Array
  felt: number
  /** Calls of each of the last sixty seconds, and their sums. */
  readonly seconds: Float64Array
  second: number
  tenSeconds: number
  minute: number
  readonly present: readonly PresentBucket[]
}

/** What the key has now, played call by call: exact. */
export interface PresentBucket {
  /** undefined: none, or not known. */
  readonly limits: PlanLimits | undefined
  tokens: number
}

export interface DemandOptions {
  /** What its plans have now. */
  readonly present: readonly (PlanLimits | undefined)[]
  /** Whether some calls may be refused, so that it matters how many. */
  readonly wantsLevels: boolean
}

export function createDemand({ present }: DemandOptions): Demand {
  return {
    ...{
      firstAt: Number.POSITIVE_INFINITY,
      lastAt: Number.NEGATIVE_INFINITY,
      calls: 0,
      latencySumMs: 0,
      latencyCount: 0,
    },
    ...{ days: new Map(), level: new Float64Array(rates.length), felt: 0 },
    ...{ seconds: new Float64Array(60), second: Number.NEGATIVE_INFINITY, tenSeconds: 0, minute: 0 },
    present: present.map(limits => ({ limits, tokens: limits?.burstLimit ?? 0 })),
  }
}

/** One call. Times of a key that run backwards count as the newest before them: nothing that it needs is missed. */
export function noteCall(demand: Demand, time: EpochMs, options: DemandOptions): void {
  const at = Math.max(time, demand.lastAt)
  const seconds = demand.calls === 0 ? Number.POSITIVE_INFINITY : (at - demand.lastAt) / SECOND_MS
  demand.firstAt = Math.min(demand.firstAt, time)
  demand.lastAt = at
  demand.calls++
  const day = dayOf(demand, at, options)
  day.calls++
  noteLevels(demand, day, seconds)
  noteSecond(demand, day, Math.floor(at / SECOND_MS))
  notePresent(demand, day, seconds)
}

/** A count of calls over longer than a second, of which nobody knows how they lie in it. */
export function noteCounted(
  demand: Demand,
  row: { readonly start: EpochMs; readonly seconds: number; readonly calls: number },
  options: DemandOptions,
): void {
  const { start, seconds, calls } = row
  if (calls === 0) return
  demand.firstAt = Math.min(demand.firstAt, start)
  demand.lastAt = Math.max(demand.lastAt, start + (seconds - 1) * SECOND_MS)
  demand.calls += calls
  const day = dayOf(demand, start, options)
  day.calls += calls
  day.countedRate = Math.max(day.countedRate, calls / seconds)
}

function dayOf(demand: Demand, at: EpochMs, { wantsLevels }: DemandOptions): DayDemand {
  const number = Math.floor(at / DAY_MS)
  let day = demand.days.get(number)
  if (day === undefined) {
    day = {
      ...{ calls: 0, busiestSecond: 0, busiestTenSeconds: 0, busiestMinute: 0, countedRate: 0 },
      ...{ peaks: new Float64Array(rates.length).fill(1), levels: wantsLevels ? new Map() : undefined },
      refused: demand.present.map(() => 0),
    }
    demand.days.set(number, day)
  }
  return day
}

/** Levels fall with the rate, so at the first rate at which nothing is left of the calls before, nothing is at any higher one. */
function noteLevels(demand: Demand, { peaks, levels }: DayDemand, seconds: number): void {
  const { level } = demand
  let felt = 0
  for (; felt < rates.length; felt++) {
    const before = felt < demand.felt ? (level[felt] as number) : 1
    const left = before - (rates[felt] as number) * seconds
    if (!(left > 0)) break
    const now = Math.min(left + 1, largestBurst + 1)
    level[felt] = now
    if (now > (peaks[felt] as number)) peaks[felt] = now
    if (levels !== undefined) {
      const place = felt * niceNumbers.length + stepBelow(now)
      levels.set(place, (levels.get(place) ?? 0) + 1)
    }
  }
  demand.felt = felt
}

/** Place of the greatest nice number that is below a level: a bucket of that many, or fewer, may have refused the call. */
function stepBelow(level: number): number {
  let [low, high] = [0, niceNumbers.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((niceNumbers[middle] as number) < level) low = middle
    else high = middle - 1
  }
  return low
}

/** How many calls found a level above `burst`, a nice number, at a candidate rate. */
export function callsAbove(day: DayDemand, rate: number, burst: number): number {
  const from = niceNumbers.indexOf(burst)
  let calls = 0
  for (let step = from; step < niceNumbers.length; step++)
    calls += day.levels?.get(rates.indexOf(rate) * niceNumbers.length + step) ?? 0
  return calls
}

function noteSecond(demand: Demand, day: DayDemand, second: number): void {
  const { seconds } = demand
  const passed = second - demand.second
  if (passed >= 60) {
    seconds.fill(0)
    demand.tenSeconds = 0
    demand.minute = 0
  } else {
    for (let next = demand.second + 1; next <= second; next++) {
      demand.tenSeconds -= seconds[(next - 10) % 60] as number
      demand.minute -= seconds[next % 60] as number
      seconds[next % 60] = 0
    }
  }
  demand.second = second
  const calls = (seconds[second % 60] as number) + 1
  seconds[second % 60] = calls
  day.busiestSecond = Math.max(day.busiestSecond, calls)
  day.busiestTenSeconds = Math.max(day.busiestTenSeconds, ++demand.tenSeconds)
  day.busiestMinute = Math.max(day.busiestMinute, ++demand.minute)
}

/** A token; what sums of fractions lose in the last digit refuses no call. */
const WHOLE = 1 - 1e-9

function notePresent({ present }: Demand, { refused }: DayDemand, seconds: number): void {
  for (let index = 0; index < present.length; index++) {
    const bucket = present[index] as PresentBucket
    if (bucket.limits === undefined) continue
    const { rateLimit, burstLimit } = bucket.limits
    // Before the first call it was full.
    const filled = seconds === Number.POSITIVE_INFINITY ? burstLimit : bucket.tokens + rateLimit * seconds
    bucket.tokens = Math.min(burstLimit, filled)
    if (bucket.tokens >= WHOLE) bucket.tokens -= 1
    else refused[index] = (refused[index] as number) + 1
  }
}

/** A bucket played over a sequence of times, as the gateway does: how many it refuses. For whoever wants to be sure. */
export function refusedBy({ rateLimit, burstLimit }: PlanLimits, times: readonly EpochMs[]): number {
  let tokens = burstLimit
  let last = times[0] ?? 0
  let refused = 0
  for (const time of times) {
    tokens = Math.min(burstLimit, tokens + (Math.max(0, time - last) / SECOND_MS) * rateLimit)
    last = Math.max(last, time)
    if (tokens >= WHOLE) tokens -= 1
    else refused++
  }
  return refused
}
