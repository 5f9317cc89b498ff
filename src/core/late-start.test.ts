/**
 * A worker that was away for half an hour, and reads what came meanwhile sixty times as fast as life. What is long over then is
 * told as history; what still goes on when it has caught up is alerted as any other.
 */
import { describe, expect, test } from 'vitest'
import { type Call, inOrder, live, type Stream, settingsOf, steady, streamInto, TEN, taught } from './testing-stream.ts'
import type { PartitionId } from './vocabulary.ts'

const at = (second: number): number => TEN + second * 1_000
const calm = (key: string, perSecond: number, from: number, to: number): Call[] =>
  steady(key, { perSecond, from: at(from), seconds: to - from })
const storm = (key: string, perSecond: number, from: number, to: number): Call[] =>
  steady(key, { perSecond, from: at(from), seconds: to - from, status: 503 })
const everybody = (from: number, to: number): Call[] => inOrder(calm('a', 1, from, to), calm('b', 1, from, to))

/** Alive for a minute, and away until half an hour after. */
const AWAY_FROM = 60
const BACK_AT = 1_860

function alive(calls: readonly Call[] = everybody(0, AWAY_FROM), usual: Record<string, number> = { a: 60, b: 60 }) {
  const stream = streamInto(taught(settingsOf({ time: { delivery: '2s' } }), usual))
  live(stream, calls)
  const again = stream.afterCheckpoint()
  again.effects.length = 0
  again.changes.length = 0
  again.take({ kind: 'partitions', partitions: ['stream/0' as PartitionId], at: at(BACK_AT) })
  return again
}

/** Reads so many times as fast as the world writes, and from when it has caught up as fast as that. */
function catchUp(stream: Stream, calls: readonly Call[], { until = BACK_AT + 200, speed = 60 } = {}): void {
  let next = 0
  for (let second = AWAY_FROM; second < until; second++) {
    const batch: Call[] = []
    for (let call = calls[next]; call !== undefined && call.at < at(second + 1); call = calls[++next]) batch.push(call)
    const arrivedAt = Math.max(at(second + 1), at(BACK_AT) + (second - AWAY_FROM) * (1_000 / speed))
    if (batch.length > 0) stream.give(batch, { arrivedAt })
    stream.tick(arrivedAt)
  }
}

const told = ({ changes }: Stream): string[] =>
  changes.map(
    ({ decidedAt, phase, incidentId, severity, telling, onsetAt }) =>
      `${Math.round((decidedAt - TEN) / 1_000)}s ${phase} ${incidentId} ${severity} ${telling}, since ${Math.round((onsetAt - TEN) / 1_000)}s`,
  )
const idsOf = ({ effects }: Stream): string[] => effects.map(({ id }) => id)

describe('an incident that began and ended while the worker was away', () => {
  test('is told as history and wakes nobody', () => {
    const stream = alive()
    catchUp(stream, inOrder(everybody(AWAY_FROM, BACK_AT + 200), storm('a', 100, 1_000, 1_060)))
    expect(told(stream)).toEqual([
      expect.stringMatching(/^100\ds open a#1 high history, since 1000s$/),
      expect.stringMatching(/^11\d\ds recovering a#1 high history/),
      expect.stringMatching(/^11\d\ds closed a#1 high history/),
    ])
    expect(idsOf(stream)).toEqual([])
  })

  test('is alerted all the same where the worker reads no faster than the world writes: it would never be the present', () => {
    const stream = alive()
    catchUp(stream, inOrder(everybody(AWAY_FROM, 1_200), storm('a', 100, 1_000, 1_060)), { speed: 1.1, until: 1_200 })
    expect(idsOf(stream)).toEqual(['a#1/alert-1', 'a#1/alert-2'])
    // Nobody's limit is lowered for what was half an hour ago.
    expect(stream.changes[0]).toMatchObject({ telling: 'alerted', action: { kind: 'held', because: 'too-old' } })
  })
})

test('an incident that still goes on when the worker has caught up is alerted and throttled then, with its true onset', () => {
  const stream = alive()
  catchUp(stream, inOrder(everybody(AWAY_FROM, BACK_AT + 200), storm('a', 100, 1_000, BACK_AT + 200)))
  const [asHistory, asNews] = stream.changes
  expect(asHistory).toMatchObject({ phase: 'open', telling: 'history' })
  expect(asNews).toMatchObject({ phase: 'open', telling: 'alerted', action: { kind: 'throttle' } })
  expect(Math.round(((asNews?.onsetAt ?? 0) - TEN) / 1_000)).toBe(1_000)
  // Within a minute of now, and not before.
  const alert = stream.effects.find(({ kind }) => kind === 'alert')
  expect((alert?.decidedAt ?? 0) - (asNews?.decidedAt ?? 0)).toBeLessThanOrEqual(65_000)
  expect(idsOf(stream)).toEqual(['a#1/throttle-1', 'a#1/alert-1'])
})

test('an incident that was alerted before is closed for those who know of it, also if it ended while the worker was away', () => {
  const stream = alive(inOrder(everybody(0, AWAY_FROM), storm('a', 100, 30, AWAY_FROM)))
  catchUp(stream, inOrder(everybody(AWAY_FROM, BACK_AT + 200), storm('a', 100, AWAY_FROM, AWAY_FROM + 20)))
  expect(told(stream).at(-1)).toMatch(/closed a#1 high alerted/)
  expect(stream.effects.filter(({ kind }) => kind === 'alert').at(-1)).toMatchObject({
    explanation: { phase: 'closed' },
  })
})

test('a silence that began while the worker was away and goes on is alerted when it has caught up', () => {
  const usual = { a: 60, b: 60, c: 600 }
  const all = (from: number, to: number) => inOrder(everybody(from, to), calm('c', 10, from, to))
  const stream = alive(all(0, AWAY_FROM), usual)
  catchUp(stream, inOrder(all(AWAY_FROM, 900), everybody(900, BACK_AT + 200)))
  const silences = stream.changes.filter(({ keyId, kind }) => keyId === 'c' && kind === 'silence')
  expect(silences.map(({ phase, telling }) => `${phase} ${telling}`)).toEqual(['open history', 'open alerted'])
  expect(idsOf(stream)).toEqual(['c#1/alert-1'])
})

describe('a sick platform', () => {
  const keys = ['a', 'b', 'c', 'd', 'e']
  const usual = Object.fromEntries(keys.map(key => [key, 600]))
  const all = (from: number, to: number) => inOrder(...keys.map(key => calm(key, 10, from, to)))
  const failing = (from: number, to: number) => inOrder(...keys.map(key => storm(key, 30, from, to)))
  const platforms = ({ changes }: Stream) =>
    changes.filter(({ kind }) => kind === 'platform').map(({ phase, telling }) => `${phase} ${telling}`)

  test('that is well again is history', () => {
    const stream = alive(all(0, AWAY_FROM), usual)
    catchUp(stream, inOrder(all(AWAY_FROM, 1_000), failing(1_000, 1_040), all(1_040, BACK_AT + 100)), {
      until: BACK_AT + 100,
    })
    expect(platforms(stream)).toEqual(['open history', 'closed history'])
    expect(idsOf(stream)).toEqual([])
  })

  test('that is still sick is alerted when the worker has caught up', () => {
    const stream = alive(all(0, AWAY_FROM), usual)
    catchUp(stream, inOrder(all(AWAY_FROM, 1_500), failing(1_500, BACK_AT + 100)), { until: BACK_AT + 100 })
    expect(platforms(stream)).toEqual(['open history', 'open alerted'])
    expect(idsOf(stream)).toEqual(['platform#1/alert-1'])
  })
})
