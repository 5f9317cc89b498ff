import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBatch } from '../core/call-batch.ts'
import { weirSchema } from '../core/config/config.ts'
import { type EngineSettings, engineSettings } from '../core/engine.ts'
import { createDecoder, type Decoder } from '../core/formats/decoder.ts'
import { knobsOf, stricter, withSetting } from '../core/tuning/knob.ts'
import { createToldIncidents, type ToldIncident } from '../core/tuning/told-incident.ts'
import { type BareLog, createTally, readCanonically } from './bare-log.ts'
import { type KeptLog, keepLog } from './kept-log.ts'
import { replay } from './replay.ts'
import { judgeKept } from './trial.ts'

const TEN = Date.UTC(2026, 2, 4, 10)
const DAY_MS = 86_400_000
const config = weirSchema.parse({ mode: 'enforce', throttle: { calmFor: '60s', probation: '30s' } })
const settings = engineSettings(config, {})
const knobs = knobsOf(config)

let folder: string
let kept: KeptLog
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-trial-'))
  kept = await keepAll('kept')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const decoding = { format: 'auto', fields: config.fields, hashSecret: 'test', maxRecordBytes: 33_554_432 } as const
const newDecoder = (): Decoder => createDecoder(decoding)

const file = (path: string, lines: readonly string[]): BareLog => {
  const decoder = newDecoder()
  return {
    path,
    // As of a file that is decoded in a thread of its own: with key numbers that are its own.
    keys: decoder.keys,
    pieces: (async function* () {
      yield decoded(decoder, lines)
    })(),
  }
}

function decoded(decoder: Decoder, lines: readonly string[]) {
  const batch = createBatch(decoder.keys)
  const payload = Buffer.from(lines.join('\n'))
  decoder.decode(payload, '0', batch)
  const { key, time, status, latencyMs, bytes, route, source, length, panes, rejected, samples } = batch
  return {
    ...({ kind: 'decoded', payloadBytes: payload.length, length, panes, rejected, samples } as const),
    columns: { key, time, status, latencyMs, bytes, route, source },
  }
}

const call = (ms: number, key: string, status = 200, latency = 12.5): string =>
  JSON.stringify({
    requestTimeEpoch: String(TEN + ms),
    apiKeyId: key,
    status: String(status),
    responseLatency: latency,
  })

/** A day of counts of three clients. */
function history(): BareLog {
  const rows: string[] = []
  for (let start = TEN - DAY_MS; start < TEN; start += 300_000)
    for (const key of ['calm', 'busy', 'storm'])
      rows.push(JSON.stringify({ key, start, seconds: 300, calls: 300, status2xx: 300 }))
  return file('history', rows)
}

/** One retries its failures tenfold, harder and harder; one has two busy minutes; and one that nobody knows fails. */
const log = (): readonly BareLog[] => {
  const [one, other]: [string[], string[]] = [[], []]
  for (let ms = 0; ms < 360_000; ms += 50) {
    if (ms % 1_000 === 0) for (const key of ['calm', 'busy', 'storm']) one.push(call(ms, key))
    if (ms > 60_000 && ms < 150_000 && ms % 200 === 0) other.push(call(ms + 3, 'busy'))
    if (ms > 200_000 && ms < 220_000) other.push(call(ms + 7, 'storm', 503))
    if (ms > 260_000 && ms < 280_000) for (const more of [11, 23]) one.push(call(ms + more, 'stranger', 503))
  }
  return [file('one', one), file('other', other)]
}

async function keepAll(name: string): Promise<KeptLog> {
  const keeper = keepLog(join(folder, name), 1e9)
  const decoder = newDecoder()
  await readCanonically([history()], decoder, createTally(), input => keeper.take('history', input), {
    lastMayJump: false,
  })
  await readCanonically(log(), decoder, createTally(), input => keeper.take('log', input))
  return keeper.end()
}

async function replayed(under: EngineSettings): Promise<readonly ToldIncident[]> {
  const incidents = createToldIncidents()
  const result = await replay({
    ...{ settings: under, decoder: newDecoder(), history: [history()], logs: log(), changed: incidents.take },
  })
  return incidents.read(result.span?.to ?? 0)
}

const judged = (under: EngineSettings) => judgeKept(kept, { settings: under }, () => {}).told

test('a kept log tells what the files tell', async () => {
  const told = judged(settings)
  expect(told).toEqual(await replayed(settings))
  expect(told.map(({ keyId, kind, severity }) => `${keyId} ${kind} ${severity}`)).toEqual([
    'busy surge low',
    'storm retry-storm high',
    'stranger retry-storm high',
  ])
})

test('a setting that is asked says from where on a rise of each client would be seen, and told of', () => {
  expect(judgeKept(kept, { settings }, () => {}).rises).toBeUndefined()
  const risesUnder = (more: object) => {
    const under = { ...settings, config: { ...settings.config, ...more } }
    return judgeKept(kept, { settings: under, withRises: true }, () => {}).rises ?? []
  }
  const rises = risesUnder({})
  expect(rises.map(({ keyId }) => keyId)).toEqual(expect.arrayContaining(['busy', 'calm', 'storm']))
  const calm = rises.find(({ keyId }) => keyId === 'calm')
  expect(calm?.callsPerMinute).toBeCloseTo(60, -1)
  const [five = 0, fifteen = 0, sixty = 0] = calm?.seen.map(({ callsPerMinute }) => callsPerMinute) ?? []
  expect([five > fifteen, fifteen > sixty, sixty > 60]).toEqual([true, true, true])
  expect(
    calm?.told.every((rise, index) => (rise?.callsPerMinute ?? 0) >= (calm.seen[index]?.callsPerMinute ?? 0)),
  ).toBe(true)
  expect(risesUnder({ alertBudget: 0 })[0]?.told).toEqual([undefined, undefined, undefined])
})

describe('under another value of each threshold', () => {
  const told = new Set<string>()
  for (const knob of knobs) {
    test(`${knob.name} four times stricter: the same incidents as a replay of the files under it`, async () => {
      const setting = { [knob.name]: stricter(knob, 4) }
      const other = { ...settings, config: withSetting(config, knobs, setting) }
      const incidents = judged(other)
      expect(incidents).toEqual(await replayed(other))
      told.add(JSON.stringify(incidents))
    })
  }

  test('which is not always what the present one tells, or there would be nothing to compare', () => {
    expect(told.size).toBeGreaterThan(4)
  })

  test('all of them sixteen times as high, nobody is told of what was told before', () => {
    const strict = Object.fromEntries(knobs.map(knob => [knob.name, stricter(knob, 16)]))
    expect(judged({ ...settings, config: withSetting(config, knobs, strict) })).toEqual([])
  })
})

test('what would take more room than there is is refused, with what would help', async () => {
  const keeper = keepLog(join(folder, 'full'), 10)
  const filling = readCanonically(log(), newDecoder(), createTally(), input => keeper.take('log', input))
  await expect(filling.then(() => keeper.end())).rejects.toMatchObject({
    code: 'STORE_UNWRITABLE',
    hint: expect.stringContaining('TMPDIR'),
  })
})

test('a log that begins in its history is refused', () => {
  const [first] = kept.log
  expect(() =>
    judgeKept({ ...kept, log: [...kept.history, ...(first ? [first] : [])] }, { settings }, () => {}),
  ).toThrow(/history/i)
})
