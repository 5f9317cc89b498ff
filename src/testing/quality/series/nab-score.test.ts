import { describe, expect, test } from 'vitest'
import { nabProfiles, nabScoreAt, type ScoredSeries } from './nab-score.ts'

const { standard, fewFalseAlarms, fewMisses } = nabProfiles

/** Rows with these scores, all others 0. */
function series(
  rows: number,
  windows: readonly (readonly [number, number])[],
  detections: Readonly<Record<number, number>>,
  probationRows = 0,
): ScoredSeries {
  const scores = new Float64Array(rows)
  for (const [row, score] of Object.entries(detections)) scores[Number(row)] = score
  return { series: { anomalies: windows.map(([from, to]) => ({ from, to })), probationRows }, scores }
}

const scoreAt = (threshold: number, ...scored: readonly ScoredSeries[]) => nabScoreAt(scored, standard, threshold).score

describe('Numenta’s score', () => {
  test('of who never detects anything is 0 in every profile', () => {
    const silent = [
      series(
        100,
        [
          [20, 29],
          [60, 69],
        ],
        {},
      ),
    ]
    for (const profile of Object.values(nabProfiles))
      expect(nabScoreAt(silent, profile, 0.5)).toMatchObject({ score: 0, windowsFound: 0, windows: 2, falseRows: 0 })
  })

  test('of who detects the first row of each window, and nothing else, is 100 in every profile', () => {
    const perfect = [
      series(
        100,
        [
          [20, 29],
          [60, 69],
        ],
        { 20: 1, 60: 1 },
      ),
      series(50, [[10, 10]], { 10: 1 }),
    ]
    for (const profile of Object.values(nabProfiles))
      expect(nabScoreAt(perfect, profile, 0.5)).toMatchObject({ windowsFound: 3, windows: 3, falseRows: 0 })
    for (const profile of Object.values(nabProfiles))
      expect(nabScoreAt(perfect, profile, 0.5).score).toBeCloseTo(100, 9)
  })

  test('counts the earliest detection in a window, by how early it is', () => {
    // Row 25 of 20..29: y = −5/10, S(y) = 2/(1 + e^−2.5) − 1 = 0.848284; ÷ S(−1) = 0.986614: worth 0.859793.
    expect(scoreAt(0.5, series(100, [[20, 29]], { 25: 1 }))).toBeCloseTo((100 * (0.859793 + 1)) / 2, 3)
    expect(scoreAt(0.5, series(100, [[20, 29]], { 25: 1, 26: 1, 29: 1 }))).toBeCloseTo((100 * (0.859793 + 1)) / 2, 3)
    // The last row: y = −1/10, S = 0.244919, worth 0.248242.
    expect(scoreAt(0.5, series(100, [[20, 29]], { 29: 1 }))).toBeCloseTo((100 * (0.248242 + 1)) / 2, 3)
  })

  test('takes a little for a detection soon after a window, and all for one long after it or before all', () => {
    // A row after rows 20..29: y = 1/9, S(1/9) = 2/(1 + e^0.555556) − 1 = −0.270850; times 0.11, on a null of −1.
    expect(scoreAt(0.5, series(100, [[20, 29]], { 30: 1 }))).toBeCloseTo((100 * 0.11 * -0.27085) / 2, 3)
    expect(scoreAt(0.5, series(100, [[20, 29]], { 99: 1 }))).toBeCloseTo((100 * -0.11) / 2, 9)
    expect(scoreAt(0.5, series(100, [[20, 29]], { 5: 1, 6: 1 }))).toBeCloseTo((100 * -0.22) / 2, 9)
    expect(scoreAt(0.5, series(100, [[20, 20]], { 21: 1 }))).toBeCloseTo((100 * -0.11) / 2, 9)
  })

  test('does not look at the probation', () => {
    expect(scoreAt(0.5, series(100, [[20, 29]], { 5: 1, 14: 1, 20: 1 }, 15))).toBeCloseTo(100, 9)
  })

  test('weighs false alarms and misses as the profile does', () => {
    const one = [
      series(
        200,
        [
          [20, 29],
          [60, 69],
        ],
        { 20: 1, 5: 1 },
      ),
    ]
    // One found, one missed, one false alarm: 1 − 1 − 0.11 between −2 and 2, 1 − 1 − 0.22, 1 − 2 − 0.11 between −4 and 2.
    expect(nabScoreAt(one, standard, 0.5).score).toBeCloseTo((100 * 1.89) / 4, 9)
    expect(nabScoreAt(one, fewFalseAlarms, 0.5).score).toBeCloseTo((100 * 1.78) / 4, 9)
    expect(nabScoreAt(one, fewMisses, 0.5).score).toBeCloseTo((100 * 2.89) / 6, 9)
  })

  test('sums the series before it is normalised', () => {
    const found = series(100, [[20, 29]], { 20: 1 })
    const missed = series(
      100,
      [
        [20, 29],
        [50, 59],
      ],
      {},
    )
    expect(scoreAt(0.5, found, missed)).toBeCloseTo(100 / 3, 9)
    expect(scoreAt(0.5, found, missed, series(100, [], { 50: 1 }))).toBeCloseTo(100 * ((1 - 2 - 0.11 + 3) / 6), 9)
  })

  test('without any window is refused', () => {
    expect(() => nabScoreAt([series(100, [], {})], standard, 0.5)).toThrow('wants a window')
  })
})
