import { expect, test } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../../core/vocabulary.ts'
import { judgedFrom } from '../contract.ts'
import { played, sceneOf } from '../misbehaviour/testing-tenant.ts'
import { shiftedDays } from './shifted-day.ts'

const [lateDay, clockChange] = shiftedDays
/** Work begins at nine. */
const workday = (at: number) => (at % DAY_MS >= 9 * HOUR_MS ? 1 : 0.04)
const stage = (from: number, judgedDays = 7) =>
  sceneOf({ callsPerSecond: 1, callsPerSecondAt: workday, from, judgedDays })

test('at ten, when the day should have begun, a day that is three hours late has not', () => {
  const play = played(lateDay!, stage(judgedFrom + DAY_MS + 10 * HOUR_MS))
  expect(play.timesUsual(0, 3_600)).toBeLessThan(0.1)
})

test('at twelve it begins, as it does at nine', () => {
  const from = judgedFrom + DAY_MS + 12 * HOUR_MS
  const scene = stage(from)
  const { calls } = played(lateDay!, scene)
  const atNine = scene.tenant.callsOf(from - 3 * HOUR_MS, 3_600)
  expect(calls.map(({ at }) => at)).toEqual(atNine.map(({ at }) => at + 3 * HOUR_MS))
})

test('after the clocks went back, what came at nine comes at ten', () => {
  expect(played(clockChange!, stage(judgedFrom + DAY_MS + 9 * HOUR_MS)).timesUsual(0, 3_600)).toBeLessThan(0.1)
  expect(played(clockChange!, stage(judgedFrom + DAY_MS + 10 * HOUR_MS)).timesUsual(0, 3_600)).toBeGreaterThan(0.9)
})

test('where nothing is known of so much earlier, the next day stands in', () => {
  const from = judgedFrom + HOUR_MS
  const scene = stage(from)
  const nextDay = scene.tenant.callsOf(from + 21 * HOUR_MS, 3_600)
  expect(played(lateDay!, scene).calls.map(({ at }) => at)).toEqual(nextDay.map(({ at }) => at - 21 * HOUR_MS))
})

test('where that is not known either, nothing changes and nothing begins', () => {
  const play = played(lateDay!, stage(judgedFrom + HOUR_MS, 0.5))
  expect(play.added).toEqual([])
  expect(play.onsetAt).toBeUndefined()
})
