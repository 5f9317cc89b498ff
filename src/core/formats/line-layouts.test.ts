import { describe, expect, test } from 'vitest'
import { createBatch } from '../call-batch.ts'
import { createDecoder } from './decoder.ts'
import { usualNames } from './field-names.ts'
import { createFieldSlots, createSpans, type Spans, sourceOf } from './field-slots.ts'
import { readMembers } from './json-members.ts'
import { createLineLayouts } from './line-layouts.ts'

const fields = createFieldSlots(usualNames, { calls: true, panes: true, envelopes: true })
/** A million is a good number before a release; the suite's share is enough to find a difference planted on purpose. */
const lineCount = Number(process.env.WEIR_DIFFERENTIAL_LINES ?? 100_000)

/** What the roles' slots hold, as text. */
function contents(spans: Spans, line: Buffer): readonly string[] {
  return Array.from({ length: fields.roleSlots }, (_, slot) => {
    const kind = spans.kind[slot]!
    return kind < 2 ? `${kind}` : sourceOf(spans, slot, line).toString('latin1', spans.from[slot], spans.to[slot])
  })
}

/** mulberry32: a seed gives the same lines on every machine. */
function createChance(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const usualValues = [
  '"200"',
  '"-"',
  '""',
  '"k1abcd2345"',
  '"1767225600123"',
  '45',
  '0',
  '"payflow-java/1.4"',
  '"a b{c}[d],:e"',
]
const properValues = new Map([
  ['"requestTimeEpoch":', '"1767225600123"'],
  ['"requestTime":', '"01/Jan/2026:00:00:00 +0000"'],
  ['"status":', '"503"'],
])
const oddValues = [
  '-',
  '1.5',
  '-3',
  '1e3',
  '007',
  'null',
  'true',
  '{"status":"500"}',
  '[1,"]"]',
  '"a\\"b"',
  '"\\u002d"',
  '"\\',
  '"é"',
  '"tab\there"',
  '"un"quoted"',
  '"',
  'word',
  '123456789012345678901234567890',
  '12"',
  '"x","apiKeyId":"victim"',
]
const names = [
  'requestTimeEpoch',
  'apiKeyId',
  'status',
  'responseLatency',
  'responseLength',
  'requestId',
  'keyId',
  'apiKey',
  'requestTime',
  'status_code',
  'bytes',
  'start',
  'calls',
  'userAgent',
  'wafStatus',
  'st\u0061tus',
]
const joints = [',', ',', ',', ', ', ' ,', ';']

function randomLines(seed: number, count: number): readonly string[] {
  const chance = createChance(seed)
  const pick = <T>(choices: readonly T[]): T => choices[chance(choices.length)]!
  const newShape = (): readonly string[] =>
    names
      .filter((_, index) => chance(index < 5 ? 10 : 3) !== 0)
      .sort(() => chance(3) - 1)
      .flatMap(name => (chance(40) === 0 ? [`"${name}":`, `"${name}":`] : [`"${name}":`]))
  let shapes = Array.from({ length: 3 }, newShape)
  return Array.from({ length: count }, (_, index) => {
    if (index % 1000 === 999) shapes = Array.from({ length: 3 }, newShape)
    const isOdd = chance(4) === 0
    const value = (name: string): string => {
      if (isOdd && chance(8) === 0) return pick(oddValues)
      return chance(4) > 0 ? (properValues.get(name) ?? pick(usualValues)) : pick(usualValues)
    }
    const joint = isOdd ? pick(joints) : ','
    const text = `{${pick(shapes)
      .map(name => name + value(name))
      .join(joint)}}${chance(20) === 0 ? '\r' : ''}`
    if (!isOdd || chance(6) !== 0) return text
    const cut = chance(text.length)
    return chance(2) === 0
      ? text.slice(0, cut)
      : `${text.slice(0, cut)}${pick(['"', '}', ',', '\\', '{', '0'])}${text.slice(cut + chance(3))}`
  })
}

describe('the fast reader and the thorough one', () => {
  test('read the same from the same bytes, wherever the fast one reads at all', () => {
    const lines = randomLines(20_260_101, lineCount)
    const bytes = Buffer.from(`${lines.join('\n')}\n`)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const [fast, thorough] = [createSpans(fields), createSpans(fields)]
    const layouts = createLineLayouts(fields, fast)

    let matches = 0
    let at = 0
    while (at < bytes.length) {
      const newline = bytes.indexOf(10, at)
      const lineEnd = bytes[newline - 1] === 13 ? newline - 1 : newline
      if (bytes[at] === 0x7b) {
        const members = readMembers(bytes, at, newline, fields, thorough)
        const next = layouts.match(bytes, view, at)
        if (next >= 0) {
          matches++
          const line = bytes.toString('utf8', at, lineEnd)
          if (next !== newline + 1 || !(members.isSettled || members.end === lineEnd))
            throw new Error(`read too far or too little: ${line}`)
          if (contents(fast, bytes).join('|') !== contents(thorough, bytes).join('|'))
            expect(contents(fast, bytes), line).toEqual(contents(thorough, bytes))
        } else if (members.end === lineEnd) layouts.learn(bytes, at, lineEnd, members)
      }
      at = newline + 1
    }
    // It would prove nothing if the fast reader refused.
    expect(matches).toBeGreaterThan(lineCount / 5)
  }, 300_000)

  test('the thorough one reads valid lines as JSON.parse does, but that the first of a name counts', () => {
    const spans = createSpans(fields)
    let compared = 0
    for (const line of randomLines(7, 5_000)) {
      const parsed = parse(line)
      if (parsed === undefined) continue
      const bytes = Buffer.from(line)
      const members = readMembers(bytes, 0, bytes.length, fields, spans)
      expect(members.end, line).toBe(Buffer.byteLength(line.trimEnd()))
      const occurrences = (name: string): number => line.split(`"${name}":`).length - 1
      for (const [name, slots] of fields.byName) {
        const slot = slots[0]!
        const value = parsed[name]
        if (members.isSettled || slot >= fields.roleSlots || occurrences(name) > 1 || line.includes('\\u0061tus'))
          continue
        const isValue = (typeof value === 'string' && value !== '' && value !== '-') || typeof value === 'number'
        const text = sourceOf(spans, slot, bytes).toString('utf8', spans.from[slot], spans.to[slot])
        expect(spans.kind[slot]! >= 2, line).toBe(isValue)
        if (isValue) expect(typeof value === 'number' ? Number(text) : text, line).toBe(value)
        compared++
      }
    }
    expect(compared).toBeGreaterThan(5_000)
  }, 60_000)

  test('how a log is cut into records changes nothing that is read', () => {
    const lines = randomLines(11, 20_000).map(line => line.trimEnd())
    const whole = decodeAll([lines.join('\n')])
    expect(whole.calls.length).toBeGreaterThan(5_000)
    expect(decodeAll(lines)).toEqual(whole)
  }, 60_000)
})

function decodeAll(records: readonly string[]) {
  const options = {
    format: 'auto',
    fields: {},
    hashSecret: 'x',
    maxRecordBytes: 1 << 25,
  } as const
  const decoder = createDecoder(options)
  const batch = createBatch(decoder.keys)
  for (const record of records) decoder.decode(Buffer.from(record), '0', batch)
  const calls = Array.from({ length: batch.length }, (_, row) =>
    [batch.keys.ids[batch.key[row]!], batch.time[row], batch.status[row], batch.latencyMs[row], batch.bytes[row]].join(
      ' ',
    ),
  )
  return { calls, rejected: [...batch.rejected].sort() }
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
