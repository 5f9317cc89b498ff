import { expect, test } from 'vitest'
import { newlyTold } from './newly-told.ts'

/** Scores an hour apart. */
const told = (...scores: readonly number[]) => [
  ...newlyTold(
    Float64Array.from(scores, (_, hour) => hour * 3_600_000),
    Float64Array.from(scores),
  ),
]

test('a trouble is told when it begins, and not again while it lasts, wavers or fades', () => {
  expect(told(0, 0, 2, 2, 0, 2.5, 1, 0.1)).toEqual([0, 0, 2, 0, 0, 0, 0, 0])
})

test('it is told again when it has become half as bad again', () => {
  expect(told(2, 3, 3.01, 4.5, 4.6)).toEqual([2, 0, 3.01, 0, 4.6])
})

test('after twelve hours the same is news', () => {
  const half = Array.from({ length: 11 }, () => 1)
  expect(told(1, ...half, 1, 1)).toEqual([1, ...half.fill(0), 0, 1])
})

test('of who has nothing to say nothing is told', () => {
  expect(told(0, 0, 0)).toEqual([0, 0, 0])
})
