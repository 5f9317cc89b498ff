import { describe, expect, test } from 'vitest'
import { createEngine, type Engine, engineStatus } from './engine.ts'
import { findKey } from './state/known-keys.ts'
import {
  type Call,
  inOrder,
  learned,
  live,
  plainKey,
  settingsOf,
  steady,
  streamInto,
  TEN,
  taught,
} from './testing-stream.ts'
import type { ApiKeyId } from './vocabulary.ts'

const DAY_MS = 86_400_000
const settings = settingsOf({ mode: 'observe', state: { maxKeys: 1_000 } }, { ours: { keys: ['ours'] } })

/** So many ids that nobody ever saw, one call each. */
const strangers = (count: number, from: number, name = 'stranger'): Call[] =>
  Array.from({ length: count }, (_, index) => ({ key: `${name}-${index}`, at: from + index * 10 }))

const isKnown = (engine: Engine, keyId: string): boolean =>
  findKey(engine.state.owners.get('')!.keys, keyId as ApiKeyId) !== undefined

describe('a flood of key ids that nobody knows', () => {
  test('makes the longest idle give way, but for a tenant’s own key, and those that call', () => {
    const engine = taught(settings, { ours: 60, 'idle-1': 60, 'idle-2': 60, calls: 60 })
    const stream = streamInto(engine)
    for (let hour = 0; hour < 4; hour++) {
      const from = TEN + hour * 3_600_000
      live(
        stream,
        inOrder(strangers(900, from, `stranger-${hour}`), steady('calls', { perSecond: 1, from, seconds: 10 })),
        { until: from + 400_000 },
      )
    }
    const { keys, forgottenKeys, unplacedCalls } = engineStatus(engine)
    expect(keys).toBeLessThanOrEqual(1_000)
    expect(unplacedCalls).toBe(0)
    // Four known, and 4 × 900 that came: what is not known any more was forgotten.
    expect(forgottenKeys).toBe(4 + 3_600 - keys)
    expect(['ours', 'calls', 'idle-1', 'idle-2'].map(key => isKnown(engine, key))).toEqual([true, true, false, false])
    expect(plainKey(engine, 'ours').slots.length).toBeGreaterThan(500)
    expect(isKnown(engine, 'stranger-3-899')).toBe(true)
  })

  test('is taken for calls without a key as long as so many are new at once, and harms no known key', () => {
    const engine = taught(settings, { known: 60 })
    const stream = streamInto(engine)
    const flood = strangers(5_000, TEN)
    live(stream, inOrder(flood, steady('known', { perSecond: 1, from: TEN, seconds: 60 })))
    const { activeKeys, unplacedCalls, calls } = engineStatus(engine)
    expect(activeKeys).toBeLessThanOrEqual(1_002)
    expect(unplacedCalls).toBeGreaterThan(3_900)
    expect(calls).toBe(5_060)
    expect(isKnown(engine, 'anonymous')).toBe(true)
    expect(isKnown(engine, 'known')).toBe(true)
  })

  test('is counted in calls: each of those that went without a key, whether they came together or in a row', () => {
    const engine = taught(settings, { known: 60 })
    const stream = streamInto(engine)
    stream.give(strangers(1_000, TEN))
    const none = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0, bytes: 0 }
    const row = { ...none, key: 'counted', start: TEN + 20_000, seconds: 1, calls: 7 }
    stream.give(steady('calling', { perSecond: 5, from: TEN + 10_000, seconds: 1 }))
    stream.giveRows([row, { ...row, key: 'taught', seconds: 60, calls: 11 }])
    expect(engineStatus(engine).unplacedCalls).toBe(5 + 7 + 11)
  })

  test('finds room however many of a tenant’s keys have been idle longer', () => {
    const many = Array.from({ length: 2_500 }, (_, index) => `ours-${index}`)
    const rates = Object.fromEntries([...many, 'idle'].map(key => [key, 1] as const))
    const crowded = settingsOf({ state: { maxKeys: 2_501 } }, { ours: { keys: many } })
    const engine = taught(crowded, rates, { days: 0.01 })
    const stream = streamInto(engine)
    stream.give([{ key: 'stranger', at: TEN }])
    expect(['ours-0', 'ours-2499', 'idle', 'stranger'].map(key => isKnown(engine, key))).toEqual([
      ...[true, true, false, true],
    ])
    expect(engineStatus(engine)).toMatchObject({ forgottenKeys: 1, unplacedCalls: 0 })
  })

  test('finds room in another partition than the one whose longest idle key is a tenant’s', () => {
    const keyed = { source: { kind: 'kafka', brokers: ['b:9092'], topic: 't', keyed: true }, state: { maxKeys: 1_000 } }
    const engine = createEngine(settingsOf(keyed, { ours: { keys: ['ours'] } }))
    const stream = streamInto(engine)
    stream.give([{ key: 'ours', at: TEN }], { partition: 't/0' })
    stream.give(strangers(999, TEN), { partition: 't/1' })
    stream.tick(TEN + 600_000)
    stream.give([{ key: 'new', at: TEN + 600_000 }], { partition: 't/1' })
    expect(engineStatus(engine)).toMatchObject({ forgottenKeys: 999, unplacedCalls: 0 })
    expect(findKey(engine.state.owners.get('t/0')!.keys, 'ours' as ApiKeyId)).toBeDefined()
  })

  test('makes a key give way that was a tenant’s when it was passed, and is nobody’s any more', () => {
    const engine = taught(settings, { ours: 60 })
    const stream = streamInto(engine)
    const flood = (hour: number) => {
      const from = TEN + hour * 3_600_000
      live(stream, strangers(1_000, from, `stranger-${hour}`), { until: from + 400_000 })
    }
    flood(0)
    flood(1)
    expect(isKnown(engine, 'ours')).toBe(true)
    stream.take({ kind: 'tenants', tenants: {}, at: TEN + 3_600_000 + 400_000 })
    flood(2)
    flood(3)
    expect(isKnown(engine, 'ours')).toBe(false)
  })

  test('leaves nothing behind that grows: the same again costs no more memory', () => {
    const engine = createEngine(settings)
    const stream = streamInto(engine)
    const sizes = [0, 1, 2, 3].map(day => {
      const from = TEN + day * DAY_MS
      live(
        stream,
        inOrder(strangers(800, from, `day-${day}`), steady('always', { perSecond: 0.1, from, seconds: 500 })),
      )
      const { keys, live: now, place } = engine.state.owners.get('')!
      expect(now.map(({ keyId }) => keyId)).toEqual(['always'])
      return [keys.records.cells, keys.index.length, place.length]
    })
    expect(sizes[3]).toEqual(sizes[2])
  })
})

describe('a keyed stream', () => {
  test('hands each partition what the history taught of its keys, whether they still called as it ended or not', () => {
    const keyed = settingsOf({ source: { kind: 'kafka', brokers: ['b:9092'], topic: 't', keyed: true } })
    const engine = taught(keyed, { a: 60, b: 600 })
    const before = { a: plainKey(engine, 'a'), b: plainKey(engine, 'b') }
    const stream = streamInto(engine)
    stream.give([{ key: 'a', at: TEN }], { partition: 't/0' })
    stream.give([{ key: 'b', at: TEN }], { partition: 't/1' })
    expect(plainKey(engine, 'a', 't/0')).toEqual(before.a)
    expect(plainKey(engine, 'b', 't/1')).toEqual(before.b)
    expect(learned(engine).map(({ id, keys }) => [id, keys.map(({ keyId }) => keyId)])).toEqual([
      ['', []],
      ['t/0', ['a']],
      ['t/1', ['b']],
    ])
    expect(engineStatus(stream.afterCheckpoint().engine).keys).toBe(2)
  })
})
