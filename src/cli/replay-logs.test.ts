/** The command as a person uses it: files on disk in, text out. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { changeText, type ReplayOptions, replayLogs } from './replay-logs.ts'

const TEN = Date.UTC(2026, 2, 4, 10)
const call = (ms: number, more: object = {}): string =>
  JSON.stringify({ requestTimeEpoch: String(TEN + ms), apiKeyId: 'key_a', status: '200', ...more })
const row = (ms: number, seconds: number): string =>
  JSON.stringify({ key: 'key_a', start: TEN + ms, seconds, calls: 5, status2xx: 5 })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-replay-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function file(name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, `${lines.join('\n')}\n`)
  return path
}

async function said(logs: readonly string[], options: Partial<ReplayOptions> = {}): Promise<string> {
  let text = ''
  const out = {
    write: (more: string): void => {
      text += more
    },
  }
  await replayLogs(logs, options, out)
  return text
}

test('one call of one key is one, and where each kind of bad line stands first is told', async () => {
  const good = call(0)
  const path = await file('one.ndjson', [good, 'nonsense', '{"apiKeyId":"k', 'more nonsense'])
  expect(await said([path])).toBe(
    [
      '1 call of 1 key, 2026-03-04T10:00:00Z to 2026-03-04T10:00:00Z: no incident.',
      `Rejected lines: 2 unknown-format (the first: ${path}, byte ${good.length + 1}), 1 broken-json (${path}, byte ${good.length + 10}).`,
      '',
    ].join('\n'),
  )
})

test('of two files and a history each line is told of its own file', async () => {
  const past = await file('past.ndjson', ['nonsense', call(-120_000), call(-119_000)])
  const one = await file('first.ndjson', [call(0), call(60_000)])
  const two = await file('second.ndjson', [call(30_000), '{"apiKeyId":"k'])
  expect(await said([one, two], { history: [past] })).toContain(
    `Rejected lines: 1 broken-json (${two}, byte ${call(30_000).length + 1}).`,
  )
})

test('what is only noted is told by what is unusual about it, which may be no rate', () => {
  const noted = changeText({
    ...{ incidentId: 'key_a#1', keyId: 'key_a', tenant: undefined, phase: 'open', kind: 'new-place', severity: 'low' },
    ...{ telling: 'noted', onsetAt: TEN, decidedAt: TEN, mode: 'observe', action: { kind: 'none' }, detectors: [] },
    current: { calls: 8, seconds: 60, callsPerMinute: 8 },
    expected: { callsPerMinute: 5, lowerPerMinute: 1, upperPerMinute: 9, days: 7 },
    evidence: [{ measure: 'calls from new places in 5 min', observed: 21, usual: 0 }],
  })
  expect(noted).toBe(
    '2026-03-04T10:00:00Z  OPEN        key_a#1  new-place, severity low, noted: 21 calls from new places in 5 min where 0 calls from new places in 5 min is usual, too common, or told too lately, for an alert.\n\n',
  )
})

test('a folder is one log, and files of other formats are read by the format that is named', async () => {
  await mkdir(join(folder, 'day/14'), { recursive: true })
  await file('day/14/b', [call(60_000)])
  await file('day/14/a', [call(0), 'nonsense'])
  expect(await said([join(folder, 'day')])).toBe(
    [
      '2 calls of 1 key, 2026-03-04T10:00:00Z to 2026-03-04T10:01:00Z: no incident.',
      `Rejected lines: 1 unknown-format (${join(folder, 'day/14/a')}, byte ${call(0).length + 1}).`,
      '',
    ].join('\n'),
  )
  const clf = await file('access.log', ['192.0.2.7 - k1 [04/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12'])
  expect(await said([clf], { format: 'clf' })).toContain('1 call of 1 key')
  await expect(said([clf])).rejects.toMatchObject({ code: 'NOTHING_READ', hint: expect.stringContaining('--format') })
})

test('CSV files bring their header, which must be one and the same', async () => {
  const one = await file('one.csv', ['time,apiKeyId,status', `${TEN},k1,200`])
  const two = await file('two.csv', ['time,apiKeyId,status', `${TEN + 1_000},k2,200`])
  expect(await said([one, two], { format: 'csv' })).toContain('2 calls of 2 keys')
  const other = await file('other.csv', ['time;apiKeyId;status', `${TEN};k3;200`])
  await expect(said([one, other], { format: 'csv' })).rejects.toMatchObject({
    message: `${other} begins with another header than ${one}`,
  })
  for (const row of [`${TEN},k1,200`, `${TEN},time,200`, 'time,apiKeyId,status,2024']) {
    const none = await file('none.csv', [row])
    await expect(said([none], { format: 'csv' })).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringMatching(
        /does not begin with a header that names a column for the time .* and none by a number/,
      ),
    })
  }
})

test('a log of long counts alone teaches, and is no failure', async () => {
  const path = await file('counts.ndjson', [row(0, 300), row(300_000, 300)])
  expect(await said([path], { failOnIncident: true })).toContain(
    '2 counted rows of 1 key, 2026-03-04T10:00:00Z to 2026-03-04T10:05:00Z: they only teach what is usual, so nothing could be judged.',
  )
  expect(process.exitCode).toBeUndefined()
  const seconds = await file('seconds.ndjson', [row(0, 1), row(1_000, 1), row(60_000, 300)])
  expect(await said([seconds])).toContain('Also 3 counted rows: 2 of one second')
})

test('files in disorder are told as that, a straggler is not', async () => {
  const calls = (from: number) => Array.from({ length: 100 }, (_, i) => call(from + i * 1_000))
  const disorder = await file('disorder.ndjson', [...calls(1_000_000), ...calls(0)])
  expect(await said([disorder])).toContain(
    'Warning: 100 calls came after their pane had closed, 50 % of all, and could not be judged: are the files in order?',
  )
  const straggler = await file('straggler.ndjson', [...calls(1_000_000), call(0)])
  expect(await said([straggler])).toContain('Late: 1 call came after its pane had closed (it still teaches).')
})

test('enforce in the file needs no gateway where nothing is touched', async () => {
  const log = await file('some.ndjson', [call(0)])
  const config = await file('enforce.yaml', ['mode: enforce'])
  expect(await said([log], { config })).toContain(`Settings: ${config}.`)
})

test('what the settings allow is what would have been done, unless another mode is asked for', async () => {
  const storm = Array.from({ length: 3_000 }, (_, i) => call(600_000 + i * 5, { status: '503' }))
  const log = await file('allowed.ndjson', [...Array.from({ length: 600 }, (_, i) => call(i * 1_000)), ...storm])
  const config = await file('suggest.yaml', ['mode: suggest'])
  expect(await said([log], { config })).toContain('Weir suggests')
  expect(await said([log], { config, mode: 'observe' })).not.toContain('Weir suggests')
  expect(await said([log])).not.toContain('Weir suggests')
})

test('tenants.yaml beside the log names the clients, and machines read of nothing else', async () => {
  const lines = Array.from({ length: 600 }, (_, i) => call(i * 1_000))
  const storm = Array.from({ length: 3_000 }, (_, i) => call(600_000 + i * 5, { status: '503' }))
  const log = await file('storm.ndjson', [...lines, ...storm])
  const tenants = await file('tenants.yaml', ['tenants: {a: {name: Client A, keys: [key_a]}}'])
  try {
    const text = await said([log])
    expect(text).toContain('Client A (key_a) exceeded anomaly threshold.')
    expect(text).toContain(`Settings: ${tenants}, which was found beside the log.`)
    const json = (await said([log], { json: true })).trimEnd().split('\n')
    expect(json.map(line => JSON.parse(line).schema)).toEqual(json.map(() => 'weir.incident/1'))
  } finally {
    await rm(tenants)
  }
})

test('who is blind because the log lacks a field is told once, with the setting that names it', async () => {
  const bare = await file(
    'bare.ndjson',
    Array.from({ length: 100 }, (_, second) => call(second * 1_000, { path: '/v1/a' })),
  )
  expect(await said([bare])).toContain('\nBlind: new-place: no call has a source (`fields.source`).\n')
  const whole = await file(
    'whole.ndjson',
    Array.from({ length: 100 }, (_, second) => call(second * 1_000, { path: '/v1/a', sourceIp: '192.0.2.1' })),
  )
  expect(await said([whole])).not.toContain('Blind')
})
