import { expect, test } from 'vitest'
import { DAY_MS } from '../../../core/vocabulary.ts'
import { judgedFrom } from '../contract.ts'
import { mannerOf } from './manner.ts'
import { sceneOf, shareOf } from './testing-tenant.ts'

const callsOf = (scene: ReturnType<typeof sceneOf>, count: number) => {
  const manner = mannerOf(scene)
  return Array.from({ length: count }, () => manner.call(scene.from))
}

test('a call that was put in is made and answered like the tenant’s own', () => {
  const calls = callsOf(sceneOf(), 5_000)
  expect(new Set(calls.map(({ route }) => route))).toEqual(new Set(['/v1/payments', '/v1/refunds', '/v1/balance']))
  expect(new Set(calls.map(({ source }) => source))).toEqual(new Set(['198.51.100.1', '198.51.100.2']))
  expect(Math.abs(shareOf(calls, ({ status }) => status >= 400 && status < 500) - 0.02)).toBeLessThan(0.007)
  const meanMs = calls.reduce((sum, { latencyMs }) => sum + latencyMs, 0) / calls.length
  expect(Math.abs(meanMs - 80)).toBeLessThan(3)
})

test('of a tenant that is silent for the hour the manner is the one that it has otherwise', () => {
  const calls = callsOf(sceneOf({ callsPerSecond: 0 }), 100)
  expect(new Set(calls.map(({ source }) => source))).toEqual(new Set(['198.51.100.1', '198.51.100.2']))
})

test('nothing is asked of a tenant beyond what is judged', () => {
  const scene = sceneOf({ callsPerSecond: 0.001, judgedDays: 2, from: judgedFrom + 2 * DAY_MS - 30_000 })
  expect(callsOf(scene, 1)).toHaveLength(1)
})
