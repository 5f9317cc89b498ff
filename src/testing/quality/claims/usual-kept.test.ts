import { expect, test } from 'vitest'
import type { Usual } from '../../../../detectors/contract.ts'
import { createUsualWatch, keptOf, watchSecond } from './usual-kept.ts'

const MIDNIGHT = Date.UTC(2026, 0, 5)
const reach = (seconds: 10 | 60 | 300) => ({
  ...{ seconds, upperCalls: 2 * seconds, perWeek: 1, tail: 2, cautiousTail: 2, busiestCalls: undefined },
})
const usual = {
  ...{ lowerPerMinute: 30, upperPerMinute: 90, reaches: [reach(10), reach(60), reach(300)] },
} as unknown as Usual

/** Minutes of so many calls a second each. */
function watched(...perSecond: readonly number[]) {
  const watch = createUsualWatch()
  watch.usual = usual
  perSecond.forEach((calls, minute) => {
    for (let second = 0; second < 60; second++) watchSecond(watch, MIDNIGHT + (minute * 60 + second) * 1_000, calls)
  })
  return keptOf(watch)
}

test('a minute is above the band, in it, or below it', () => {
  expect(watched(1, 2, 0, 1).band).toEqual({ minutes: 4, above: 1, below: 1 })
})

test('what is as rare as stated comes once in half an hour, however long it lasts', () => {
  // Thrice the upper end comes once in nine weeks by a tail of 2: more often than once in ten.
  expect(watched(1, 6, 6, 1).came).toEqual([1, 1, 0, 0])
  const twice = watched(1, 6, ...Array.from({ length: 40 }, () => 1), 15, 1)
  expect(twice.came).toEqual([2, 2, 1, 0])
})
