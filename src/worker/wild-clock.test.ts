import { expect, test } from 'vitest'
import { wildTimes } from './wild-clock.ts'

const minute = 60_000
const noon = Date.UTC(2026, 10, 20, 12)
const daysLater = noon + 3 * 24 * 60 * minute

/** Which of these are wild, in minutes after noon, as those that are before. */
function wild(minutes: readonly number[], { frontier = 0, arrivedAt = daysLater } = {}): readonly number[] {
  const times = Float64Array.from(minutes, each => noon + each * minute)
  const soFar = { frontier: noon + frontier * minute, arrivedAt, latestTime: arrivedAt + minute }
  return wildTimes(times, soFar).map(index => minutes[index] ?? Number.NaN)
}

test('in a backlog a call hours ahead of those around it is not believed, also when it is the first that is read', () => {
  expect(wild([1, 2, 240, 3, 300, 2, 4])).toEqual([240, 300])
  expect(wild([240, 1, 2])).toEqual([240])
  expect(wild([240, 1, 2], { frontier: Number.NEGATIVE_INFINITY })).toEqual([240])
})

test('calls go on after hours of silence, and one that comes late after them does not make them wild', () => {
  expect(wild([1, 240, 241])).toEqual([])
  expect(wild([1, 240, 238, 241])).toEqual([])
  expect(wild([240, 241], { frontier: Number.NEGATIVE_INFINITY })).toEqual([])
})

test('the last call of what was read is believed, for nobody contradicts it', () => {
  expect(wild([1, 240])).toEqual([])
  expect(wild([])).toEqual([])
})

test('hosts whose logs come ten minutes apart are both believed', () => {
  expect(wild([10, 0, 10, 0, 11, 1])).toEqual([])
})

test('what is late even for what was shown before contradicts no call after a silence', () => {
  expect(wild([240, -60, 241, 242])).toEqual([])
  expect(wild([15, -45, 30, -30, 45, -15])).toEqual([])
  expect(wild([240, -60, 1, 2])).toEqual([240])
})

test('a call of just now is believed beside a log that comes late or was kept back', () => {
  const arrivedAt = noon + 60 * minute
  expect(wild([60, 45, 46], { frontier: 45, arrivedAt })).toEqual([])
  expect(wild([60, 5, 60, 6], { frontier: Number.NEGATIVE_INFINITY, arrivedAt })).toEqual([])
})

test('a live stream is believed', () => {
  expect(wild([1, 240, 239], { arrivedAt: noon + 240 * minute })).toEqual([])
  expect(wild([1, 30, 1], { arrivedAt: noon + 2 * minute })).toEqual([])
})
