import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { kafkaSource } from './kafka.ts'

test('a worker that is stopped while no broker answers stops at once, and quietly', async () => {
  // Nothing listens on port 1.
  const settings = {
    brokers: ['127.0.0.1:1'],
    topic: 'calls',
    groupId: 'weir-tests',
    from: 'latest',
    keyed: false,
  } as const
  const stop = new AbortController()
  const source = kafkaSource(settings, { clock: systemClock(), onEvent: () => stop.abort() })

  const startedAt = performance.now()
  const next = await source.read(new Map(), stop.signal)[Symbol.asyncIterator]().next()
  expect(next.done).toBe(true)
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  await source.close()
})

test('a worker that is stopped before it began reads nothing', async () => {
  const settings = {
    brokers: ['127.0.0.1:1'],
    topic: 'calls',
    groupId: 'weir-tests',
    from: 'latest',
    keyed: false,
  } as const
  const source = kafkaSource(settings, { clock: systemClock() })
  expect((await source.read(new Map(), AbortSignal.abort())[Symbol.asyncIterator]().next()).done).toBe(true)
})
