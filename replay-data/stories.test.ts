import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Mode, tenantsSchema, weirSchema } from '../src/core/config/config.ts'
import { advance, createEngine, engineSettings } from '../src/core/engine.ts'
import type { EngineInput } from '../src/core/engine-input.ts'
import type { Explanation } from '../src/core/explanation/explanation.ts'
import { changeLine } from '../src/core/explanation/json.ts'
import { createDecoder, type Decoder } from '../src/core/formats/decoder.ts'
import type { Effect } from '../src/core/incident/effect.ts'
import { learned } from '../src/core/testing-stream.ts'
import { readFilePieces } from '../src/sources/file-pieces.ts'
import { type BareLog, createTally, readCanonically } from '../src/worker/bare-log.ts'
import { replay } from '../src/worker/replay.ts'

interface Expected {
  readonly mode: Mode
  readonly onsetAt: string
  readonly opens: readonly {
    readonly keyId: string
    readonly tenantId: string
    readonly kinds: readonly string[]
    readonly opensWithinSeconds: readonly [number, number]
    readonly severity: string
    readonly action: string
    readonly actsWithinSeconds: readonly [number, number]
    readonly expectedPerMinute: { readonly lower: readonly [number, number]; readonly upper: readonly [number, number] }
  }[]
  readonly never: readonly string[]
}

const folder = mkdtempSync(join(tmpdir(), 'weir-stories-'))
afterAll(() => rmSync(folder, { recursive: true }))

const maxRecordBytes = 32 * 1024 * 1024
const decoderFor = (): Decoder =>
  createDecoder({ format: 'auto', fields: weirSchema.parse({}).fields, hashSecret: 'test', maxRecordBytes })
const open = (path: string): BareLog => ({
  path,
  pieces: readFilePieces(path, { maxRecordBytes }, new AbortController().signal),
})

function write(name: string, lines: readonly string[]): string {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

const isBetween = (value: number, [least, most]: readonly [number, number]): boolean => value >= least && value <= most

describe.each(['friday', 'sale'])('the recorded story %s', name => {
  const file = (of: string): string => join(import.meta.dirname, name, of)
  const expected: Expected = JSON.parse(readFileSync(file('expected.json'), 'utf8'))
  const { tenants } = tenantsSchema.parse(parse(readFileSync(file('tenants.yaml'), 'utf8')))
  const settings = { ...engineSettings(weirSchema.parse({ mode: expected.mode }), tenants), keyed: false }
  const lines = gunzipSync(readFileSync(file('log.ndjson.gz')))
    .toString()
    .trimEnd()
    .split('\n')

  async function told(
    logs: readonly string[],
  ): Promise<{ readonly changes: Explanation[]; readonly effects: Effect[] }> {
    const changes: Explanation[] = []
    const effects: Effect[] = []
    const result = await replay({
      settings,
      decoder: decoderFor(),
      history: [open(file('history.ndjson.gz'))],
      logs: logs.map(open),
      changed: change => changes.push(change),
      decided: effect => effects.push(effect),
    })
    expect(result.status.late).toBe(0)
    expect(result.log.calls).toBe(lines.length)
    return { changes, effects }
  }

  /** What the closed panes came to, whatever the early looks made of them. */
  async function finallyLearned(logs: readonly string[]) {
    const observing = { ...settings, config: { ...settings.config, mode: 'observe' as const } }
    const engine = createEngine(observing, { withHistory: true })
    const decoder = decoderFor()
    const take = (input: EngineInput) => void advance(engine, input)
    await readCanonically([open(file('history.ndjson.gz'))], decoder, createTally(), take)
    advance(engine, { kind: 'history-ended' })
    await readCanonically(logs.map(open), decoder, createTally(), take)
    advance(engine, { kind: 'end' })
    return learned(engine)
  }

  test('comes out as its timetable says', async () => {
    const { changes, effects } = await told([file('log.ndjson.gz')])
    const onsetAt = Date.parse(expected.onsetAt)
    const delay = ({ decidedAt }: Explanation): number => (decidedAt - onsetAt) / 1_000
    const opened = changes.filter(({ phase, kind }) => phase === 'open' && kind !== 'platform')

    expect(opened.filter(({ keyId }) => expected.never.includes(keyId)).map(({ keyId }) => keyId)).toEqual([])
    expect([...new Set(opened.map(({ keyId }) => keyId))]).toEqual(expected.opens.map(({ keyId }) => keyId))
    for (const one of expected.opens) {
      const first = opened.find(({ keyId }) => keyId === one.keyId)!
      expect(one.kinds).toContain(first.kind)
      expect(first.tenant?.id).toBe(one.tenantId)
      expect({ delay: delay(first), isInTime: isBetween(delay(first), one.opensWithinSeconds) }).toMatchObject({
        isInTime: true,
      })
      const { lowerPerMinute, upperPerMinute, days } = first.expected!
      expect(days).toBe(7)
      expect({ lowerPerMinute, isIn: isBetween(lowerPerMinute, one.expectedPerMinute.lower) }).toMatchObject({
        isIn: true,
      })
      expect({ upperPerMinute, isIn: isBetween(upperPerMinute, one.expectedPerMinute.upper) }).toMatchObject({
        isIn: true,
      })
      // What it had come to by then, in its last word within the time.
      const inTime = changes.filter(
        change => change.keyId === one.keyId && isBetween(delay(change), one.actsWithinSeconds),
      )
      expect(inTime.at(-1)?.severity).toBe(one.severity)
      const acts = effects.filter(({ keyId, kind }) => keyId === one.keyId && kind !== 'alert')
      if (one.action === 'held') {
        expect(inTime.at(-1)?.action.kind).toBe('held')
        expect(acts).toEqual([])
      } else {
        expect(acts[0]?.kind).toBe(one.action)
        const after = ((acts[0]?.decidedAt ?? 0) - onsetAt) / 1_000
        expect({ after, isInTime: isBetween(after, one.actsWithinSeconds) }).toMatchObject({ isInTime: true })
      }
    }
    // Nobody else's limit is touched either.
    const touched = effects.filter(({ kind }) => kind !== 'alert').map(({ keyId }) => keyId as string)
    const allowed = expected.opens.filter(({ action }) => action === 'throttle').map(({ keyId }) => keyId)
    expect(touched.filter(keyId => !allowed.includes(keyId))).toEqual([])
  })

  test('is told in order, and nothing twice', async () => {
    const { changes, effects } = await told([file('log.ndjson.gz')])
    const order = changes.map(({ decidedAt, keyId }) => `${decidedAt} ${keyId}`)
    expect(order).toEqual(order.toSorted())
    const ids = effects.map(({ id }) => id)
    expect(ids).toEqual([...new Set(ids)])
  })

  test('is the same to the byte when it is replayed again, and when it comes as plain text', async () => {
    const jsonOf = async (path: string) => (await told([path])).changes.map(changeLine).join('\n')
    const first = await jsonOf(file('log.ndjson.gz'))
    expect(await jsonOf(file('log.ndjson.gz'))).toBe(first)
    expect(await jsonOf(write(`${name}.ndjson`, lines))).toBe(first)
  })

  test('is the same in the end however it is cut into files', async () => {
    const whole = await finallyLearned([file('log.ndjson.gz')])
    const half = Math.floor(lines.length / 2)
    const byTime = [write(`${name}-1`, lines.slice(0, half)), write(`${name}-2`, lines.slice(half))]
    const inTurn = [0, 1, 2].map(part =>
      write(
        `${name}-turn-${part}`,
        lines.filter((_, index) => index % 3 === part),
      ),
    )
    for (const files of [byTime, byTime.toReversed(), inTurn]) {
      const parts = await finallyLearned(files)
      for (const [index, key] of parts[0]!.keys.entries()) expect(key).toEqual(whole[0]!.keys[index])
      expect({ ...parts[0], keys: parts[0]!.keys.length }).toEqual({ ...whole[0], keys: whole[0]!.keys.length })
      const opened = (await told(files)).changes
        .filter(({ phase }) => phase === 'open')
        .map(({ incidentId }) => incidentId)
      expect(opened).toContain(`${expected.opens[0]!.keyId}#1`)
      expect(opened.filter(id => expected.never.includes(id.replace(/#\d+$/, '')))).toEqual([])
    }
  })
})
