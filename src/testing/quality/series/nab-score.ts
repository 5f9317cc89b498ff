/**
 * Numenta's score of how a detector did on labelled series (A. Lavin and S. Ahmad, Evaluating real-time anomaly detection
 * algorithms, 2015), so that ours stands beside the published ones.
 *
 *     a row is a detection from the threshold on, and not before the probation is over
 *     in a window of rows a..b      the earliest one counts:  hit × S(−(b − i + 1) ÷ (b − a + 1)) ÷ S(−1)
 *     a window without one          −miss
 *     outside, after a window       falseAlarm × S((i − b) ÷ (b − a)) of the nearest window before it
 *     outside, before all windows   −falseAlarm
 *
 *     S(y) = 2 ÷ (1 + e^5y) − 1, and −1 beyond y = 3          score = 100 × (sum − null) ÷ (perfect − null)
 *
 * Null is nobody who ever detects, perfect one who is right in the first row of each window. One threshold holds for all series.
 */
import type { LabelledSeries } from '../contract.ts'

/** What a window found, a window missed and a false alarm are worth. */
export interface NabProfile {
  readonly name: string
  readonly hit: number
  readonly miss: number
  readonly falseAlarm: number
}

export const nabProfiles = {
  standard: { name: 'standard', hit: 1, miss: 1, falseAlarm: 0.11 },
  fewFalseAlarms: { name: 'reward low FP rate', hit: 1, miss: 1, falseAlarm: 0.22 },
  fewMisses: { name: 'reward low FN rate', hit: 1, miss: 2, falseAlarm: 0.11 },
} as const satisfies Readonly<Record<string, NabProfile>>

export interface ScoredSeries {
  readonly series: Pick<LabelledSeries, 'anomalies' | 'probationRows'>
  /** Of each row. */
  readonly scores: Float64Array
}

export interface NabScore {
  /** 0 is null, 100 is perfect; there is no least. */
  readonly score: number
  /** Rows with this score or a higher one are detections. */
  readonly threshold: number
  readonly windowsFound: number
  readonly windows: number
  /** Detections outside all windows. */
  readonly falseRows: number
}

/** Throws where there is no window: there is nothing to find then. */
export function nabScoreAt(scored: readonly ScoredSeries[], profile: NabProfile, threshold: number): NabScore {
  const tally = createTally(windowsOf(scored), profile)
  for (const row of detections(scored, threshold)) takeDetection(tally, row)
  return standing(tally, threshold)
}

/** A row as a detection: what it would be worth, a window found at once being 1. */
interface Detection {
  /** Number of the window that it is in, over all series. */
  readonly window: number | undefined
  readonly worth: number
}

function detections(scored: readonly ScoredSeries[], threshold: number): readonly Detection[] {
  const rows: Detection[] = []
  let windowsBefore = 0
  for (const { series, scores } of scored) {
    const windows = series.anomalies
    let next = 0
    for (let row = 0; row < scores.length; row++) {
      while (next < windows.length && row > windows[next].to) next++
      if (row < series.probationRows || scores[row] < threshold) continue
      const isInside = next < windows.length && row >= windows[next].from
      rows.push({
        window: isInside ? windowsBefore + next : undefined,
        worth: isInside ? insideWorth(row, windows[next]) : outsideWorth(row, windows[next - 1]),
      })
    }
    windowsBefore += windows.length
  }
  return rows
}

const windowsOf = (scored: readonly ScoredSeries[]): number =>
  scored.reduce((sum, { series }) => sum + series.anomalies.length, 0)

type Window = LabelledSeries['anomalies'][number]

const insideWorth = (row: number, { from, to }: Window): number =>
  sigmoid(-(to - row + 1) / (to - from + 1)) / sigmoid(-1)

const outsideWorth = (row: number, before: Window | undefined): number =>
  before === undefined ? -1 : sigmoid((row - before.to) / (before.to - before.from))

const sigmoid = (y: number): number => (y > 3 ? -1 : 2 / (1 + Math.exp(5 * y)) - 1)

/** What the detections so far come to. Changes with each. */
interface Tally {
  readonly profile: NabProfile
  readonly windows: number
  /** The best worth found in each window; the earliest row's. */
  readonly found: Map<number, number>
  foundWorth: number
  falseWorth: number
  falseRows: number
}

function createTally(windows: number, profile: NabProfile): Tally {
  if (windows === 0) throw new Error('A NAB score wants a window at least: without one there is nothing to find')
  return { profile, windows, found: new Map(), foundWorth: 0, falseWorth: 0, falseRows: 0 }
}

function takeDetection(tally: Tally, { window, worth }: Detection): void {
  if (window === undefined) {
    tally.falseWorth += worth
    tally.falseRows++
    return
  }
  const before = tally.found.get(window)
  if (before !== undefined && before >= worth) return
  tally.foundWorth += worth - (before ?? 0)
  tally.found.set(window, worth)
}

function standing({ profile, windows, found, foundWorth, falseWorth, falseRows }: Tally, threshold: number): NabScore {
  const { hit, miss, falseAlarm } = profile
  const missed = windows - found.size
  const sum = hit * foundWorth - miss * missed + falseAlarm * falseWorth
  const least = -miss * windows
  return {
    score: (100 * (sum - least)) / (hit * windows - least),
    threshold,
    windowsFound: found.size,
    windows,
    falseRows,
  }
}
