import { describe, expect, test } from 'vitest'
import { createRandom } from '../../../simulation/random.ts'
import { sumOf } from './arrivals.ts'
import { drawFirstHalf, drawSeconds, type GapShape } from './gaps.ts'

describe('calls drawn into a window', () => {
  const families = ['gamma', 'weibull'] as const

  test.each(families)('are as many as were counted, however bursty (%s)', family => {
    for (const shape of [0.02, 0.37, 1, 4, 60])
      for (const calls of [0, 1, 799]) {
        const counts = drawSeconds(calls, { family, shape }, 600, createRandom(1, `${shape}`))
        expect(sumOf(counts)).toBe(calls)
        expect(counts).toHaveLength(600)
      }
  })

  test.each(families)('are the same for the same seed, and others for another (%s)', family => {
    const draw = (seed: number) => drawSeconds(500, { family, shape: 0.5 }, 600, createRandom(seed))
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
  })

  test('come like chance at shape 1, in bursts below it and evenly above it', () => {
    const draws = { family: 'gamma', calls: 6_000, seconds: 600 } as const
    expect(dispersion({ ...draws, shape: 1 })).toBeCloseTo(1, 0)
    expect(dispersion({ ...draws, shape: 0.1 })).toBeGreaterThan(4)
    expect(dispersion({ ...draws, shape: 20 })).toBeLessThan(0.4)
    expect(dispersion({ ...draws, family: 'weibull', shape: 1 })).toBeCloseTo(1, 0)
    expect(dispersion({ ...draws, family: 'weibull', shape: 0.4 })).toBeGreaterThan(3)
  })

  test('of which the gaps are too small for a number are one burst', () => {
    const counts = drawSeconds(40, { family: 'gamma', shape: 1e-5 }, 600, createRandom(1))
    expect(Math.max(...counts)).toBe(40)
  })
})

test.each([
  { family: 'gamma', shape: 0.3 },
  { family: 'gamma', shape: 5 },
  { family: 'weibull', shape: 0.6 },
  { family: 'weibull', shape: 2 },
] as const)('a half of a window varies as much as if its calls were drawn one by one: %o', gaps => {
  const random = createRandom(9)
  const spread = (draw: () => number) =>
    Math.sqrt(Array.from({ length: 600 }, draw).reduce((sum, half) => sum + (half - 200) ** 2, 0) / 600)
  const byOne = spread(() => sumOf(drawSeconds(400, gaps, 600, random).subarray(0, 300)))
  const atOnce = spread(() => drawFirstHalf(400, gaps, random))
  expect(atOnce / byOne).toBeGreaterThan(0.8)
  expect(atOnce / byOne).toBeLessThan(1.3)
})

/** Variance of the seconds over their mean: 1 for chance. */
function dispersion({
  calls,
  seconds,
  ...gaps
}: GapShape & { readonly calls: number; readonly seconds: number }): number {
  const counts = drawSeconds(calls, gaps, seconds, createRandom(5))
  const mean = calls / seconds
  return counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / seconds / mean
}
