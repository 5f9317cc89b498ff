import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import type { Answer, Route } from './route.ts'
import { createServer, type Server, type ServerSettings } from './server.ts'
import { ask, type Sent } from './testing-requests.ts'

const opened: Server[] = []
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close()
})

const routes: readonly Route[] = [
  { method: 'GET', path: '/metrics', needs: 'reader', answer: () => ({ status: 200, body: 'up 1\n' }) },
  {
    ...{ method: 'POST', path: '/api/v1/commands', needs: 'operator' },
    answer: ({ body }): Answer => ({ status: 202, body: { taken: body } }),
  },
  {
    ...{ method: 'GET', path: '/of/:id', needs: 'nobody' },
    answer: ({ params, query }): Answer => ({ status: 200, body: { ...params, ...query } }),
  },
  {
    ...{ method: 'GET', path: '/broken', needs: 'nobody' },
    answer: () => {
      throw new Error('no such row in table limits')
    },
  },
]

async function serve(more: Partial<ServerSettings> = {}) {
  const told: string[] = []
  const server = createServer({
    ...{ listen: { host: '127.0.0.1', port: 0 }, hosts: [], routes, clock: systemClock() },
    ...{ readerToken: undefined, operatorToken: 'operator-token-of-tests' },
    answered: ({ route, status }) => told.push(`${route} ${status}`),
    refused: because => told.push(`refused ${because}`),
    failed: ({ route, because }) => told.push(`failed ${route}: ${because}`),
    ...more,
  })
  const { port } = await server.listen()
  opened.push(server)
  return { server, port, told, ask: (sent: Omit<Sent, 'port'>) => ask({ port, ...sent }) }
}
const operator = { authorization: 'Bearer operator-token-of-tests' }
const json = { 'content-type': 'application/json' }

test('a route is answered with what it says, and closed off from pages, caches and other origins', async () => {
  const { ask, told } = await serve()
  const got = await ask({ path: '/metrics' })
  expect([got.status, got.text]).toEqual([200, 'up 1\n'])
  expect(got.headers).toMatchObject({
    'content-type': 'text/plain; charset=utf-8',
    'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ...{ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'cache-control': 'no-store' },
  })
  const names = Object.keys(got.headers)
  expect(names.filter(name => /^access-control|^server$|^x-powered/.test(name))).toEqual([])
  expect(told).toEqual(['/metrics 200'])
  expect((await ask({ path: '/of/a%2Fb?n=1&n=2' })).text).toBe('{"id":"a/b","n":"1"}')
  const head = await ask({ path: '/metrics', method: 'HEAD' })
  expect([head.status, head.text]).toEqual([200, ''])
})

test('a command is taken from the operator only, and as JSON only', async () => {
  const { ask, told } = await serve()
  const act = (headers: Record<string, string>, body = '{"stop":true}') =>
    ask({ path: '/api/v1/commands', method: 'POST', headers, body })
  expect(await act({ ...operator, ...json })).toMatchObject({ status: 202, text: '{"taken":{"stop":true}}' })
  const stranger = await act(json)
  expect(stranger).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="weir"' } })
  expect(JSON.parse(stranger.text)).toEqual({
    error: 'refused-token',
    says: 'This needs the operator’s token, as Authorization: Bearer …',
  })
  expect((await act({ ...operator, ...json, origin: 'http://evil.example' })).status).toBe(403)
  expect((await act({ ...operator, ...json, 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await act({ ...operator, ...json, host: 'evil.example' })).status).toBe(421)
  // What a form can send without being asked for leave.
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=a'])
    expect((await act({ ...operator, 'content-type': type })).status).toBe(415)
  expect((await act({ ...operator, ...json }, '{"stop":')).status).toBe(400)
  expect((await act({ ...operator, ...json }, `"${'a'.repeat(70_000)}"`)).status).toBe(413)
  expect(told.filter(line => line.startsWith('refused'))).toEqual([
    ...['refused token', 'refused origin', 'refused origin', 'refused host'],
  ])
})

test('what is not there, not understood or not allowed is refused in a word', async () => {
  const { ask, told } = await serve()
  expect(await ask({ path: '/api' })).toMatchObject({
    status: 404,
    text: '{"error":"not-found","says":"There is nothing here"}',
  })
  expect((await ask({ path: '/api', headers: { host: 'evil.example' } })).status).toBe(421)
  expect((await ask({ path: '/%' })).status).toBe(400)
  for (const method of ['OPTIONS', 'PUT', 'DELETE', 'PROPFIND', 'TRACE'])
    expect(await ask({ path: '/metrics', method })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD, POST' },
    })
  expect((await ask({ path: '/metrics', headers: { 'x-long': 'a'.repeat(9_000) } })).status).toBe(431)
  expect(told.slice(0, 2)).toEqual(['other 404', 'refused host'])
})

test('a failure is told to the log and not to who asked', async () => {
  const { ask, told } = await serve()
  const got = await ask({ path: '/broken' })
  expect([got.status, JSON.parse(got.text)]).toEqual([
    500,
    { error: 'failed', says: 'This could not be answered; the log of the worker says why' },
  ])
  expect(told).toEqual(['failed /broken: no such row in table limits', '/broken 500'])
})

test('what acts and does not need the operator is our own mistake, found at the start', async () => {
  const acts: Route = { method: 'POST', path: '/a', needs: 'reader', answer: () => ({ status: 200, body: '' }) }
  await expect(serve({ routes: [acts] })).rejects.toThrow('POST /a acts, and does not need the operator')
})

test('a port that another has is told, and may be asked for again', async () => {
  const first = await serve()
  const listen = { host: '127.0.0.1', port: first.port }
  const second = createServer({
    ...{
      listen,
      hosts: [],
      routes,
      clock: systemClock(),
      readerToken: undefined,
      operatorToken: 'operator-token-of-tests',
    },
    ...{ answered() {}, refused() {}, failed() {} },
  })
  await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await first.server.close()
  opened.push(second)
  expect(await second.listen()).toEqual(listen)
})

test('it closes though somebody keeps a connection, and an answer never comes', async () => {
  let asked = (): void => {}
  const isAsked = new Promise<void>(resolve => {
    asked = resolve
  })
  const never: Route = {
    ...{ method: 'GET', path: '/never', needs: 'nobody' },
    answer: () => {
      asked()
      return new Promise(() => {})
    },
  }
  const { server, port } = await serve({ routes: [...routes, never] })
  const idle = connect(port, '127.0.0.1')
  idle.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await new Promise(resolve => idle.once('data', resolve))
  const waiting = ask({ port, path: '/never' })
  await isAsked
  await Promise.all([server.close(), expect(waiting).rejects.toMatchObject({ code: 'ECONNRESET' })])
  idle.destroy()
  await expect(ask({ port, path: '/metrics' })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  // Long before the thirty seconds after which a silent connection is over anyway.
}, 15_000)

/** Bytes on a socket, and all that came back until it was closed. */
const raw = (port: number, ...parts: readonly string[]): Promise<string> =>
  new Promise(resolve => {
    let text = ''
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      for (const part of parts) socket.write(part, 'latin1')
    })
    socket.setEncoding('latin1')
    socket.on('data', more => {
      text += more
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
const statuses = (text: string): readonly string[] => text.match(/^HTTP\/1\.1 \d+/gm) ?? []

test('what two servers could read as different requests is one refusal, and nothing behind it is answered', async () => {
  const { port, told } = await serve()
  const body = '{"stop":true}'
  const head = `POST /api/v1/commands HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`
  const hidden = `POST /api/v1/commands HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer operator-token-of-tests\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const lengths = [
    'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
    'Content-Length: 4\r\nContent-Length: 40\r\n',
    'Transfer-Encoding: xchunked\r\n',
    'Transfer-Encoding : chunked\r\n',
    'Content-Length: +4\r\n',
    ' Content-Length: 4\r\n',
  ]
  for (const length of lengths)
    expect(statuses(await raw(port, `${head}${length}\r\n0\r\n\r\n${hidden}`)).join(), length).toMatch(
      /^HTTP.1.1 40[01]$/,
    )
  // A body that is refused unread must not be taken for the next request.
  const long = `${head}Content-Length: ${70_000}\r\n\r\n${' '.repeat(70_000)}`
  for (const status of statuses(
    await raw(port, long, 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'),
  ))
    expect(status).not.toBe('HTTP/1.1 202')
  expect(told.filter(line => line.endsWith(' 202'))).toEqual([])
})

test('a Host that is missing, doubled or hidden in the address asked for is refused', async () => {
  const { port } = await serve()
  const get = (target: string, ...headers: readonly string[]) =>
    raw(port, `GET ${target} HTTP/1.1\r\n${['Connection: close', ...headers].join('\r\n')}\r\n\r\n`)
  expect(statuses(await get('/metrics', 'Host: 127.0.0.1'))).toEqual(['HTTP/1.1 200'])
  for (const [target, ...headers] of [
    ['/metrics'],
    ['/metrics', 'Host: evil.example'],
    ['/metrics', 'Host: evil.example', 'Host: 127.0.0.1'],
    ['/metrics', 'Host: 127.0.0.1@evil.example'],
    ['/metrics', 'Host: evil.example', 'X-Forwarded-Host: 127.0.0.1'],
    ['/metrics', 'Host: 127.0.0.1.evil.example'],
    ['/metrics', 'Host:'],
  ] as const)
    expect(statuses(await get(target, ...headers))[0], headers.join()).toMatch(/ (400|421)$/)
  // One that names another host in the target asks for a path that is not there.
  expect(statuses(await get('http://evil.example/metrics', 'Host: 127.0.0.1'))[0]).toMatch(/ (400|404|421)$/)
})

test('who sends a byte now and then is not waited for, and does not keep others from being answered', async () => {
  const { port } = await serve()
  const began = performance.now()
  const slow = new Promise<number>(resolve => {
    const socket = connect({ port, host: '127.0.0.1' }, () =>
      socket.write('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '),
    )
    const drip = setInterval(() => socket.write('a'), 200)
    socket.on('error', () => {})
    socket.on('data', () => {})
    socket.on('close', () => {
      clearInterval(drip)
      resolve(performance.now() - began)
    })
  })
  expect(statuses(await raw(port, 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'))).toEqual([
    'HTTP/1.1 200',
  ])
  expect(await slow).toBeLessThan(20_000)
}, 30_000)
