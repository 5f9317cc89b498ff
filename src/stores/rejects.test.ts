import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Rejection, RejectionReason } from '../core/call-batch.ts'
import { openRejects, rejectsText } from './rejects.ts'

let directory: string
const at = Date.UTC(2026, 10, 20, 14, 3, 7)

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-rejects-'))
})
afterEach(() => rm(directory, { recursive: true }))

test('a refused line is kept as position, reason, length and redacted excerpt; the counters know those without a sample', async () => {
  const rejects = await openRejects(directory)
  rejects.noteBatch(batch({ 'broken-json': 1_200, 'no-time': 4 }, [sample({})]), { partition: 'access-logs/3', at })
  rejects.noteFaults([{ position: '900', reason: 'bad-gzip', length: 77 }], { partition: 'a.log.gz', at: at + 1 })
  await rejects.flush()
  expect(await linesOf('rejects.ndjson')).toEqual([
    {
      at: '2026-11-20T14:03:07.000Z',
      partition: 'access-logs/3',
      position: '17',
      reason: 'broken-json',
      length: 90,
      excerpt: '{"apiKeyId":"xxx_xxx999',
    },
    {
      at: '2026-11-20T14:03:07.001Z',
      partition: 'a.log.gz',
      position: '900',
      reason: 'bad-gzip',
      length: 77,
      excerpt: '',
    },
  ])
  expect(rejects.summary()).toEqual({
    recent: { 'broken-json': 1_200, 'no-time': 4, 'bad-gzip': 1 },
    total: { 'broken-json': 1_200, 'no-time': 4, 'bad-gzip': 1 },
    unwritten: 0,
    trouble: undefined,
  })
})

test('a summary tells what came since the one before, and a quiet minute is not told at all', async () => {
  const rejects = await openRejects(directory)
  const from = { partition: 'p', at }
  expect(rejects.summary()).toBeUndefined()
  rejects.noteBatch(batch({ future: 1 }, []), from)
  expect(rejects.summary()).toMatchObject({ recent: { future: 1 } })
  expect(rejects.summary()).toBeUndefined()
  rejects.noteBatch(batch({ future: 2, 'bad-status': 3 }, []), from)
  const summary = rejects.summary()
  expect(summary).toMatchObject({ recent: { 'bad-status': 3, future: 2 }, total: { 'bad-status': 3, future: 3 } })
  expect(summary && rejectsText(summary)).toBe('5 lines: bad-status 3, future 2')
})

test('a flood of bad lines fills two files of the stated size, the newest lines among them', async () => {
  const rejects = await openRejects(directory, { maxFileBytes: 2_000 })
  for (let i = 0; i < 500; i++) {
    rejects.noteBatch(batch({ 'broken-json': 1 }, [sample({ position: `${i}` })]), { partition: 'p', at })
    if (i % 7 === 0) await rejects.flush()
  }
  await rejects.flush()
  expect((await readdir(directory)).sort()).toEqual(['rejects.1.ndjson', 'rejects.ndjson'])
  const sizes = await Promise.all(['rejects.1.ndjson', 'rejects.ndjson'].map(name => stat(join(directory, name))))
  for (const { size } of sizes) expect(size).toBeLessThanOrEqual(2_000)
  const positions = [...(await linesOf('rejects.1.ndjson')), ...(await linesOf('rejects.ndjson'))].map(l => l.position)
  expect(positions).toEqual(Array.from({ length: positions.length }, (_, i) => `${500 - positions.length + i}`))
})

test('a restarted worker goes on in the file that is there, within its size', async () => {
  const note = async (position: string) => {
    const rejects = await openRejects(directory, { maxFileBytes: 200 })
    rejects.noteBatch(batch({ 'broken-json': 1 }, [sample({ position })]), { partition: 'p', at })
    await rejects.flush()
  }
  for (const position of ['1', '2']) await note(position)
  expect((await linesOf('rejects.1.ndjson')).map(line => line.position)).toEqual(['1'])
  expect((await linesOf('rejects.ndjson')).map(line => line.position)).toEqual(['2'])
})

test('more samples than can wait are counted, and left', async () => {
  const rejects = await openRejects(directory)
  for (let i = 0; i < 1_003; i++)
    rejects.noteBatch(batch({ 'bad-pane': 1 }, [sample({ reason: 'bad-pane' })]), { partition: 'p', at })
  await rejects.flush()
  expect(await linesOf('rejects.ndjson')).toHaveLength(1_000)
  expect(rejects.summary()).toMatchObject({ recent: { 'bad-pane': 1_003 }, unwritten: 3 })
})

test('a disk that refuses does not stop the stream: it is told, and the counters go on', async () => {
  const rejects = await openRejects(join(directory, 'state'))
  await rm(join(directory, 'state'), { recursive: true })
  await writeFile(join(directory, 'state'), '')
  rejects.noteBatch(batch({ 'bad-time': 1 }, [sample({ reason: 'bad-time' })]), { partition: 'p', at })
  await rejects.flush()
  const summary = rejects.summary()
  expect(summary).toMatchObject({ recent: { 'bad-time': 1 }, unwritten: 1 })
  expect(summary?.trouble).toMatch(/^ENOTDIR/)
})

function sample(changed: Partial<Rejection>): Rejection {
  return { reason: 'broken-json', position: '17', length: 90, excerpt: '{"apiKeyId":"xxx_xxx999', ...changed }
}

function batch(rejected: Partial<Record<RejectionReason, number>>, samples: Rejection[]) {
  return { rejected: new Map(Object.entries(rejected) as [RejectionReason, number][]), samples }
}

async function linesOf(name: string): Promise<readonly { readonly position: string }[]> {
  const text = await readFile(join(directory, name), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}
