import { describe, expect, test } from 'vitest'
import { limitOf, type Progress } from './alignment.ts'

const minute = 60_000
const noon = Date.UTC(2026, 10, 20, 12)
const idleAfterMs = 30_000

/** An hour after noon, when the worker reads what came at noon. */
const later = { now: noon + 60 * minute, watermark: noon - minute, idleAfterMs }

const waits = (minutes: number): Progress => ({ ...reads(minutes), ready: noon + minutes * minute })
const reads = (minutes: number, more: Partial<Progress> = {}): Progress => ({
  ...{ ready: undefined, frontier: noon + minutes * minute, hasMore: true, seenAt: later.now },
  ...more,
})
const unheard = (silentMs: number): Progress => ({
  ...{ ready: undefined, frontier: undefined, hasMore: undefined, seenAt: later.now - silentMs },
})

/** In minutes after noon. */
const limit = (ready: number, partitions: readonly Progress[], at: Partial<typeof later> = {}): number =>
  (limitOf(noon + ready * minute, partitions, { ...later, ...at }) - noon) / minute

describe('of a backlog', () => {
  test('a partition is counted up to two minutes beyond the slowest that has more to bring', () => {
    expect(limit(0, [waits(0), reads(1), reads(3)])).toBe(2)
    expect(limit(3, [waits(3), reads(1)])).toBe(3)
  })

  test('partitions that are all ready go on with the earliest, over whatever gap', () => {
    expect(limit(50, [waits(50), waits(55)])).toBe(52)
  })

  test('nobody waits for one that has no more, is silent for long, or whose calls are late already', () => {
    expect(limit(5, [waits(5), reads(1, { hasMore: false })])).toBe(7)
    expect(limit(5, [waits(5), reads(1, { seenAt: later.now - idleAfterMs })])).toBe(7)
    expect(limit(5, [waits(5), reads(1, { seenAt: later.now - idleAfterMs + 1 })])).toBe(3)
    expect(limit(5, [waits(5), reads(1)], { watermark: noon + minute + 1 })).toBe(7)
    expect(limit(5, [waits(5), reads(1)], { watermark: noon + minute })).toBe(3)
  })

  test('one that has not spoken yet is waited for, for ten seconds', () => {
    expect(limit(5, [waits(5), unheard(9_999)])).toBe(Number.NEGATIVE_INFINITY)
    expect(limit(5, [waits(5), unheard(10_000)])).toBe(7)
  })

  test('one that has spoken before the stop is waited for where it was', () => {
    const before = reads(-20, { hasMore: undefined })
    expect(limit(0, [waits(0), before], { watermark: noon - 30 * minute })).toBe(-18)
    expect(limit(0, [waits(0), { ...before, seenAt: later.now - 10_000 }], { watermark: noon - 30 * minute })).toBe(2)
  })
})

describe('a live stream', () => {
  const now = { now: noon, watermark: noon - 14 * minute }

  test('waits for nobody who is some minutes late', () => {
    expect(limit(-1, [waits(-1), reads(-5, { seenAt: noon })], now)).toBe(5)
    expect(limit(-1, [waits(-1), { ...unheard(0), seenAt: noon }], now)).toBe(9)
  })

  test('waits for one so late that both would not fit between open panes', () => {
    expect(limit(-1, [waits(-1), reads(-13, { seenAt: noon })], now)).toBe(-3)
  })
})
