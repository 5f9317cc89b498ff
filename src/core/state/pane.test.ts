import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addCall,
  addCounts,
  busiestTenth,
  CALLS,
  COUNTS,
  closePane,
  countSince,
  createPanes,
  type KeyPanes,
  openPane,
  paneBytes,
  paneCount,
  paneLatencyCount,
  paneLatencySumMs,
  paneSecond,
  STATUS_2XX,
  STATUS_4XX,
  STATUS_5XX,
  STATUS_429,
  setQuiet,
  statusCount,
} from './pane.ts'

const secondsOf = (panes: KeyPanes): number[] =>
  Array.from({ length: panes.end - panes.first }, (_, index) => paneSecond(panes, panes.first + index))
const countsOf = (panes: KeyPanes, index: number): number[] =>
  Array.from({ length: COUNTS }, (_, count) => paneCount(panes, index, count))

function add(panes: KeyPanes, timeMs: number, { status = 200, latencyMs = -1, bytes = -1 } = {}): void {
  addCall(panes, openPane(panes, Math.floor(timeMs / 1_000)), timeMs % 1_000, status, latencyMs, bytes)
}

describe('the panes of a key', () => {
  test('hold only seconds that had calls, oldest first, in whatever order the calls came', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 300 }), seconds => {
        const panes = createPanes()
        for (const second of seconds) add(panes, second * 1_000)
        expect(secondsOf(panes)).toEqual([...new Set(seconds)].sort((one, other) => one - other))
        for (let index = panes.first; index < panes.end; index++) {
          const second = paneSecond(panes, index)
          expect(paneCount(panes, index, CALLS)).toBe(seconds.filter(one => one === second).length)
        }
      }),
    )
  })

  test('grow, go round the ring and forget what is older than five minutes, without losing a call or its index', () => {
    const panes = createPanes()
    const kept = new Map<number, { calls: number; number: number; bytes: number }>()
    for (let second = 0; second < 5_000; second += 1 + (second % 3)) {
      const number = panes.end
      for (let call = 0; call <= second % 4; call++) add(panes, second * 1_000, { bytes: 1.5 })
      kept.set(second, { calls: 1 + (second % 4), number, bytes: 1.5 * (1 + (second % 4)) })
      closePane(panes)
    }
    const expected = [...kept]
    const found = Array.from({ length: panes.end - panes.first }, (_, offset) => {
      const index = panes.first + offset
      const calls = paneCount(panes, index, CALLS)
      return [paneSecond(panes, index), { calls, number: index, bytes: paneBytes(panes, index) }] as const
    })
    expect(found).toEqual(expected.slice(expected.length - found.length))
    expect(expected.at(-found.length)?.[0]).toBeLessThanOrEqual(5_000 - 300)
    // However long the key calls.
    expect(panes.heads.length / 2).toBeLessThanOrEqual(512)
  })

  test('never forget a pane that is still open, however many there are', () => {
    const panes = createPanes()
    const seconds = Array.from({ length: 900 }, (_, second) => second)
    for (const second of seconds) add(panes, second * 1_000)
    expect(secondsOf(panes)).toEqual(seconds)
    for (let closed = 0; closed < 890; closed++) closePane(panes)
    for (let second = 900; second < 1_100; second++) add(panes, second * 1_000)
    expect(paneSecond(panes, panes.first)).toBeLessThanOrEqual(590)
    expect(secondsOf(panes).slice(-210)).toEqual(Array.from({ length: 210 }, (_, index) => 890 + index))
  })

  test('know how many calls open ones hold beyond what is quiet, whatever comes, closes and is quiet', () => {
    const happening = fc.oneof(
      { weight: 8, arbitrary: fc.record({ second: fc.nat(20), calls: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 2, arbitrary: fc.constant('close' as const) },
      { weight: 1, arbitrary: fc.record({ quiet: fc.nat(8) }) },
    )
    const row = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0, bytes: 0 }
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 100 }), fc.nat(3), (happenings, quiet) => {
        const panes = createPanes()
        setQuiet(panes, quiet)
        let closedTo = 0
        for (const one of happenings) {
          if (one === 'close') {
            if (panes.firstOpen < panes.end) closedTo = paneSecond(panes, closePane(panes)) + 1
          } else if ('quiet' in one) setQuiet(panes, one.quiet)
          else if (one.calls > 4) addCounts(panes, openPane(panes, closedTo + one.second), { ...row, calls: one.calls })
          else for (let call = 0; call < one.calls; call++) add(panes, (closedTo + one.second) * 1_000)
          const open = Array.from({ length: panes.end - panes.firstOpen }, (_, index) => panes.firstOpen + index)
          const beyond = open.map(index => Math.max(0, paneCount(panes, index, CALLS) - panes.quiet))
          expect(panes.surplus).toBe(beyond.reduce((sum, calls) => sum + calls, 0))
        }
      }),
    )
  })

  test('are summed back to a second, and no further than it takes', () => {
    const panes = createPanes()
    for (const second of [1, 2, 2, 5, 9]) add(panes, second * 1_000)
    const since = (fromSecond: number, enough = 100) => countSince(panes, { count: CALLS, last: 2, fromSecond, enough })
    expect([since(0), since(2), since(3), since(6), since(0, 1)]).toEqual([4, 3, 1, 0, 3])
  })

  test('take a straggler before all open panes, but behind the closed ones', () => {
    const panes = createPanes()
    for (const second of [1, 2, 9]) add(panes, second * 1_000)
    panes.firstOpen = 2
    add(panes, 5_000)
    add(panes, 5_999, { status: 503 })
    expect(secondsOf(panes)).toEqual([1, 2, 5, 9])
    expect(panes.firstOpen).toBe(2)
    expect(countsOf(panes, 2)).toEqual([2, 1, 0, 0, 1])
  })
})

describe('what a pane counts', () => {
  test('is each status in its class, 429 apart from the other 4xx, and 1xx, 3xx and none in the calls alone', () => {
    const classes = [0, 100, 199, 200, 299, 300, 399, 400, 428, 429, 430, 499, 500, 599].map(statusCount)
    const [no, ok, client, refused, failed] = [-1, STATUS_2XX, STATUS_4XX, STATUS_429, STATUS_5XX]
    expect(classes).toEqual([
      ...[no, no, no, ok, ok, no, no],
      ...[client, client, refused, client, client, failed, failed],
    ])
    const panes = createPanes()
    for (const status of [0, 204, 302, 404, 429, 500, 504]) add(panes, 7_000, { status })
    expect(countsOf(panes, 0)).toEqual([7, 1, 1, 1, 2])
  })

  test('is latency and length only of calls that have one; a latency of 0 is one', () => {
    const panes = createPanes()
    add(panes, 7_000, { latencyMs: 0, bytes: 0 })
    add(panes, 7_001, { latencyMs: 12.5, bytes: 100 })
    add(panes, 7_002)
    expect([paneLatencySumMs(panes, 0), paneLatencyCount(panes, 0), paneBytes(panes, 0)]).toEqual([12.5, 2, 100])
  })

  test('is its shape inside the second: ten calls at once are another thing than ten spread out', () => {
    const burst = createPanes()
    const spread = createPanes()
    for (let call = 0; call < 10; call++) {
      add(burst, 7_250 + call)
      add(spread, 7_000 + call * 100)
    }
    expect([busiestTenth(burst, 0), busiestTenth(spread, 0)]).toEqual([10, 1])
  })

  test.each([0, 1, 9, 10, 11, 1_234])('is %i calls that another tool counted, spread evenly over the tenths', calls => {
    const panes = createPanes()
    const row = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 3.5, latencyCount: 1, bytes: 9 }
    addCounts(panes, openPane(panes, 7), { ...row, calls, status5xx: calls })
    const tenths = [...panes.counts.subarray(4, 14)]
    expect(tenths.reduce((sum, tenth) => sum + tenth, 0)).toBe(calls)
    expect(Math.max(...tenths) - Math.min(...tenths)).toBeLessThanOrEqual(1)
    expect(countsOf(panes, 0)).toEqual([calls, 0, 0, 0, calls])
    expect([paneLatencySumMs(panes, 0), paneLatencyCount(panes, 0), paneBytes(panes, 0)]).toEqual([3.5, 1, 9])
  })
})
