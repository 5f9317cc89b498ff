/**
 * A series of measured values as if it were one client's calls: so many in each second. One rule for all series, which
 * knows nothing of a row but the row itself and the probation at the beginning, whose rows are not scored.
 *
 *     calls a minute = 600 × (1 + (value − middle) ÷ (3 × spread))        30 at least, 1,000 times the 600 at most
 *     middle  median of the probation        spread  its 5th to 95th percentile ÷ 3.29, which for a normal is σ
 *
 * Three spreads below the middle is next to silence: values may be negative, tiny or huge, and many have no zero that means
 * anything (a temperature, a share). Their own spread is the one unit that all have. It is never silence, which only a row
 * that is missing is: a low value was measured, and is a client that calls little. 600 a minute, so that chance, which
 * counts have and these values have not, is small (4 %) beside it, and costs no more than 60 would: the price is one a pane.
 * Where the middle nine tenths are equal, the spread is the standard deviation; where all are, a third of the middle
 * (so that the calls are proportional to the value); where that is 0 too, 1.
 *
 * A row's calls are spread evenly over the seconds until the next row, for twice the usual step at most; what is missing
 * beyond that is missing to everybody. Seconds, because the engine judges by one-second panes and only learns from longer
 * rows; evenly, because calls in every tenth second, which would cost a tenth, are bursts of ten times the usual to a
 * detector that adds up evidence second by second.
 */
import { medianSorted, quantileSorted, standardDeviation } from 'simple-statistics'
import { SECOND_MS } from '../../../core/vocabulary.ts'
import type { LabelledSeries } from '../contract.ts'

const MIDDLE_PER_MINUTE = 600
const SPREADS_TO_SILENCE = 3
const LEAST_PER_MINUTE = MIDDLE_PER_MINUTE / 20
const MOST_PER_MINUTE = 1_000 * MIDDLE_PER_MINUTE
/** Standard deviations of a normal between its 5th and its 95th percentile. */
const MIDDLE_SIGMAS = 3.29
const MOST_STEPS = 2

export interface Scale {
  readonly middle: number
  readonly spread: number
}

export function scaleOf({ values, probationRows }: Pick<LabelledSeries, 'values' | 'probationRows'>): Scale {
  const seen = [...values.subarray(0, Math.max(1, probationRows))].sort((one, other) => one - other)
  const middle = medianSorted(seen)
  const spread = (quantileSorted(seen, 0.95) - quantileSorted(seen, 0.05)) / MIDDLE_SIGMAS
  return { middle, spread: spread || standardDeviation(seen) || Math.abs(middle) / SPREADS_TO_SILENCE || 1 }
}

export function callsPerMinuteOf(value: number, { middle, spread }: Scale): number {
  const calls = MIDDLE_PER_MINUTE * (1 + (value - middle) / (SPREADS_TO_SILENCE * spread))
  return Math.min(MOST_PER_MINUTE, Math.max(LEAST_PER_MINUTE, calls))
}

/** For how many seconds a row's value stands. */
export function secondsOfRow(
  { times, stepSeconds }: Pick<LabelledSeries, 'times' | 'stepSeconds'>,
  row: number,
): number {
  const until = row + 1 < times.length ? (times[row + 1] - times[row]) / SECOND_MS : stepSeconds
  return Math.min(until, MOST_STEPS * stepSeconds)
}

/** Calls in each of so many seconds at this rate, evenly: no two seconds differ by more than one. */
export function evenCounts(callsPerMinute: number, seconds: number): Uint32Array {
  const before = (second: number): number => Math.floor((second * callsPerMinute) / 60)
  return Uint32Array.from({ length: seconds }, (_, second) => before(second + 1) - before(second))
}
