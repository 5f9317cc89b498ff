import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FieldSettings } from './field-names.ts'
import { callsOf, decode as decodeAs, keysOf, rejectedOf } from './testing-decode.ts'

const noon = Date.UTC(2026, 0, 1, 12)
const at = '01/Jan/2026:12:00:00 +0000'
const decode = (lines: string | readonly string[], fields: FieldSettings = {}) =>
  decodeAs([lines].flat().join('\n'), { format: 'clf', fields })

const call = { key: 'k1', time: noon, status: 200, latencyMs: -1, bytes: 812 }
const common = (user: string, more = '', status = '200') =>
  `192.0.2.7 - ${user} [${at}] "POST /v1/payments HTTP/1.1" ${status} 812${more}`

describe('a line of the Common Log Format', () => {
  test('is a call of whom authuser names, Common or Combined, as Apache, nginx and the gateway’s preset write it', () => {
    const batch = decode([
      common('k1'),
      common('k1', ' "https://example.com/" "payflow-java/1.4"'),
      common('k1', ' 5f1c0b52-7d5e-4f0e-9a35-0d2f6a3e9b11 Zk9cXGbQIAMFlzA='),
      `2001:db8::7 - k1 [01/Jan/2026:07:00:00 -0500] "GET / HTTP/2.0" 200 812`,
    ])
    expect(callsOf(batch)).toEqual(Array(4).fill(call))
    expect(rejectedOf(batch)).toEqual({})
  })

  test('without a user is nobody’s, and a dash for the length says that there was none', () => {
    const batch = decode(`192.0.2.7 - - [${at}] "GET / HTTP/1.1" 304 -`)
    expect(callsOf(batch)).toEqual([{ ...call, key: 'anonymous', status: 304, bytes: -1 }])
    expect(rejectedOf(batch)).toEqual({ 'no-key': 1 })
    // A virtual host before the host moves the first fields, and none of those that come after.
    const virtual = decode(`example.com ${common('-', ' key=k1')}`, { keyId: ['key', 'authuser'] })
    expect(callsOf(virtual)).toEqual([call])
    expect(keysOf(decode(`example.com ${common('-')}`))).toEqual(['anonymous'])
  })

  test('carries the key id, and how long it took, where the settings say: by number or by name', () => {
    const combined = common('bob', ' "-" "curl/8.5.0"')
    const latency = { ...call, latencyMs: 45 }
    expect(callsOf(decode(`${combined} "k1" 0.045`, { keyId: ['10'], latencySeconds: ['11'] }))).toEqual([latency])
    expect(callsOf(decode(`${combined} 45000 k1`, { keyId: ['11'], latencyMicros: ['10'] }))).toEqual([latency])
    const named = { keyId: ['key'], latencySeconds: ['rt'] }
    expect(callsOf(decode(`${combined} rt=0.045 uct="0.001" key="k1"`, named))).toEqual([latency])
    expect(callsOf(decode(common('bob', ' rt=0.045 key=k1'), named))).toEqual([latency])
    expect(keysOf(decode(common('bob'), { keyId: ['host'] }))).toEqual(['192.0.2.7'])
  })

  test('gives a raw key up as a hash only', () => {
    const line = common('-', ' "-" "curl" - key=S3cretValueOfAKey')
    const batch = decode([line, line], { keyId: ['10'], apiKey: ['key'] })
    expect(keysOf(batch)[0]).toMatch(/^hash:[0-9a-f]{16}$/)
    expect(new Set(keysOf(batch)).size).toBe(1)
    expect(JSON.stringify([batch.keys.ids, batch.samples])).not.toContain('S3cret')
  })

  test('escapes as Apache and nginx write them are undone', () => {
    const keys = ['"a\\"b"', '"a\\x22b"', '"a\\\\b"', '"a\\tb"']
    expect(
      keysOf(
        decode(
          keys.map(key => common('-', ` key=${key}`)),
          { keyId: ['key'] },
        ),
      ),
    ).toEqual(['a"b', 'a"b', 'a\\b', 'a\\tb'])
  })

  test('messages of an envelope are such lines too', () => {
    const logEvents = [{ id: '1', timestamp: noon, message: common('k1') }]
    const envelope = JSON.stringify({ messageType: 'DATA_MESSAGE', logGroup: 'g', logStream: 's', logEvents })
    expect(callsOf(decode(envelope))).toEqual([call])
  })
})

describe('what a client writes', () => {
  test('into its user’s name moves nothing: whoever else it names, it is not taken for them', () => {
    const names = [
      'x victim',
      'victim [01/Jan/2026:00:00:00 +0000]',
      'victim [01/Jan/2026:00:00:00 +0000] \\"GET / HTTP/1.1\\" 500 5',
      'victim [01/Jan/2026:00:00:00 +0000] \\x22GET / HTTP/1.1\\x22 500 5',
    ]
    const batch = decode(names.map(name => common(name)))
    expect(callsOf(batch)).toEqual(names.map(name => ({ ...call, key: name })))
  })

  test('into its request, referer or agent moves nothing either, escaped or not', () => {
    const fields = { keyId: ['8'] }
    const line = (request: string, agent: string) =>
      `192.0.2.7 - - [${at}] "${request}" 200 812 k1 "-" "${agent}" key=k1`
    const batch = decode(
      [
        line('GET /\\x22 500 5 victim HTTP/1.1', 'x'),
        line('GET /\\" 500 5 victim \\"', 'x'),
        line('GET /] \\"GET / HTTP/1.1', 'x" victim "8'),
      ],
      fields,
    )
    expect(callsOf(batch)).toEqual(Array(3).fill(call))
    // Where nothing is escaped, what stands behind a quote out of place is not read, the real key id neither.
    expect(keysOf(decode(line('GET / HTTP/1.1', 'x"key=victim "y'), { keyId: ['key'] }))).toEqual(['anonymous'])
    expect(keysOf(decode(line('GET / HTTP/1.1', 'x\\" key=victim \\"y'), { keyId: ['key'] }))).toEqual(['k1'])
  })

  test('reaches nginx’s log escaped: its own lines belong to who made the requests', () => {
    const lines = [
      String.raw`127.0.0.1 - key_two [01/Jan/2026 [23/Nov/2026:19:29:18 +0000] "GET /a%22%20500%205 HTTP/1.1" 200 3 rt=0.000 key=key_one "x\x22 key=key_two \x22"`,
      String.raw`127.0.0.1 -  [23/Nov/2026:19:29:18 +0000] "GARBAGE \x22 \x5C ] \x22" 400 157 rt=0.018 key= "-"`,
    ]
    const batch = decode(lines, { keyId: ['key', 'authuser'], latencySeconds: ['rt'] })
    const call = { key: 'key_one', time: Date.UTC(2026, 10, 23, 19, 29, 18), status: 200, latencyMs: 0, bytes: 3 }
    expect(callsOf(batch)).toEqual([call, { ...call, key: 'anonymous', status: 400, latencyMs: 18, bytes: 157 }])
  })

  test('as a user that was not let in is nobody’s', () => {
    expect(keysOf(decode([common('victim', '', '401'), common('k1', '', '403')]))).toEqual(['anonymous', 'k1'])
  })
})

describe('what is no such line', () => {
  test.each([
    '{"apiKeyId":"k1","requestTimeEpoch":1767268800000,"status":200}',
    'nothing of the kind',
    '[error] 12#12: *17 user "foo" was not found, client: 127.0.0.1',
    'host - k1 [01/Jan/2026:12:00:00 +0000]',
    'k1 [01/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5',
    ' "',
  ])('costs itself: %s', line => {
    const batch = decode([common('k1'), line, common('k1')])
    expect(keysOf(batch)).toEqual(['k1', 'k1'])
    expect(Object.values(rejectedOf(batch))).toEqual([1])
  })

  test('a bad time or status is told, and no value is in an excerpt', () => {
    const batch = decode([
      'host - S3cretKey [yesterday] "GET / HTTP/1.1" 200 5',
      `host - S3cretKey [${at}] "GET / HTTP/1.1" ok 5`,
      'S3cretKey',
    ])
    expect(rejectedOf(batch)).toEqual({ 'bad-time': 1, 'bad-status': 1, 'unknown-format': 1 })
    expect(batch.samples[0]?.excerpt).toBe('xxxx - x9xxxxxxx [xxxxxxxxx] "xxx / xxxx/9.9" 999 9')
    expect(JSON.stringify(batch.samples)).not.toContain('S3cret')
  })

  test('is not told of the line in which a damaged record breaks off', () => {
    const packed = gzipSync(Array.from({ length: 300 }, (_, index) => common(`k${(index * 7919) % 1009}`)).join('\n'))
    const batch = decodeAs(packed.subarray(0, packed.length >> 1), { format: 'clf' })
    expect(batch.length).toBeGreaterThan(50)
    expect(rejectedOf(batch)).toEqual({ 'bad-gzip': 1 })
  })

  test('whatever is done to a line, those around it are read', () => {
    const insert = fc.constantFrom(
      '',
      '"',
      '\\',
      '[',
      ']',
      '] "',
      ' ',
      '=',
      '-',
      '\u0000',
      '\r',
      '{',
      '\\x2',
      'é',
      '401',
    )
    const mutation = fc.record({ at: fc.nat(200), cut: fc.nat(30), insert })
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), mutations => {
        const bad = mutations.reduce(
          (text, { at, cut, insert }) => {
            const place = at % text.length || 1
            return `${text.slice(0, place)}${insert}${text.slice(place + cut)}` || ' '
          },
          common('bob', ' "-" "agent" key="x\\"y" rt=0.1'),
        )
        const good = keysOf(decode([common('good'), bad, common('good')], { keyId: ['key', 'authuser'] }))
        expect(good.filter(key => key === 'good').length).toBe(2)
      }),
      { numRuns: 2000 },
    )
  })
})
