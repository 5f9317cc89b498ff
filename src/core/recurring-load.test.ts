import { describe, expect, test } from 'vitest'
import { createEngine } from './engine.ts'
import {
  type Call,
  inOrder,
  live,
  type Stream,
  settingsOf,
  steady,
  streamInto,
  taught,
  type WrittenEvent,
} from './testing-stream.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Monday, 5 January 2026, 00:00 UTC. */
const MONDAY = Date.UTC(2026, 0, 5)
const usualPerMinute = { a: 60, b: 1_800 }

/** A week of which is known; `a` has these plans. */
function begun(
  planned: readonly WrittenEvent[] = [],
  perMinute: Readonly<Record<string, number>> = usualPerMinute,
): Stream {
  const settings = settingsOf({ mode: 'observe' }, { client: { keys: ['a'], planned } })
  return streamInto(taught(settings, perMinute, { days: 7, until: MONDAY }))
}

/** From one time to another nobody does anything unusual: told in counts, since nothing is to be looked at. */
function passQuietly(
  stream: Stream,
  from: number,
  to: number,
  perMinute: Readonly<Record<string, number>> = usualPerMinute,
): void {
  const none = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0, bytes: 0 }
  for (let start = from; start < to; ) {
    const end = Math.min(to, (Math.floor(start / HOUR) + 1) * HOUR)
    const seconds = (end - start) / 1_000
    stream.giveRows(
      Object.entries(perMinute).map(([key, rate]) => ({ ...none, key, start, seconds, calls: (rate * seconds) / 60 })),
    )
    start = end
  }
}

/** Twelve minutes in which `a` does its batch of five, at twenty times its usual. */
function batchAt(stream: Stream, start: number): void {
  const from = start - 2 * MINUTE
  const batch = steady('a', { perSecond: 20, from: start, seconds: 300 })
  const others: Call[] = inOrder(
    steady('a', { perSecond: 1, from, seconds: 720 }),
    steady('b', { perSecond: 30, from, seconds: 720 }),
  )
  live(stream, inOrder(batch, others), { until: from + 12 * MINUTE })
}

/** Days (0: the first) on which `a` was told of. */
const toldOn = ({ changes }: Stream, since = MONDAY): number[] => [
  ...new Set(
    changes
      .filter(({ phase, keyId }) => phase === 'open' && keyId === 'a')
      .map(({ onsetAt }) => Math.floor((onsetAt - since) / DAY)),
  ),
]

function nights(stream: Stream, days: number, { from = 0, hour = 2 } = {}): void {
  for (let day = from; day < from + days; day++) {
    const midnight = MONDAY + day * DAY
    const start = midnight + hour * HOUR
    passQuietly(stream, midnight, start - 2 * MINUTE)
    batchAt(stream, start)
    passQuietly(stream, start + 10 * MINUTE, midnight + DAY)
  }
}

describe('a nightly batch', () => {
  test('is told at most three times, and then is what the night brings', () => {
    const stream = begun()
    nights(stream, 10)
    const told = toldOn(stream)
    expect(told[0]).toBe(0)
    expect(told.length).toBeLessThanOrEqual(3)
    expect(Math.max(...told)).toBeLessThan(3)
  })

  test('of a key that nothing was known of is no other, though its first night is the first that anybody sees', () => {
    const stream = streamInto(createEngine(settingsOf({ mode: 'observe' })))
    nights(stream, 6)
    expect(toldOn(stream)).not.toEqual([])
    expect(Math.max(...toldOn(stream))).toBeLessThan(3)
  })

  test('that is planned is told never, and neither when the plan is given up after some nights', () => {
    const stream = begun([{ when: 'daily 02:00-02:05', upTo: '20x', note: 'nightly export' }])
    nights(stream, 4)
    stream.take({ kind: 'tenants', tenants: {}, at: MONDAY + 4 * DAY })
    nights(stream, 6, { from: 4 })
    expect(toldOn(stream)).toEqual([])
  })

  test('that comes at another hour than it did is told again', () => {
    const stream = begun([{ when: 'daily 02:00-02:05', upTo: '20x' }])
    nights(stream, 4)
    nights(stream, 1, { from: 4, hour: 5 })
    expect(toldOn(stream)).toEqual([4])
  })
})

describe('what comes once a month', () => {
  /** 31 January and 28 February, at 22:00. */
  const ends = [Date.UTC(2026, 0, 31, 22), Date.UTC(2026, 1, 28, 22)] as const

  function twoMonthEnds(planned: readonly WrittenEvent[]): number {
    const stream = begun(planned)
    passQuietly(stream, MONDAY, ends[0] - 2 * MINUTE)
    batchAt(stream, ends[0])
    passQuietly(stream, ends[0] + 10 * MINUTE, ends[1] - 2 * MINUTE)
    batchAt(stream, ends[1])
    return toldOn(stream).length
  }

  test('is beyond what seven days can teach: it is told each time, unless it is planned', () => {
    expect(twoMonthEnds([])).toBe(2)
    expect(twoMonthEnds([{ when: 'monthly last day 22:00 for 4h', upTo: '20x', note: 'month end' }])).toBe(0)
  })
})
