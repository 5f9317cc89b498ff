/** The command as a person uses it: logs on disk in, a state directory and a summary out. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openCheckpoints } from '../stores/checkpoint.ts'
import { type LearnOptions, learnLogs } from './learn-logs.ts'

const TEN = Date.UTC(2026, 2, 4, 10)
const DAY = 86_400_000
const row = (key: string, start: number, perMinute: number): string =>
  JSON.stringify({ key, start, seconds: 300, calls: perMinute * 5, status2xx: perMinute * 5 })

/** Counts of some keys, five minutes a row, up to TEN. */
function rows(days: number, keys: Readonly<Record<string, number>>): string[] {
  const lines: string[] = []
  for (let start = TEN - days * DAY; start < TEN; start += 300_000)
    for (const [key, perMinute] of Object.entries(keys)) lines.push(row(key, start, perMinute))
  return lines
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-learn-'))
  await writeFile(join(folder, 'weir.yaml'), 'mode: observe\n')
})
afterEach(async () => {
  process.exitCode = undefined
  await rm(folder, { recursive: true, force: true })
})

async function file(name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name)
  const text = `${lines.join('\n')}\n`
  await writeFile(path, name.endsWith('.gz') ? gzipSync(text) : text)
  return path
}

async function said(logs: readonly string[], options: Partial<LearnOptions> = {}, now = TEN + 300_000) {
  const text = { out: '', err: '' }
  const streamOf = (name: 'out' | 'err') => ({
    write: (more: string): void => {
      text[name] += more
    },
  })
  const config = join(folder, 'weir.yaml')
  await learnLogs(logs, { config, ...options }, { out: streamOf('out'), err: streamOf('err'), now: () => now })
  return text
}

test('it says which time is known, of whom how much, and what does not fit with tenants.yaml', async () => {
  await writeFile(
    join(folder, 'tenants.yaml'),
    'tenants:\n  acme: {name: "Acme", keys: ["big"]}\n  gone: {name: "Gone Ltd", keys: ["left", "leaving"]}\n',
  )
  const week = await file('week.ndjson.gz', rows(7, { big: 600, small: 6 }))
  const today = await file('today.ndjson', ['nonsense', ...rows(0.01, { newcomer: 30 })])
  const { out, err } = await said([week, today])
  expect(out).toBe(
    [
      'Learned from 2 logs: 0 calls and 4,035 counted rows.',
      'Known: 2026-02-25 10:00 UTC to 2026-03-04 10:00 UTC, 7 of 7 days, 10,080 of 10,080 minutes.',
      'Keys: 3, of which 2 known well (5 days or more of the last 7), 0 roughly, 1 hardly (less than a day).',
      '',
      '  Largest     usual calls/min at 10:05 UTC    days',
      '  Acme (big)                       530-694  7 of 7',
      '  small                          1.45-10.6  7 of 7',
      '  newcomer                       16.7-43.3  0 of 7',
      '',
      'In tenants.yaml and not in the logs: Gone Ltd (left), Gone Ltd (leaving).',
      'In the logs and not in tenants.yaml: small, newcomer.',
      `Rejected lines: 1 unknown-format (${today}, byte 0).`,
      `Kept in ${join(folder, '.weir')}: weir run starts from it, on a stream that begins after 2026-03-04 10:00 UTC.`,
      '',
    ].join('\n'),
  )
  expect(err).toBe('')
})

test('a gap in the logs is named, and logs that end long ago are warned of', async () => {
  const lines = rows(2, { k: 600 }).filter((_, slot) => slot < 100 || slot >= 106)
  const { out } = await said([await file('gap.ndjson', lines)], {}, TEN + 3 * DAY)
  expect(out).toContain('Gaps, of which nothing is known: 2026-03-02 18:20 UTC (30 minutes).')
  expect(out).toContain('Warning: the logs end 3 days ago: for a run that begins now, 4 of 7 days still count.')
})

test('--json says the same of every key', async () => {
  const { out } = await said([await file('day.ndjson', rows(1, { k: 60 }))], { json: true })
  expect(JSON.parse(out)).toMatchObject({
    calls: 0,
    countedRows: 288,
    knownUntil: '2026-03-04T10:00:00.000Z',
    covered: { minutes: 1_440, gaps: [] },
    known: { well: 0, roughly: 1, hardly: 0 },
    keys: [{ keyId: 'k', days: 1, callsPerMinute: { usual: expect.closeTo(60, -1) } }],
    notInLogs: [],
    notInTenants: ['k'],
  })
})

test('a folder stands for the logs in it, each with its header if they are CSV', async () => {
  const days = join(folder, 'days')
  await mkdir(days)
  for (const day of [2, 3]) {
    const calls = Array.from({ length: 120 }, (_, call) => `2026-03-0${day}T09:${10 + (call % 50)}:00Z,k,200`)
    await writeFile(join(days, `${day}.csv`), `time,apiKeyId,status\n${calls.join('\n')}\n`)
  }
  await writeFile(join(folder, 'weir.yaml'), 'format: csv\nfields: {time: time}\n')
  const { out } = await said([days], { json: true })
  expect(JSON.parse(out)).toMatchObject({ calls: 240, rejected: {} })
})

test('a state directory that a worker is using is left alone', async () => {
  const log = await file('day.ndjson', rows(1, { k: 60 }))
  const worker = await openCheckpoints(join(folder, '.weir'))
  await expect(said([log])).rejects.toMatchObject({
    code: 'STATE_HELD',
    message: expect.stringContaining('using it'),
  })
  await worker.close()
})

test('asked to stop half way it keeps nothing and says so', async () => {
  const log = await file('week.ndjson', rows(7, { a: 60, b: 60, c: 60, d: 60, e: 60, f: 60, g: 60 }))
  const running = said([log])
  process.emit('SIGINT')
  const { out, err } = await running
  expect([out, process.exitCode]).toEqual(['', 1])
  expect(err).toContain('nothing was kept')
  const names = await readdir(join(folder, '.weir'))
  expect(names.filter(name => name !== 'hash-secret')).toEqual([])
})

test('a file that is not there is told before anything is begun', async () => {
  await expect(said([join(folder, 'no.gz')])).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' })
  expect(await readdir(folder)).toEqual(['weir.yaml'])
})
