import { expect, test } from 'vitest'
import { HOUR_MS, MINUTE_MS } from '../../core/vocabulary.ts'
import { createRandom } from '../../simulation/random.ts'
import { slopeOf, verdictOn } from './slope.ts'

/** An hour of a reading in five seconds. */
function hourOf(value: (hours: number, reading: number) => number) {
  return Array.from({ length: 720 }, (_, reading) => ({
    at: reading * 5_000,
    value: value((reading * 5_000) / HOUR_MS, reading),
  }))
}

test('a level with noise is flat, and its slope is about nothing', () => {
  const noise = createRandom(1)
  const slope = slopeOf(hourOf(() => 300 + 10 * noise.normal()))
  expect(slope?.points).toBe(60)
  expect(slope?.level).toBeCloseTo(300, -1)
  expect(slope?.from).toBeLessThan(0)
  expect(slope?.to).toBeGreaterThan(0)
  expect(slope && verdictOn(slope)).toBe('flat')
})

test('what grows by a tenth an hour grows, though a fifth of all minutes are wild', () => {
  const noise = createRandom(2)
  const isWild = (reading: number): boolean => Math.floor(reading / 12) % 5 === 0
  const slope = slopeOf(
    hourOf((hours, reading) => 300 + 30 * hours + noise.normal() + (isWild(reading) ? 400 * noise.uniform() : 0)),
  )
  expect(slope?.perHour).toBeGreaterThan(25)
  expect(slope?.perHour).toBeLessThan(60)
  expect(slope && verdictOn(slope)).toBe('grows')
})

test('where the interval is wider than what is allowed, nothing is said to be flat', () => {
  const noise = createRandom(3)
  const slope = slopeOf(hourOf(() => 300 + 250 * noise.normal()))
  expect(slope && verdictOn(slope)).toBe('not shown')
})

test('a sawtooth is judged by what is left after each collection', () => {
  const least = (values: number[]) => Math.min(...values)
  const slope = slopeOf(
    hourOf((_, reading) => 100 + (reading % 12) * 20),
    least,
  )
  expect(slope).toMatchObject({ perHour: 0, from: 0, to: 0, level: 100 })
})

test('nine minutes say nothing of a slope', () => {
  const points = Array.from({ length: 9 }, (_, minute) => ({ at: minute * MINUTE_MS, value: minute }))
  expect(slopeOf(points)).toBeUndefined()
})

test('a reading that was not to be had is left out', () => {
  const slope = slopeOf(hourOf((_, reading) => (reading % 3 === 0 ? Number.NaN : 7)))
  expect(slope).toMatchObject({ perHour: 0, level: 7, points: 60 })
})
