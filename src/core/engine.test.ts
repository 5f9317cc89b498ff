import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { tenantsSchema } from './config/config.ts'
import { advance, createEngine, type Engine, engineStatus, restore, snapshot } from './engine.ts'
import {
  batchOf,
  type Call,
  copied,
  inOrder,
  learned,
  live,
  plainKey,
  type Stream,
  settingsOf,
  stateOf,
  steady,
  streamInto,
  TEN,
  taught,
  timetable,
} from './testing-stream.ts'
import type { PartitionId } from './vocabulary.ts'

/** Ten clients: one of 600 calls a minute, nine of 60. */
const rates: Readonly<Record<string, number>> = Object.fromEntries([
  ['key_a', 600],
  ...Array.from({ length: 9 }, (_, index) => [`key_${index}`, 60] as const),
])
const settings = settingsOf()
const week = snapshot(taught(settings, rates))
/** Two days of them are known; each test has its own copy. */
const taughtEngine = (to = settings): Engine => restore(to, copied(week))

const usualCalls = (seconds: number, from = TEN): Call[] =>
  inOrder(...Object.entries(rates).map(([key, rate]) => steady(key, { perSecond: rate / 60, from, seconds })))
const storm = (key: string, { at, seconds, perSecond = 100 }: { at: number; seconds: number; perSecond?: number }) =>
  steady(key, { perSecond, from: TEN + at * 1_000, seconds, status: 503 })

const idsOf = ({ effects }: Stream): string[] => effects.map(({ id }) => id)

describe('a key that retries what fails', () => {
  const calls = inOrder(usualCalls(200), storm('key_1', { at: 60, seconds: 45 }))

  test('is throttled within seconds, and what was decided can be told from its evidence', () => {
    const stream = streamInto(taughtEngine())
    live(stream, calls)
    const [opened] = stream.changes
    expect(opened).toMatchObject({
      incidentId: 'key_1#1',
      keyId: 'key_1',
      phase: 'open',
      kind: 'retry-storm',
      severity: 'high',
      action: { kind: 'throttle' },
      expected: { callsPerMinute: expect.closeTo(60, -1), days: 2 },
    })
    expect(opened!.decidedAt - (TEN + 60_000)).toBeLessThan(5_000)
    expect(opened!.onsetAt).toBe(TEN + 60_000)
    const counted = calls.filter(({ key, at }) => key === 'key_1' && at >= opened!.onsetAt && at < opened!.decidedAt)
    expect(Math.abs(opened!.current.calls - counted.length)).toBeLessThanOrEqual(1)
    expect(idsOf(stream).slice(0, 2).toSorted()).toEqual(['key_1#1/alert-1', 'key_1#1/throttle-1'])
    expect(timetable(stream.changes).map(line => line.replace(/^\S+ /, ''))).toEqual([
      'open key_1#1 retry-storm high throttle',
      'mitigated key_1#1 retry-storm high throttled',
    ])
  })

  test('gets its limit back when it has calmed down, and everything is told once', () => {
    const stream = streamInto(taughtEngine())
    live(stream, inOrder(usualCalls(900), storm('key_1', { at: 60, seconds: 45 })))
    expect(stream.changes.map(({ phase }) => phase)).toEqual(['open', 'mitigated', 'recovering', 'closed'])
    expect(idsOf(stream).toSorted()).toEqual([
      'key_1#1/alert-1',
      'key_1#1/alert-2',
      'key_1#1/alert-3',
      'key_1#1/restore-1',
      'key_1#1/restore-2',
      'key_1#1/throttle-1',
    ])
  })

  test.each([
    ['observe', settingsOf({ mode: 'observe' }), 'held', 'observe-mode'],
    ['suggest', settingsOf({ mode: 'suggest' }), 'suggest', undefined],
    ['exempt', settingsOf({}, { one: { keys: ['key_1'], exempt: true } }), 'held', 'exempt'],
    ['nobody may be throttled', settingsOf({ throttle: { maxTenants: 0 } }), 'held', 'too-many-throttled'],
  ])('is told and left alone: %s', (_, how, kind, because) => {
    const stream = streamInto(taughtEngine(how))
    live(stream, calls)
    expect(stream.changes[0]?.action).toMatchObject(because === undefined ? { kind } : { kind, because })
    expect(stream.effects.filter(({ kind: what }) => what !== 'alert')).toEqual([])
  })

  test('gets the limit back when tenants.yaml makes it exempt, and is not throttled again', () => {
    const stream = streamInto(taughtEngine())
    const seconds = (from: number, to: number) =>
      calls.filter(({ at }) => at >= TEN + from * 1_000 && at < TEN + to * 1_000)
    live(stream, seconds(0, 75))
    expect(stream.changes.at(-1)).toMatchObject({ phase: 'mitigated' })
    const { tenants } = tenantsSchema.parse({ tenants: { one: { name: 'One', keys: ['key_1'], exempt: true } } })
    stream.take({ kind: 'tenants', tenants, at: TEN + 75_000 })
    expect(stream.effects.at(-2)).toMatchObject({ kind: 'restore', step: 'full' })
    expect(stream.changes.at(-1)).toMatchObject({ tenant: { name: 'One' }, action: { because: 'operator' } })
    live(stream, seconds(75, 200))
    expect(stream.effects.filter(({ kind }) => kind === 'throttle')).toHaveLength(1)
  })

  test('is never throttled when nobody knows who it is', () => {
    for (const [key, because] of [
      ['anonymous', 'anonymous'],
      ['hash:0123456789abcdef', 'key-id-unknown'],
    ] as const) {
      const stream = streamInto(restore(settings, snapshot(taught(settings, { ...rates, [key]: 60 }))))
      live(stream, inOrder(usualCalls(100), storm(key, { at: 30, seconds: 30 })))
      expect(stream.changes[0]).toMatchObject({ keyId: key, action: { kind: 'held', because } })
      expect(stream.effects.map(({ kind }) => kind)).not.toContain('throttle')
    }
  })

  test('is told without history, and not throttled: nobody knows what it needs', () => {
    const stream = streamInto(createEngine(settings))
    live(stream, inOrder(usualCalls(40), storm('new', { at: 20, seconds: 20 })))
    expect(stream.changes[0]).toMatchObject({
      keyId: 'new',
      expected: undefined,
      action: { kind: 'held', because: 'history-unknown' },
    })
  })
})

describe('many keys wrong at once', () => {
  const sickKeys = Object.keys(rates)
  const outage = (perSecond: number) =>
    inOrder(usualCalls(300), ...sickKeys.map(key => storm(key, { at: 60, seconds: 30, perSecond })))

  test('are one platform incident: told once, nobody is throttled', () => {
    const stream = streamInto(taughtEngine())
    live(stream, outage(60))
    const alerts = stream.effects.filter(({ kind }) => kind === 'alert')
    expect(alerts.map(({ id }) => id)).toEqual(['platform#1/alert-1', 'platform#1/alert-2'])
    expect(stream.effects.filter(({ kind }) => kind !== 'alert')).toEqual([])
    expect(stream.changes.filter(({ kind }) => kind === 'platform').map(({ phase }) => phase)).toEqual([
      'open',
      'closed',
    ])
  })

  test('do not hide the one that makes half of the trouble by itself', () => {
    const stream = streamInto(taughtEngine())
    const others = sickKeys
      .filter(key => key !== 'key_1')
      .map(key => storm(key, { at: 60, seconds: 30, perSecond: 12 }))
    live(stream, inOrder(usualCalls(150), storm('key_1', { at: 60, seconds: 30, perSecond: 900 }), ...others))
    const throttled = stream.effects.filter(({ kind }) => kind === 'throttle').map(({ keyId }) => keyId)
    expect(throttled).toEqual(['key_1'])
  })

  test('are throttled no more than the user allows', () => {
    const how = settingsOf({ throttle: { maxTenants: 2 }, platform: { keys: 100 } })
    const stream = streamInto(taughtEngine(how))
    // One is well, or it would be the platform whatever the user says.
    const stormy = sickKeys.filter(key => key !== 'key_a')
    live(stream, inOrder(usualCalls(300), ...stormy.map(key => storm(key, { at: 60, seconds: 30, perSecond: 60 }))))
    expect(new Set(stream.effects.filter(({ kind }) => kind === 'throttle').map(({ keyId }) => keyId)).size).toBe(2)
    const held = stream.changes.filter(
      ({ action }) => action.kind === 'held' && action.because === 'too-many-throttled',
    )
    expect(new Set(held.map(({ keyId }) => keyId)).size).toBe(stormy.length - 2)
  })

  test('give back a limit that was on its way down when the guard saw them all', () => {
    const unanswered: string[] = []
    const stream = streamInto(taughtEngine(), ({ id }) => {
      unanswered.push(id)
      return undefined
    })
    const first = storm('key_1', { at: 60, seconds: 30, perSecond: 60 })
    const rest = sickKeys.filter(key => key !== 'key_1').map(key => storm(key, { at: 63, seconds: 30, perSecond: 60 }))
    live(stream, inOrder(usualCalls(90), first, ...rest))
    expect(unanswered).toEqual(['key_1#1/throttle-1'])
    const applied = { kind: 'applied' as const }
    stream.take({ kind: 'outcome', at: TEN + 95_000, report: { effectId: 'key_1#1/throttle-1', outcome: applied } })
    expect(stream.effects.at(-1)?.kind === 'alert' ? stream.effects.at(-2) : stream.effects.at(-1)).toMatchObject({
      id: 'key_1#1/restore-1',
      step: 'full',
    })
  })

  test('are over when the source falls silent, not only when calls come again', () => {
    const stream = streamInto(taughtEngine())
    live(stream, inOrder(usualCalls(90), ...sickKeys.map(key => storm(key, { at: 60, seconds: 30, perSecond: 60 }))))
    for (let second = 91; second < 400; second++) stream.tick(TEN + second * 1_000)
    expect(stream.changes.filter(({ kind }) => kind === 'platform').map(({ phase }) => phase)).toEqual([
      'open',
      'closed',
    ])
  })
})

describe('time', () => {
  test('does not follow a call from the future', () => {
    const stream = streamInto(createEngine(settings))
    stream.give(
      [
        { key: 'a', at: TEN + 61_000 },
        { key: 'a', at: TEN + 60_000 },
        { key: 'a', at: TEN },
      ],
      { arrivedAt: TEN },
    )
    expect(engineStatus(stream.engine)).toMatchObject({
      calls: 2,
      rejected: { future: 1, tooOld: 0 },
      // Counted where it belongs, and time waits for the wall clock to get there.
      eventTime: TEN,
    })
  })

  test('is not moved by one clock that is ahead: what the others call meanwhile still counts', () => {
    const stream = streamInto(taughtEngine())
    const calls = inOrder(usualCalls(100), storm('key_1', { at: 60, seconds: 20 }))
    const ahead = { key: 'key_2', at: TEN + 58_000 + 59_000 }
    live(
      stream,
      calls.filter(({ at }) => at < TEN + 58_000),
    )
    stream.give([ahead], { arrivedAt: TEN + 58_000 })
    live(
      stream,
      calls.filter(({ at }) => at >= TEN + 58_000),
    )
    expect(engineStatus(stream.engine).late).toBe(0)
    expect(stream.changes[0]).toMatchObject({ keyId: 'key_1', phase: 'open' })
  })

  test('long past is alerted on and acted upon no more', () => {
    const stream = streamInto(taughtEngine())
    const calls = inOrder(usualCalls(100), storm('key_1', { at: 60, seconds: 20 }))
    for (const call of calls) stream.give([call], { arrivedAt: call.at + 3_600_000 })
    expect(stream.effects.map(({ kind }) => kind)).not.toContain('throttle')
    expect(stream.changes[0]).toMatchObject({ keyId: 'key_1', action: { kind: 'held', because: 'too-old' } })
  })

  test('does not go back by more than a week', () => {
    const stream = streamInto(createEngine(settings))
    stream.give([{ key: 'a', at: TEN }])
    stream.give([{ key: 'a', at: TEN - 8 * 86_400_000 }], { arrivedAt: TEN })
    expect(engineStatus(stream.engine)).toMatchObject({ calls: 1, rejected: { future: 0, tooOld: 1 } })
  })

  test('closes panes 35 s behind the slowest partition, and a call behind that is late: counted, taught, in no window', () => {
    const stream = streamInto(createEngine(settings))
    for (let second = 0; second <= 100; second++) stream.give([{ key: 'a', at: TEN + second * 1_000 }])
    expect(engineStatus(stream.engine)).toMatchObject({ watermark: TEN + 65_000, late: 0 })
    const windows = () => learned(stream.engine)[0]!.keys[0]!.windows!
    const before = windows()
    const { slotSquares } = plainKey(stream.engine, 'a')
    stream.give(
      [
        { key: 'a', at: TEN + 64_999 },
        { key: 'a', at: TEN + 65_000 },
      ],
      { arrivedAt: TEN + 100_000 },
    )
    expect(engineStatus(stream.engine)).toMatchObject({ late: 1, calls: 103 })
    expect(before.last60s[0]).toBe(60)
    expect(windows()).toEqual(before)
    expect(plainKey(stream.engine, 'a').slotCalls).toBe(61)
    expect(plainKey(stream.engine, 'a').slotSquares).toBeGreaterThan(slotSquares)
  })

  test('waits for a partition that is behind, until it has brought nothing for half a minute', () => {
    const stream = streamInto(createEngine(settings))
    stream.give([{ key: 'a', at: TEN }], { partition: 'slow' })
    for (let second = 1; second <= 120; second++) {
      stream.give([{ key: 'a', at: TEN + second * 1_000 }], { partition: 'quick' })
      const { watermark } = engineStatus(stream.engine)
      // It begins fifteen minutes back, since nobody knows yet what the others will bring.
      if (second < 30) expect(watermark).toBeLessThanOrEqual(TEN - 35_000)
      else expect(watermark).toBe(TEN + (second - 35) * 1_000)
    }
  })

  test('waits for a partition that was announced and has shown nothing, and for none that was taken away', () => {
    const stream = streamInto(createEngine(settings))
    const partitions = ['one', 'other'] as PartitionId[]
    stream.take({ kind: 'partitions', partitions, at: TEN })
    for (let second = 0; second < 20; second++)
      stream.give([{ key: 'a', at: TEN + second * 1_000 }], { partition: 'one' })
    expect(engineStatus(stream.engine).watermark).toBeLessThan(TEN - 800_000)
    stream.take({ kind: 'partitions', partitions: ['one' as PartitionId], at: TEN + 20_000 })
    stream.tick(TEN + 20_000)
    expect(engineStatus(stream.engine).watermark).toBe(TEN + (19 - 35) * 1_000)
  })

  test('goes on without calls: an idle source closes what was seen, and no more', () => {
    const stream = streamInto(createEngine(settings))
    for (let second = 0; second <= 60; second++) stream.give([{ key: 'a', at: TEN + second * 1_000 }])
    stream.tick(TEN + 89_000)
    expect(engineStatus(stream.engine).watermark).toBe(TEN + 25_000)
    for (const second of [90, 91, 500]) {
      stream.tick(TEN + second * 1_000)
      expect(engineStatus(stream.engine).watermark).toBe(TEN + 61_000)
    }
    stream.give([{ key: 'a', at: TEN + 62_000 }], { arrivedAt: TEN + 501_000 })
    expect(engineStatus(stream.engine)).toMatchObject({ late: 0, calls: 62 })
  })

  test('may jump over years of silence', () => {
    const stream = streamInto(createEngine(settings))
    stream.give([{ key: 'a', at: TEN - 2 * 365 * 86_400_000 }])
    for (let second = 0; second < 5; second++) stream.give([{ key: 'a', at: TEN + second * 1_000 }])
    stream.take({ kind: 'end' })
    expect(engineStatus(stream.engine)).toMatchObject({ calls: 6, late: 0 })
  })
})

describe('what the stream did not bring', () => {
  /** Minutes of the coverage that are known, from the first one on, as a string of 1 and 0. */
  function knownMinutes({ engine }: Stream, from: number, minutes: number): string {
    const { coverage } = engine.state.owners.get('')!
    return Array.from({ length: minutes }, (_, index) => {
      const minute = from / 60_000 + index
      const slot = Math.floor(minute / 5)
      const isIn = slot <= coverage.newestSlot
      return isIn && (coverage.minutes[slot % coverage.minutes.length]! >> (minute % 5)) & 1
    }).join('')
  }
  const minute = (index: number, perSecond: number) =>
    steady('a', { perSecond, from: TEN + index * 60_000, seconds: 60 })

  test('is unknown when a busy stream skips minutes', () => {
    const stream = streamInto(createEngine(settings))
    live(stream, inOrder(...[0, 1, 2, 3, 6, 7, 8, 9].map(index => minute(index, 5))))
    stream.take({ kind: 'end' })
    expect(knownMinutes(stream, TEN, 10)).toBe('1111001111')
  })

  test('is an observed zero in a quiet night', () => {
    const stream = streamInto(createEngine(settings))
    const once = (index: number): Call[] => [{ key: 'a', at: TEN + index * 60_000 + 30_000 }]
    live(stream, inOrder(...[0, 1, 2, 3, 6, 7, 15, 16].map(once)))
    stream.take({ kind: 'end' })
    expect(knownMinutes(stream, TEN, 16)).toBe('1111111111111111')
  })

  test('is unknown between a history and a stream that does not follow on it', () => {
    const stream = streamInto(taughtEngine())
    live(stream, usualCalls(120, TEN + 600_000))
    stream.take({ kind: 'end' })
    expect(knownMinutes(stream, TEN - 120_000, 14)).toBe('11000000000011')
  })

  test('before its first call is unknown, in whatever order the first ones came', () => {
    const stream = streamInto(createEngine(settings))
    stream.give(
      [
        { key: 'a', at: TEN + 60_000 },
        { key: 'a', at: TEN + 59_999 },
      ],
      { arrivedAt: TEN + 60_000 },
    )
    stream.take({ kind: 'end' })
    for (let second = 120; second < 200; second++) stream.give([{ key: 'a', at: TEN + second * 1_000 }])
    expect(knownMinutes(stream, TEN - 120_000, 4)).toBe('0011')
  })
})

describe('history', () => {
  test('teaches in silence, and its incidents are forgotten', () => {
    const engine = createEngine(settings, { withHistory: true })
    const stream = streamInto(engine)
    live(stream, inOrder(usualCalls(1_200), storm('key_1', { at: 1_050, seconds: 80 })))
    expect(engineStatus(engine)).toMatchObject({ history: true, openIncidents: 1 })
    stream.take({ kind: 'history-ended' })
    expect([stream.effects, stream.changes]).toEqual([[], []])
    expect(engineStatus(engine)).toMatchObject({ history: false, openIncidents: 0, knownUntil: TEN + 1_199_900 })
    live(stream, usualCalls(200, TEN + 1_200_000))
    expect(stream.changes).toEqual([])
    live(stream, storm('key_1', { at: 1_400, seconds: 20 }))
    expect(stream.changes[0]?.incidentId).toBe('key_1#1')
  })

  test('of counts reaches to the end of its last row', () => {
    expect(engineStatus(taughtEngine())).toMatchObject({ knownUntil: TEN, keys: 10, history: false })
  })
})

describe('a checkpoint in the middle of it all', () => {
  const calls = inOrder(
    usualCalls(420),
    storm('key_1', { at: 60, seconds: 45 }),
    storm('key_a', { at: 200, seconds: 40, perSecond: 400 }),
    ...['key_2', 'key_3', 'key_4', 'key_5'].map(key => storm(key, { at: 300, seconds: 20, perSecond: 60 })),
  )
  /** Seconds after TEN at which the worker is stopped and started again. */
  function played(stops: readonly number[]): {
    readonly decided: string
    readonly incidents: number
    readonly state: unknown
  } {
    let stream = streamInto(taughtEngine())
    let from = TEN
    for (const stop of [...stops, 420]) {
      const to = TEN + stop * 1_000
      live(
        stream,
        calls.filter(({ at }) => at >= from && at < to),
        { until: to },
      )
      stream = stream.afterCheckpoint()
      from = to
    }
    const { effects, changes, engine } = stream
    return {
      decided: JSON.stringify({ effects, changes }),
      incidents: changes.filter(({ phase }) => phase === 'open').length,
      state: snapshot(engine),
    }
  }

  test('goes on identically, wherever it was stopped', () => {
    const whole = played([])
    expect(whole.incidents).toBeGreaterThan(3)
    for (const stops of [[62], [63], [100], [201, 202, 203], [301], [303, 340], [10, 70, 150, 290, 310]]) {
      const { decided, state } = played(stops)
      expect(decided).toBe(whole.decided)
      expect(isDeepStrictEqual(state, whole.state)).toBe(true)
    }
  })

  test('holds nothing of the key numbers of the decoder that it was fed by', () => {
    const stream = streamInto(taughtEngine())
    live(stream, usualCalls(10))
    const again = stream.afterCheckpoint()
    const other = batchOf([{ key: 'key_3', at: TEN + 11_000 }], { ids: [] })
    const before = engineStatus(again.engine).keys
    advance(again.engine, {
      kind: 'batch',
      partition: 'stream/0' as PartitionId,
      batch: other,
      from: 0,
      to: 1,
      panesFrom: 0,
      panesTo: 0,
      arrivedAt: TEN + 11_000,
    })
    expect(engineStatus(again.engine).keys).toBe(before)
    const { activity } = stateOf(again.engine, 'key_3')
    expect(activity!.panes.end - activity!.panes.first).toBe(11)
  })
})
