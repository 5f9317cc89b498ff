/**
 * What must never come of it: a limit lowered that should not be, or never given back; a storm that nobody is told of; one
 * incident told as many. Each was once possible.
 */
import { describe, expect, test } from 'vitest'
import { createEngine, engineStatus } from './engine.ts'
import { play } from './incident/testing-incident.ts'
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
import type { PartitionId } from './vocabulary.ts'

const at = (second: number): number => TEN + second * 1_000
const calm = (key: string, perSecond: number, from: number, to: number): Call[] =>
  steady(key, { perSecond, from: at(from), seconds: to - from })
const storm = (key: string, perSecond: number, from: number, to: number): Call[] =>
  steady(key, { perSecond, from: at(from), seconds: to - from, status: 503 })
const done = ({ effects }: Stream, kind: 'throttle' | 'restore' | 'alert') =>
  effects.filter(effect => effect.kind === kind)
const keyedKafka = (keyed: boolean) => ({ source: { kind: 'kafka', brokers: ['127.0.0.1:9092'], topic: 't', keyed } })

describe('a limit', () => {
  test('is given back whole when lowering it again was refused on probation', () => {
    let throttles = 0
    const stream = streamInto(taught(settingsOf(), { a: 60, b: 60 }), effect => {
      if (effect.kind !== 'throttle') return { kind: 'applied' }
      return ++throttles === 2
        ? { kind: 'refused', because: 'plan is shared' }
        : { kind: 'applied', after: effect.limits }
    })
    const calls = [calm('b', 1, 0, 900), calm('a', 1, 0, 10), storm('a', 100, 10, 30), calm('a', 1, 30, 220)]
    live(stream, inOrder(...calls, storm('a', 100, 220, 240), calm('a', 1, 240, 900)))
    expect(done(stream, 'restore').at(-1)).toMatchObject({ step: 'full' })
  })

  test('that a person changed is left alone for the rest of the incident', () => {
    const lines = play(
      [
        [1, 'storm'],
        [2, 'applied', 'calling'],
        [130, 'person changed it'],
        [145, 'storm'],
      ],
      300,
    )
    expect(lines.filter(line => line.includes('throttle-2'))).toEqual([])
  })

  test('is not lowered for a busy day with good answers that a worker of minutes sees', () => {
    const stream = streamInto(createEngine(settingsOf()))
    const others = Array.from({ length: 20 }, (_, index) => calm(`o${index}`, 0.2, 0, 1_200))
    live(stream, inOrder(...others, calm('b', 0.2, 0, 900), calm('b', 15, 900, 1_200)))
    expect(done(stream, 'throttle')).toEqual([])
  })

  test('is not lowered for somebody who begins to work after a week of silence: what it needs is not known', () => {
    const stream = streamInto(taught(settingsOf(), { a: 0.0001, b: 60 }))
    live(stream, inOrder(calm('b', 1, 0, 60), calm('a', 500, 10, 60)))
    expect(stream.changes.at(-1)).toMatchObject({
      ...{ keyId: 'a', severity: 'high', action: { kind: 'held', because: 'history-unknown' } },
    })
    expect(done(stream, 'throttle')).toEqual([])
  })

  test('is nobody’s to lose when the API fails for the only two who call', () => {
    const stream = streamInto(taught(settingsOf(), { a: 120, b: 120 }))
    live(stream, inOrder(...['a', 'b'].flatMap(key => [calm(key, 2, 0, 30), storm(key, 20, 30, 60)])))
    expect(done(stream, 'throttle')).toEqual([])
  })

  test.each([
    0, 60,
  ])('is nobody’s to lose when it fails for ten large clients, with %i small ones beside them', small => {
    const large = Array.from({ length: 10 }, (_, index) => [`large${index}`, 120] as const)
    const tail = Array.from({ length: small }, (_, index) => [`small${index}`, 12] as const)
    const stream = streamInto(taught(settingsOf(), Object.fromEntries([...large, ...tail])))
    const calls = [...large, ...tail].flatMap(([key, perMinute]) => [
      calm(key, perMinute / 60, 0, 30),
      storm(key, (perMinute / 60) * (key.startsWith('large') ? 10 : 1), 30, 70),
    ])
    live(stream, inOrder(...calls))
    expect(done(stream, 'throttle')).toEqual([])
  })

  test('is not lowered for what the five-minute rule still counts from before it was given back', () => {
    const config = {
      detectors: { 'slot-mean-multiple': { opens: true } },
      throttle: { calmFor: '30s', probation: '30s' },
    }
    const stream = streamInto(taught(settingsOf(config), { a: 60, b: 60 }))
    live(stream, inOrder(calm('b', 1, 0, 600), calm('a', 1, 0, 10), storm('a', 100, 10, 20), calm('a', 1, 20, 600)))
    expect(done(stream, 'throttle')).toHaveLength(1)
  })
})

describe('one incident is told as one', () => {
  test.each([false, true])('after a restart of three minutes in the middle of it, keyed: %s', keyed => {
    const stream = streamInto(taught(settingsOf({ mode: 'observe', ...keyedKafka(keyed) }), { a: 60, b: 60 }))
    live(stream, inOrder(calm('b', 1, 0, 60), storm('a', 100, 10, 60)))
    const after = stream.afterCheckpoint()
    after.take({ kind: 'partitions', partitions: ['stream/0' as PartitionId], at: at(240) })
    after.tick(at(241))
    after.tick(at(242))
    for (let from = 60; from < 240; from += 10) {
      after.give(inOrder(storm('a', 100, from, from + 10), calm('b', 1, from, from + 10)), { arrivedAt: at(243) })
    }
    expect(after.effects.map(({ id }) => id)).toEqual(['a#1/alert-1'])
  })

  test('when the source stalls while an hour’s backlog is read', () => {
    const stream = streamInto(taught(settingsOf({ mode: 'observe' }), { a: 60, b: 60 }))
    const hour = 3_600
    const second = (from: number, arrived: number) => {
      const calls = from < 10 ? calm('a', 1, from, from + 1) : storm('a', 100, from, from + 1)
      stream.give(inOrder(calm('b', 1, from, from + 1), calls), { arrivedAt: at(arrived) })
    }
    stream.take({ kind: 'partitions', partitions: ['stream/0' as PartitionId], at: at(hour) })
    for (let from = 0; from < 60; from++) second(from, hour)
    for (let waited = 1; waited <= 35; waited++) stream.tick(at(hour + waited))
    for (let from = 60; from < 120; from++) second(from, hour + 36)
    expect(stream.changes.map(({ incidentId, phase }) => `${incidentId} ${phase}`)).toEqual(['a#1 open'])
  })

  test('when it is the platform’s, on a keyed stream that is ten minutes behind', () => {
    const rates = { a: 120, b: 120, c: 120, d: 120 }
    const stream = streamInto(taught(settingsOf({ mode: 'observe', ...keyedKafka(true) }), rates))
    for (let from = 0; from < 60; from++) {
      for (const key of Object.keys(rates)) {
        const calls = from < 20 ? calm(key, 2, from, from + 1) : storm(key, 20, from, from + 1)
        stream.give(calls, { partition: `t/${key}`, arrivedAt: at(from + 600) })
      }
      stream.tick(at(from + 601))
    }
    expect(stream.effects.filter(({ id }) => id.startsWith('platform')).map(({ id }) => id)).toEqual([
      'platform#1/alert-1',
    ])
  })
})

test('a storm that outlasts the platform incident is told of by itself', () => {
  const stream = streamInto(taught(settingsOf({ mode: 'observe' }), { a: 120, b: 120, c: 120, d: 120 }))
  const sick = (key: string, until: number) => [
    calm(key, 2, 0, 30),
    storm(key, 20, 30, until),
    calm(key, 2, until, 900),
  ]
  live(stream, inOrder(...sick('a', 880), ...sick('b', 60), ...sick('c', 60), ...sick('d', 60)))
  expect(stream.effects.map(({ id }) => id)).toContain('a#1/alert-1')
})

test('an open incident that turns out worse is a change, and not only an alert', () => {
  const stream = streamInto(taught(settingsOf({ mode: 'suggest' }), { a: 600, b: 600, c: 600 }))
  const busy = steady('a', { perSecond: 60, from: at(10), seconds: 60 })
  live(stream, inOrder(calm('b', 10, 0, 90), calm('c', 10, 0, 90), calm('a', 10, 0, 10), busy, storm('a', 60, 50, 80)))
  const opened = stream.changes.filter(({ phase, telling }) => phase === 'open' && telling === 'alerted')
  expect(opened.map(({ kind, severity, action }) => [kind, severity, action.kind])).toEqual([
    ['surge', 'low', 'held'],
    ['retry-storm', 'high', 'suggest'],
  ])
})

describe('on a keyed stream', () => {
  test('a history of calls leaves no early look out', () => {
    const run = (keyed: boolean) => {
      const stream = streamInto(createEngine(settingsOf(keyedKafka(keyed)), { withHistory: true }))
      for (let minute = -120; minute < 0; minute++) {
        stream.give(inOrder(calm('a', 1, minute * 60, minute * 60 + 60), calm('b', 1, minute * 60, minute * 60 + 60)))
      }
      stream.take({ kind: 'history-ended' })
      for (let from = 0; from < 60; from++) {
        const calls = from < 10 ? calm('a', 1, from, from + 1) : storm('a', 100, from, from + 1)
        stream.give(inOrder(calm('b', 1, from, from + 1), calls))
      }
      return timetable(stream.changes)
    }
    expect(run(true)).toEqual(run(false))
  })

  test('the watermark that is told moves', () => {
    const stream = streamInto(taught(settingsOf(keyedKafka(true)), { a: 60 }))
    live(stream, calm('a', 1, 0, 600))
    const { eventTime, watermark } = engineStatus(stream.engine)
    expect((eventTime! - watermark!) / 1_000).toBeLessThan(60)
  })
})

test('a partition that brings only what is no call holds nobody back', () => {
  const stream = streamInto(taught(settingsOf(), { a: 60 }))
  stream.take({ kind: 'partitions', partitions: ['p/0', 'p/1'] as PartitionId[], at: TEN })
  for (let from = 0; from < 300; from++) {
    stream.give(calm('a', 1, from, from + 1), { partition: 'p/0' })
    if (from % 10 === 0) stream.give([], { partition: 'p/1', arrivedAt: at(from) })
    stream.tick(at(from) + 999)
  }
  const { eventTime, watermark } = engineStatus(stream.engine)
  expect((eventTime! - watermark!) / 1_000).toBeLessThan(60)
})
