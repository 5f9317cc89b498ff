/** Envelopes that are walked and envelopes that are parsed: the same events are read of both, however broken they are. */
import { expect, test } from 'vitest'
import { createRandom } from '../../simulation/random.ts'
import { createBatch } from '../call-batch.ts'
import { weirSchema } from '../config/config.ts'
import { createDecoder } from './decoder.ts'
import { walkEnvelope } from './envelope-events.ts'
import { randomLines } from './testing-lines.ts'

const lineCount = Number(process.env.WEIR_FUZZ_LINES ?? 10_000)
const seed = Number(process.env.WEIR_FUZZ_SEED ?? 20_260_102)

function createReading() {
  const { fields } = weirSchema.parse({})
  const decoder = createDecoder({
    format: 'auto',
    fields,
    hashSecret: 'a secret of the test',
    maxRecordBytes: 1 << 25,
    reads: { route: true, source: true },
  })
  return (record: string): readonly string[] => {
    const batch = createBatch(decoder.keys)
    decoder.decode(Buffer.from(record), '7', batch)
    const { key, time, status, latencyMs, bytes, route, source, keys, panes, rejected, samples, controlMessages } =
      batch
    return [
      ...Array.from({ length: batch.length }, (_, row) =>
        [keys.ids[key[row]!], time[row], status[row], latencyMs[row], bytes[row], route[row], source[row]].join(' '),
      ),
      ...panes.map(row => JSON.stringify({ ...row, key: keys.ids[row.key] })),
      ...[...rejected].sort().map(String),
      // Of a refused message the whole; of an envelope, which was spelled otherwise, not its length and where it stood.
      ...samples.map(sample => (/\.\d+$/.test(sample.position) ? JSON.stringify(sample) : sample.reason)),
      `${controlMessages} control messages`,
    ]
  }
}

const envelopeOf = (messages: readonly unknown[], first: number, messageType = 'DATA_MESSAGE'): string =>
  JSON.stringify({
    messageType,
    owner: '123456789012',
    logGroup: 'API-Gateway-Access-Logs_a1b2c3/prod',
    logStream: '"quoted"',
    subscriptionFilters: ['weir', 'é'],
    logEvents: messages.map((message, index) => ({
      id: `3${first + index}`,
      timestamp: 1_767_225_600_000 + index,
      message,
    })),
  })
/** The same to a parser, and not what CloudWatch writes. */
const respelled = (envelope: string): string => envelope.replace('{"messageType"', '{ "messageType"')

test('an envelope says the same walked as parsed, whatever its messages are and wherever it breaks', () => {
  const [walked, parsed] = [createReading(), createReading()]
  const chance = createRandom(seed).integer
  const lines = randomLines(seed, lineCount)
  const breaks = ['', '"', '\\', '}', ']', ',', '\u0001', '{"id":"1"},', '\\u12', '"extra":1,', '}{']
  for (let from = 0; from < lines.length; from += 20) {
    const messages: unknown[] = lines.slice(from, from + 20)
    if (chance(10) === 0) messages[chance(messages.length)] = [7, null, 'two\nlines', `${lines[from]}\n`, ''][chance(5)]
    let envelope = envelopeOf(messages, from, chance(30) === 0 ? 'CONTROL_MESSAGE' : 'DATA_MESSAGE')
    if (chance(5) === 0) {
      const at = 40 + chance(envelope.length - 40)
      envelope = `${envelope.slice(0, at)}${breaks[chance(breaks.length)]}${envelope.slice(at + chance(2))}`
    }
    if (chance(10) === 0) envelope = envelope.slice(0, 40 + chance(envelope.length - 40))
    const [one, other] = [walked(envelope), parsed(respelled(envelope))]
    if (one.join() !== other.join()) expect(one, envelope).toEqual(other)
  }
}, 600_000)

test('envelopes one after another, on lines or not, are walked one by one', () => {
  const lines = randomLines(seed, 40).filter(line => !line.includes('\\'))
  const envelopes = [lines.slice(0, 10), lines.slice(10, 20), []].map((messages, index) => envelopeOf(messages, index))
  const parsed = createReading()(envelopes.map(respelled).join('\n'))
  const calls = (all: readonly string[]) => all.filter(each => /^\S+ \d+ \d+/.test(each))
  expect(calls(parsed).length).toBeGreaterThan(5)
  for (const joint of ['', '\n', '\r\n', ' \n'])
    expect(calls(createReading()(envelopes.join(joint)))).toEqual(calls(parsed))
})

test('what CloudWatch writes is walked to its end, each message once and with its time', () => {
  const envelope = Buffer.from(`${envelopeOf(['a "b"', ''], 5)}\n`)
  const seen: unknown[] = []
  const end = walkEnvelope(envelope, 0, envelope.length, (at, timestamp, index) => {
    let to = at
    while (envelope[to] !== 0x22 || envelope[to - 1] === 0x5c) to++
    seen.push([envelope.toString('utf8', at, to), timestamp, index])
    return to
  })
  expect(end).toBe(envelope.length - 1)
  expect(seen).toEqual([
    ['a \\"b\\"', 1_767_225_600_000, 0],
    ['', 1_767_225_600_001, 1],
  ])
})
