import { expect, test } from 'vitest'
import type { MadeCall } from '../contract.ts'
import { createRetryLoop, type RetryLoopOptions } from './retry-loop.ts'
import { sceneOf } from './testing-tenant.ts'

const scene = sceneOf({ callsPerSecond: 1 })
const ownCall: MadeCall = { at: scene.from, status: 200, latencyMs: 40, route: '/v1/refunds', source: '198.51.100.1' }

function loopOf(changes: Partial<RetryLoopOptions>) {
  const { random } = sceneOf()
  return createRetryLoop({
    scene: { ...scene, random },
    manner: {
      failureShare: 0,
      rejectedShare: 0,
      latencyMs: 50,
      call: at => ({ ...ownCall, at, latencyMs: 50, route: '/v1/payments' }),
    },
    failureShare: () => 0,
    retriesAfterMs: () => [200],
    mostPerSecond: 100,
    ...changes,
  })
}

test('what succeeds is not tried again', () => {
  const loop = loopOf({})
  expect(loop.second(0, [ownCall])).toEqual([ownCall])
  expect(loop.isRetrying()).toBe(false)
  expect(loop.second(1, [])).toEqual([])
})

test('what fails is tried again on its route after its answer and a pace, until it succeeds', () => {
  const loop = loopOf({ failureShare: at => (at < scene.from + 300 ? 1 : 0) })
  const [first, second, ...more] = loop.second(0, [ownCall])
  expect(first).toMatchObject({ at: scene.from, status: 503 })
  const apartMs = second!.at - first!.at - first!.latencyMs
  expect(apartMs).toBe(200)
  expect(second).toMatchObject({ route: '/v1/refunds' })
  expect([second, ...more].at(-1)!.status).toBe(200)
  expect(loop.isRetrying()).toBe(false)
})

test('it gives up when there is no other try', () => {
  const loop = loopOf({ failureShare: () => 1, retriesAfterMs: tries => (tries < 2 ? [100] : []) })
  expect(loop.second(0, [ownCall]).map(({ status }) => status)).toEqual([503, 503, 503])
  expect(loop.isRetrying()).toBe(false)
})

test('it sends no more than its machines can, and what it cannot send waits', () => {
  const loop = loopOf({ failureShare: () => 1, retriesAfterMs: () => [100, 100], mostPerSecond: 20 })
  loop.second(0, [ownCall])
  for (let index = 1; index < 5; index++) loop.second(index, [])
  const counts = [5, 6, 7, 8, 9].map(index => loop.second(index, []).length)
  expect(counts).toEqual([20, 20, 20, 20, 20])
  expect(loop.timesUsual()).toBe(20)
})

test('own calls go first, even where they are more than its machines are said to send', () => {
  const own = Array.from({ length: 50 }, (_, index) => ({ ...ownCall, at: scene.from + index * 20 }))
  const loop = loopOf({ failureShare: () => 1, mostPerSecond: 20 })
  expect(loop.second(0, own).length).toBe(50)
})
