import { expect, test } from 'vitest'
import { judgedFrom } from './contract.ts'
import { busiestSlot, isSteady, sceneOf } from './scene.ts'
import { steadyTenant } from './testing-tenant.ts'

const tenant = steadyTenant('a', { perSecond: 2 })
const week = tenant.history()
const hour = 3_600_000
const usualAt = (rows: typeof week, hours: number): number =>
  sceneOf(tenant, rows, { from: judgedFrom + hours * hour, historyTo: judgedFrom, name: 'surge' }).usualPerSecond

test('what is usual is what the last days brought at this time of day', () => {
  expect(usualAt(week, 10)).toBeCloseTo(2, 1)
  const mornings = week.filter(({ start }) => start % 86_400_000 < 12 * hour)
  expect(usualAt(mornings, 10)).toBeCloseTo(2, 1)
  expect(usualAt(mornings, 20)).toBe(1 / 600)
})

test('a client of the same calls all week is steady, and one of mornings is not', () => {
  expect(isSteady(week)).toBe(true)
  expect(isSteady(week.filter(({ start }) => start % 86_400_000 < 12 * hour))).toBe(false)
  expect(isSteady([])).toBe(false)
})

test('the busiest five minutes are those with the most calls', () => {
  expect(busiestSlot(week)).toBe(600)
  expect(busiestSlot([])).toBe(0)
})
