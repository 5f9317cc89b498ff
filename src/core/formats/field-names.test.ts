import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fieldNamesOf, usualNames } from './field-names.ts'
import { callsOf, decode, keysOf, rejectedOf } from './testing-decode.ts'

const noon = Date.UTC(2026, 0, 1, 12)
const rawKey = 'S3cretValueOfAKey'

/** An entry of Kong's log plugins, as kong.log.serialize makes it. */
const kong = (more: Readonly<Record<string, unknown>> = {}) => ({
  request: {
    uri: '/v1/payments?status=500',
    url: 'https://api.example.com:8443/v1/payments',
    querystring: { status: '500', started_at: '1' },
    method: 'POST',
    headers: { host: 'api.example.com', apikey: rawKey, 'user-agent': 'x","response":{"status":500}', id: 'victim' },
    size: 412,
    tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', client_verify: 'NONE' },
  },
  upstream_uri: '/v1/payments',
  response: {
    headers: { 'content-type': 'application/json', 'x-kong-upstream-latency': '41' },
    status: 201,
    size: 812,
  },
  tries: [{ balancer_latency: 0, port: 8080, balancer_start: noon + 2, ip: '192.0.2.20' }],
  latencies: { request: 45, kong: 4, proxy: 41 },
  authenticated_entity: { id: 'c1d4a4e8-credential', consumer_id: 'a9-consumer' },
  route: { id: 'r-1', paths: ['/v1'], service: { id: 's-1' }, created_at: 1521555129 },
  service: { id: 's-1', host: 'payments.internal', protocol: 'http' },
  consumer: { id: 'a9-consumer', username: 'client-a', created_at: 1521555129 },
  client_ip: '192.0.2.7',
  started_at: noon,
  ...more,
})
const kongCall = { key: 'c1d4a4e8-credential', time: noon, status: 201, latencyMs: 45, bytes: 812 }

describe('Kong', () => {
  test('an entry is a call of the credential, alone, one a line, or a batch in an array', () => {
    const entry = JSON.stringify(kong())
    const batch = decode([entry, `${entry}\n${entry}\n`, JSON.stringify([kong(), kong()])], { format: 'kong' })
    expect(callsOf(batch)).toEqual(Array(5).fill(kongCall))
    expect(rejectedOf(batch)).toEqual({})
  })

  test('without a credential it is the consumer’s, without a consumer nobody’s', () => {
    const batch = decode(
      [kong({ authenticated_entity: undefined }), kong({ authenticated_entity: undefined, consumer: undefined })].map(
        entry => JSON.stringify(entry),
      ),
      { format: 'kong' },
    )
    expect(keysOf(batch)).toEqual(['a9-consumer', 'anonymous'])
    expect(rejectedOf(batch)).toEqual({ 'no-key': 1 })
  })

  test('the raw key among the headers is in no table and no excerpt, and no header is taken for a field', () => {
    const bad = kong({ started_at: 'never', authenticated_entity: undefined, consumer: undefined })
    const batch = decode([JSON.stringify(bad), JSON.stringify([bad]), JSON.stringify(bad).slice(0, 700)], {
      format: 'kong',
    })
    expect(rejectedOf(batch)).toEqual({ 'bad-time': 2, 'broken-json': 1 })
    expect(JSON.stringify([batch.samples, batch.keys.ids])).not.toContain('S3cret')
  })
})

describe('Envoy', () => {
  test('an entry of the documented format is a call; null and the status 0 say that there was nothing', () => {
    const line = (more: object) =>
      `${JSON.stringify({ start_time: '2026-01-01T12:00:00.123Z', key_id: 'k1', response_code: 200, duration: 45, bytes_sent: 812, ...more })}\n`
    const batch = decode(line({}) + line({ response_code: 0, response_flags: 'DC' }) + line({ key_id: null }), {
      format: 'envoy',
    })
    const call = { key: 'k1', time: noon + 123, status: 200, latencyMs: 45, bytes: 812 }
    expect(callsOf(batch)).toEqual([call, { ...call, status: 0 }, { ...call, key: 'anonymous' }])
  })
})

describe('nginx', () => {
  test('lines that nginx 1.22.1 wrote of requests meant to confuse it belong to who made them', () => {
    const lines = [
      String.raw`{"msec":"1795462158.460","key_id":"key_one","status":"200","request_time":"0.000","bytes_sent":"150","method":"GET","uri":"/forge","agent":"x\",\"key_id\":\"key_two\",\"status\":\"500"}`,
      String.raw`{"msec":"1795462158.519","key_id":"key_one","status":"200","request_time":"0.000","bytes_sent":"150","method":"GET","uri":"/a\" 500 5","agent":"x\" key=key_two \""}`,
      '{"msec":"1795462158.641","key_id":"","status":"400","request_time":"0.018","bytes_sent":"309","method":"","uri":"","agent":""}',
    ]
    const call = { key: 'key_one', time: 1795462158460, status: 200, latencyMs: 0, bytes: 150 }
    expect(callsOf(decode(lines.join('\n'), { format: 'nginx' }))).toEqual([
      call,
      { ...call, time: 1795462158519 },
      { key: 'anonymous', time: 1795462158641, status: 400, latencyMs: 18, bytes: 309 },
    ])
  })

  test('seconds with their fraction become milliseconds, quoted or bare', () => {
    const batch = decode(
      [
        '{"msec":"1767268800.123","key_id":"k1","status":"200","request_time":"0.045","bytes_sent":"812"}',
        '{"time_iso8601":"2026-01-01T12:00:00+00:00","key_id":"k1","status":200,"request_time":1.001,"body_bytes_sent":812}',
        '{"msec":"1767268800.000","key_id":"","status":"000","request_time":"","bytes_sent":"0"}',
      ],
      { format: 'nginx' },
    )
    const call = { key: 'k1', time: noon + 123, status: 200, latencyMs: 45, bytes: 812 }
    expect(callsOf(batch)).toEqual([
      call,
      { ...call, time: noon, latencyMs: 1001 },
      { key: 'anonymous', time: noon, status: 0, latencyMs: -1, bytes: 0 },
    ])
  })
})

describe('APISIX', () => {
  const entry = {
    upstream: '127.0.0.1:1980',
    start_time: noon,
    client_ip: '192.0.2.7',
    service_id: '',
    route_id: '1',
    request: { querystring: {}, size: 90, uri: '/hello', headers: { apikey: rawKey, status: '500' }, method: 'GET' },
    response: { headers: { status: '999' }, size: 118, status: 200 },
    server: { hostname: 'localhost', version: '3.9.0' },
    consumer: { username: 'jack' },
    latency: 102.9999,
    apisix_latency: 100.9,
    upstream_latency: 2,
  }
  const call = { key: 'jack', time: noon, status: 200, latencyMs: 102.9999, bytes: 118 }

  test('default entries are calls, in an array, one a line or one after another', () => {
    const text = JSON.stringify(entry)
    const batch = decode([JSON.stringify([entry, entry]), `${text}\n${text}`, text + text], { format: 'apisix' })
    expect(callsOf(batch)).toEqual(Array(6).fill(call))
    expect(rejectedOf(batch)).toEqual({})
  })

  test('a log format of variables is read by their names, its times in seconds', () => {
    const line = `{"msec":"1767268800.000","consumer_name":"jack","status":"200","request_time":"0.103","bytes_sent":"118"}`
    expect(callsOf(decode(line, { format: 'apisix', fields: { latencySeconds: ['request_time'] } }))).toEqual([
      { ...call, latencyMs: 103 },
    ])
  })
})

describe('names of the user’s own', () => {
  test('dots lead into objects, and a name that holds dots is found as it stands', () => {
    const fields = { keyId: ['client.key.id'], status: ['http.response.status'], time: ['@timestamp'] }
    const batch = decode(
      [
        `{"@timestamp":${noon},"client":{"key":{"id":"k1"}},"http":{"response":{"status":200}}}`,
        `{"@timestamp":${noon},"client":{"key.id":"k1"},"http.response.status":200}`,
        `{"@timestamp":${noon},"client.key.id":"k1","http":{"response.status":"200"}}`,
      ],
      { fields },
    )
    expect(callsOf(batch)).toEqual(Array(3).fill({ key: 'k1', time: noon, status: 200, latencyMs: -1, bytes: -1 }))
  })

  test('a name that is written with escapes is that name, and the first of it counts', () => {
    const fields = { keyId: ['consumer.id'] }
    const lines = [
      String.raw`{"time":${noon},"\u0063onsumer":{"\u0069d":"k1"},"consumer":{"id":"victim"}}`,
      String.raw`{"\u0074ime":${noon},"consumer":{"id":"k1"},"time":5}`,
    ]
    expect(keysOf(decode(lines, { fields }))).toEqual(['k1', 'k1'])
  })

  test('an object counts where its name is first met, whatever stands there', () => {
    const fields = { keyId: ['consumer.id'] }
    const batch = decode(
      [
        `{"time":${noon},"consumer":{"name":"a"},"consumer":{"id":"victim"}}`,
        `{"time":${noon},"consumer":null,"consumer":{"id":"victim"}}`,
        `{"time":${noon},"consumer":[{"id":"victim"}],"tries":[{"consumer":{"id":"victim"}}]}`,
        `{"time":${noon},"deeper":{"consumer":{"id":"victim"}}}`,
      ],
      { fields },
    )
    expect(keysOf(batch)).toEqual(Array(4).fill('anonymous'))
  })

  test('a latency named in one unit is the only one, and the other names stay those of the format', () => {
    const named = fieldNamesOf('auto', { latencyMicros: ['took'] })
    expect(named).toEqual({ ...usualNames, latency: ['took'], latencyUnitMs: 0.001 })
    const line = `{"apiKeyId":"k1","time":${noon},"status":200,"latency":"77","took":45250}`
    expect(callsOf(decode(line, { fields: { latencyMicros: ['took'] } }))[0]?.latencyMs).toBe(45.25)
  })
})

describe('arrays of objects', () => {
  const line = `{"apiKeyId":"k1","time":${noon},"status":200}`

  test('are as their objects, in any of the JSON formats; each bad one costs itself', () => {
    const batch = decode([`[${line}, ${line}]\n${line}`, ` [ ${line} ] `, `[${line},{"apiKeyId":"k1"},${line}]`])
    expect(batch.length).toBe(6)
    expect(rejectedOf(batch)).toEqual({ 'no-time': 1 })
    expect(batch.samples[0]?.position).toBe(`7#${line.length + 2}`)
  })

  test('that break off give what stood before the break, and are told', () => {
    const cut = decode([`[${line},${line}`, `[${line},`, `[${line},${line.slice(0, -20)}`, `[${line} 7]`])
    expect(cut.length).toBe(5)
    expect(rejectedOf(cut)).toEqual({ 'broken-json': 4 })
  })
})

/** A member as it is written: a log may repeat a name, which no JavaScript object can. */
type Members = readonly (readonly [name: string, value: Value])[]
type Value = { readonly text: string } | { readonly members: Members }

describe('the readers of nested lines', () => {
  const fields = {
    keyId: ['a.id', 'b.id'],
    time: ['t', 'a.t'],
    status: ['b.status', 'status'],
    latencySeconds: ['a.b.ms'],
    bytes: ['size'],
  }
  const leaf: fc.Arbitrary<Value> = fc
    .constantFrom(
      '"k1"',
      '"k2"',
      '"200"',
      '500',
      `"${noon}"`,
      `${noon}`,
      'null',
      '"-"',
      '""',
      '[1,{"id":"x"}]',
      '"\\u0041"',
      '1.5',
    )
    .map(text => ({ text }))
  const name = fc.constantFrom('a', 'b', 't', 'id', 'status', 'ms', 'size', 'a.id', 'b.ms', 'b.status', 'other')
  const { value } = fc.letrec<{ value: Value; members: Members }>(tie => ({
    value: fc.oneof(
      { weight: 3, arbitrary: leaf },
      { weight: 2, arbitrary: tie('members').map(members => ({ members })) },
    ),
    members: fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }),
  }))
  const members = fc.array(fc.tuple(name, value), { maxLength: 7 })

  const written = (all: Members): string =>
    `{${all.map(([own, value]) => `${JSON.stringify(own)}:${'text' in value ? value.text : written(value.members)}`).join(',')}}`

  /** By full name, what the first value there is: JSON.parse of the text, undefined for what is none. */
  function firstValues(all: Members): ReadonlyMap<string, unknown> {
    const values = new Map<string, unknown>()
    const met = new Set<string>()
    const visit = (own: Members, path: string): void => {
      for (const [member, value] of own) {
        const full = path + member
        if (!values.has(full)) values.set(full, 'text' in value ? JSON.parse(value.text) : undefined)
        // A dotted name is a name of its own and leads nowhere.
        if (member.includes('.') || met.has(full)) continue
        met.add(full)
        if ('members' in value) visit(value.members, `${full}.`)
      }
    }
    visit(all, '')
    return values
  }

  test('find what a walk through the parsed members finds', () => {
    const has = (value: unknown): value is string | number =>
      typeof value === 'number' || (typeof value === 'string' && value !== '' && value !== '-')
    fc.assert(
      fc.property(members, all => {
        const values = firstValues([['t', { text: `${noon}` }], ...all])
        const id = fields.keyId.find(candidate => values.has(candidate))
        const key = id === undefined ? undefined : values.get(id)
        const batch = decode(written([['t', { text: `${noon}` }], ...all]), { fields })
        if (batch.length === 0) {
          expect(rejectedOf(batch)).toEqual({ 'bad-status': 1 })
          return
        }
        expect(keysOf(batch)).toEqual([has(key) ? String(key) : 'anonymous'])
        const status = fields.status.map(candidate => values.get(candidate)).find(has)
        expect(callsOf(batch)[0]?.status).toBe(status === undefined ? 0 : Number(status))
      }),
      { numRuns: 2000 },
    )
  })

  test('read the same from a line that has the shape of one before and from a line alone', () => {
    fc.assert(
      fc.property(fc.array(members, { minLength: 1, maxLength: 6 }), lines => {
        const texts = lines.map(line => written([['t', { text: `"${noon}"` }], ...line]))
        const together = decode(`${[...texts, ...texts, ...texts].join('\n')}\n`, { fields })
        const alone = decode([...texts, ...texts, ...texts], { fields })
        expect([callsOf(together), rejectedOf(together)]).toEqual([callsOf(alone), rejectedOf(alone)])
      }),
      { numRuns: 1000 },
    )
  })
})
