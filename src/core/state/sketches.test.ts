import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addLatency,
  createLatencyBlocks,
  LATENCY_BUCKETS,
  latencyBucket,
  latencyQuantile,
  mergedLatency,
} from './sketches.ts'

const START = 1_772_618_400

describe('a quantile of the latencies', () => {
  test('is off by at most an eighth of itself, from 1 ms to the gateway’s time-out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 29_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.5, 0.9, 0.99, 1),
        (latencies, share) => {
          const blocks = createLatencyBlocks()
          for (const latency of latencies) addLatency(blocks, START, latency)
          const sorted = latencies.toSorted((one, other) => one - other)
          const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
          const read = latencyQuantile(mergedLatency(blocks, START, START + 10), share)!
          expect(read / exact).toBeGreaterThan(1 / 1.13)
          expect(read / exact).toBeLessThan(1.13)
        },
      ),
    )
  })

  test('is undefined of nothing, 1 ms of what is quicker, and the last bucket’s of what no gateway waits for', () => {
    const buckets = new Float64Array(LATENCY_BUCKETS)
    expect(latencyQuantile(buckets, 0.5)).toBeUndefined()
    expect([latencyBucket(0), latencyBucket(1), latencyBucket(1.01), latencyBucket(1e9)]).toEqual([0, 0, 1, 47])
    buckets[0] = 1
    expect(latencyQuantile(buckets, 0.99)).toBe(1)
  })

  test('is of the blocks that begin in the stretch, merged', () => {
    const blocks = createLatencyBlocks()
    for (const [second, latency] of [
      [0, 10],
      [15, 100],
      [29, 100],
      [30, 1_000],
    ] as const)
      addLatency(blocks, START + second, latency)
    expect(mergedLatency(blocks, START + 10, START + 30).reduce((sum, count) => sum + count, 0)).toBe(2)
  })

  test('forgets what the ring has gone beyond, and takes nothing that is older than the ring', () => {
    const blocks = createLatencyBlocks()
    addLatency(blocks, START, 10)
    addLatency(blocks, START + 640, 20)
    addLatency(blocks, START + 5, 30)
    const merged = mergedLatency(blocks, 0, START + 10_000)
    expect(merged.reduce((sum, count) => sum + count, 0)).toBe(1)
    expect(merged[latencyBucket(20)]).toBe(1)
  })

  test('saturates instead of beginning anew', () => {
    const blocks = createLatencyBlocks()
    for (let call = 0; call < 70_000; call++) addLatency(blocks, START, 10)
    expect(mergedLatency(blocks, START, START + 10)[latencyBucket(10)]).toBe(65_535)
  })
})
