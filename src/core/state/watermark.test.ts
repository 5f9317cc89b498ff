import { describe, expect, test } from 'vitest'
import type { EpochMs, PartitionId } from '../vocabulary.ts'
import { createEventTime, type EventTime, OPEN_SPAN_MS, partitionTime, setPartitions, watermark } from './watermark.ts'

/** Partitions by name: how far they are and when they last brought something, both in seconds. */
function timeOf(partitions: Readonly<Record<string, readonly [frontier: number, lastArrival: number]>>): EventTime {
  const time = createEventTime()
  for (const [name, [frontier, lastArrival]] of Object.entries(partitions)) {
    const known = partitionTime(time, name as PartitionId, lastArrival * 1_000)
    known.frontier = frontier * 1_000
    time.highest = Math.max(time.highest, known.frontier)
  }
  return time
}
const markOf = (time: EventTime, now: EpochMs): number =>
  watermark(time, { now: now * 1_000, deliveryMs: 35_000, idleAfterMs: 30_000 }) / 1_000

describe('the watermark', () => {
  test('is the delivery lag behind the slowest partition that still brings something', () => {
    expect(markOf(timeOf({ quick: [10_100, 10_100], slow: [10_050, 10_100] }), 10_100)).toBe(10_015)
  })

  test('does not wait for an idle partition, from the moment on that it is idle', () => {
    const time = timeOf({ quick: [10_100, 10_100], idle: [10_050, 10_070.001] })
    expect(markOf(time, 10_100)).toBe(10_015)
    expect(markOf(time, 10_100.001)).toBe(10_065)
  })

  test('is all that was seen, and no more, when every partition is idle', () => {
    const time = timeOf({ one: [10_100, 10_100], other: [10_050, 10_060] })
    expect(markOf(time, 20_000)).toBe(10_101)
  })

  test('is nowhere before the first call', () => {
    expect(markOf(createEventTime(), 10_000)).toBe(Number.NEGATIVE_INFINITY)
    expect(markOf(timeOf({ announced: [Number.NEGATIVE_INFINITY, 10_000] }), 10_000)).toBe(Number.NEGATIVE_INFINITY)
  })

  test('is never further behind the quickest partition than open panes may reach', () => {
    const time = timeOf({ quick: [50_000, 50_000], slow: [10_000, 50_000] })
    expect(markOf(time, 50_000)).toBe(50_000 - OPEN_SPAN_MS / 1_000)
  })

  test('forgets partitions that were taken away, but not how far event time had come', () => {
    const time = timeOf({ gone: [10_100, 10_100], kept: [10_050, 10_100] })
    setPartitions(time, ['kept' as PartitionId, 'new' as PartitionId], 10_100_000)
    expect([...time.partitions.keys()]).toEqual(['kept', 'new'])
    expect(time.highest).toBe(10_100_000)
    expect(time.partitions.get('kept' as PartitionId)).toEqual({ frontier: 10_050_000, lastArrival: 10_100_000 })
  })
})
