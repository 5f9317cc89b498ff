import { describe, expect, test } from 'vitest'
import { createEngine, engineStatus } from '../engine.ts'
import { inOrder, live, plainKey, settingsOf, stateOf, steady, streamInto, TEN } from '../testing-stream.ts'
import { busiestMinute } from './owner.ts'
import { WORST_CALLS_ERROR } from './slot-code.ts'

const settings = settingsOf({ mode: 'observe' })
const DAY_MS = 86_400_000

describe('an owner of keys', () => {
  test('knows a key from its oldest call on, whichever came first', () => {
    const stream = streamInto(createEngine(settings))
    stream.give(
      [
        { key: 'a', at: TEN + 1_000 },
        { key: 'a', at: TEN - 20_000 },
      ],
      { arrivedAt: TEN + 1_000 },
    )
    expect(plainKey(stream.engine, 'a').firstMinute).toBe(TEN / 60_000)
  })

  test('keeps of a key that fell silent its baseline and nothing else', () => {
    const stream = streamInto(createEngine(settings))
    live(
      stream,
      inOrder(
        steady('a', { perSecond: 1, from: TEN, seconds: 1_000 }),
        steady('b', { perSecond: 1, from: TEN, seconds: 60 }),
      ),
    )
    expect(engineStatus(stream.engine)).toMatchObject({ keys: 2, activeKeys: 1 })
    expect(() => stateOf(stream.engine, 'b')).toThrow('nothing is going on with b')
    expect(plainKey(stream.engine, 'b').slotCalls).toBe(60)
    // It comes back as if it had never been away.
    live(stream, steady('b', { perSecond: 1, from: TEN + 1_000_000, seconds: 5 }))
    expect(engineStatus(stream.engine)).toMatchObject({ keys: 2, activeKeys: 2, late: 0 })
  })

  test('takes minutes since the onset back when they turn out to lie in an incident', () => {
    const stream = streamInto(createEngine(settings))
    const usual = steady('a', { perSecond: 1, from: TEN, seconds: 3_600 })
    // It begins in the last seconds of a minute, which is closed and learned before the failures are enough.
    const rise = steady('a', { perSecond: 9, from: TEN + 1_857_500, seconds: 300, status: 503 })
    live(stream, inOrder(usual, rise))
    const baseline = plainKey(stream.engine, 'a')
    const minuteOf = (ms: number) => ms / 60_000
    const excluded = [...baseline.excluded].flatMap(([slot, mask]) =>
      [0, 1, 2, 3, 4].filter(bit => (mask >> bit) & 1).map(bit => slot * 5 + bit - minuteOf(TEN)),
    )
    expect(stream.changes[0]!.decidedAt).toBeGreaterThan(TEN + 1_860_000)
    expect(excluded.slice(0, 7)).toEqual([30, 31, 32, 33, 34, 35, 36])
    // What is left is 60 for each of the 59 closed minutes that is known: exactly so where minutes were taken back.
    const left = [...baseline.slots, [baseline.slot, baseline.slotCalls] as const].map(([slot, calls]) => {
      const known = Math.min(5, 59 - (slot * 5 - minuteOf(TEN)))
      const without = excluded.filter(minute => Math.floor(minute / 5) === slot - minuteOf(TEN) / 5).length
      return calls / (60 * (known - without))
    })
    expect(left.length).toBeGreaterThan(9)
    for (const share of left) expect(Math.abs(share - 1)).toBeLessThan(WORST_CALLS_ERROR)
  })

  test('that only taught looks at nobody any more: its keys are their partitions’ owners’ to look at', () => {
    const engine = createEngine({ ...settings, keyed: true }, { withHistory: true })
    const stream = streamInto(engine)
    stream.give(steady('a', { perSecond: 1, from: TEN, seconds: 300 }), { partition: 'history' })
    stream.take({ kind: 'history-ended' })
    expect(engine.state.owners.get('')!.dirty).toEqual([])
    stream.give(steady('a', { perSecond: 1, from: TEN + 300_000, seconds: 3 }), { partition: 'p0' })
    expect(engine.state.owners.get('')!.active.size).toBe(0)
    expect([...engine.state.owners.get('p0')!.active].map(({ keyId, isDirty }) => [keyId, isDirty])).toEqual([
      ['a', true],
    ])
  })

  test('steps over a gap of four years by its minutes, and knows afterwards what it would have known', () => {
    const YEARS_MS = 4 * 365 * DAY_MS
    const stream = streamInto(createEngine(settings))
    live(stream, steady('a', { perSecond: 1, from: TEN, seconds: 300 }))
    // One call closes all that lies between.
    stream.give([{ key: 'a', at: TEN + YEARS_MS }])
    stream.take({ kind: 'end' })
    const owner = stream.engine.state.owners.get('')!
    expect(engineStatus(stream.engine)).toMatchObject({ activeKeys: 1, late: 0, watermark: TEN + YEARS_MS + 1_000 })
    expect(owner.coverage.total).toBe(5)
    expect(owner.quiet).toMatchObject({ fromMinute: TEN / 60_000 + 5, minutes: (YEARS_MS - 300_000) / 60_000 })
    expect(owner.openSeconds.size + owner.keysByMinute.size).toBe(0)
  })

  test('remembers what the API carried for seven days, weekends without a call notwithstanding', () => {
    const stream = streamInto(createEngine(settings, { withHistory: true }))
    const day = (index: number, perSecond: number) =>
      live(stream, steady('a', { perSecond, from: TEN + index * DAY_MS, seconds: 130 }))
    for (const [index, perSecond] of [
      [0, 50],
      [5, 3],
      [6, 2],
    ] as const)
      day(index, perSecond)
    const busiest = () => busiestMinute(stream.engine.state.owners.get('')!)
    day(7, 1)
    expect(busiest()).toBe(180)
    day(12, 1)
    expect(busiest()).toBe(120)
  })

  test('carried is what was answered, of a storm too, and neither what failed nor what was refused', () => {
    const stream = streamInto(createEngine(settings, { withHistory: true }))
    const answered = (perSecond: number, status: number) => steady('a', { perSecond, from: TEN, seconds: 130, status })
    live(stream, inOrder(answered(3, 200), answered(2, 404), answered(40, 503), answered(9, 429)))
    expect(busiestMinute(stream.engine.state.owners.get('')!)).toBe(300)
  })
})
