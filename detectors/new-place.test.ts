import { expect, test } from 'vitest'
import type { PlacesSeen } from './contract.ts'
import { newPlace } from './new-place.ts'
import { judge } from './testing-view.ts'

/** At home in two networks, and never seen elsewhere. */
const seen = (places: Partial<PlacesSeen>): PlacesSeen => ({
  ...{ callsFromNew: 0, newToday: 0, newPerDay: 0, known: 2 },
  ...places,
})
const scoreOf = (places: PlacesSeen | undefined) => judge(newPlace, { places })?.score

test('a key that is called again and again from where it never was is told of', () => {
  expect(scoreOf(seen({ callsFromNew: 21, newToday: 1 }))).toBeGreaterThan(1)
})

test('one that stays at home, and a few calls from a hotel, are nothing', () => {
  expect(scoreOf(seen({}))).toBe(0)
  expect(scoreOf(seen({ callsFromNew: 20, newToday: 1 }))).toBeLessThanOrEqual(1)
})

test('one that has a new place every other day has one more, and nobody is told; four at once are too many', () => {
  expect(scoreOf(seen({ callsFromNew: 500, newToday: 1, newPerDay: 0.5, known: 8 }))).toBeLessThan(1)
  expect(scoreOf(seen({ callsFromNew: 500, newToday: 4, newPerDay: 0.5, known: 8 }))).toBeGreaterThan(1)
})

test('it is blind without sources, and silent while the key’s home is not known', () => {
  expect(scoreOf(undefined)).toBeUndefined()
})

test('it tells how many calls came from how many new places, and how many are known', () => {
  expect(judge(newPlace, { places: seen({ callsFromNew: 80, newToday: 1 }) })?.evidence).toEqual([
    { measure: 'calls from new places in 5 min', observed: 80, usual: 0 },
    { measure: 'new places in 24 h', observed: 1, usual: 0 },
    { measure: 'places known', observed: 2, usual: undefined },
  ])
})
