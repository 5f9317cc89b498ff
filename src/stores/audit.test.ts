import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { StreamError } from '../core/errors.ts'
import { type AuditEntry, type LimitEntry, openAudit, readAudit } from './audit.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-audit-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

const entry: LimitEntry = {
  at: Date.parse('2026-11-20T17:00:05Z'),
  by: 'weir',
  change: 'throttle',
  keyId: 'key-a',
  planId: 'plan-a',
  incidentId: 'key-a#1',
  effectId: 'key-a#1/throttle-1',
  from: { rateLimit: 100.5, burstLimit: 200 },
  to: { rateLimit: 5, burstLimit: 10 },
  result: 'applied',
  because: undefined,
}

const neverFails = (failure: StreamError) => {
  throw failure
}

const lines = async () => (await readFile(join(directory, 'audit.ndjson'), 'utf8')).split('\n')

test('a line tells who changed which limit, when, on what evidence, from what to what', async () => {
  const audit = await openAudit(directory, neverFails)
  await audit.record(entry)
  await audit.close()
  const [line = '', end] = await lines()
  const { because: _, ...told } = entry
  expect(JSON.parse(line)).toEqual({ ...told, at: '2026-11-20T17:00:05.000Z' })
  expect(end).toBe('')
})

test('a line torn by a crash stays, and the next entry has a line of its own', async () => {
  await appendFile(join(directory, 'audit.ndjson'), '{"at":"2026-11-')
  const audit = await openAudit(directory, neverFails)
  await audit.record(entry)
  await audit.close()
  const [torn, whole = ''] = await lines()
  expect(torn).toBe('{"at":"2026-11-')
  expect(JSON.parse(whole)).toMatchObject({ effectId: entry.effectId })
})

test('what is asked for is read back as it was written, and half a line says nothing', async () => {
  await appendFile(join(directory, 'audit.ndjson'), '{"at":"2026-11-')
  const audit = await openAudit(directory, neverFails)
  const answer = { kind: 'refused', because: 'Weir is not halted' } as const
  const said: AuditEntry = { at: 1, by: 'ann', change: 'command', command: { kind: 'go-on' }, answer }
  await audit.record(entry)
  await audit.record(said)
  await audit.close()
  const { because: _, ...told } = entry
  expect(await readAudit(directory, () => true)).toEqual([told, said])
  expect(await readAudit(directory, ({ by }) => by === 'ann')).toEqual([said])
})

test('an entry that cannot be written is told, and does not undo what was done', async () => {
  const failures: StreamError[] = []
  const audit = await openAudit(directory, failure => failures.push(failure))
  await audit.close()
  await audit.record(entry)
  expect(failures.map(({ code }) => code)).toEqual(['STORE_UNWRITABLE'])
})
