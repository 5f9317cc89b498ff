import { expect, test } from 'vitest'
import { createLambdaPool, type LambdaPoolOptions } from './lambda-pool.ts'
import { createRandom } from './random.ts'

const steady: LambdaPoolOptions = { concurrency: 10, meanMs: 100, sigma: 0, slowdown: 0 }
const poolOf = (changes: Partial<LambdaPoolOptions> = {}) =>
  createLambdaPool({ ...steady, ...changes }, createRandom(1))

test('a place is held for as long as the call takes, then given back', () => {
  const pool = poolOf({ concurrency: 1 })
  expect(pool.invoke(1_000)).toEqual({ kind: 'ran', durationMs: 100 })
  expect(pool.invoke(1_099)).toEqual({ kind: 'full' })
  expect(pool.invoke(1_100)).toEqual({ kind: 'ran', durationMs: 100 })
})

test('in flight is rate times latency', () => {
  const pool = poolOf({ concurrency: 1_000 })
  for (let at = 0; at < 10_000; at += 2) pool.invoke(at)
  expect(pool.inFlight()).toBe(50)
})

test('calls take longer the fuller the pool', () => {
  const pool = poolOf({ slowdown: 14 })
  const durations = Array.from({ length: 10 }, () => pool.invoke(0)).map(call =>
    call.kind === 'ran' ? call.durationMs : 0,
  )
  expect(durations[0]).toBe(100)
  expect(durations[9]).toBe(100 + 14 * 81)
})

test('beyond what it can stand a full pool serves concurrency / slowed latency calls a second', () => {
  const pool = poolOf({ concurrency: 200, meanMs: 80, slowdown: 14 })
  let served = 0
  for (let at = 0; at < 30_000; at++) if (pool.invoke(at).kind === 'ran' && at >= 10_000) served++
  expect(served / 20).toBeGreaterThan(160)
  expect(served / 20).toBeLessThan(175)
})

test('after a long silence it is empty', () => {
  const pool = poolOf({ concurrency: 1 })
  pool.invoke(1_000)
  expect(pool.invoke(1_000 + 10 * 86_400_000).kind).toBe('ran')
  expect(pool.inFlight()).toBe(1)
})
