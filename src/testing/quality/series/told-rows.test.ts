import { expect, test } from 'vitest'
import { nabProfiles } from './nab-score.ts'
import { bestToldScore, type HeardSeries, toldRows, toldScoreAt } from './told-rows.ts'

/** Rows half an hour apart; a window for each [from, to]. */
const heard = (scores: readonly number[], ...windows: readonly (readonly [number, number])[]): HeardSeries => ({
  scores: Float64Array.from(scores),
  series: {
    name: 'example',
    set: 'nab',
    times: Float64Array.from(scores, (_, row) => row * 1_800_000),
    values: Float64Array.from(scores),
    stepSeconds: 1_800,
    anomalies: windows.map(([from, to]) => ({ from, to })),
    probationRows: 0,
  },
})
const rows = (times: number, score: number): number[] => Array.from({ length: times }, () => score)
const rowsTold = (threshold: number, scores: readonly number[]) => [...toldRows(heard(scores), threshold)]

test('a trouble is told when it begins, and not again while it lasts, wavers or grows a little', () => {
  expect(rowsTold(0.5, [0, 0.6, 0.6, 0, 0.4, 0.65, 0.5])).toEqual([0, 1, 0, 0, 0, 0, 0])
})

test('what has become far rarer is news', () => {
  expect(rowsTold(0.5, [0, 0.6, 0.7, 0.7, 0.75])).toEqual([0, 1, 1, 0, 1])
})

test('after a day it is news again', () => {
  const told = rowsTold(0.5, rows(100, 0.7))

  expect(told.flatMap((is, place) => (is === 1 ? [place] : []))).toEqual([0, 49, 98])
})

test('what a low threshold has told already is news at a higher one', () => {
  expect(rowsTold(0.3, [0.3, 0.45])).toEqual([1, 0])
  expect(rowsTold(0.4, [0.3, 0.45])).toEqual([0, 1])
})

test('the best threshold is the one whose tellings score best', () => {
  const scores = [...rows(10, 0), ...rows(20, 0.4), ...rows(3, 0.8), ...rows(20, 0)]
  const one = heard(scores, [30, 32])

  // At 0.4 somebody is told before the window begins.
  expect(toldScoreAt([one], nabProfiles.standard, 0.4)).toMatchObject({ windowsFound: 1, falseRows: 1 })
  const best = bestToldScore([one], nabProfiles.standard)
  expect(best).toMatchObject({ windowsFound: 1, falseRows: 0 })
  expect(best.score).toBeCloseTo(100, 9)
})

test('who is never right is best told of nothing', () => {
  expect(bestToldScore([heard([0.9, 0, 0, 0], [2, 3])], nabProfiles.standard)).toMatchObject({
    score: 0,
    threshold: Number.POSITIVE_INFINITY,
  })
})
