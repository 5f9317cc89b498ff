import { expect, test } from 'vitest'
import { scraping } from './scraping.ts'
import { played, sceneOf, shareOf } from './testing-tenant.ts'

test('no route comes twice, all come from one place, and hardly any is missing', () => {
  const { added } = played(scraping, sceneOf())
  expect(new Set(added.map(({ route }) => route)).size).toBe(added.length)
  expect(new Set(added.map(({ source }) => source)).size).toBe(1)
  expect(shareOf(added, ({ status }) => status === 404)).toBeLessThan(0.08)
  expect(shareOf(added, ({ status }) => status === 200 || status === 404)).toBe(1)
})

test('it comes twice a second, or as often as the tenant itself', () => {
  expect(Math.abs(played(scraping, sceneOf({ callsPerSecond: 0.1 })).added.length / scraping.seconds - 2)).toBeLessThan(
    0.1,
  )
  expect(Math.abs(played(scraping, sceneOf({ callsPerSecond: 5 })).added.length / scraping.seconds - 5)).toBeLessThan(
    0.2,
  )
})
