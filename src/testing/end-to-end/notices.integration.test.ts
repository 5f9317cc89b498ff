/** What a worker says of itself, by a real process: one whose log brings only calls of ten minutes ago is blind, and must say so. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MINUTE_MS } from '../../core/vocabulary.ts'
import { freePorts } from '../servers/server-process.ts'
import { until } from '../until.ts'
import { buildWeir, startWorker } from './worker-process.ts'

let folder: string
let writing: NodeJS.Timeout

beforeAll(async () => {
  await buildWeir()
  folder = await mkdtemp(join(tmpdir(), 'weir-notices-'))
})
afterAll(async () => {
  clearInterval(writing)
  await rm(folder, { recursive: true, force: true })
})

test('calls that come ten minutes late are told as blindness, and the worker is not ready', async () => {
  const [config, log] = [join(folder, 'weir.yaml'), join(folder, 'access.log')]
  const [port = 0] = await freePorts(1)
  // JSON is YAML.
  const source = { kind: 'files', paths: [log], follow: true }
  await writeFile(config, JSON.stringify({ source, server: { listen: `127.0.0.1:${port}` } }))
  await writeFile(log, '')
  const lateCall = (): string =>
    `${JSON.stringify({ requestTimeEpoch: Date.now() - 10 * MINUTE_MS, apiKeyId: 'key-a', status: 200 })}\n`
  writing = setInterval(() => void appendFile(log, lateCall()), 200)

  const worker = await startWorker({ config, logFile: join(folder, 'worker.log') })
  const told = await until(
    'the worker to say that it is blind',
    async () => (await worker.events()).find(({ event }) => event === 'noticeTold'),
    60_000,
  )
  expect(told.notice).toMatchObject({ kind: 'behind' })
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringContaining('The newest call that counts is of'),
  ])
  await worker.stop()
})
