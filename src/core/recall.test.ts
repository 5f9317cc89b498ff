/** Killed after it acted and before the next checkpoint: what it decided is recalled, and its calls are read again in other steps. */
import { describe, expect, test } from 'vitest'
import { restore, snapshot } from './engine.ts'
import type { Recollection } from './engine-input.ts'
import {
  type Call,
  copied,
  inOrder,
  plainKey,
  type Stream,
  settingsOf,
  stateOf,
  steady,
  streamInto,
  TEN,
  taught,
} from './testing-stream.ts'
import { type ApiKeyId, MINUTE_MS, SECOND_MS } from './vocabulary.ts'

const spread = Array.from({ length: 6 }, (_, key) => `spread_${key}`)
const others = Array.from({ length: 6 }, (_, key) => `other_${key}`)
const rates: Readonly<Record<string, number>> = Object.fromEntries([
  ...spread.map(key => [key, 6] as const),
  ...others.map(key => [key, 300] as const),
])
const settings = settingsOf(
  {
    throttle: { calmFor: '20s', probation: '20s' },
    incident: { closesAfter: '20s' },
    time: { delivery: '2s' },
  },
  { spread: { keys: spread } },
)
const seconds = 300
const usual = inOrder(
  ...Object.entries(rates).map(([key, rate]) => steady(key, { perSecond: rate / 60, from: TEN, seconds })),
)
const storm = (key: string, perSecond: number): Call[] =>
  steady(key, { perSecond, from: TEN + 60_000, seconds: 30, status: 503 })

const stories: Readonly<Record<string, readonly Call[]>> = {
  'of one client': inOrder(usual, storm('other_0', 200)),
  'of a tenant as a whole': inOrder(usual, ...spread.map(key => storm(key, 3))),
  'of everybody': inOrder(usual, ...others.map(key => storm(key, 40))),
}

const engine = taught(settings, rates)
const begun = copied(snapshot(engine))

interface Reading {
  readonly from: number
  readonly to: number
  /** Seconds of the story that are read at a time. */
  readonly atATime: number
  /** When the worker began: what came before is read then. */
  readonly startsAt: number
}

function bring(stream: Stream, calls: readonly Call[], { from, to, atATime, startsAt }: Reading): void {
  for (let second = from; second < to; second += atATime) {
    const last = Math.min(to, second + atATime)
    const batch = calls.filter(({ at }) => at >= TEN + second * SECOND_MS && at < TEN + last * SECOND_MS)
    const arrivedAt = TEN + Math.max(last, startsAt) * SECOND_MS
    if (batch.length > 0) stream.give(batch, { arrivedAt })
    if (last > startsAt) stream.tick(arrivedAt)
  }
}

const fromDisk = (journaled: readonly Recollection[]): Recollection[] => JSON.parse(JSON.stringify(journaled))

test('a throttle that was under way when the API turned out to be sick is called back after a crash too', () => {
  const sick = inOrder(
    usual,
    storm('other_0', 200),
    ...others.slice(1).map(key => storm(key, 40).filter(({ at }) => at > TEN + 66_000)),
  )
  const unanswered = () => undefined
  const first = streamInto(restore(settings, copied(begun)), unanswered)
  bring(first, sick, { from: 0, to: 58, atATime: 1, startsAt: 0 })
  const saved = copied(snapshot(first.engine))
  const known = first.journaled.length
  bring(first, sick, { from: 58, to: 75, atATime: 1, startsAt: 0 })
  const merged = { phase: 'open', story: { telling: 'with-platform' }, asked: { effectId: 'other_0#1/throttle-1' } }
  expect(stateOf(first.engine, 'other_0').incident).toMatchObject(merged)

  const second = streamInto(restore(settings, saved), unanswered)
  second.take({ kind: 'recalled', entries: fromDisk(first.journaled.slice(known)), at: TEN + 75_000 })
  expect(stateOf(second.engine, 'other_0').incident).toMatchObject(merged)
})

describe.each(Object.entries(stories))('a storm %s', (_, calls) => {
  const undisturbed = streamInto(restore(settings, copied(begun)))
  bring(undisturbed, calls, { from: 0, to: seconds, atATime: 1, startsAt: 0 })

  test.each([
    [55, 62],
    [55, 70],
    [60, 95],
    [63, 66],
    [62, 150],
    [40, 240],
    [100, 130],
  ])('is told once, though the worker with a checkpoint of second %i was killed at %i', (checkpointAt, killedAt) => {
    const first = streamInto(restore(settings, copied(begun)))
    bring(first, calls, { from: 0, to: checkpointAt, atATime: 1, startsAt: 0 })
    const saved = copied(snapshot(first.engine))
    const known = first.journaled.length
    bring(first, calls, { from: checkpointAt, to: killedAt, atATime: 1, startsAt: 0 })

    const second = streamInto(restore(settings, saved))
    const at = TEN + killedAt * SECOND_MS
    second.take({ kind: 'recalled', entries: fromDisk(first.journaled.slice(known)), at })
    bring(second, calls, { from: checkpointAt, to: seconds, atATime: 7, startsAt: killedAt })

    const ids = [...first.effects, ...second.effects].map(({ id }) => id)
    expect(ids.toSorted()).toEqual(undisturbed.effects.map(({ id }) => id).toSorted())
    // Of one whose limit was lowered, minutes are not learned as long as it was: that was over when it was recalled.
    for (const key of Object.keys(rates).filter(key => !undisturbed.effects.some(({ keyId }) => keyId === key)))
      expect(plainKey(second.engine, key)).toEqual(plainKey(undisturbed.engine, key))
  })
})

test('what opened is counted in the minute in which it did, though the checkpoint is of before any call', () => {
  const stream = streamInto(taught(settings, rates))
  const at = TEN + 125 * SECOND_MS
  const incident = { phase: 'suspected', lastBadAt: at } as const
  const memo = { kind: 'key', keyId: 'key_a' as ApiKeyId, owner: '', at, incident, incidents: 1 } as const
  stream.take({
    kind: 'recalled',
    entries: [{ kind: 'memo', memo: { ...memo, isOpening: true, alerted: undefined }, at }],
    at: at + MINUTE_MS,
  })
  expect(stream.engine.state.openings).toMatchObject({ minute: Math.floor(at / MINUTE_MS), now: 1 })
})
