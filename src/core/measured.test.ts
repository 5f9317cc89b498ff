import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createEngine } from './engine.ts'
import type { MeasuredMinute } from './measured-minute.ts'
import { type Call, inOrder, learned, live, settingsOf, steady, streamInto, TEN, taught } from './testing-stream.ts'
import type { PartitionId } from './vocabulary.ts'

const minute = 60_000
/** A partition that is silent for so long no longer holds back what has come. */
const idle = 35_000

/** Rates are asked for; a second of delivery, so that a minute closes as it ends. */
const asked = (rates: Readonly<Record<string, unknown>> = {}) => ({
  time: { delivery: '1s' },
  metrics: { cloudWatch: { rates: { enabled: true, ...rates } } },
})

/** `10:00 a 60 (60) b 0 (?)`: the minute, and of each key its calls and what is usual. */
const told = (measured: readonly MeasuredMinute[]): string[] =>
  measured.map(({ startsAt, keys, calls, usual }) => {
    const columns = keys.map((key, at) => `${key} ${calls[at]} (${usual[at]?.toFixed(0) ?? '?'})`)
    return [new Date(startsAt).toISOString().slice(11, 16), ...columns].join(' ')
  })

test('each closed minute tells every known key’s calls and usual, and zero of one that was silent', () => {
  const stream = streamInto(taught(settingsOf(asked()), { a: 60, b: 30, c: 6 }))
  live(
    stream,
    inOrder(
      steady('a', { perSecond: 1, from: TEN, seconds: 120 }),
      steady('b', { perSecond: 2, from: TEN, seconds: 60 }),
    ),
    { until: TEN + 123_000 },
  )
  stream.take({ kind: 'end' })
  expect(told(stream.measured)).toEqual(['10:00 a 60 (59) b 120 (30) c 0 (6)', '10:01 a 60 (59) b 0 (30) c 0 (6)'])
})

test('nobody asked: nothing is measured', () => {
  const stream = streamInto(taught(settingsOf({ time: { delivery: '1s' } }), { a: 60 }))
  live(stream, steady('a', { perSecond: 1, from: TEN, seconds: 180 }))
  expect(stream.measured).toEqual([])
})

test('refused calls are calls, and the minute in which a key turns up is known in part only', () => {
  const stream = streamInto(createEngine(settingsOf(asked())))
  live(stream, steady('new', { perSecond: 1, from: TEN + 30_000, seconds: 150, status: 429 }))
  expect(told(stream.measured)).toEqual(['10:01 new 60 (?)'])
})

describe('a minute without a call of anybody', () => {
  test('is a gap in delivery on a busy stream: nothing is told of it', () => {
    const stream = streamInto(taught(settingsOf(asked()), { a: 60 }))
    const busy = (from: number, minutes: number) => steady('a', { perSecond: 5, from, seconds: minutes * 60 })
    live(stream, [...busy(TEN, 3), ...busy(TEN + 8 * minute, 2)], { until: TEN + 10 * minute + idle })
    expect(stream.measured.map(({ startsAt }) => (startsAt - TEN) / minute)).toEqual([0, 1, 2, 8, 9])
  })

  test('is a zero on a quiet stream, told when calls come again', () => {
    const stream = streamInto(taught(settingsOf(asked()), { a: 1 }))
    const calls = [0, 1, 2, 6, 7].map(at => ({ key: 'a', at: TEN + at * minute }))
    live(stream, calls, { until: TEN + 7 * minute + idle })
    expect(told(stream.measured).map(line => line.slice(3))).toEqual([
      '00 a 1 (1)',
      '01 a 1 (1)',
      '02 a 1 (1)',
      '03 a 0 (1)',
      '04 a 0 (1)',
      '05 a 0 (1)',
      '06 a 1 (1)',
    ])
  })

  test('is one of at most an hour that is told: a long night does not come all at once', () => {
    const stream = streamInto(taught(settingsOf(asked()), { a: 1 }))
    const calls = [0, 1, 600, 601].map(at => ({ key: 'a', at: TEN + at * minute }))
    live(stream, calls, { until: TEN + 601 * minute + idle })
    const minutes = stream.measured.map(({ startsAt }) => (startsAt - TEN) / minute)
    expect([minutes.slice(0, 4), minutes.length]).toEqual([[0, 1, 540, 541], 63])
  })
})

describe('which keys', () => {
  const four = { a: 60, b: 30, c: 6, d: 600 }
  const minutesOf = (rates: Readonly<Record<string, unknown>>, tenants = {}) => {
    const stream = streamInto(taught(settingsOf(asked(rates), tenants), four))
    live(stream, steady('a', { perSecond: 1, from: TEN, seconds: 60 }), { until: TEN + 63_000 })
    stream.take({ kind: 'end' })
    return stream.measured.map(({ keys, leftOut }) => ({ keys, leftOut }))
  }

  test('those with the most calls of the last week, as many as may be; how many are left out is told', () => {
    expect(minutesOf({ maxKeys: 2 })).toEqual([{ keys: ['d', 'a'], leftOut: 2 }])
    expect(minutesOf({})).toEqual([{ keys: ['d', 'a', 'b', 'c'], leftOut: 0 }])
  })

  test('or those that tenants.yaml lists, of which nothing is told before their first call', () => {
    const tenants = { x: { keys: ['c', 'never-seen'] }, y: { keys: ['a'] } }
    expect(minutesOf({ keys: 'listed' }, tenants)).toEqual([{ keys: ['a', 'c'], leftOut: 0 }])
  })

  test('a key that has been silent for a week is no longer told of', () => {
    const engine = taught(settingsOf(asked()), { gone: 60 }, { until: TEN - 8 * 1_440 * minute, days: 1 })
    const stream = streamInto(engine)
    live(stream, steady('a', { perSecond: 1, from: TEN, seconds: 180 }))
    expect(new Set(stream.measured.flatMap(({ keys }) => keys))).toEqual(new Set(['a']))
  })

  test('chosen, they stay for the hour: one who overtakes by a few calls does not change the bill', () => {
    const stream = streamInto(taught(settingsOf(asked({ maxKeys: 1 })), { a: 10, b: 9.9 }, { days: 1 }))
    live(stream, steady('b', { perSecond: 0.25, from: TEN, seconds: 75 * 60 }), { until: TEN + 75 * minute + idle })
    const chosen = new Map(stream.measured.map(({ keys, startsAt }) => [keys.join(), (startsAt - TEN) / minute]))
    expect([...chosen]).toEqual([
      ['a', 59],
      ['b', 73],
    ])
  })
})

test('on a keyed stream each partition’s minutes close for themselves', () => {
  const stream = streamInto(createEngine({ ...settingsOf(asked()), keyed: true }))
  const arrivedAt = TEN + 200_000
  stream.give(steady('a', { perSecond: 1, from: TEN, seconds: 200 }), { partition: 't/0', arrivedAt })
  stream.give(steady('b', { perSecond: 2, from: TEN, seconds: 100 }), { partition: 't/1', arrivedAt })
  stream.take({ kind: 'end' })
  const calls = (key: string) => stream.measured.flatMap(({ keys, calls }) => calls[keys.indexOf(key as never)] ?? [])
  expect({ a: calls('a'), b: calls('b') }).toEqual({ a: [60, 60, 60], b: [120] })
})

test('rows of whole minutes in the stream are learned and not told: whose calls they were is not kept apart', () => {
  const stream = streamInto(taught(settingsOf(asked()), { a: 60 }))
  const counts = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0, bytes: 0 }
  live(stream, steady('a', { perSecond: 1, from: TEN, seconds: 60 }))
  stream.giveRows([{ ...counts, key: 'b', start: TEN + minute, seconds: 60, calls: 60 }])
  live(stream, steady('a', { perSecond: 1, from: TEN + minute, seconds: 120 }), { until: TEN + 3 * minute + idle })
  expect(stream.measured.map(({ startsAt }) => (startsAt - TEN) / minute)).toEqual([0, 2])
})

const calls: fc.Arbitrary<Call[]> = fc
  .array(
    fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      from: fc.integer({ min: 0, max: 1_200_000 }),
      seconds: fc.integer({ min: 1, max: 200 }),
      perSecond: fc.constantFrom(0.05, 0.5, 3),
      status: fc.constantFrom(200, 200, 429, 503),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map(bursts => inOrder(...bursts.map(({ key, from, ...burst }) => steady(key, { ...burst, from: TEN + from }))))
  .filter(found => found.length > 0)

test('measuring changes nothing of what is decided and learned, and tells of each call once at most', () => {
  fc.assert(
    fc.property(calls, all => {
      const run = (enabled: boolean) => {
        const stream = streamInto(taught(settingsOf(asked({ enabled })), { a: 30, b: 5 }, { days: 1 }))
        for (let at = 0; at < all.length; at += 50)
          stream.give(all.slice(at, at + 50), { partition: 'p' as PartitionId })
        stream.take({ kind: 'end' })
        return stream
      }
      const [without, with_] = [run(false), run(true)]
      expect(with_.changes).toEqual(without.changes)
      expect(with_.effects).toEqual(without.effects)
      expect(learned(with_.engine)).toEqual(learned(without.engine))

      const minutes = with_.measured.map(({ startsAt }) => startsAt)
      expect(new Set(minutes).size).toBe(minutes.length)
      for (const { startsAt, keys, calls } of with_.measured) {
        const inMinute = all.filter(({ at }) => at >= startsAt && at < startsAt + minute)
        expect(calls).toEqual(keys.map(id => inMinute.filter(({ key }) => key === id).length))
      }
    }),
    { numRuns: 30 },
  )
})
