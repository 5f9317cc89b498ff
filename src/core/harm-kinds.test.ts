/** What a client's answers tell, from its calls to what is told and done: errors, refusals, and the pool that all share. */
import { describe, expect, test } from 'vitest'
import {
  type Call,
  inOrder,
  live,
  type Stream,
  settingsOf,
  steady,
  streamInto,
  TEN,
  taught,
  timetable,
} from './testing-stream.ts'

const at = (second: number): number => TEN + second * 1_000
const calls = (key: string, perSecond: number, [from, to]: readonly [number, number], status = 200): Call[] =>
  steady(key, { perSecond, from: at(from), seconds: to - from, status })
const running = (some: readonly Call[], latencyMs: number): Call[] => some.map(call => ({ ...call, latencyMs }))
const done = ({ effects }: Stream, kind: 'throttle' | 'alert') => effects.filter(effect => effect.kind === kind)

describe('errors', () => {
  test('that a client makes again and again are told as a loop when its minute has closed, and nobody is throttled', () => {
    const stream = streamInto(taught(settingsOf(), { a: 300, b: 60 }))
    live(stream, inOrder(calls('b', 1, [0, 340]), calls('a', 5, [0, 340]), calls('a', 3, [60, 180], 404)))
    // The 41st error comes 14 s after the first, a fifth of the minute's calls 25 s after it; seconds close 35 s behind.
    expect(timetable(stream.changes)).toEqual([
      expect.stringMatching(/^1[12]\d(\.\d+)?s open a#1 error-loop low held \(no-harm\)$/),
      expect.stringMatching(/recovering a#1 error-loop/),
      expect.stringMatching(/closed a#1 error-loop/),
    ])
    expect(done(stream, 'throttle')).toEqual([])
    expect(stream.effects[0]).toMatchObject({
      explanation: {
        evidence: expect.arrayContaining([{ measure: '4xx in 60 s', observed: expect.any(Number), usual: 0 }]),
      },
    })
  })

  test('of a surge that turns out to be nothing else rename it, and wake nobody a second time', () => {
    const stream = streamInto(taught(settingsOf(), { a: 60, b: 1_800 }))
    live(stream, inOrder(calls('b', 30, [0, 120]), calls('a', 1, [0, 120]), calls('a', 20, [30, 120], 401)))
    const alerted = stream.changes.filter(({ telling }) => telling === 'alerted')
    expect(timetable(alerted).map(line => line.replace(/^\S+ /, ''))).toEqual([
      'open a#1 surge low held (no-harm)',
      'open a#1 error-loop low held (no-harm)',
    ])
    expect(done(stream, 'alert')).toHaveLength(1)
  })
})

describe('refusals', () => {
  test('of a client that does not slow down are told within seconds, and its limit is left as it is', () => {
    const stream = streamInto(taught(settingsOf(), { a: 300, b: 300, c: 300, d: 300 }))
    const others = ['b', 'c', 'd'].map(key => calls(key, 5, [0, 90]))
    live(stream, inOrder(...others, calls('a', 5, [0, 90]), calls('a', 8, [60, 90], 429)))
    expect(timetable(stream.changes)).toEqual([
      expect.stringMatching(/^(69|7\d)(\.\d+)?s open a#1 limit-pressure low held \(no-harm\)$/),
    ])
    expect(done(stream, 'throttle')).toEqual([])
  })

  test('of everyone at once are the account’s limit: told once, under nobody’s name', () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f']
    const stream = streamInto(taught(settingsOf(), Object.fromEntries(keys.map(key => [key, 300]))))
    live(stream, inOrder(...keys.flatMap(key => [calls(key, 5, [0, 120]), calls(key, 5, [60, 120], 429)])))
    expect(done(stream, 'alert').map(({ keyId }) => keyId)).toEqual(['*'])
    expect(done(stream, 'throttle')).toEqual([])
  })
})

describe('the pool that all share', () => {
  const pool = (concurrency: number) => settingsOf({ pool: { concurrency } })
  /** `b` keeps 30 executions busy; from the 60th second on each of `a`'s two calls a second runs for 25 s. */
  const filling = inOrder(
    running(calls('b', 30, [0, 120]), 1_000),
    running(calls('a', 2, [0, 60]), 200),
    running(calls('a', 2, [60, 120]), 25_000),
  )

  test('runs out within minutes by one whose calls have become slow: a page with the time that is left, and a throttle', () => {
    const stream = streamInto(taught(pool(100), { a: 120, b: 1_800 }, { latencyMs: 1_000 }))
    live(stream, filling)
    expect(timetable(stream.changes)[0]).toMatch(/^6\d(\.\d+)?s open a#1 pool-share high throttle$/)
    const [alert] = done(stream, 'alert')
    expect(alert).toMatchObject({
      explanation: {
        evidence: expect.arrayContaining([
          { measure: 'concurrent executions', observed: expect.any(Number), usual: expect.closeTo(2, 0) },
          { measure: 'executions of all, of 100', observed: expect.any(Number), usual: undefined },
          { measure: 'seconds until the pool runs out', observed: expect.any(Number), usual: undefined },
        ]),
      },
    })
  })

  test('that is large enough for all of it is nobody’s concern, and without one nobody is told of', () => {
    for (const settings of [pool(1_000), settingsOf()]) {
      const stream = streamInto(taught(settings, { a: 120, b: 1_800 }, { latencyMs: 1_000 }))
      live(stream, filling)
      expect(stream.changes).toEqual([])
    }
  })
})

describe('a silence', () => {
  const told = (stream: Stream) => timetable(stream.changes).map(line => line.replace(/\.\d+s/, 's'))

  test('of a client that always calls is told once, whatever the hour, and is over when it calls again', () => {
    const stream = streamInto(taught(settingsOf(), { a: 600, b: 60 }))
    live(stream, inOrder(calls('b', 1, [0, 1_500]), calls('a', 10, [0, 125]), calls('a', 10, [1_200, 1_500])))
    expect(told(stream)).toEqual([
      // Whole minutes of silence end at 240 s, and are closed 35 s later.
      '275s open a#1 silence low held (no-harm)',
      expect.stringMatching(/^12\d\ds recovering a#1 silence low/),
      expect.stringMatching(/^1[23]\d\ds closed a#1 silence low/),
    ])
    expect(stream.effects[0]).toMatchObject({
      explanation: {
        onsetAt: at(125),
        current: { calls: 0 },
        evidence: expect.arrayContaining([{ measure: 'seconds of silence', observed: 115, usual: undefined }]),
      },
    })
  })

  test('is told by a worker that was stopped and went on where it was, and told no second time', () => {
    const before = streamInto(taught(settingsOf(), { a: 300, b: 60 }))
    live(before, inOrder(calls('b', 1, [0, 200]), calls('a', 5, [0, 125])))
    const between = before.afterCheckpoint()
    live(between, calls('b', 1, [200, 400]))
    const after = between.afterCheckpoint()
    live(after, calls('b', 1, [400, 600]))
    expect(done(after, 'alert').map(({ id }) => id)).toEqual(['a#1/alert-1'])
  })

  test('is not what a gap in delivery is, before it or behind it', () => {
    const stream = streamInto(taught(settingsOf(), { a: 300, b: 300 }))
    live(stream, inOrder(calls('b', 5, [0, 65]), calls('a', 5, [0, 65])))
    live(stream, inOrder(calls('b', 5, [300, 420]), calls('a', 5, [415, 420])))
    expect(told(stream)).toEqual([])
  })

  test('of everyone but a few is the delivery’s or the API’s: told once, under nobody’s name', () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f']
    const stream = streamInto(taught(settingsOf(), { ...Object.fromEntries(keys.map(key => [key, 300])), g: 60 }))
    live(stream, inOrder(calls('g', 1, [0, 400]), ...keys.map(key => calls(key, 5, [0, 100]))))
    expect(done(stream, 'alert').map(({ keyId }) => keyId)).toEqual(['*'])
  })

  test('of a client that calls now and then is its own business', () => {
    const stream = streamInto(taught(settingsOf(), { a: 6, b: 60 }))
    live(stream, inOrder(calls('b', 1, [0, 700]), calls('a', 0.1, [0, 200])))
    expect(told(stream)).toEqual([])
  })
})
