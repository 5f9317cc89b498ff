import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CallBatch, createBatch } from '../call-batch.ts'
import { type FormatName, weirSchema } from '../config/config.ts'
import { ANONYMOUS } from '../vocabulary.ts'
import { createDecoder } from './decoder.ts'

const noon = Date.UTC(2026, 0, 1, 12)
const defaultFields = weirSchema.parse({}).fields

interface Settings {
  readonly format?: FormatName
  readonly fields?: Partial<typeof defaultFields>
  readonly maxRecordBytes?: number
}

function decode(payloads: string | Uint8Array | readonly (string | Uint8Array)[], settings: Settings = {}): CallBatch {
  const decoder = createDecoder({
    format: settings.format ?? 'auto',
    fields: { ...defaultFields, ...settings.fields },
    hashSecret: 'a secret of the test',
    maxRecordBytes: settings.maxRecordBytes ?? 1 << 20,
  })
  const batch = createBatch(decoder.keys)
  for (const payload of [payloads].flat()) decoder.decode(Buffer.from(payload), '7', batch)
  return batch
}

const callsOf = (batch: CallBatch) =>
  Array.from({ length: batch.length }, (_, row) => ({
    key: batch.keys.ids[batch.key[row]!],
    time: batch.time[row],
    status: batch.status[row],
    latencyMs: batch.latencyMs[row],
    bytes: batch.bytes[row],
  }))

const keysOf = (batch: CallBatch) => callsOf(batch).map(call => call.key)
const rejectedOf = (batch: CallBatch) => Object.fromEntries(batch.rejected)

/** A line of the recommended format, as the gateway writes it: every value quoted. */
const line = (fields: Readonly<Record<string, string>> = {}): string =>
  JSON.stringify({
    requestId: '5f1c0b52-7d5e-4f0e-9a35-0d2f6a3e9b11',
    extendedRequestId: 'Zk9cXGbQIAMFlzA=',
    requestTimeEpoch: String(noon),
    apiId: 'a1b2c3d4e5',
    stage: 'prod',
    apiKeyId: 'k1abcd2345',
    principalId: '-',
    sourceIp: '192.0.2.7',
    httpMethod: 'POST',
    resourcePath: '/v1/payments',
    status: '200',
    responseLatency: '45',
    responseLength: '812',
    integrationStatus: '200',
    integrationLatency: '41',
    errorResponseType: '-',
    wafStatus: '-',
    userAgent: 'payflow-java/1.4',
    ...fields,
  })

const call = { key: 'k1abcd2345', time: noon, status: 200, latencyMs: 45, bytes: 812 }

describe('access log', () => {
  test('a line of the recommended format is a call', () => {
    const batch = decode(line())
    expect(callsOf(batch)).toEqual([call])
    expect(rejectedOf(batch)).toEqual({})
  })

  test('fields may stand in any order, bare or quoted, with more and fewer beside them, and with spaces', () => {
    const batch = decode([
      `{"status":200,"responseLength":812,"apiKeyId":"k1abcd2345","responseLatency":45,"requestTimeEpoch":${noon}}`,
      `{ "later" : {"a":[1,"}"]}, "apiKeyId" : "k1abcd2345" , "requestTimeEpoch" : ${noon} }`,
    ])
    expect(callsOf(batch)).toEqual([call, { ...call, status: 0, latencyMs: -1, bytes: -1 }])
  })

  test('a dash, an empty string and null say that there is nothing', () => {
    const batch = decode([
      line({ responseLatency: '-', responseLength: '', status: '-' }),
      `{"apiKeyId":"k1abcd2345","requestTimeEpoch":${noon},"status":null,"responseLatency":-,"responseLength":null}`,
    ])
    expect(callsOf(batch)).toEqual(Array(2).fill({ ...call, status: 0, latencyMs: -1, bytes: -1 }))
  })

  test('of several candidate names the first that has a value is taken', () => {
    const fields = { keyId: ['client', 'apiKeyId'], status: ['code', 'status'] }
    const batch = decode(
      [line({ client: 'c9', code: '503' }), line({ code: '' }), `{"client":"c9",${line().slice(1)}`],
      { fields },
    )
    expect(callsOf(batch)).toEqual([{ ...call, key: 'c9', status: 503 }, call, { ...call, key: 'c9' }])
  })

  test('where the gateway says that there is no key, no other name for it is believed: a client may have written it', () => {
    const batch = decode([
      line({ apiKeyId: '-', userAgent: 'x","keyId":"k1abcd2345' }),
      line({ apiKeyId: '-', keyId: 'k1abcd2345' }),
    ])
    expect(callsOf(batch)).toEqual(Array(2).fill({ ...call, key: 'anonymous' }))
  })

  test('times are read as epoch seconds or milliseconds, ISO 8601 with a zone, or the gateway’s own form', () => {
    const times = [
      `${noon}`,
      `${noon / 1000}`,
      `${noon / 1000}.000`,
      '2026-01-01T12:00:00Z',
      '2026-01-01T13:00:00.000+01:00',
      '01/Jan/2026:12:00:00 +0000',
      '[01/Jan/2026:07:00:00 -0500]',
    ]
    const batch = decode(times.map(time => line({ requestTimeEpoch: time })))
    expect(callsOf(batch).map(({ time }) => time)).toEqual(times.map(() => noon))
  })

  test('a time that is missing or makes no sense costs the call and says which', () => {
    const bad = [
      'yesterday',
      '0',
      '2026-02-30T00:00:00Z',
      '2026-01-01T12:00:00',
      `${noon}000`,
      '-5',
      '32/Jan/2026:00:00:00 +0000',
    ]
    const batch = decode([...bad.map(time => line({ requestTimeEpoch: time })), line({ requestTimeEpoch: '-' })])
    expect(rejectedOf(batch)).toEqual({ 'bad-time': bad.length, 'no-time': 1 })
    expect(batch.length).toBe(0)
  })

  test('a status that is none costs the call', () => {
    const bad = ['ok', '99', '600', '200.5', '-200']
    expect(rejectedOf(decode(bad.map(status => line({ status }))))).toEqual({ 'bad-status': bad.length })
  })

  test('a latency or length that is no number is unmeasured', () => {
    const batch = decode([line({ responseLatency: 'fast', responseLength: '-3' }), line({ responseLatency: '0.5' })])
    expect(callsOf(batch)).toEqual([
      { ...call, latencyMs: -1, bytes: -1 },
      { ...call, latencyMs: 0.5 },
    ])
  })

  test('empty lines, carriage returns, a byte order mark and a last line without its newline do not matter', () => {
    const batch = decode(`\ufeff${line()}\r\n\r\n  \n${line({ status: '503' })}\n${line({ status: '429' })}`)
    expect(callsOf(batch)).toEqual([call, { ...call, status: 503 }, { ...call, status: 429 }])
    expect(rejectedOf(batch)).toEqual({})
  })

  test('objects one after another without a newline are lines', () => {
    const batch = decode([line().repeat(3), `${line()}\n${line()}${line()}\n${line()}`, `${line()}\n`])
    expect(batch.length).toBe(8)
    expect(rejectedOf(batch)).toEqual({})
  })

  test('what a client gets into its user agent cannot take another tenant’s name', () => {
    const forged = line().replace('payflow-java/1.4', 'x","apiKeyId":"victim","status":"500')
    expect(callsOf(decode([forged, `${line()}\n${forged}\n`]))).toEqual([call, call, call])
    // Nor where the line must be read to its end for want of a latency.
    const unsettled = forged.replace('"responseLatency":"45"', '"responseLatency":"-"')
    expect(callsOf(decode([unsettled, `${line()}\n${unsettled}\n`]))).toEqual([
      { ...call, latencyMs: -1 },
      call,
      { ...call, latencyMs: -1 },
    ])
  })
})

describe('keys', () => {
  test('a call without a key counts as anonymous and is noted', () => {
    const without = `{"requestTimeEpoch":${noon},"status":200}`
    const batch = decode([line({ apiKeyId: '-' }), without, `${line()}\n${line({ apiKeyId: '-' })}\n`])
    expect(keysOf(batch)).toEqual([ANONYMOUS, ANONYMOUS, call.key, ANONYMOUS])
    expect(rejectedOf(batch)).toEqual({ 'no-key': 3 })
  })

  test('a raw key becomes a keyed hash, the same each time, and is nowhere else', () => {
    const raw = 'S3cretValueOfAKey'
    const batch = decode([
      line({ apiKeyId: '-', apiKey: raw }),
      line({ apiKeyId: '-', apiKey: raw }),
      `{"apiKey":"${raw}"}`,
    ])
    const [first, second] = keysOf(batch)
    expect(first).toMatch(/^hash:[0-9a-f]{16}$/)
    expect(second).toBe(first)
    expect(JSON.stringify([batch.samples, batch.keys.ids])).not.toContain(raw)
  })

  test('where there is an id, the raw key beside it is not looked at', () => {
    expect(keysOf(decode(line({ apiKey: 'S3cretValueOfAKey' })))).toEqual([call.key])
  })

  test('escaped and plain spellings of an id are one key, and no two ids are', () => {
    const batch = decode([
      line({ apiKeyId: 'clé' }),
      line({ apiKeyId: 'clé' }).replace('é', '\\u00e9'),
      line({ apiKeyId: 'cl\u0000' }),
      line({ apiKeyId: 'x'.repeat(300) }),
      line({ apiKeyId: 'x'.repeat(301) }),
    ])
    const [plain, escaped, control, long, longer] = keysOf(batch)
    expect([plain, escaped]).toEqual(['clé', 'clé'])
    for (const id of [control, long, longer]) expect(id).toMatch(/^hash:[0-9a-f]{16}$/)
    expect(new Set([plain, control, long, longer]).size).toBe(4)
  })

  test('thousands of keys keep their own numbers', () => {
    const ids = Array.from({ length: 5000 }, (_, index) => `key${index}`)
    const text = ids.map(apiKeyId => line({ apiKeyId })).join('\n')
    const batch = decode([text, text], { maxRecordBytes: 1 << 24 })
    expect(keysOf(batch)).toEqual([...ids, ...ids])
    expect(batch.keys.ids.length).toBe(ids.length + 1)
  })
})

describe('envelopes', () => {
  const event = (message: unknown, timestamp = noon) => ({ id: '3884', timestamp, message })
  const envelope = (events: readonly unknown[], messageType = 'DATA_MESSAGE'): string =>
    JSON.stringify({
      messageType,
      owner: '123456789012',
      logGroup: 'g',
      logStream: 's',
      subscriptionFilters: ['f'],
      logEvents: events,
    })

  test('every message is a line, gzip or not, one envelope or several, in a known format', () => {
    const pane = JSON.stringify({ key: 'k1', start: noon, seconds: 1, calls: 3 })
    const text = envelope([event(line()), event(`${line({ status: '503' })}\n`), event(pane)])
    const events = JSON.parse(text) as object
    for (const format of ['auto', 'cloudwatch-logs'] as const) {
      const payloads = [text, gzipSync(text), text + text, `${text}\n${text}\n`, JSON.stringify(events, null, 2)]
      for (const [payload, copies] of payloads.map(
        (payload, index) => [payload, index === 2 || index === 3 ? 2 : 1] as const,
      )) {
        const batch = decode(payload, { format })
        expect(callsOf(batch)).toEqual(
          Array(copies)
            .fill([call, { ...call, status: 503 }])
            .flat(),
        )
        expect(batch.panes.length).toBe(copies)
        expect(rejectedOf(batch)).toEqual({})
      }
    }
  })

  test('a message without a time happened when its event did; one with a bad time did not', () => {
    const batch = decode(
      envelope([event('{"apiKeyId":"k","status":200}', noon + 5), event(line({ requestTimeEpoch: 'x' }))]),
    )
    expect(callsOf(batch)).toEqual([{ key: 'k', time: noon + 5, status: 200, latencyMs: -1, bytes: -1 }])
    expect(rejectedOf(batch)).toEqual({ 'bad-time': 1 })
  })

  test('a control message is a sign of life', () => {
    const batch = decode(
      envelope([event('CWL CONTROL MESSAGE: Checking health of destination Kinesis stream.')], 'CONTROL_MESSAGE'),
    )
    expect([batch.controlMessages, batch.length, rejectedOf(batch)]).toEqual([1, 0, {}])
  })

  test('bad messages cost themselves and say where they stood', () => {
    const batch = decode(envelope([event(line()), event('nothing'), event(7), event(line())]))
    expect(batch.length).toBe(2)
    expect(batch.samples.map(({ reason, position }) => [reason, position])).toEqual([
      ['unknown-format', '7#0.1'],
      ['bad-envelope', '7#0'],
    ])
  })

  test('of an envelope that is cut off the whole events count', () => {
    const text = envelope([event(line()), event(line()), event(line())])
    const batch = decode(`${text.slice(0, -200)}\n${text}\n`)
    expect(batch.length).toBe(5)
    expect(rejectedOf(batch)).toEqual({ 'bad-envelope': 1 })
  })

  test('what is no envelope where envelopes were asked for is a bad one', () => {
    expect(rejectedOf(decode([line(), '{"messageType":"OTHER"}'], { format: 'cloudwatch-logs' }))).toEqual({
      'bad-envelope': 2,
    })
  })
})

describe('bad input', () => {
  test.each([
    ['{"apiKeyId":"k1', 'broken-json'],
    ['{"apiKeyId":"k1","status":"200" "x"', 'broken-json'],
    ['{', 'broken-json'],
    ['[1,2]', 'not-an-object'],
    ['"text"', 'not-an-object'],
    ['12', 'not-an-object'],
    ['192.0.2.7 - - [01/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5', 'unknown-format'],
    ['{"foo":1}', 'unknown-format'],
    ['{}', 'unknown-format'],
    ['{"messageType":"hello","apiKeyId":"k"}', 'no-time'],
  ])('%s is refused as %s, and the good lines around it count', (bad, reason) => {
    const batch = decode(`${line()}\n${bad}\n${line()}\n`)
    expect(batch.length).toBe(2)
    expect(rejectedOf(batch)).toEqual({ [reason]: 1 })
    expect(batch.samples[0]).toMatchObject({ position: `7#${line().length + 1}`, length: bad.length })
  })

  test('a line that is asked for as an access log and holds none of its fields lacks its time', () => {
    expect(rejectedOf(decode('{"foo":1}', { format: 'access-log' }))).toEqual({ 'no-time': 1 })
  })

  test('a quote too many in the last field costs nothing', () => {
    const broken = line({ responseLatency: '-' }).replace('payflow-java/1.4', 'Mozilla "quoted" 5.0')
    const batch = decode(`${broken}\n${line()}\n${broken}\n`)
    expect(callsOf(batch)).toEqual([{ ...call, latencyMs: -1 }, call, { ...call, latencyMs: -1 }])
    expect(rejectedOf(batch)).toEqual({})
  })

  test('a truncated gzip gives the lines before the break and is noted once', () => {
    const lines = Array.from({ length: 400 }, (_, index) =>
      line({ requestId: `${(index * 7919) % 1009}-${index * 31}` }),
    )
    const zipped = gzipSync(`${lines.join('\n')}\n`)
    const batch = decode(zipped.subarray(0, zipped.length >> 1))
    expect(batch.length).toBeGreaterThan(100)
    expect(batch.length).toBeLessThan(300)
    expect(rejectedOf(batch)).toEqual({ 'bad-gzip': 1 })
  })

  test('a gzip that is damaged in the middle gives what came before, one with a wrong checksum everything', () => {
    const lines = Array.from({ length: 400 }, (_, index) =>
      line({ requestId: `${(index * 7919) % 1009}-${index * 31}` }),
    )
    const zipped = gzipSync(`${lines.join('\n')}\n`)
    const damaged = Buffer.from(zipped)
    damaged.fill(0xff, zipped.length >> 1, (zipped.length >> 1) + 40)
    const batch = decode(damaged)
    expect(batch.length).toBeGreaterThan(100)
    expect(batch.rejected.get('bad-gzip')).toBe(1)

    const mistaken = Buffer.from(zipped)
    mistaken[zipped.length - 6]! ^= 1
    const all = decode(mistaken)
    expect([all.length, rejectedOf(all)]).toEqual([400, { 'bad-gzip': 1 }])
  })

  test('members of a gzip are one text', () => {
    const [begin, end] = [line().slice(0, 100), line().slice(100)]
    expect(decode(Buffer.concat([gzipSync(begin), gzipSync(`${end}\n`), gzipSync(line())])).length).toBe(2)
  })

  test('a record over the limit is refused, as it came or inflated, and no bomb goes off', () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20, 'x'))
    const batch = decode([`${line()}\n`.repeat(3), bomb, gzipSync(`${line()}\n`.repeat(3)), line()], {
      maxRecordBytes: 1000,
    })
    expect(batch.length).toBe(1)
    expect(rejectedOf(batch)).toEqual({ 'too-large': 3 })
  })

  test('a field’s name may stay in an excerpt, a value never does', () => {
    const secrets = {
      apiKeyId: 'kqvzABCD',
      apiKey: 'Wxyz-9317',
      sourceIp: '203.0.113.9',
      userAgent: 'Überfox 7 "status"',
      status: 'apiKey',
    }
    const whole = line({ ...secrets, requestTimeEpoch: 'bad' })
    const batch = decode([
      whole,
      JSON.stringify(secrets),
      `${JSON.stringify(secrets).slice(0, -1)},,`,
      `kqvzABCD Wxyz-9317`,
    ])
    expect(batch.samples.length).toBe(4)
    for (const { excerpt } of batch.samples) {
      expect(excerpt.length).toBeLessThanOrEqual(160)
      for (const value of ['kqvz', 'ABCD', 'Wxyz', '9317', '203', 'ber', 'fox', '"apiKey","', 'payflow', 'v1'])
        expect(excerpt).not.toContain(value)
    }
    expect(batch.samples[1]?.excerpt).toBe(
      '{"apiKeyId":"xxxxxxxx","apiKey":"xxxx-9999","sourceIp":"999.9.999.9","userAgent":"xxxxxxx 9 \\"xxxxxx\\"","status":"xxxxxx"}',
    )
  })
})

describe('whatever comes', () => {
  const good = line({ apiKeyId: 'good' })
  const seeds = [
    line(),
    JSON.stringify({ key: 'k1', start: noon, seconds: 1, calls: 3 }),
    `{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":1,"message":"{}"}]}`,
  ]

  test('bytes of any kind are counted or refused, never thrown', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.constantFrom('auto', 'access-log', 'cloudwatch-logs', 'panes'),
        (bytes, format) => {
          decode([bytes, gzipSync(bytes), Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), bytes])], {
            format: format as FormatName,
          })
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a line that is mutated anyhow leaves the good lines around it alone', () => {
    const mutation = fc.record({
      at: fc.nat(2000),
      cut: fc.nat(30),
      insert: fc.constantFrom(
        '',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '-',
        '\u0000',
        '\r',
        '\\u12',
        '9',
        'é',
        '}{',
      ),
    })
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 4 }), (seed, mutations) => {
        const bad = mutations.reduce((text, { at, cut, insert }) => {
          const place = at % text.length || 1
          return `${text.slice(0, place)}${insert}${text.slice(place + cut)}` || ' '
        }, seed)
        const batch = decode(`${good}\n${bad}\n${good}\n${bad}\n${good}`)
        expect(keysOf(batch).filter(key => key === 'good').length).toBe(3)
      }),
      { numRuns: 500 },
    )
  })
})
