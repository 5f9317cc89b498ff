/** Where calls go and where they come from, from the stream to what people are told. */
import { describe, expect, test } from 'vitest'
import type { KeyTable } from './call-batch.ts'
import { advance, createEngine, type Engine } from './engine.ts'
import { alertText } from './explanation/text.ts'
import { batchOf, type Call, inOrder, live, type Stream, settingsOf, streamInto, TEN } from './testing-stream.ts'
import type { PartitionId } from './vocabulary.ts'

const HOUR_MS = 3_600_000
const [home, stranger] = [0x1234_0001, 0x1234_0002]
/** What tells of many calls by itself, and would be first. */
const noSurge = { detectors: { 'sequential-surge': { enabled: false } } }
/** As well spread as a hash. */
const routeNumber = (item: number): number => {
  const product = Math.imul(item + 1, 0x9e3779b1)
  return Math.imul(product ^ (product >>> 15), 0x85ebca6b) ^ (item << 1) || 1
}
const homeRoutes = [1, 2, 3].map(routeNumber)

/** Four days of `a` and `b` at sixty calls a minute, of which one in five minutes shows where it goes and comes from. */
function settled(config: Readonly<Record<string, unknown>> = {}): Engine {
  const engine = createEngine(settingsOf({ mode: 'observe', ...config }), { withHistory: true })
  const table: KeyTable = { ids: [] }
  for (let start = TEN - 96 * HOUR_MS; start < TEN; start += 300_000) {
    const shown = ['a', 'b'].map(key => ({ key, at: start + 150_000, route: homeRoutes[0]!, source: home }))
    const batch = batchOf(shown, table)
    for (const key of [0, 1]) {
      const answers = { status2xx: 299, status4xx: 0, status429: 0, status5xx: 0 }
      batch.panes.push({ key, start, seconds: 300, calls: 299, ...answers, latencySumMs: 0, latencyCount: 0, bytes: 0 })
    }
    const range = { from: 0, to: batch.length, panesFrom: 0, panesTo: batch.panes.length }
    advance(engine, { kind: 'batch', partition: 'history' as PartitionId, batch, ...range, arrivedAt: start + 300_000 })
  }
  advance(engine, { kind: 'history-ended' })
  return engine
}

/** A key's usual minute: irregular, on three routes, from home. */
const usually = (key: string, seconds: number): Call[] =>
  Array.from({ length: seconds }, (_, second) =>
    Array.from({ length: [0, 2, 1, 0, 3, 1, 0, 1, 2, 0][(second * 7 + (second >> 4)) % 10] ?? 0 }, (_, call) => ({
      ...{ key, at: TEN + second * 1_000 + call * 137, source: home },
      route: homeRoutes[(second + call) % 3]!,
    })),
  ).flat()

const added = (
  perSecond: number,
  { from = 60, seconds }: { from?: number; seconds: number },
  call: (index: number) => Partial<Call>,
) =>
  Array.from(
    { length: perSecond * seconds },
    (_, index): Call => ({
      ...{
        key: 'a',
        at: TEN + from * 1_000 + Math.floor((index * 1_000) / perSecond),
        route: homeRoutes[0]!,
        source: home,
      },
      ...call(index),
    }),
  )

function toldOf(calls: readonly Call[], config = {}): Stream {
  const stream = streamInto(settled(config))
  live(stream, calls, { until: calls.at(-1)!.at + 120_000 })
  return stream
}
const opened = ({ changes }: Stream): readonly string[] =>
  changes
    .filter(({ phase }) => phase === 'open')
    .map(
      ({ keyId, kind, severity, decidedAt }) =>
        `${Math.round((decidedAt - TEN) / 1_000)}s ${keyId} ${kind} ${severity}`,
    )

const both = (seconds: number): Call[] => inOrder(usually('a', seconds), usually('b', seconds))

describe('of two keys that go on as usual', () => {
  test('nobody is told', () => {
    expect(opened(toldOf(both(900)))).toEqual([])
  })

  test('one is used by a stranger too: told within a minute, at low severity, once', () => {
    const stream = toldOf(
      inOrder(
        both(400),
        added(1, { seconds: 240 }, () => ({ source: stranger })),
      ),
    )
    expect(opened(stream)).toEqual(['89s a new-place low'])
    const alert = stream.effects.find(effect => effect.kind === 'alert')
    expect(alert?.kind === 'alert' && alertText(alert.explanation)).toContain(
      'Current: 30 calls from new places in 5 min. Expected: 0 calls from new places in 5 min.',
    )
  })

  test('one reads item after item: told when the seconds are closed', () => {
    const calls = inOrder(
      both(400),
      added(3, { seconds: 300 }, item => ({ route: routeNumber(1_000 + item) })),
    )
    expect(opened(toldOf(calls, noSurge))).toEqual([expect.stringMatching(/^1[45]\ds a enumeration low$/)])
  })

  test('one is called by a machine that nobody stopped', () => {
    const calls = inOrder(
      both(900),
      added(2, { seconds: 840 }, () => ({})),
    )
    expect(opened(toldOf(calls, noSurge))).toEqual([expect.stringMatching(/^[34]\d\ds a stuck-poller low$/)])
  })

  test('one calls ten times as much, and half of it from a new place: first a surge, then somebody else’s, and it is one incident', () => {
    const stream = toldOf(
      inOrder(
        both(200),
        added(10, { seconds: 100 }, index => ({ source: index < 200 ? home : stranger })),
      ),
    )
    const names = stream.changes.filter(({ phase }) => phase === 'open').map(({ kind }) => kind)
    expect([...new Set(names)]).toEqual(['surge', 'new-place'])
    expect(new Set(stream.changes.map(({ incidentId }) => incidentId)).size).toBe(1)
  })
})

test('where no line says where calls go and come from, nobody is told of it, and nothing is kept', () => {
  const bare = inOrder(
    both(400),
    added(1, { seconds: 240 }, () => ({})),
  ).map(({ key, at }) => ({ key, at }))
  const stream = toldOf(bare)
  expect(opened(stream)).toEqual([])
})

test('what is known of a key’s places outlives a checkpoint in the middle of a stranger’s calls', () => {
  const calls = inOrder(
    both(400),
    added(1, { seconds: 240 }, () => ({ source: stranger })),
  )
  const first = streamInto(settled())
  const cut = TEN + 75_000
  live(
    first,
    calls.filter(({ at }) => at < cut),
  )
  const second = first.afterCheckpoint()
  live(
    second,
    calls.filter(({ at }) => at >= cut),
    { until: calls.at(-1)!.at + 120_000 },
  )
  expect(opened(second)).toEqual(['89s a new-place low'])
})
