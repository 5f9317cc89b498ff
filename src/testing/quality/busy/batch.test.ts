import { expect, test } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../../core/vocabulary.ts'
import { type HistoryRow, judgedFrom, type Scene } from '../contract.ts'
import { played, sceneOf } from '../misbehaviour/testing-tenant.ts'
import { batches } from './batch.ts'

const [daily, hourly, first] = batches
const batchMs = 20 * 60_000

const sum = (rows: readonly HistoryRow[], of: (row: HistoryRow) => number) =>
  rows.reduce((total, row) => total + of(row), 0)
const between = (rows: readonly HistoryRow[], from: number, to: number) =>
  rows.filter(({ start }) => start >= from && start < to)
const callsIn = (rows: readonly HistoryRow[], from: number, to: number) =>
  sum(between(rows, from, to), row => row.calls)
const weekWith = (batch: typeof daily, scene: Scene) => batch!.before!(scene.tenant.history(), scene)

test('a batch is there from one second to the next, ten times the usual, and gone after twenty minutes', () => {
  const play = played(first!, sceneOf({ callsPerSecond: 2 }))
  expect(Math.abs(play.timesUsual(0, 1_200) - 10)).toBeLessThan(0.4)
  expect(play.timesUsual(1_200, 1_500)).toBeLessThan(1.3)
})

test('a daily batch was there on each earlier day, within half a minute of its time', () => {
  const scene = sceneOf({ callsPerSecond: 2 })
  const week = weekWith(daily, scene)
  for (let day = 2; day <= 8; day++) {
    const from = scene.from - day * DAY_MS
    const calls = callsIn(week, from - 300_000, from + batchMs + 300_000)
    expect(Math.abs(calls / (2 * (10 * 1_200 + 600)) - 1)).toBeLessThan(0.05)
  }
  // Five stretches of five minutes are touched by twenty minutes that begin in the middle of one.
  expect(week.filter(({ calls }) => calls !== 600).length).toBeLessThanOrEqual(7 * 5)
})

test('an hourly batch was there in each of the week’s hours, and comes twice', () => {
  const scene = sceneOf({ callsPerSecond: 2 })
  const week = weekWith(hourly, scene)
  for (let from = judgedFrom - 7 * DAY_MS + HOUR_MS; from + HOUR_MS <= judgedFrom - HOUR_MS; from += HOUR_MS)
    expect(callsIn(week, from - 300_000, from + HOUR_MS - 300_000)).toBeGreaterThan(2 * (3_600 + 8 * 300))
  const play = played(hourly!, sceneOf({ callsPerSecond: 2 }))
  expect(play.timesUsual(0, 300)).toBeGreaterThan(9)
  expect(play.timesUsual(300, 3_600)).toBeLessThan(1.1)
  expect(play.timesUsual(3_600, 3_900)).toBeGreaterThan(9)
})

test('what it adds to the week is counted whole, and only in the week', () => {
  const scene = sceneOf({ callsPerSecond: 2 })
  for (const batch of [daily, hourly]) {
    const week = weekWith(batch, scene)
    expect(sum(week, row => row.calls)).toBe(
      sum(week, row => row.status2xx + row.status4xx + row.status429 + row.status5xx),
    )
    expect(week).toHaveLength(2_016)
    expect(week.every(({ start }, place) => start % 300_000 === 0 && start > (week[place - 1]?.start ?? 0))).toBe(true)
    expect(week[0]!.start).toBe(judgedFrom - 7 * DAY_MS)
  }
})

test('a tenant that had no call in those minutes gets rows of its batch', () => {
  const scene = sceneOf({ callsPerSecond: 0.01 })
  const week = daily!.before!([], scene)
  expect(week.length).toBe(7 * 5)
  expect(Math.abs(sum(week, ({ calls }) => calls) / (7 * 1_200 * 1.99) - 1)).toBeLessThan(0.05)
})

test('the one that comes for the first time leaves the week as it was', () => {
  expect(first!.before).toBeUndefined()
})
