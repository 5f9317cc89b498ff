import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { detectors } from '../../../detectors/index.ts'
import { defaultValues } from '../../../detectors/thresholds.ts'
import { createEngine, type Engine } from '../engine.ts'
import { type Call, inOrder, settingsOf, stateOf, steady, streamInto, TEN, taught } from '../testing-stream.ts'
import { knowledgeFor } from './key-state.ts'
import { earlyView, finalView } from './tenant-view.ts'

const settings = settingsOf({ mode: 'observe' })
const END = TEN / 1_000 + 90

/** Seconds of the last minute and a half with so many calls of one status, in any order of arrival. */
const calls = fc.array(
  fc.record({
    second: fc.integer({ min: 0, max: 89 }),
    times: fc.integer({ min: 1, max: 30 }),
    status: fc.constantFrom(200, 404, 429, 503),
  }),
  { minLength: 1, maxLength: 25 },
)

function scoresAfter(engine: Engine, given: readonly Call[]): Record<string, number> {
  const stream = streamInto(engine)
  // A slow partition keeps all panes open; what arrives together passes one second, so nothing is decided in between.
  stream.give([{ key: 'other', at: TEN }], { partition: 'slow', arrivedAt: TEN + 90_000 })
  stream.give([{ key: 'other', at: TEN + 90_000 }, ...given], { arrivedAt: TEN + 90_000 })
  const owner = engine.state.owners.get('')!
  const key = stateOf(engine, 'key')
  const known = knowledgeFor(key, owner, Math.floor((END - 1) / 300), 'early')
  const view = earlyView({ key, activity: key.activity!, known, endSecond: END, concurrency: 50 })
  return Object.fromEntries(
    detectors
      .filter(({ early }) => early)
      .map(detector => [detector.name, detector.evaluate(view, defaultValues(detector))?.score ?? 0]),
  )
}

describe('an early look', () => {
  test.each([
    ['with days behind it', () => taught(settings, { key: 20, other: 60 }, { days: 2 })],
    ['without history', () => createEngine(settings)],
  ])('%s: a call that was still missing never lowers what any detector says of it', (_, engine) => {
    fc.assert(
      fc.property(
        calls,
        fc.integer({ min: 0, max: 89_999 }),
        fc.constantFrom(200, 429, 503),
        (bursts, missingAt, status) => {
          const given = bursts.flatMap(({ second, times, status: answered }) =>
            steady('key', { perSecond: times, from: TEN + second * 1_000, seconds: 1, status: answered }),
          )
          const without = scoresAfter(engine(), given)
          const withIt = scoresAfter(engine(), [...given, { key: 'key', at: TEN + missingAt, status }])
          expect(Object.keys(withIt)).not.toEqual([])
          for (const [name, score] of Object.entries(without))
            expect({ name, lower: withIt[name]! < score - 1e-9 }).toEqual({ name, lower: false })
        },
      ),
      { numRuns: 25, endOnFailure: true },
    )
  })

  test('sees open panes of all partitions and of any order, and a final look none of them', () => {
    const engine = createEngine(settings)
    const stream = streamInto(engine)
    stream.give(inOrder(steady('key', { perSecond: 2, from: TEN, seconds: 20 })), { partition: 'one' })
    stream.give(
      [
        { key: 'key', at: TEN + 15_000, status: 503 },
        { key: 'key', at: TEN + 3_000 },
      ],
      { partition: 'other' },
    )
    const owner = engine.state.owners.get('')!
    const key = stateOf(engine, 'key')
    const known = knowledgeFor(key, owner, Math.floor(TEN / 300_000), 'early')
    const asked = { key, activity: key.activity!, known, concurrency: undefined }
    expect(earlyView({ ...asked, endSecond: TEN / 1_000 + 20 })).toMatchObject({
      look: 'early',
      at: TEN + 20_000,
      last10s: { calls: 21, status2xx: 20, status5xx: 1 },
      last60s: { calls: 42 },
      minuteSoFar: { calls: 42 },
      usual: undefined,
    })
    expect(finalView({ ...asked, endSecond: TEN / 1_000 })).toMatchObject({ look: 'final', last5min: { calls: 0 } })
  })
})
