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
          for (const latency of latencies) addLatency(blocks, START, latency, 0)
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
      addLatency(blocks, START + second, latency, 0)
    expect(mergedLatency(blocks, START + 10, START + 30).reduce((sum, count) => sum + count, 0)).toBe(2)
  })

  test('forgets what the ring has gone beyond, and takes nothing that is older than the ring', () => {
    const blocks = createLatencyBlocks()
    addLatency(blocks, START, 10, 0)
    addLatency(blocks, START + 640, 20, 0)
    addLatency(blocks, START + 5, 30, 0)
    const merged = mergedLatency(blocks, 0, START + 10_000)
    expect(merged.reduce((sum, count) => sum + count, 0)).toBe(1)
    expect(merged[latencyBucket(20)]).toBe(1)
  })

  test('puts whole latencies into the bucket that the logarithm says', () => {
    for (let latencyMs = -1; latencyMs < 5_000; latencyMs++)
      expect(latencyBucket(latencyMs)).toBe(
        latencyMs <= 1 ? 0 : Math.min(LATENCY_BUCKETS - 1, Math.ceil(Math.log(latencyMs) / Math.log(1.25))),
      )
  })

  test('is the same whether the ring began small or had all its places at once, wherever it may still be asked', () => {
    const step = fc.record({ ahead: fc.oneof({ weight: 8, arbitrary: fc.nat(15) }, fc.nat(900)), back: fc.nat(100) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), steps => {
        const small = createLatencyBlocks()
        const large = { blocks: new Float64Array(64), counts: new Uint16Array(64 * LATENCY_BUCKETS) }
        let now = START
        for (const [index, { ahead, back }] of steps.entries()) {
          now += ahead
          const neededFrom = now - 100 - 61
          addLatency(small, now - back, index, neededFrom)
          addLatency(large, now - back, index, 0)
          for (const from of [neededFrom, neededFrom + 7, now - 59])
            expect(mergedLatency(small, from, from + 60)).toEqual(mergedLatency(large, from, from + 60))
        }
        expect(small.blocks.length).toBeLessThanOrEqual(32)
      }),
    )
  })

  test('saturates instead of beginning anew', () => {
    const blocks = createLatencyBlocks()
    for (let call = 0; call < 70_000; call++) addLatency(blocks, START, 10, 0)
    expect(mergedLatency(blocks, START, START + 10)[latencyBucket(10)]).toBe(65_535)
  })
})
