/**
 * The fast reader against the thorough one: whatever stands on a line, both read the same of it, wherever the log was cut.
 * `npm run fuzz:decode` does the same with a million lines of another seed.
 */
import { expect, test } from 'vitest'
import { createRandom } from '../../simulation/random.ts'
import { type CallBatch, createBatch, wantPlaces } from '../call-batch.ts'
import { usualNames } from './field-names.ts'
import { createFieldSlots, createSpans, sourceOf } from './field-slots.ts'
import { readMembers } from './json-members.ts'
import { createKeyNames } from './key-names.ts'
import { createLineLayouts, type LineLayouts } from './line-layouts.ts'
import { createLineReader } from './lines.ts'
import { createPlaces } from './places.ts'
import { randomLines } from './testing-lines.ts'

const lineCount = Number(process.env.WEIR_FUZZ_LINES ?? 20_000)
const seed = Number(process.env.WEIR_FUZZ_SEED ?? 20_260_101)
const lookedFor = { calls: true, panes: true, envelopes: true }
/** Some of the names lead into objects. */
const fields = createFieldSlots(
  {
    ...usualNames,
    keyId: ['auth.key_id', ...usualNames.keyId],
    time: [...usualNames.time, 'times.started'],
    status: [...usualNames.status, 'response.status', 'response.of.status'],
    latency: ['latencies.request', ...usualNames.latency],
    bytes: [...usualNames.bytes, 'response.size'],
    route: ['request.uri', ...usualNames.route],
    source: [...usualNames.source, 'request.from'],
  },
  lookedFor,
)
/** So many lines are compared at a time, so that a difference names its neighbours. */
const stretch = 500

/** Reads nothing, so that all is left to the thorough reader. */
const never: LineLayouts = { read: () => -1, wasKeyless: () => false, learn() {} }

/** `hits` counts the lines that the fast reader took. */
function createReading({ isFast }: { readonly isFast: boolean }) {
  const names = createKeyNames('a secret of the test')
  const places = createPlaces('a secret of the test')
  const fast = createLineLayouts(fields, names, { places })
  const reading = { hits: 0, read }
  const counting: LineLayouts = {
    ...fast,
    read(lines, at, batch, eventTime) {
      const next = fast.read(lines, at, batch, eventTime)
      if (next >= 0) reading.hits++
      return next
    },
  }
  const reader = createLineReader(
    { fields, names, places, known: new Set(), messages: undefined },
    isFast ? counting : never,
  )
  const batch = createBatch(names.table)
  wantPlaces(batch)
  /** What was read of one log in so many records; positions are offsets in the log. */
  function read(records: readonly Buffer[]) {
    const all: string[] = []
    let before = 0
    for (const record of records) {
      Object.assign(batch, createBatch(names.table, batch.key.length))
      wantPlaces(batch)
      reader.read(record, {
        batch,
        place: offset => String(before + offset),
        eventTime: 1_767_225_600_000,
        isCut: false,
      })
      all.push(...callsOf(batch), ...batch.panes.map(row => JSON.stringify({ ...row, key: batch.keys.ids[row.key] })))
      all.push(...[...batch.rejected].sort().map(String), ...batch.samples.map(sample => JSON.stringify(sample)))
      before += record.length
    }
    return all
  }
  return reading
}

const callsOf = ({ keys, key, time, status, latencyMs, bytes, route, source, length }: CallBatch): readonly string[] =>
  Array.from({ length }, (_, row) =>
    [keys.ids[key[row]!], time[row], status[row], latencyMs[row], bytes[row], route[row], source[row]].join(' '),
  )

test('the fast reader and the thorough one read the same calls, rows and refusals from the same bytes', () => {
  const fast = createReading({ isFast: true })
  const thorough = createReading({ isFast: false })
  const lines = randomLines(seed, lineCount)
  for (let from = 0; from < lines.length; from += stretch) {
    const record = Buffer.from(`${lines.slice(from, from + stretch).join('\n')}\n`)
    const [one, other] = [fast.read([record]), thorough.read([record])]
    if (one.join() !== other.join()) expect(one, `lines from ${from}`).toEqual(other)
  }
  // It would prove nothing if the fast reader refused.
  expect(fast.hits).toBeGreaterThan(lineCount / 3)
}, 600_000)

test('how a log is cut into records changes nothing that is counted', () => {
  const whole = createReading({ isFast: true })
  const cut = createReading({ isFast: true })
  const chance = createRandom(seed).integer
  const counted = (all: readonly string[]): readonly string[] =>
    all.filter(each => !/^[a-z-]+,\d+$|"excerpt"/.test(each))
  let compared = 0
  const lines = randomLines(seed + 1, lineCount / 2)
  for (let from = 0; from < lines.length; from += stretch) {
    const log = lines.slice(from, from + stretch).map(line => `${line}\n`)
    const records: Buffer[] = []
    for (let at = 0; at < log.length; ) {
      const length = 1 + chance(chance(20) === 0 ? 100 : 3)
      const text = log.slice(at, at + length).join('')
      // A stream's record lacks its last newline more often than not.
      records.push(Buffer.from(chance(3) === 0 ? text : text.slice(0, -1)))
      at += length
    }
    const [one, other] = [counted(whole.read([Buffer.from(log.join(''))])), counted(cut.read(records))]
    expect(other.toSorted(), `lines from ${from}`).toEqual(one.toSorted())
    compared += one.length
  }
  expect(compared).toBeGreaterThan(lineCount / 5)
}, 600_000)

test('the thorough one reads valid lines as JSON.parse does, but that the first of a name counts', () => {
  const flat = createFieldSlots(usualNames, lookedFor)
  const spans = createSpans(flat)
  let compared = 0
  for (const line of randomLines(7, 5_000)) {
    const parsed = parse(line)
    if (parsed === undefined) continue
    const bytes = Buffer.from(line)
    const members = readMembers(bytes, 0, bytes.length, flat, spans)
    expect(members.end, line).toBe(Buffer.byteLength(line.trimEnd()))
    const occurrences = (name: string): number => line.split(`"${name}":`).length - 1
    for (const [name, slots] of flat.byName) {
      const slot = slots[0]!
      const value = parsed[name]
      if (
        (members.isSettled && slot < flat.placeSlots) ||
        slot >= flat.roleSlots ||
        occurrences(name) > 1 ||
        line.includes('\\u0061tus')
      )
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

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
