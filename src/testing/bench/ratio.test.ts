/** A gate is only as good as its arithmetic. */
import { expect, test } from 'vitest'
import { ratioOf, spreadOf } from './ratio.ts'

test('the ratio is taken within each round, so a slow moment that meets both programs cancels out', () => {
  const rounds = [
    { yardstickMs: 100, ownMs: 200 },
    { yardstickMs: 1000, ownMs: 2000 },
    { yardstickMs: 100, ownMs: 300 },
  ]
  expect(ratioOf(rounds)).toEqual({ min: 2, median: 2, max: 3 })
})

test('the median of an even number is between the middle two, and one value is its own spread', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ min: 1, median: 2.5, max: 4 })
  expect(spreadOf([7])).toEqual({ min: 7, median: 7, max: 7 })
})
