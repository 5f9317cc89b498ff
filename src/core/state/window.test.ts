import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addCall, COUNTS, closePane, createPanes, type KeyPanes, openPane, paneSecond, statusCount } from './pane.ts'
import { addStraggler, addStragglers, createWindows, paneInserted, type RollingWindows, rollTo } from './window.ts'

/** Both windows over one key's panes, fed as an owner feeds them, and a plain list of all calls to compare with. */
interface Key {
  readonly panes: KeyPanes
  readonly closed: RollingWindows
  readonly early: RollingWindows
  /** Over closed panes like `closed`, but asked now and then only. */
  readonly seldom: RollingWindows
  readonly calls: { readonly second: number; readonly status: number }[]
  /** Panes of seconds before this one are closed. */
  closedTo: number
  lookedAt: number
}

const keyAt = (second: number): Key => ({
  panes: createPanes(),
  closed: createWindows(),
  early: createWindows(),
  seldom: createWindows(),
  calls: [],
  closedTo: second,
  lookedAt: second,
})

function call(key: Key, second: number, status = 200): void {
  const { panes, early } = key
  const before = panes.end
  const index = openPane(panes, second)
  if (panes.end > before) paneInserted(early, index, second)
  addCall(panes, index, 0, status, -1, -1)
  addStraggler(early, second, status)
  key.calls.push({ second, status })
}

function lookEarly(key: Key, endSecond: number): void {
  key.lookedAt = Math.max(key.lookedAt, endSecond)
  rollTo(key.early, key.panes, key.lookedAt)
  expectCounts(key, key.early, key.lookedAt)
}

/** Closes panes one by one, as the watermark does; each closing is a final look. */
function closeTo(key: Key, toSecond: number): void {
  const { panes, closed, seldom } = key
  while (panes.firstOpen < panes.end && paneSecond(panes, panes.firstOpen) < toSecond) {
    const second = paneSecond(panes, closePane(panes))
    rollTo(closed, panes, second + 1)
    expectCounts(key, closed, second + 1)
    if (second % 37 !== 0) continue
    rollTo(seldom, panes, second + 1)
    expectCounts(key, seldom, second + 1)
  }
  key.closedTo = Math.max(key.closedTo, toSecond)
}

function expectCounts({ calls }: Key, { sums }: RollingWindows, end: number): void {
  const within = (from: number): number[] => {
    const counts = new Array<number>(COUNTS).fill(0)
    for (const { second, status } of calls) {
      if (second < from || second >= end) continue
      counts[0]!++
      if (statusCount(status) > 0) counts[statusCount(status)]!++
    }
    return counts
  }
  const periodOf = (seconds: number) => Math.floor((end - 1) / seconds) * seconds
  const found = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, [...sum]]))
  expect({ end, ...found }).toEqual({
    end,
    last10s: within(end - 10),
    last60s: within(end - 60),
    last5min: within(end - 300),
    minute: within(periodOf(60)),
    slot: within(periodOf(300)),
  })
}

type Happening =
  | { readonly kind: 'call'; readonly back: number; readonly status: number; readonly times: number }
  | { readonly kind: 'time'; readonly seconds: number }
  | { readonly kind: 'look' }
  | { readonly kind: 'close'; readonly lag: number }

const statuses = fc.constantFrom(0, 200, 302, 404, 429, 500)
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      back: fc.integer({ min: 0, max: 60 }),
      status: statuses,
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('time' as const),
      seconds: fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 1, max: 20 }) },
        { weight: 1, arbitrary: fc.integer({ min: 250, max: 900 }) },
      ),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('look' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('close' as const), lag: fc.integer({ min: 0, max: 60 }) }) },
)

/** Not a multiple of anything, so that no window begins where a period does. */
const START = 1_700_000_017

function play(happenings: readonly Happening[], startsAt = START): void {
  const key = keyAt(startsAt)
  let now = startsAt
  for (const happening of happenings) {
    switch (happening.kind) {
      case 'call': {
        const second = Math.max(key.closedTo, now - happening.back)
        for (let time = 0; time < happening.times; time++) call(key, second, happening.status)
        break
      }
      case 'time':
        now += happening.seconds
        break
      case 'look':
        lookEarly(key, now + 1)
        break
      case 'close':
        closeTo(key, now - happening.lag)
        break
    }
  }
  lookEarly(key, now + 1)
  closeTo(key, now + 1)
}

describe('the windows of a key', () => {
  test('count what a plain list counts, whatever comes, is looked at and is closed in whatever order', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 200 }), happenings => play(happenings)),
      { numRuns: 300 },
    )
  })

  test('… and through thousands of calls, over which panes are forgotten, moved and made room for', () => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 2_000, maxLength: 3_000 }), happenings => play(happenings)),
      { numRuns: 6, endOnFailure: true },
    )
  })

  test('begin afresh when panes closed that no early look has seen for minutes', () => {
    const key = keyAt(START)
    call(key, START)
    lookEarly(key, START + 1)
    for (let second = START + 1; second < START + 700; second += 7) {
      call(key, second)
      closeTo(key, second)
    }
    lookEarly(key, START + 700)
  })

  test('begin afresh when what they held was forgotten before they let go of it', () => {
    const key = keyAt(START)
    for (const second of [START, START + 1]) call(key, second)
    lookEarly(key, START + 2)
    for (let second = START + 400; second < START + 420; second++) {
      call(key, second)
      closeTo(key, second)
    }
    lookEarly(key, START + 420)
  })

  test('keep what an early look of long ago held, until it is too old', () => {
    const key = keyAt(START)
    call(key, START)
    call(key, START + 1, 503)
    lookEarly(key, START + 2)
    closeTo(key, START + 2)
    // Quiet: nothing closes, nothing is forgotten. Each window lets go at its own time.
    for (const seconds of [10, 11, 12, 60, 61, 62, 299, 300, 301, 302, 5_000]) lookEarly(key, START + seconds)
    call(key, START + 5_001)
    lookEarly(key, START + 5_002)
  })

  test('know the aligned minute and slot that hold the second before their end', () => {
    const slot = Math.ceil(START / 300) * 300
    const key = keyAt(slot - 10)
    call(key, slot - 1)
    call(key, slot, 500)
    lookEarly(key, slot)
    expect([[...key.early.sums.minute], [...key.early.sums.slot]]).toEqual([
      [1, 1, 0, 0, 0],
      [1, 1, 0, 0, 0],
    ])
    lookEarly(key, slot + 1)
    expect([[...key.early.sums.minute], [...key.early.sums.slot]]).toEqual([
      [1, 0, 0, 0, 1],
      [1, 0, 0, 0, 1],
    ])
  })

  test('take counts of another tool into seconds that were looked at, and leave the others to their panes', () => {
    const windows = createWindows()
    rollTo(windows, createPanes(), START)
    addStragglers(windows, START - 11, [4, 3, 0, 0, 1])
    addStragglers(windows, START, [40, 30, 0, 0, 10])
    expect([...windows.sums.last10s]).toEqual([0, 0, 0, 0, 0])
    expect([...windows.sums.last60s]).toEqual([4, 3, 0, 0, 1])
    expect([...windows.sums.last5min]).toEqual([4, 3, 0, 0, 1])
  })
})
