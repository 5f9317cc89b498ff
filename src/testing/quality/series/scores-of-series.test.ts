import { expect, test } from 'vitest'
import { weirSchema } from '../../../core/config/config.ts'
import { engineSettings } from '../../../core/engine.ts'
import type { LabelledSeries } from '../contract.ts'
import { rankOf, scoresOfSeries } from './scores-of-series.ts'

const settings = engineSettings(weirSchema.parse({}), {})
const ROWS = 60

/** Five hours of five-minute rows between 9 and 11. */
function series(valueAt: (row: number) => number | undefined = () => undefined): LabelledSeries {
  return {
    name: 'example',
    set: 'nab',
    times: Float64Array.from({ length: ROWS }, (_, row) => Date.UTC(2026, 2, 4, 10) + row * 300_000),
    values: Float64Array.from({ length: ROWS }, (_, row) => valueAt(row) ?? 9 + ((row * 7) % 3)),
    stepSeconds: 300,
    anomalies: [],
    probationRows: 20,
  }
}

test('a series that goes on as it began has no row of interest', () => {
  expect(Math.max(...scoresOfSeries(series(), settings))).toBeLessThan(0.5)
})

test('a row far beyond all others is above the threshold in that very row, and no row before it is', () => {
  const scores = scoresOfSeries(
    series(row => (row === 40 ? 60 : undefined)),
    settings,
  )
  expect(scores[40]).toBeGreaterThan(0.5)
  expect(scores[40]).toBeLessThanOrEqual(1)
  expect(Math.max(...scores.subarray(0, 40))).toBeLessThan(0.5)
})

test('the same series has the same scores', () => {
  const jump = series(row => (row > 50 ? 40 : undefined))
  expect(scoresOfSeries(jump, settings)).toEqual(scoresOfSeries(jump, settings))
})

test('what is told is put in order by how rare it is, and what is not by how near it was', () => {
  const found = (score: number, timesAWeek?: number) =>
    rankOf({ kind: 'surge', score, comparisons: [], evidence: [], since: 0, timesAWeek })

  expect(found(0.9, 0.001)).toBe(0.9)
  expect(found(100, 1)).toBeLessThan(found(1.1, 0.1))
  expect(found(100, Number.POSITIVE_INFINITY)).toBe(1)
  expect(found(1.4)).toBe(1.4)
})
