import { describe, expect, test } from 'vitest'
import { areTooMany, type Openings, opened, openingsFrom, usualOpenings } from './openings.ts'

const MINUTE = 60_000

/** A fleet in which so many open in each minute, one after another where it is less than one. */
function afterMinutes(minutes: number, perMinute: number): Openings {
  let known = openingsFrom(0)
  for (let opening = 0; opening < minutes * perMinute; opening++)
    known = opened(known, Math.floor((opening / perMinute) * MINUTE))
  return known
}

const fewestTooMany = (known: Openings, at: number): number => {
  let many = 1
  while (!areTooMany(known, at, many)) many++
  return many
}

describe('how many at once are too many', () => {
  test('is four where nothing is known yet, and three where a day went by without one', () => {
    expect(fewestTooMany(openingsFrom(0), MINUTE)).toBe(4)
    expect(fewestTooMany(openingsFrom(0), 1_440 * MINUTE)).toBe(3)
  })

  test.each([
    { perMinute: 0.025, tooMany: 4 },
    { perMinute: 0.25, tooMany: 6 },
    { perMinute: 12, tooMany: 31 },
  ])('grows with what is usual: of $perMinute a minute $tooMany', ({ perMinute, tooMany }) => {
    expect(fewestTooMany(afterMinutes(1_440, perMinute), 1_440 * MINUTE)).toBe(tooMany)
  })

  test('is not changed by those of the same minute: they are what is asked about', () => {
    let known = openingsFrom(0)
    for (let client = 0; client < 10; client++) known = opened(known, 30 * MINUTE + client * 1_000)
    expect(fewestTooMany(known, 30 * MINUTE + 10_000)).toBe(4)
    expect(fewestTooMany(known, 31 * MINUTE)).toBe(4)
  })
})

describe('what is usual', () => {
  test('is what came a minute on average', () => {
    expect(usualOpenings(afterMinutes(1_440, 2), 1_440 * MINUTE)).toBeCloseTo(2, 0)
  })

  test('is forgotten by and by: what was usual a week ago is not', () => {
    const known = afterMinutes(1_440, 2)
    const day = usualOpenings(known, 2 * 1_440 * MINUTE)
    expect(day).toBeGreaterThan(0.5)
    expect(day).toBeLessThan(1)
    expect(usualOpenings(known, 8 * 1_440 * MINUTE)).toBeLessThan(0.01)
  })

  test('is the same whether time was asked for minute by minute or at once', () => {
    const known = afterMinutes(10, 1)
    let stepwise = known
    for (let minute = 10; minute <= 500; minute++) stepwise = opened(stepwise, minute * MINUTE)
    const late = opened(afterMinutes(10, 1), 500 * MINUTE)
    expect(late.minute).toBe(stepwise.minute)
    expect(late.minutes).toBeCloseTo(stepwise.minutes, 6)
  })

  test('of a partition that lags counts for the newest minute', () => {
    const known = opened(openingsFrom(100 * MINUTE), 90 * MINUTE)
    expect(known).toMatchObject({ minute: 100, now: 1 })
  })
})
