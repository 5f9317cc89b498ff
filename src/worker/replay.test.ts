import { describe, expect, test } from 'vitest'
import { type Mode, weirSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { createDecoder } from '../core/formats/decoder.ts'
import type { Effect } from '../core/incident/effect.ts'
import type { BareLog } from './bare-log.ts'
import { replay } from './replay.ts'

const TEN = Date.UTC(2026, 2, 4, 10)
const DAY_MS = 86_400_000
const call = (ms: number, key: string, status = 200): string =>
  JSON.stringify({ requestTimeEpoch: String(TEN + ms), apiKeyId: key, status: String(status) })

const file = (path: string, lines: readonly string[]): BareLog => ({
  path,
  pieces: (async function* () {
    yield {
      kind: 'record',
      record: { partition: path, position: '0', payload: Buffer.from(lines.join('\n')) },
    } as const
  })(),
})

/** Two days of counts, sixty calls a minute each. */
const history = (keys: readonly string[]): BareLog => {
  const rows: string[] = []
  for (let start = TEN - 2 * DAY_MS; start < TEN; start += 300_000)
    for (const key of keys) rows.push(JSON.stringify({ key, start, seconds: 300, calls: 300, status2xx: 300 }))
  return file('history', rows)
}

const keys = ['a', 'b', 'c', 'd']
/** Four clients that call once a second; those named storm from the 30th to the 60th second. */
function log(storming: readonly string[]): BareLog {
  const lines: string[] = []
  for (let ms = 0; ms < 300_000; ms += 20) {
    for (const key of keys) {
      if (ms % 1_000 === 0) lines.push(call(ms, key))
      else if (storming.includes(key) && ms > 30_000 && ms < 60_000) lines.push(call(ms, key, 503))
    }
  }
  return file('log', lines)
}

async function told(
  logs: readonly BareLog[],
  { mode = 'enforce', past = [history(keys)] }: { mode?: Mode; past?: readonly BareLog[] } = {},
) {
  const changes: Explanation[] = []
  const effects: Effect[] = []
  const config = weirSchema.parse({ mode, throttle: { calmFor: '60s', probation: '30s' }, platform: { keys: 50 } })
  const decoder = createDecoder({
    format: 'auto',
    fields: config.fields,
    hashSecret: 'test',
    maxRecordBytes: 33_554_432,
  })
  const result = await replay({
    settings: engineSettings(config, {}),
    decoder,
    history: past,
    logs,
    changed: change => changes.push(change),
    decided: effect => effects.push(effect),
  })
  return { changes, effects, result }
}

describe('a replay', () => {
  test('shows what a gateway that obeys would have come to: throttled, given back, closed', async () => {
    const { changes, effects, result } = await told([log(['b'])])
    expect(changes.map(({ incidentId, phase }) => `${incidentId} ${phase}`)).toEqual([
      'b#1 open',
      'b#1 mitigated',
      'b#1 recovering',
      'b#1 closed',
    ])
    expect(changes[1]).toMatchObject({ action: { kind: 'throttled', limits: { rateLimit: 2 } } })
    // The answer comes when the second is over in which it was asked for.
    expect(changes[1]!.decidedAt - changes[0]!.decidedAt).toBeLessThan(1_000)
    expect(effects.filter(({ kind }) => kind !== 'alert').map(({ id }) => id)).toEqual([
      'b#1/throttle-1',
      'b#1/restore-1',
      'b#1/restore-2',
    ])
    expect(result).toMatchObject({ span: { from: TEN }, status: { openIncidents: 0, late: 0, keys: 4 } })
  })

  test('tells what was decided at one moment in the order of the keys, and each key’s phases in theirs', async () => {
    const { changes } = await told([log(['d', 'a', 'c'])])
    expect(changes.slice(0, 6).map(({ keyId, phase }) => `${keyId} ${phase}`)).toEqual([
      'a open',
      'a mitigated',
      'c open',
      'c mitigated',
      'd open',
      'd mitigated',
    ])
    const times = changes.map(({ decidedAt }) => decidedAt)
    expect(times).toEqual(times.toSorted((one, other) => one - other))
  })

  test('touches nothing unless it is told to', async () => {
    const { changes, effects } = await told([log(['b'])], { mode: 'observe' })
    expect(new Set(effects.map(({ kind }) => kind))).toEqual(new Set(['alert']))
    expect(changes[0]?.action).toEqual({ kind: 'held', because: 'observe-mode' })
  })

  test('learns from the log’s own past where there is no history', async () => {
    const lines: string[] = []
    for (let ms = 0; ms < 1_500_000; ms += 1_000) lines.push(call(ms, 'a'))
    for (let ms = 1_200_010; ms < 1_230_000; ms += 10) lines.push(call(ms, 'a', 503))
    const inOrder = lines.toSorted(
      (one, other) => JSON.parse(one).requestTimeEpoch - JSON.parse(other).requestTimeEpoch,
    )
    const { changes } = await told([file('log', inOrder)], { past: [] })
    expect(changes[0]).toMatchObject({
      keyId: 'a',
      phase: 'open',
      expected: { callsPerMinute: expect.closeTo(60, -1), days: 0 },
    })
  })

  test('refuses a log that begins before its history ends', async () => {
    await expect(told([file('log', [call(-1, 'a'), call(0, 'a')])])).rejects.toMatchObject({ code: 'HISTORY_OVERLAPS' })
    await expect(told([file('log', [call(0, 'a')])])).resolves.toMatchObject({ changes: [] })
  })

  test('says when there was nothing to read', async () => {
    await expect(told([file('log', ['nonsense'])])).rejects.toMatchObject({ code: 'NOTHING_READ' })
    await expect(told([log([])], { past: [file('history', [])] })).rejects.toMatchObject({ code: 'NOTHING_READ' })
  })
})
