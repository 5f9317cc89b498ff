import { afterEach, expect, test } from 'vitest'
import { jsonSink } from '../cli/telemetry-sinks.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { events } from '../worker/testing-events.ts'
import { type HandClock, handClock, untilQuiet } from '../worker/testing-world.ts'
import { openServer, type WorkerServer, type WorkerServerSettings } from './open-server.ts'
import { ask } from './testing-requests.ts'

const opened: { server: WorkerServer; clock: HandClock }[] = []
afterEach(async () => {
  for (const { server } of opened.splice(0)) await server.close()
})

const operatorToken = 'operator-0123456789abcdef'
const readerToken = 'reader-0123456789abcdef'

async function open(more: Partial<WorkerServerSettings> = {}) {
  const clock = handClock(Date.UTC(2026, 10, 20, 14, 0, 0))
  const told: TelemetryEvent[] = []
  const server = await openServer({
    ...{ listen: { host: '127.0.0.1', port: 0 }, hosts: [], readerToken: undefined, operatorToken, routes: [], clock },
    ...{ version: '1.2.3', mode: 'observe', readyLagMs: 60_000, checkpointEveryMs: 5_000 },
    telemetry: event => void told.push(event),
    ...more,
  })
  opened.push({ server, clock })
  const names = () => told.map(({ name }) => name)
  const port = () => {
    const listening = told.find(event => event.name === 'serverListening')
    return Number(listening?.address.split(':')[1])
  }
  const get = async (path: string, headers: Record<string, string> = {}) => ask({ port: port(), path, headers })
  return { server, clock, told, names, port, get }
}

const heard = (at: number) => () => ({ effectWaits: [], rejected: new Map(), heardAt: at, partitions: 1 })

test('a worker is asked from its first moment to its last: starting, learning, ready, stopping', async () => {
  const { server, clock, get, names } = await open()
  const asked = async () => {
    const [live, ready] = [await get('/healthz'), await get('/readyz')]
    return [live.status, ready.status, JSON.parse(ready.text).phase]
  }
  expect(await asked()).toEqual([200, 503, 'starting'])
  server.telemetry(events.historyBegun)
  expect(await asked()).toEqual([200, 503, 'learning'])
  server.telemetry(events.workerStarted)
  server.follows(heard(clock.now()))
  server.telemetry(events.batchesRead)
  expect(await asked()).toEqual([200, 200, 'running'])
  expect((await get('/metrics')).text).toMatch(/^weir_calls_total 120$/m)
  server.stopping()
  expect(await asked()).toEqual([200, 503, 'stopping'])
  // What the worker tells goes on to whoever told it before.
  expect(names()).toEqual(['serverListening', 'historyBegun', 'workerStarted', 'batchesRead'])
})

test('a loop that has not turned for a minute is not live, and both are said with their figures', async () => {
  const { server, clock, get } = await open()
  server.telemetry(events.workerStarted)
  await clock.pass(61_000)
  const got = await get('/healthz')
  expect([got.status, JSON.parse(got.text)]).toEqual([
    503,
    {
      ...{ live: false, phase: 'running' },
      checks: [
        {
          ...{ name: 'watching', ok: false, value: 61, atMost: 60 },
          says: 'The loop has not turned for 61 s, and should each second',
        },
      ],
    },
  ])
})

test('a port that another has is told once, stops nothing, and is taken when it is free', async () => {
  const first = await open()
  const second = await open({ listen: { host: '127.0.0.1', port: first.port() } })
  expect(second.told).toEqual([
    {
      ...{ name: 'serverUnavailable', listen: `127.0.0.1:${first.port()}` },
      because: 'another process listens there',
    },
  ])
  second.server.telemetry(events.workerStarted)
  await second.clock.pass(10_000)
  expect(second.names()).toEqual(['serverUnavailable', 'workerStarted'])
  await first.server.close()
  await second.clock.pass(10_000)
  for (let tries = 0; tries < 50 && second.told.length < 3; tries++) await untilQuiet()
  expect(second.names()).toEqual(['serverUnavailable', 'workerStarted', 'serverListening'])
  expect((await second.get('/healthz')).status).toBe(200)
})

test('who has no port waits for none when it is to stop', async () => {
  const first = await open()
  const second = await open({ listen: { host: '127.0.0.1', port: first.port() } })
  await second.server.close()
  expect(second.names()).toEqual(['serverUnavailable'])
})

test('requests that were refused are told once a minute, by reason', async () => {
  const { server, told, get } = await open()
  await get('/metrics', { host: 'evil.example' })
  await get('/metrics', { host: 'evil.example' })
  expect(told).toHaveLength(1)
  server.telemetry(events.minuteSummarised)
  server.telemetry(events.minuteSummarised)
  expect(told.slice(1)).toEqual([
    events.minuteSummarised,
    { name: 'requestsRefused', refused: { host: 2 } },
    events.minuteSummarised,
  ])
  expect((await get('/metrics')).text).toContain('weir_http_refused_total{reason="host"} 2')
})

test('the log holds no token, given or tried, whatever is asked', async () => {
  let log = ''
  const sink = jsonSink({ write: (text: string) => (log += text) }, 'debug')
  const told: TelemetryEvent[] = []
  const { server } = await open({
    ...{ readerToken, listen: { host: '0.0.0.0', port: 0 } },
    telemetry: event => {
      told.push(event)
      sink(event)
    },
    routes: [
      {
        ...{ method: 'POST', path: '/act', needs: 'operator' },
        answer: ({ body }) => {
          throw new Error(`cannot do ${typeof body}`)
        },
      },
    ],
  })
  const port = Number(told.find(event => event.name === 'serverListening')?.address.split(':')[1])
  const tried = 'tried-0123456789abcdef'
  const statuses: number[] = []
  for (const token of [operatorToken, readerToken, tried])
    for (const method of ['GET', 'POST', 'PUT'])
      for (const path of ['/metrics', '/act', `/nothing?token=${token}`]) {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', cookie: token }
        const body = method === 'GET' ? undefined : JSON.stringify({ token })
        statuses.push((await ask({ port, method, path, headers, ...(body && { body }) })).status)
      }
  server.telemetry(events.minuteSummarised)
  expect([...new Set(statuses)].sort()).toEqual([200, 401, 403, 404, 405, 500])
  expect(told.map(({ name }) => name)).toEqual([
    ...['serverListening', 'requestFailed', 'minuteSummarised', 'requestsRefused'],
  ])
  for (const token of [operatorToken, readerToken, tried]) expect(log).not.toContain(token.slice(0, 8))
})
