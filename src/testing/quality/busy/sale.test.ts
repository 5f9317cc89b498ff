import { expect, test } from 'vitest'
import { played, sceneOf, shareOf } from '../misbehaviour/testing-tenant.ts'
import { sale } from './sale.ts'

test('a sale brings four times the calls within minutes, and no more errors than ever', () => {
  const play = played(sale, sceneOf({ callsPerSecond: 2 }))
  expect(play.timesUsual(0, 30)).toBeLessThan(2)
  expect(Math.abs(play.timesUsual(180, 1_800) - 4)).toBeLessThan(0.2)
  expect(shareOf(play.calls, ({ status }) => status === 200)).toBeGreaterThan(0.96)
})
