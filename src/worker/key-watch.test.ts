import { expect, test } from 'vitest'
import { weirSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import { rankOf } from '../core/explanation/account.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { createDecoder, maxRecordBytes } from '../core/formats/decoder.ts'
import type { BareLog } from './bare-log.ts'
import { type KeyWatch, watchKey } from './key-watch.ts'
import { replay } from './replay.ts'

const TEN = Date.UTC(2026, 2, 4, 10)
const DAY_MS = 86_400_000

const file = (path: string, lines: readonly string[]): BareLog => ({
  path,
  pieces: (async function* () {
    const payload = Buffer.from(lines.join('\n'))
    yield { kind: 'record', record: { partition: path, position: '0', payload } } as const
  })(),
})

const call = (ms: number, key: string, status = 200): string =>
  JSON.stringify({ requestTimeEpoch: String(TEN + ms), apiKeyId: key, status: String(status) })

/** Two days of counts, sixty calls a minute each. */
function history(): BareLog {
  const rows: string[] = []
  for (let start = TEN - 2 * DAY_MS; start < TEN; start += 300_000)
    for (const key of ['a', 'b', 'c'])
      rows.push(JSON.stringify({ key, start, seconds: 300, calls: 300, status2xx: 300 }))
  return file('history', rows)
}

/** Three clients that call once a second for four minutes; b storms from the 60th to the 80th second, fullest in the 70th. */
function log(): BareLog {
  const lines: string[] = []
  for (let ms = 0; ms < 240_000; ms += 20) {
    const second = Math.floor(ms / 1_000)
    if (ms % 1_000 === 0) for (const key of ['a', 'b', 'c']) lines.push(call(ms, key))
    else if (second >= 60 && second < 80) lines.push(call(ms, 'b', 503))
    if (second === 70) lines.push(call(ms, 'b', 503), call(ms, 'b', 503))
  }
  return file('log', lines)
}

async function replayed(watch?: KeyWatch, logs = [log()]) {
  const changes: Explanation[] = []
  const config = weirSchema.parse({ mode: 'enforce', platform: { keys: 50 } })
  const { fields } = config
  const result = await replay({
    settings: engineSettings(config, {}),
    decoder: createDecoder({ format: 'auto', fields, hashSecret: 'test', maxRecordBytes }),
    history: [history()],
    logs,
    changed: change => changes.push(change),
    ...(watch && { watched: watch.watched }),
  })
  return { changes, result }
}

const at = (second: number) => ({ from: TEN + second * 1_000, to: TEN + second * 1_000 })

test('a key is seen as it was, with what was decided on just that', async () => {
  const { changes } = await replayed()
  const opened = changes[0]!
  const watch = watchKey('b', at(Math.floor((opened.decidedAt - TEN) / 1_000)))
  await replayed(watch)
  const { observation, aftermath } = watch.seen()!
  const spoken = observation.testimonies.flatMap(one => (one.kind === 'spoke' ? [one] : []))
  expect(observation.phase).toMatch(/quiet|suspected/)
  // The scores that opened the incident, to the last digit.
  expect(spoken.filter(({ finding }) => finding.score > 1).map(({ name, finding }) => [name, finding.score])).toEqual(
    expect.arrayContaining(opened.detectors.map(({ name, score }) => [name, score])),
  )
  expect(aftermath).toMatchObject({ incident: { phase: 'mitigated' }, told: { incidentId: 'b#1', kind: opened.kind } })
})

test('to be looked at changes nothing: every decision is what it was', async () => {
  const unseen = await replayed()
  const watch = watchKey('b', { from: TEN, to: TEN + DAY_MS })
  const seen = await replayed(watch)
  expect(seen).toEqual(unseen)
  expect(watch.looks()).toBe(241)
})

test('of a stretch the moment with the highest score is kept, the first of several', async () => {
  const scores: number[] = []
  for (let second = 64; second <= 76; second++) {
    const watch = watchKey('b', at(second))
    await replayed(watch)
    scores.push(rankOf(watch.seen()!.observation)[0])
  }
  const watch = watchKey('b', { from: TEN + 64_000, to: TEN + 76_000 })
  await replayed(watch)
  expect(watch.looks()).toBe(13)
  expect((watch.seen()!.observation.view.at - TEN) / 1_000 - 64).toBe(scores.indexOf(Math.max(...scores)))
})

test('nothing is read beyond the moment', async () => {
  const watch = watchKey('a', at(30))
  const { result } = await replayed(watch)
  expect(result.span).toMatchObject({ from: TEN })
  expect(result.span!.to).toBeLessThan(TEN + 32_000)
})

test('a moment in a gap is seen, with when the next call came; the log’s end is the last moment', async () => {
  const sparse = () => [file('log', [call(0, 'a'), call(90_000, 'a')])]
  const inGap = watchKey('a', at(40))
  await replayed(inGap, sparse())
  expect(inGap.seen()).toMatchObject({
    observation: { view: { at: TEN + 40_000, last60s: { calls: 1 }, last10s: { calls: 0 } } },
    aftermath: { asOf: TEN + 90_000 },
  })
  const atEnd = watchKey('a', at(91))
  await replayed(atEnd, sparse())
  expect(atEnd.seen()).toMatchObject({ observation: { view: { last10s: { calls: 1 } } } })
})

test('a moment outside the log is not seen, nor a key that nobody knows', async () => {
  for (const second of [-1, 241]) {
    const watch = watchKey('a', at(second))
    await replayed(watch)
    expect([watch.seen(), watch.looks()]).toEqual([undefined, 0])
  }
  const watch = watchKey('x', at(30))
  await replayed(watch)
  expect([watch.seen(), watch.looks()]).toEqual([undefined, 1])
})

test('a client of the history that does not call is seen all the same', async () => {
  const watch = watchKey('c', at(30))
  await replayed(watch, [file('log', [call(0, 'a'), call(60_000, 'a')])])
  expect(watch.seen()).toMatchObject({
    observation: { phase: 'quiet', view: { usual: { days: 2 }, last5min: { calls: 0 } } },
  })
})
