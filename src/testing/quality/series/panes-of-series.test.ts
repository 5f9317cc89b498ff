import { describe, expect, test } from 'vitest'
import { callsPerMinuteOf, evenCounts, scaleOf, secondsOfRow } from './panes-of-series.ts'

const probation = (...values: readonly number[]) => ({
  values: Float64Array.from(values),
  probationRows: values.length,
})

describe('the scale of a series', () => {
  const hundred = Array.from({ length: 101 }, (_, place) => place)

  test('is its probation’s, whatever comes after it', () => {
    const { values } = probation(...hundred, 1e9, -1e9)
    expect(scaleOf({ values, probationRows: 101 })).toEqual(scaleOf(probation(...hundred)))
  })

  test.each([
    ['as it is', (value: number) => value],
    ['tiny', (value: number) => value * 1e-9],
    ['huge', (value: number) => value * 1e12],
    ['below zero', (value: number) => value - 1_000],
  ])('makes the same calls of the same shape: %s', (_, changed) => {
    const scale = scaleOf(probation(...hundred.map(changed)))
    const calls = (value: number) => callsPerMinuteOf(changed(value), scale)
    // Spread: (95 − 5) ÷ 3.29 = 27.36, so that 82.07 more is 600 calls more.
    expect(calls(50)).toBeCloseTo(600, 6)
    expect(calls(100)).toBeCloseTo(600 + (600 * 50) / 82.07, 1)
    expect(calls(-40)).toBe(30)
    expect(calls(1e9)).toBe(600_000)
  })

  test('of rows that hardly ever differ is made of those that do, and of rows that never do, of their value', () => {
    const rare = scaleOf(probation(...Array.from({ length: 100 }, (_, row) => (row === 50 ? 10 : 0))))
    expect(rare).toEqual({ middle: 0, spread: expect.closeTo(0.995, 3) })
    expect(callsPerMinuteOf(90, scaleOf(probation(45, 45, 45)))).toBeCloseTo(1_200, 9)
    expect(callsPerMinuteOf(0, scaleOf(probation(45, 45, 45)))).toBe(30)
    expect(callsPerMinuteOf(3, scaleOf(probation(0, 0, 0)))).toBeCloseTo(1_200, 9)
  })
})

test('a row stands until the next, for twice the usual step at most', () => {
  const series = { times: Float64Array.of(0, 300_000, 700_000, 9_000_000), stepSeconds: 300 }
  expect([0, 1, 2, 3].map(row => secondsOfRow(series, row))).toEqual([300, 400, 600, 300])
})

test('calls are spread so evenly that no two seconds differ by more than one', () => {
  expect([...evenCounts(600, 5)]).toEqual([10, 10, 10, 10, 10])
  expect([...evenCounts(90, 4)]).toEqual([1, 2, 1, 2])
  expect([...evenCounts(0, 3)]).toEqual([0, 0, 0])
  expect(evenCounts(7, 300).reduce((sum, calls) => sum + calls)).toBe(35)
})
