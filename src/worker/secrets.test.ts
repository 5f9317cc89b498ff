/** A life in which raw keys stand wherever a log may hold them, and then every byte that came of it is looked through. */
import { createHmac } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { publishInput } from '../actions/sns.ts'
import { jsonSink } from '../cli/telemetry-sinks.ts'
import { createTerminal } from '../cli/terminal.ts'
import { tenantsSchema } from '../core/config/config.ts'
import { changeLine } from '../core/explanation/json.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import { openServer } from '../server/open-server.ts'
import { ask } from '../server/testing-requests.ts'
import { findRecording } from '../stores/recording-reader.ts'
import type { TelemetryEvent } from './telemetry.ts'
import { live, newFolder, noon, removeFolders } from './testing-life.ts'
import { handClock } from './testing-world.ts'

afterEach(removeFolders)

/** As API Gateway's keys look, and with what URLs and JSON write otherwise. */
const rawKey = 'Zq8vT3/kW1pL+xR7mB5nY2cD9fG4hJ6sA0uE8iO='
const otherKey = 'uP4sQ9wE2rT6yI1oL8kJ3hG5fD7sA0zXc'
const operatorToken = 'operator-5b1d9c7e3f2a4860'
const triedToken = 'tried-0f9e8d7c6b5a4938'
const secrets = [rawKey, otherKey, operatorToken, triedToken]

/** Each as it may have been written: whole, its longest part without signs, and as others encode it. */
function spellings(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  const part = secret.split(/[^A-Za-z0-9]/).sort((one, other) => other.length - one.length)[0] ?? secret
  const inner = [0, 1, 2].map(shift =>
    Buffer.from(`${'x'.repeat(shift)}${secret}`)
      .toString('base64')
      .slice(4, 24),
  )
  return [
    ...[secret, part, encodeURIComponent(secret), secret.replaceAll('/', '\\/'), bytes.toString('hex')],
    ...[
      ...inner,
      [...secret].reverse().join(''),
      bytes.toString('utf16le'),
      secret.toLowerCase(),
      secret.toUpperCase(),
    ],
  ]
}

const needles = secrets.flatMap(secret => spellings(secret).map(spelling => Buffer.from(spelling)))
const foundIn = (bytes: Buffer): readonly string[] =>
  needles.filter(needle => bytes.includes(needle)).map(needle => needle.toString())

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}

/** The raw key where it belongs, where a client may write it, and in lines that nobody can read. */
function linesOf(second: number, key: string): readonly string[] {
  const time = String(noon + second * SECOND_MS)
  const call = (status: number, more: object = {}) =>
    JSON.stringify({ requestTimeEpoch: time, apiKey: key, status: String(status), responseLatency: '20', ...more })
  const whole = call(200, { path: `/v1?apikey=${key}`, userAgent: key, sourceIp: '192.0.2.1' })
  return [
    ...Array.from({ length: 90 }, (_, index) => call(index % 2 === 0 ? 503 : 200)),
    whole,
    whole.slice(0, whole.indexOf(key) + 25),
    whole.slice(1),
    `GET /v1?apikey=${key} HTTP/1.1`,
    `{"${key}":1,"requestTimeEpoch":"${time}","status":"200"}`,
    JSON.stringify({ requestTimeEpoch: key, apiKey: key, status: '200' }),
    JSON.stringify({ requestTimeEpoch: time, apiKey: key, status: key }),
    JSON.stringify({ request: { headers: { apikey: key, authorization: `Bearer ${key}` } } }),
    JSON.stringify({ key: { raw: key }, start: key, seconds: 1, calls: key }),
    JSON.stringify({ messageType: 'DATA_MESSAGE', logEvents: [{ id: key, timestamp: 1, message: `${key} ${key}` }] }),
    `{"messageType":"DATA_MESSAGE","logEvents":[{"message":"${key}`,
    `["${key}"]`,
    key,
  ]
}

test('no raw key and no token is in any file, message, metric, answer or line of a worker’s life', async () => {
  const [folder, recorded] = [newFolder(), newFolder()]
  const hash = `hash:${createHmac('sha256', 'for tests').update(rawKey).digest('hex').slice(0, 16)}`
  const { tenants } = tenantsSchema.parse({ tenants: { a: { name: 'Client A', keys: [{ id: 'k1', hash }] } } })
  const life = await live({
    folder,
    tenants,
    record: { directory: recorded },
  })
  await life.bring(5, 1)
  for (let second = 5; second < 40; second++) {
    const lines = [...linesOf(second, rawKey), ...linesOf(second, otherKey).slice(60)]
    life.source.give('t/0', lines, noon + (second + 1) * SECOND_MS - 100)
    const packed = gzipSync(lines.join('\n'))
    life.source.give(
      't/0',
      [packed.subarray(0, packed.length - 9).toString('latin1')],
      noon + (second + 1) * SECOND_MS - 100,
    )
    await life.pass(SECOND_MS)
  }
  await life.pass(60 * SECOND_MS)
  await life.say({ kind: 'halt' })
  await life.stop()
  // It would prove nothing if the keys had not been read.
  expect(life.phases()).toContain('mitigated')
  expect(life.told.some(event => event.name === 'rejectsSummarised')).toBe(true)

  const outputs = await outputsOf(life.told)
  for (const [name, text] of Object.entries(outputs)) expect(foundIn(Buffer.from(text)), name).toEqual([])
  expect(outputs.log.length).toBeGreaterThan(10_000)

  const files = [...(await filesBelow(folder)), ...(await filesBelow(recorded))]
  expect(files.some(path => path.endsWith('rejects.ndjson'))).toBe(true)
  for (const path of files) expect(foundIn(await readFile(path)), path).toEqual([])
  // A recording is packed: what is in it is looked through as it is read.
  const { segments } = await findRecording(recorded)
  expect(segments.length).toBeGreaterThan(0)
  for (const segment of segments)
    for await (const part of segment.read())
      expect(foundIn(Buffer.from(textOf({ head: segment.head, part })))).toEqual([])
  expect(foundIn(Buffer.from(textOf(life.audited)))).toEqual([])
}, 120_000)

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => {
    if (inner instanceof Map) return [...inner]
    if (inner instanceof Set) return [...inner]
    return ArrayBuffer.isView(inner)
      ? Buffer.from(inner.buffer, inner.byteOffset, inner.byteLength).toString('latin1')
      : inner
  })

/** All that goes out of a worker that was told this, and of its server, which strangers ask. */
async function outputsOf(told: readonly TelemetryEvent[]) {
  let [log, screen] = ['', '']
  const write = (text: string): void => {
    log += text
  }
  const json = jsonSink({ write }, 'trace')
  const terminal = createTerminal({
    ...{ live: false, colour: false, columns: () => 100, nowMs: () => 0 },
    write: text => {
      screen += text
    },
  })
  const clock = handClock(noon)
  const server = await openServer({
    ...{ listen: { host: '127.0.0.1', port: 0 }, hosts: [], readerToken: undefined, operatorToken, routes: [], clock },
    ...{ version: '1', mode: 'enforce', readyLagMs: 60_000, checkpointEveryMs: 5_000, telemetry: json },
  })
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(log)?.[1])
  const observed = server.lives(undefined)
  for (const event of told) {
    observed.telemetry(event)
    terminal.tell(event)
  }
  const answers: string[] = []
  for (const token of [triedToken, operatorToken, rawKey])
    for (const path of [
      '/metrics',
      '/readyz',
      `/${encodeURIComponent(token)}`,
      `/healthz?key=${encodeURIComponent(token)}`,
    ])
      answers.push(textOf(await ask({ port, path, headers: { authorization: `Bearer ${token}`, cookie: token } })))
  const act = { port, path: '/api/v1/commands', method: 'POST', body: `{"command":"${rawKey}"` }
  answers.push(
    textOf(
      await ask({ ...act, headers: { authorization: `Bearer ${triedToken}`, 'content-type': 'application/json' } }),
    ),
  )
  await server.close()
  const alerts = told.flatMap(event => ('effect' in event && event.effect.kind === 'alert' ? [event.effect] : []))
  const messages = alerts.map(effect => JSON.stringify(publishInput(effect, 'arn:t')))
  const changes = told.flatMap(event => (event.name === 'incidentChanged' ? [changeLine(event.explanation)] : []))
  expect(messages.length).toBeGreaterThan(0)
  return { log, screen, answers: answers.join('\n'), messages: messages.join('\n'), changes: changes.join('\n') }
}
