/** The shared sums at their edges: a limit of zero, the stroke of a minute. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { periodStart, perMinute, spreadOf, steadySince, timesLimit } from './statistics.ts'

test('a count is above its limit exactly when its score is above 1, down to a limit of zero', () => {
  const limits = fc.oneof(
    fc.double({ min: 0, max: 1e9, noNaN: true }),
    fc.nat().map(calls => calls / 3),
  )
  fc.assert(
    fc.property(fc.nat(), limits, (calls, limit) => {
      expect(timesLimit({ calls, limit }) > 1).toBe(calls > limit)
    }),
  )
})

test('the first call against a limit of zero scores 2, each further one more, and none scores nothing', () => {
  expect([0, 1, 2, 1_000].map(calls => timesLimit({ calls, limit: 0 }))).toEqual([0, 2, 4, 2_000])
})

test('at the stroke of a minute the minute that has just ended is still the one looked at', () => {
  const minuteOf = (time: string) =>
    new Date(periodStart({ at: Date.parse(`2026-11-20T${time}Z`), lengthMs: 60_000 })).toISOString().slice(11, 19)

  expect(['10:04:59', '10:05:00', '10:05:01'].map(minuteOf)).toEqual(['10:04:00', '10:04:00', '10:05:00'])
})

test('five calls in a second are three hundred a minute', () => {
  expect(perMinute({ calls: 5, seconds: 1 })).toBe(300)
})

test('what comes at one pace began when so many had come, in the window at the earliest and a second ago at the latest', () => {
  const since = (count: number, inLast10s: number) => steadySince({ at: 100_000, seconds: 60, count, inLast10s })
  expect([since(75, 50), since(4, 4), since(5, 50), since(3_000, 50), since(40, 0)]).toEqual([
    85_000, 90_000, 99_000, 40_000, 40_000,
  ])
})

test('counts spread by chance and by their dispersion, which is never taken to be nothing', () => {
  expect(spreadOf({ mean: 100, dispersion: 0.25 })).toBe(Math.sqrt(100 + 2_500))
  expect(spreadOf({ mean: 100, dispersion: 0 })).toBe(Math.sqrt(100 + 1_000))
  expect(spreadOf({ mean: 0, dispersion: 1 })).toBe(0)
})
