/** A thread that decodes ahead changes where the work is done, and nothing else: shown on the built command. */
import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accessLogLines } from '../testing/bench/access-log-lines.ts'
import { buildWeir } from '../testing/end-to-end/worker-process.ts'

const weir = fileURLToPath(new URL('../../bin/weir.js', import.meta.url))
let folder = ''

beforeAll(async () => {
  await buildWeir()
  folder = await mkdtemp(join(tmpdir(), 'weir-ahead-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What `weir replay` prints, and its exit code. `input`: a file for its standard input. */
function replay(args: readonly string[], input?: string): Promise<{ readonly text: string; readonly code: number }> {
  return new Promise(resolve => {
    const child = execFile(process.execPath, [weir, 'replay', ...args], { maxBuffer: 1 << 26 }, (failure, stdout) => {
      resolve({ text: stdout, code: typeof failure?.code === 'number' ? failure.code : 0 })
    })
    if (input !== undefined && child.stdin) createReadStream(input).pipe(child.stdin)
  })
}

test('a large log read by a thread says what the same log through a pipe says, bad lines and all', async () => {
  const lines = [...accessLogLines({ lines: 40_000, seed: 7 })].map(line => line.trimEnd())
  const start = Number(JSON.parse(lines[20_000]!).requestTimeEpoch)
  const row = {
    key: 'k-counted',
    start,
    seconds: 1,
    calls: 9,
    status2xx: 8,
    status5xx: 1,
    latencySumMs: 0.5,
    latencyCount: 1,
  }
  lines.splice(20_000, 0, JSON.stringify(row), '{"broken": ', 'hello', lines[0]!.replace(/"apiKeyId":"[^"]*",/, ''))
  const plain = join(folder, 'log.ndjson')
  const zipped = join(folder, 'log.ndjson.gz')
  await writeFile(plain, `${lines.join('\n')}\n`)
  await writeFile(zipped, gzipSync(`${lines.join('\n')}\n`, { level: 0 }))

  const piped = await replay(['-', '--json'], plain)
  expect(piped.text).toContain('"phase":"open"')
  expect(await replay([plain, '--json'])).toEqual(piped)
  expect(await replay([zipped, '--json'])).toEqual(piped)
  const told = (text: string): string => text.replace(/^ .*first.*$/gm, '').replaceAll(plain, '-')
  const summary = told((await replay([plain])).text)
  expect(summary).toContain('broken-json')
  expect(summary).toContain('Also 1 counted row: 1 of one second')
  expect(summary).toBe(told((await replay(['-'], plain)).text))
})

test('a replay that ends early is not kept alive by what it did not read', async () => {
  const log = join(folder, 'history.ndjson')
  await writeFile(log, [...accessLogLines({ lines: 40_000, seed: 7 })].map(line => `${line.trimEnd()}\n`).join(''))
  expect((await replay([log, '--history', log])).code).toBe(2)
})
