import { expect, test } from 'vitest'
import { errorLoops } from './error-loop.ts'
import { played, sceneOf } from './testing-tenant.ts'

const [any4xx, unprocessable] = errorLoops

test('one call on one route gets one answer, again and again', () => {
  for (const seed of [1, 2, 3, 4]) {
    const { added } = played(any4xx!, sceneOf({ seed }), 60)
    expect(new Set(added.map(({ status, route, source }) => `${status} ${route} ${source}`)).size).toBe(1)
    expect([400, 401, 403, 404]).toContain(added[0]!.status)
  }
  expect(new Set(played(unprocessable!, sceneOf(), 60).added.map(({ status }) => status))).toEqual(new Set([422]))
})

test('it comes twice a second, or as often as the tenant itself', () => {
  const perSecond = (callsPerSecond: number) => played(any4xx!, sceneOf({ callsPerSecond }), 100).added.length / 100
  expect(Math.abs(perSecond(0.01) - 2)).toBeLessThan(0.1)
  expect(Math.abs(perSecond(10) - 10)).toBeLessThan(0.3)
})
