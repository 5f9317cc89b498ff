import { describe, expect, test } from 'vitest'
import {
  createKnownPlaces,
  forgetPlaces,
  type KnownPlaces,
  learnRoutes,
  movePlaces,
  noteSource,
  placesKnown,
  restoreKnownPlaces,
  routesUsual,
} from './known-places.ts'

const BEGIN_HOUR = 500_000
const DAY = 24
const [home, office, stranger] = [0x1234_0001, 0x1234_0002, 0x1234_0003]

/** Called from these in each hour from the beginning on. */
function livedAt(sources: readonly number[], hours: number, places = createKnownPlaces(), key = 7): KnownPlaces {
  for (let hour = 0; hour < hours; hour++)
    for (const source of sources) noteSource(places, key, source, BEGIN_HOUR + hour)
  return places
}

describe('where a key is at home', () => {
  test('is learned for three days, in which nothing is new and nothing is said', () => {
    const places = livedAt([home], 2 * DAY)
    expect(noteSource(places, 7, office, BEGIN_HOUR + 2 * DAY)).toBe(false)
    expect(placesKnown(places, 7, BEGIN_HOUR + 2 * DAY)).toBeUndefined()
  })

  test('after that a stranger is new for a day, and then one of its places', () => {
    const places = livedAt([home, office], 4 * DAY)
    const since = BEGIN_HOUR + 4 * DAY
    expect([home, office, stranger].map(source => noteSource(places, 7, source, since))).toEqual([false, false, true])
    expect(placesKnown(places, 7, since)).toEqual({ newToday: 1, newPerDay: 0, known: 2 })
    expect(noteSource(places, 7, stranger, since + DAY - 1)).toBe(true)
    expect(noteSource(places, 7, stranger, since + DAY)).toBe(false)
    // One in as many days as are known beside the last one.
    expect(placesKnown(places, 7, since + DAY)).toEqual({ newToday: 0, newPerDay: 1, known: 3 })
  })

  test('is not known of one that called in two hours of a week', () => {
    const places = createKnownPlaces()
    for (const hour of [0, 100]) noteSource(places, 7, home, BEGIN_HOUR + hour)
    expect(noteSource(places, 7, office, BEGIN_HOUR + 168)).toBe(false)
    expect(placesKnown(places, 7, BEGIN_HOUR + 168)).toBeUndefined()
  })

  test('is nowhere where it calls from more places than are kept, until it has settled for two weeks', () => {
    const places = livedAt([home], 4 * DAY)
    for (let place = 101; place <= 112; place++) noteSource(places, 7, place, BEGIN_HOUR + 4 * DAY)
    expect(placesKnown(places, 7, BEGIN_HOUR + 5 * DAY)).toBeUndefined()
    expect(placesKnown(places, 7, BEGIN_HOUR + 19 * DAY)).toBeDefined()
  })
})

describe('what routes a minute usually has', () => {
  const learned = (minutes: readonly number[]) => {
    const places = createKnownPlaces()
    for (const [minute, routes] of minutes.entries())
      learnRoutes(places, 7, BEGIN_HOUR * 60 + minute, { routes, evenCalls: 0 })
    return routesUsual(places, 7)
  }
  const times = (count: number, routes: number): readonly number[] => Array<number>(count).fill(routes)

  test('is unknown for ten minutes', () => {
    expect(learned(times(9, 4))).toBeUndefined()
    expect(learned(times(60, 4))).toEqual({ perMinute: 4, upperPerMinute: expect.closeTo(4, 0), upperEvenCalls: 0 })
  })

  test('half an hour of crawling a night is usual after the third, and a few wild minutes are not worth much', () => {
    const night = [...times(1_410, 3), ...times(30, 200)]
    expect(learned([...night, ...night, ...night, ...times(1_410, 3)])!.upperPerMinute).toBeGreaterThan(67)
    expect(learned([...times(600, 3), ...times(5, 200)])!.upperPerMinute).toBeLessThan(10)
  })
})

test('what is known of keys outlives a checkpoint, goes to another owner with them, and is forgotten with them', () => {
  const places = createKnownPlaces()
  for (const key of [3, 200, 5]) livedAt([home], 4 * DAY, places, key)
  forgetPlaces(places, 3)
  const restored = restoreKnownPlaces(places.slab)
  const other = createKnownPlaces()
  movePlaces(restored, 200, other, 1)
  const now = BEGIN_HOUR + 4 * DAY
  const known = { newToday: 0, newPerDay: 0, known: 1 }
  expect([3, 200, 5].map(key => placesKnown(restored, key, now))).toEqual([undefined, undefined, known])
  expect(placesKnown(other, 1, now)).toEqual(known)
  expect([restored.slab.cells, other.slab.cells]).toEqual([1, 1])
})
