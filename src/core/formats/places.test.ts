/** What is one route, and what is one place. */
import { expect, test } from 'vitest'
import type { FieldSettings, FormatName } from './field-names.ts'
import { decode } from './testing-decode.ts'

const reads = { route: true, source: true }
const line = (members: object): string =>
  JSON.stringify({ apiKeyId: 'k1', requestTimeEpoch: 1_767_225_600_000, status: 200, ...members })
const read = (
  lines: readonly string[],
  asked: { format?: FormatName; fields?: FieldSettings; hashSecret?: string } = {},
) => {
  const { route, source, length } = decode(`${lines.join('\n')}\n`, { reads, ...asked })
  return Array.from({ length }, (_, row) => ({ route: route[row]!, source: source[row]! }))
}
const routes = (paths: readonly string[]) => read(paths.map(path => line({ path }))).map(({ route }) => route)
const sources = (addresses: readonly string[], hashSecret?: string) =>
  read(
    addresses.map(sourceIp => line({ sourceIp })),
    hashSecret === undefined ? {} : { hashSecret },
  ).map(({ source }) => source)

test('a path is one route whatever is asked of it, and with or without a method', () => {
  const [plain, ...others] = routes([
    '/v1/items/17',
    '/v1/items/17?page=2',
    '/v1/items/17?',
    'GET /v1/items/17 HTTP/1.1',
    'GET /v1/items/17?a=/b HTTP/1.1',
  ])
  expect(plain).not.toBe(0)
  expect(new Set(others)).toEqual(new Set([plain]))
})

test('a route that is written with escaped slashes is the same route, on the first line as on those after it', () => {
  const escaped = ['/v1/items/17', '/v1/items/17', '/v1/items/18'].map(path => line({ path }).replaceAll('/', '\\/'))
  const [first, second, other] = read(escaped).map(({ route }) => route)
  expect([first, second]).toEqual(routes(['/v1/items/17', '/v1/items/17']))
  expect(other).not.toBe(first)
})

test('ten thousand items are ten thousand routes', () => {
  const paths = Array.from({ length: 10_000 }, (_, item) => `/v1/items/${1_000 + item}`)
  expect(new Set(routes(paths)).size).toBe(10_000)
  // Spread over all low bits, which is what a bitmap counts by.
  expect(new Set(routes(paths.slice(0, 512)).map(route => route & 511)).size).toBeGreaterThan(290)
})

test('machines of one network are one place, and others are others', () => {
  const [own, neighbour, port, mapped, stranger] = sources([
    '192.0.2.1',
    '192.0.2.77',
    '192.0.2.9:4711',
    '::ffff:192.0.2.5',
    '198.51.100.1',
  ])
  expect([neighbour, port, mapped]).toEqual([own, own, own])
  expect(stranger).not.toBe(own)
  const [six, sixToo, zeros, otherSix] = sources([
    '2001:db8:7:1::1',
    '[2001:0db8:0007:ffff::2]:443',
    '2001:db8::1',
    '2001:db8:0:9::1',
  ])
  expect(sixToo).toBe(six)
  expect(otherSix).toBe(zeros)
  expect(zeros).not.toBe(six)
})

test('without the secret nobody finds out by trying which network a place was', () => {
  const [one] = sources(['192.0.2.1'], 'a secret')
  const [other] = sources(['192.0.2.1'], 'another one')
  expect(one).not.toBe(other)
})

test('a line without either has neither, and where nobody reads them nothing is kept', () => {
  expect(read([line({}), line({ path: '-', sourceIp: '' })])).toEqual([
    { route: 0, source: 0 },
    { route: 0, source: 0 },
  ])
  const { route, source } = decode(`${line({ path: '/v1', sourceIp: '192.0.2.1' })}\n`)
  expect([route.length, source.length]).toEqual([0, 0])
})

const time = '2026-01-01T00:00:00Z'
test.each<[FormatName, string, FieldSettings?]>([
  ['auto', line({ sourceIp: '192.0.2.1', httpMethod: 'GET', resourcePath: '/v1/items' })],
  ['auto', line({ ip: '192.0.2.1', routeKey: 'GET /v1/items' })],
  ['access-log', line({ sourceIp: '192.0.2.1', userAgent: 'x', path: '/v1/items' })],
  [
    'kong',
    JSON.stringify({
      client_ip: '192.0.2.1',
      started_at: 1_767_225_600_000,
      request: { headers: { via: ['x'] }, uri: '/v1/items?x=1' },
      response: { status: 200 },
    }).replaceAll('/', '\\/'),
  ],
  [
    'envoy',
    JSON.stringify({
      start_time: time,
      response_code: 200,
      path: '/v1/items?x',
      downstream_remote_address: '192.0.2.1:5000',
    }),
  ],
  ['nginx', JSON.stringify({ msec: '1767225600.000', status: '200', uri: '/v1/items', remote_addr: '192.0.2.1' })],
  [
    'nginx',
    JSON.stringify({
      msec: '1767225600.000',
      status: '200',
      request: 'GET /v1/items HTTP/2.0',
      remote_addr: '192.0.2.1',
    }),
  ],
  [
    'apisix',
    JSON.stringify({
      start_time: 1_767_225_600_000,
      request: { uri: '/v1/items?x' },
      client_ip: '192.0.2.1',
      response: { status: 200 },
    }),
  ],
  ['clf', '192.0.2.1 - k1 [01/Jan/2026:00:00:00 +0000] "GET /v1/items?x HTTP/1.1" 200 17'],
  ['csv', `time,status,ip,path\n${time},200,192.0.2.1,/v1/items`],
])('%s says both as it is shipped', (format, text) => {
  const [expected] = read([line({ path: '/v1/items', sourceIp: '192.0.2.1' })])
  expect(read([text, text], { format })[0]).toEqual(expected)
})
