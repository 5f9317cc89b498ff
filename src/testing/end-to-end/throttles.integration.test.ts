/**
 * What the person on call does, with real processes: a worker on a growing log, `weir throttles` beside it, and the strict
 * simulated gateway, which takes one change in twenty real seconds.
 */
import { execFile } from 'node:child_process'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../clock.ts'
import { createGateway } from '../../simulation/gateway.ts'
import { type ServedGateway, serveGateway } from '../../simulation/gateway-server.ts'
import { freePorts } from '../servers/server-process.ts'
import { until } from '../until.ts'
import { buildWeir, startWorker } from './worker-process.ts'

const clock = systemClock()
const weir = fileURLToPath(new URL('../../../bin/weir.js', import.meta.url))
const keys = ['key-a', 'key-b', 'key-c', 'key-d']
const original = { rateLimit: 100.25, burstLimit: 200 }
const gateway = createGateway({
  clock,
  plans: keys.map(key => ({ id: `plan-${key}`, limits: original, keys: [key] })),
})

let folder: string
let served: ServedGateway
let config: string
let writing: NodeJS.Timeout
let isStorming = false

beforeAll(async () => {
  await buildWeir()
  folder = await mkdtemp(join(tmpdir(), 'weir-on-call-'))
  config = join(folder, 'weir.yaml')
  served = await serveGateway(gateway)
  const [port = 0] = await freePorts(1)
  await writeFile(
    config,
    `{mode: enforce, source: {kind: files, paths: [access.log], follow: true}, gateway: {endpoint: '${served.endpoint}', region: eu-west-1}, server: {listen: '127.0.0.1:${port}'}, time: {delivery: 2s}, platform: {keys: 4}}`,
  )
  await writeFile(join(folder, 'history.ndjson'), weekOf(keys))
  await writeFile(join(folder, 'access.log'), '')
  writing = setInterval(() => void appendFile(join(folder, 'access.log'), secondOfCalls()), 1_000)
})

afterAll(async () => {
  clearInterval(writing)
  await served.close()
  await rm(folder, { recursive: true, force: true })
})

test('a limit is listed, held, and, the worker being dead, given back for good', async () => {
  const history = join(folder, 'history.ndjson')
  const first = await startWorker({ config, history, logFile: join(folder, 'first.log') })
  const isTold = async (name: string) => (await first.events()).some(({ event }) => event === name) || undefined
  await until('the worker to begin', () => isTold('batchesRead'), 60_000)
  isStorming = true
  await until('the limit to be lowered', () => limitOf('key-c') < 100 || undefined, 60_000)

  expect(await throttles('hold', 'key-c', '--for', '2h', '--as', 'ann')).toMatch(/^key-c stays lowered until/)
  const listed = await until(
    'the checkpoint to have it',
    async () => {
      const { throttles: rows } = JSON.parse(await throttles('list', '--json'))
      return rows[0]?.held === undefined ? undefined : rows
    },
    30_000,
  )
  expect(listed).toMatchObject([
    { keyId: 'key-c', plan: 'plan-key-c', original, state: 'lowered', why: 'retry-storm', held: { by: 'ann' } },
  ])

  await first.kill()
  expect(await throttles('release', '--all', '--yes', '--as', 'ann')).toMatch(/key-c: given back, .* → 100.25\/s/)
  expect(limitOf('key-c')).toBe(original.rateLimit)
  const changes = gateway.changes().length

  const second = await startWorker({ config, logFile: join(folder, 'second.log') })
  await until(
    'the storm to be seen again',
    async () =>
      (await second.events()).some(
        ({ event, explanation }) =>
          event === 'incidentChanged' && JSON.stringify(explanation).includes('released by ann'),
      ) || undefined,
    90_000,
  )
  expect([gateway.changes().length, limitOf('key-c')]).toEqual([changes, original.rateLimit])
  expect(await throttles('show', 'key-c')).toMatch(/ann: restore-full of plan plan-key-c/)
  await second.stop()
}, 300_000)

const limitOf = (key: string): number => gateway.planLimits(`plan-${key}`)?.rateLimit ?? Number.NaN

/** What it prints. Rejects where it ends with another code than 0. */
function throttles(...words: readonly string[]): Promise<string> {
  const env = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }
  return new Promise((resolve, reject) =>
    execFile(process.execPath, [weir, 'throttles', ...words, '--config', config], { env }, (failure, out, err) =>
      failure === null ? resolve(out) : reject(new Error(`${failure.message}\n${err}`)),
    ),
  )
}

function secondOfCalls(): string {
  const from = Date.now() - 1_000
  return keys
    .flatMap(apiKeyId => {
      const isBad = isStorming && apiKeyId === 'key-c'
      const calls = isBad ? 200 : 1
      return Array.from({ length: calls }, (_, call) =>
        JSON.stringify({
          requestTimeEpoch: from + Math.floor((call * 1_000) / calls),
          ...{ apiKeyId, status: isBad && call % 2 === 0 ? 503 : 200, responseLatency: 20 },
        }),
      )
    })
    .map(line => `${line}\n`)
    .join('')
}

/** Once a second, up to now. */
function weekOf(calling: readonly string[]): string {
  const slotMs = 300_000
  const now = Math.floor(Date.now() / slotMs) * slotMs
  const rows: string[] = []
  for (let start = now - 7 * 288 * slotMs; start < now; start += slotMs)
    for (const key of calling) rows.push(JSON.stringify({ key, start, seconds: 300, calls: 300, status2xx: 300 }))
  return `${rows.join('\n')}\n`
}
