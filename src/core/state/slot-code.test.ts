import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  callsCodeOf,
  callsOf,
  drawOf,
  EXACT_CALLS,
  MOST_SLOT_CALLS,
  spreadCodeOf,
  squaresOf,
  WORST_CALLS_ERROR,
} from './slot-code.ts'

const draws = Array.from({ length: 400 }, (_, index) => (index + 0.5) / 400)
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
const minutes = (most: number) => fc.array(fc.nat({ max: most }), { minLength: 5, maxLength: 5 })
const sumsOf = (counts: readonly number[]) => ({
  calls: counts.reduce((sum, count) => sum + count, 0),
  squares: counts.reduce((sum, count) => sum + count * count, 0),
})

test('few calls are kept to the call, and how very few of them fell into minutes to the pair', () => {
  for (let calls = 0; calls <= EXACT_CALLS; calls++) expect(callsOf(callsCodeOf(calls, 0.999))).toBe(calls)
  fc.assert(
    fc.property(minutes(6), counts => {
      const sums = sumsOf(counts)
      fc.pre(sums.calls <= 6)
      const code = callsCodeOf(sums.calls, 0.5)
      expect(squaresOf(code, spreadCodeOf(code, sums, 0.5))).toBe(sums.squares)
    }),
  )
})

test('a slot is off by less than 7 % of itself, whatever the draw, and not at all on average', () => {
  expect(WORST_CALLS_ERROR).toBeLessThan(0.07)
  fc.assert(
    fc.property(fc.double({ min: 1, max: MOST_SLOT_CALLS, noNaN: true }), calls => {
      const kept = draws.map(draw => callsOf(callsCodeOf(calls, draw)))
      // Below 32 only fractions of a call are rounded; those of rows, which no call of a log has.
      const worst = calls > EXACT_CALLS ? WORST_CALLS_ERROR * calls + 1 : 1
      expect(Math.max(...kept.map(one => Math.abs(one - calls)))).toBeLessThanOrEqual(worst)
      // The draws tried are 400, a quarter of a percent apart.
      expect(Math.abs(mean(kept) - calls) / calls).toBeLessThan(0.003)
    }),
    { numRuns: 200 },
  )
})

test('what is more than can be kept is kept as the most, and nothing as nothing', () => {
  expect(callsOf(callsCodeOf(1e12, 0.5))).toBe(MOST_SLOT_CALLS)
  expect(callsOf(callsCodeOf(0, 0.999))).toBe(0)
  expect(callsOf(callsCodeOf(-3, 0.999))).toBe(0)
})

test('how minutes differ is right on average, and off by no more than one step of sixteen', () => {
  fc.assert(
    fc.property(minutes(100_000), counts => {
      const sums = sumsOf(counts)
      fc.pre(sums.calls > 6)
      const code = callsCodeOf(sums.calls, 0.5)
      const kept = callsOf(code)
      const timesMean = (squares: number, calls: number) => squares / calls - calls / 5
      const decoded = draws.map(draw => timesMean(squaresOf(code, spreadCodeOf(code, sums, draw)), kept))
      const wanted = timesMean(sums.squares, sums.calls)
      const most = 0.8 * kept
      expect(mean(decoded) / Math.min(wanted, most)).toBeCloseTo(1, 2)
      const step = Math.max(2, most ** (1 / 12))
      expect(Math.max(...decoded)).toBeLessThanOrEqual(Math.max(0.25, wanted * step) * 1.0001)
      const least = wanted < 0.25 ? 0 : (Math.min(wanted, most) / step) * 0.9999
      expect(Math.min(...decoded)).toBeGreaterThanOrEqual(least - 1e-9)
    }),
    { numRuns: 100 },
  )
})

test('minutes as chance makes them, and minutes that are all alike, are kept as such', () => {
  const code = callsCodeOf(callsOf(100), 0.5)
  const calls = callsOf(code)
  for (const timesMean of [0, 0.25, 0.5, 1]) {
    const squares = calls * timesMean + (calls * calls) / 5
    expect(squaresOf(code, spreadCodeOf(code, { calls, squares }, 0.5))).toBeCloseTo(squares, 6)
  }
})

test('draws are spread evenly and those of neighbours have nothing to do with each other', () => {
  const row = Array.from({ length: 10_000 }, (_, slot) => drawOf(slot, 1_000))
  expect(mean(row)).toBeCloseTo(0.5, 1)
  for (let tenth = 0; tenth < 10; tenth++)
    expect(row.filter(draw => Math.floor(draw * 10) === tenth).length).toBeGreaterThan(850)
  const both = row.filter((draw, index) => draw < 0.5 && (row[index + 1] ?? 1) < 0.5)
  expect(both.length / row.length).toBeCloseTo(0.25, 1)
  expect(drawOf(7, 9)).toBe(drawOf(7, 9))
})
