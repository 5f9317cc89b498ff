/** A checkpoint is of the moment in which it began: whatever comes while its keys are still being taken, what is restored is the same. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tenantsSchema } from '../core/config/config.ts'
import { advance, beginSnapshot, createEngine, type Engine, restore } from '../core/engine.ts'
import type { EngineInput } from '../core/engine-input.ts'
import { batchOf, type Call, copied, obeyed, settingsOf, stateOf, steady, TEN, taught } from '../core/testing-stream.ts'
import type { PartitionId } from '../core/vocabulary.ts'
import { copyOf, digestOf } from './engine-copy.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const settings = settingsOf(
  {
    throttle: { calmFor: '20s', probation: '20s' },
    incident: { closesAfter: '20s' },
    time: { delivery: '2s' },
  },
  { spread: { keys: ['spread_0', 'spread_1'] } },
  [{ when: 'daily 10:04-10:06', upTo: '3x' }],
)
const rates = {
  steady_0: 60,
  steady_1: 120,
  steady_2: 60,
  stormy: 60,
  pausing: 600,
  spread_0: 30,
  spread_1: 30,
  again: 60,
}

/** An engine each of whose inputs may come while a checkpoint is under way. */
function disturbed(engine: Engine) {
  const table = { ids: [] }
  const take = (input: EngineInput, isChecked: boolean): void => {
    const before = isChecked ? digestOf(copyOf(engine)) : ''
    const begun = isChecked ? beginSnapshot(engine) : undefined
    const held = begun && copied({ ...begun, keys: [] })
    const { effects } = advance(engine, input)
    if (begun && held) {
      const keys = []
      while (begun.keys.isLeft()) keys.push(begun.keys.next())
      const after = digestOf(copyOf(restore(settings, { ...held, keys })))
      if (after !== before)
        expect.fail(`${input.kind} at ${'at' in input ? input.at - TEN : ''} changed a key that was not taken yet`)
    }
    for (const effect of effects)
      if (effect.kind !== 'alert')
        take(
          { kind: 'outcome', at: effect.decidedAt, report: { effectId: effect.id, outcome: obeyed(effect) } },
          isChecked,
        )
  }
  return {
    take,
    give(calls: readonly Call[], isChecked: boolean, arrivedAt = Math.max(...calls.map(({ at }) => at))): void {
      const batch = batchOf(calls, table)
      const part = { batch, from: 0, to: batch.length, panesFrom: 0, panesTo: 0 }
      take({ ...part, kind: 'batch', partition: 'stream/0' as PartitionId, arrivedAt }, isChecked)
    },
  }
}

/** Of second `second` since ten: all there is, storms, refusals, pauses, late calls, routes and new places. */
function callsIn(second: number): readonly Call[] {
  const from = TEN + second * SECOND_MS
  const calls = [
    ...steady('steady_0', { perSecond: 1, from, seconds: 1 }).map(call => ({ ...call, route: second * 97, source: 7 })),
    ...steady('steady_1', { perSecond: 2, from, seconds: 1 }).map(call => ({ ...call, latencyMs: 40 + (second % 9) })),
    ...(second < 130 ? steady('pausing', { perSecond: 10, from, seconds: 1 }) : []),
    ...(second % 2 === 0 ? steady('spread_0', { perSecond: 1, from, seconds: 1 }) : []),
    ...(second > 60 && second < 90 ? steady('stormy', { perSecond: 80, from, seconds: 1, status: 503 }) : []),
    ...(second > 60 && second < 75 ? steady('spread_1', { perSecond: 30, from, seconds: 1, status: 429 }) : []),
    // In a new slot somebody is surveyed of whom no look has been taken in it yet.
    ...(second < 300 || second > 310 ? [] : steady('again', { perSecond: 80, from, seconds: 1, status: 503 })),
    // What it called early in a minute is learned at its end, when no pane of its closes.
    ...(second % 60 === 20 ? [{ key: 'steady_2', at: from, route: 99 }] : []),
    ...(second === 299 ? steady('steady_2', { perSecond: 9, from, seconds: 1 }) : []),
    ...(second === 100 ? [{ key: 'steady_0', at: from - 30 * SECOND_MS }] : []),
  ]
  return [...calls].sort((one, other) => one.at - other.at)
}

describe('a checkpoint that is under way', () => {
  test('is not touched by calls, looks, closings, lessons, incidents, answers, commands, pauses or the end', () => {
    const engine = taught(settings, rates)
    const { give, take } = disturbed(engine)
    for (let second = 0; second < 520; second++) {
      // Where minutes end, all of it where something happens, and now and then else.
      const isChecked = second % 60 < 3 || second % 60 === 59 || (second > 60 && second < 80) || second % 29 === 0
      const at = TEN + (second + 1) * SECOND_MS
      give(callsIn(second), isChecked, at - 1)
      take({ kind: 'tick', at }, isChecked)
      if (second === 85) expect(stateOf(engine, 'stormy').incident.phase).not.toBe('quiet')
      if (second === 86)
        take({ kind: 'operator', command: { kind: 'extend', keyId: 'stormy', byMs: MINUTE_MS }, by: 'ann', at }, true)
      if (second === 88) take({ kind: 'operator', command: { kind: 'release', keyId: 'stormy' }, by: 'ann', at }, true)
      if (second === 89) {
        const incident = { phase: 'suspected', lastBadAt: at } as const
        const memo = {
          kind: 'key',
          keyId: 'steady_0',
          owner: '',
          at,
          incident,
          incidents: 3,
          isOpening: false,
        } as const
        const recalled = { kind: 'memo', memo: { ...memo, alerted: undefined }, at } as const
        const said = { kind: 'operator', command: { kind: 'release', keyId: 'stormy' }, by: 'ann', at } as const
        take({ kind: 'recalled', entries: [said, recalled], at }, true)
        take({ kind: 'partitions', partitions: ['stream/0' as PartitionId], at }, true)
      }
      if (second === 82) {
        const { tenants, planned } = tenantsSchema.parse({ tenants: { other: { keys: ['stormy'], exempt: true } } })
        take({ kind: 'tenants', tenants, planned, at }, true)
        take({ kind: 'tenants', ...tenantsSchema.parse({ tenants: {} }), at }, true)
      }
    }
    take({ kind: 'end' }, true)
  })

  test('is not touched by what a history teaches, nor by its end', () => {
    const { give, take } = disturbed(createEngine(settings, { withHistory: true }))
    for (let second = 0; second < 130; second++) give(callsIn(second), second % 20 === 0 || second % 60 > 57)
    const none = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, bytes: 0, latencySumMs: 0, latencyCount: 0 }
    const rows = [
      { ...none, key: 0, start: TEN + 140 * SECOND_MS, seconds: 1, calls: 5 },
      { ...none, key: 0, start: TEN - 600 * SECOND_MS, seconds: 300, calls: 50 },
      { ...none, key: 0, start: TEN + 200 * SECOND_MS, seconds: 1, calls: 500 },
    ]
    const batch = { ...batchOf([], { ids: ['steady_0' as never] }), panes: rows }
    for (const [index] of rows.entries()) {
      const part = { batch, from: 0, to: 0, panesFrom: index, panesTo: index + 1 }
      take({ ...part, kind: 'batch', partition: 'h' as PartitionId, arrivedAt: TEN + 300 * SECOND_MS }, true)
    }
    take({ kind: 'history-ended' }, true)
  })

  test('is of its beginning, however many keys there are and whatever comes between two pieces', () => {
    const keys = Array.from({ length: 600 }, (_, index) => `key_${index}`)
    const plain = settingsOf({ time: { delivery: '2s' } })
    const begun = createEngine(plain)
    disturbed(begun).give(
      keys.map((key, index) => ({ key, at: TEN + index, latencyMs: index, route: index * 7, source: index })),
      false,
    )
    const start = copied({ ...beginSnapshot(begun), keys: [...copyOf(begun).keys] })
    const happening = fc.oneof(
      fc.record({ kind: fc.constant('calls' as const), first: fc.nat(599), count: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 1, max: 70 }) }),
      fc.record({ kind: fc.constant('piece' as const) }),
    )
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 12 }), happenings => {
        const engine = restore(plain, copied(start))
        const before = digestOf(copyOf(engine))
        const { give, take } = disturbed(engine)
        const { keys: left, ...rest } = beginSnapshot(engine)
        const held = copied({ ...rest, keys: [] })
        const taken = []
        let at = TEN + SECOND_MS
        for (const happens of happenings) {
          if (happens.kind === 'piece' && left.isLeft()) taken.push(left.next())
          if (happens.kind === 'tick') {
            at += happens.seconds * SECOND_MS
            take({ kind: 'tick', at }, false)
          }
          if (happens.kind === 'calls') {
            const { first, count } = happens
            give(
              keys.slice(first, first + count).map(key => ({ key, at })),
              false,
            )
          }
        }
        while (left.isLeft()) taken.push(left.next())
        expect(digestOf(copyOf(restore(plain, { ...held, keys: taken })))).toBe(before)
      }),
      { numRuns: 25 },
    )
  })

  test('is left alone, and costs nothing any more, once nobody wants it', () => {
    const engine = taught(settings, rates)
    disturbed(engine).give(callsIn(0), false)
    const { keys } = beginSnapshot(engine)
    const key = stateOf(engine, 'steady_0')
    expect([key.untaken, key.untakenRings]).not.toContain(undefined)
    keys.abandon()
    expect([key.untaken, key.untakenRings]).toEqual([undefined, undefined])
  })

  test('gives way to a second one, and both are whole', () => {
    const engine = taught(settings, rates)
    const { give } = disturbed(engine)
    for (let second = 0; second < 5; second++) give(callsIn(second), false)
    const first = beginSnapshot(engine)
    const held = copied({ ...first, keys: [] })
    const whole = digestOf(copyOf(engine))
    const keys = []
    while (first.keys.isLeft()) keys.push(first.keys.next())
    expect(digestOf(copyOf(restore(settings, { ...held, keys })))).toBe(whole)
  })
})
