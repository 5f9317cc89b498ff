import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StreamError } from '../core/errors.ts'
import { DAY_MS } from '../core/vocabulary.ts'
import { type AuditEntry, type AuditOptions, type LimitEntry, openAudit, readAudit } from './audit.ts'
import { verifyAudit } from './audit-verify.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-audit-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

const friday = Date.parse('2026-11-20T17:00:05Z')
const entry: LimitEntry = {
  at: friday,
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
const november = 'audit-2026-11.ndjson'

const neverFails = (failure: StreamError) => {
  throw failure
}

const path = (name: string) => join(directory, name)
const lines = async (name = november) => (await readFile(path(name), 'utf8')).split('\n')
const entries = async (name = november) =>
  (await lines(name)).filter(line => line !== '').map(line => JSON.parse(line) as Record<string, unknown>)

/** A life of the log, in which these are recorded. */
async function recorded(all: readonly Partial<LimitEntry>[], options: AuditOptions = {}) {
  const audit = await openAudit(directory, neverFails, undefined, options)
  for (const one of all) await audit.record({ ...entry, ...one })
  await audit.close()
}

const breaches = async (heads: readonly string[] = []) =>
  (await verifyAudit([directory], heads)).flatMap(chain => chain.breaches.map(({ where, says }) => `${where} ${says}`))

test('a line tells who changed which limit, when, on what evidence, from what to what, and under which settings', async () => {
  await recorded([{}], {
    contextOf: () => ({ tenantId: 'client-a', mode: 'enforce', version: '1.2.3', config: 'c0ffee' }),
  })
  const { because: _, ...told } = entry
  expect(await entries()).toEqual([
    {
      ...{ seq: 1, ...told, at: '2026-11-20T17:00:05.000Z' },
      ...{ tenantId: 'client-a', mode: 'enforce', version: '1.2.3', config: 'c0ffee', prev: '0'.repeat(64) },
    },
  ])
})

test('no throttle before or after a change is null, and where nothing was changed nothing is said of it', async () => {
  await recorded([
    { from: undefined },
    { from: undefined, to: undefined, result: 'refused', because: 'plan is shared' },
  ])
  const [applied, refused] = await entries()
  expect(applied).toMatchObject({ from: null, to: { rateLimit: 5, burstLimit: 10 } })
  expect(refused).not.toHaveProperty('from')
})

test('each month has a file, and the chain goes on across months and restarts', async () => {
  await recorded([{}, {}])
  await recorded([{ at: Date.parse('2026-12-01T00:00:00Z') }])
  await recorded([{ at: Date.parse('2027-02-03T00:00:00Z') }])
  expect((await readdir(directory)).sort()).toEqual([
    ...['audit-2026-11.ndjson', 'audit-2026-12.ndjson', 'audit-2027-02.ndjson', 'audit-head.json'],
  ])
  expect((await entries('audit-2027-02.ndjson')).map(({ seq }) => seq)).toEqual([4])
  expect(await breaches()).toEqual([])
})

test('a clock that is set back writes on in the month that it had reached', async () => {
  await recorded([{ at: Date.parse('2026-12-01T00:00:00Z') }, { at: friday }])
  expect((await entries('audit-2026-12.ndjson')).map(({ seq }) => seq)).toEqual([1, 2])
})

test('a line torn by a crash stays, the next entry has a line of its own, and the chain holds', async () => {
  await recorded([{}])
  await appendFile(path(november), '{"seq":2,"at":"2026-11-')
  await recorded([{}])
  const [, torn, whole = ''] = await lines()
  expect(torn).toBe('{"seq":2,"at":"2026-11-')
  expect(JSON.parse(whole)).toMatchObject({ seq: 2, effectId: entry.effectId })
  expect(await verifyAudit([directory])).toMatchObject([{ entries: 2, torn: [`${november}:2`], breaches: [] }])
})

test('a line that was written before its place was noted is gone on from', async () => {
  await recorded([{}])
  const head = await readFile(path('audit-head.json'))
  await recorded([{}])
  await writeFile(path('audit-head.json'), head)
  expect(await breaches()).toEqual([])
  await recorded([{}])
  expect((await entries()).map(({ seq }) => seq)).toEqual([1, 2, 3])
  expect(await breaches()).toEqual([])
})

test('a changed line, and one that was cut out, are found', async () => {
  await recorded([{}, {}, {}, {}])
  const [one = '', two = '', three = '', four = ''] = await lines()
  await writeFile(path(november), `${[one, two.replace('key-a', 'key-b'), three, four].join('\n')}\n`)
  expect(await breaches()).toEqual([`${november}:3 entry 2, before it, is not as it was written`])
  await writeFile(path(november), `${[one, three, four].join('\n')}\n`)
  expect(await breaches()).toEqual([`${november}:2 entry 2 is missing before it`])
  await writeFile(path(november), `${[two, three, four].join('\n')}\n`)
  expect(await breaches()).toEqual([`${november}:1 entry 1 is missing before it, and no rule has deleted them`])
})

test('a last line that was changed or cut off is found, also when the log has gone on since', async () => {
  await recorded([{}, {}, {}])
  const [one = '', two = '', three = ''] = await lines()
  await writeFile(path(november), `${[one, two, three.replace('plan-a', 'plan-b')].join('\n')}\n`)
  expect(await breaches()).toEqual(['audit-head.json entry 3, the last, is not as it was written'])
  await writeFile(path(november), `${one}\n`)
  expect(await breaches()).toEqual(['audit-head.json entries 2 to 3 are missing at the end'])
  await recorded([{}])
  expect(await breaches()).toEqual([`${november}:2 entries 2 to 3 are missing before it`])
})

test('a chain that was made anew is known by a hash that was kept elsewhere', async () => {
  await recorded([{}, {}])
  const [before] = await verifyAudit([directory])
  const kept = before?.head?.hash ?? ''
  expect(await breaches([kept])).toEqual([])
  await rm(directory, { recursive: true })
  await recorded([{ planId: 'plan-z' }, {}])
  expect(await breaches([kept])).toEqual([`--head no entry has the hash ${kept}`])
})

test('what was written before there was a chain stays as it is, and is held by the first line', async () => {
  await writeFile(path('audit.ndjson'), '{"at":"2026-10-01T00:00:00.000Z","by":"weir","change":"throttle"}\n')
  await recorded([{}])
  expect(await lines('audit.ndjson')).toHaveLength(2)
  expect(await breaches()).toEqual([])
  await appendFile(path('audit.ndjson'), '{"by":"somebody"}\n')
  expect(await breaches()).toEqual([`${november}:1 audit.ndjson is not as it was when the chain began`])
  await rm(path('audit.ndjson'))
  expect(await breaches()).toEqual([`${november}:1 audit.ndjson, which was there before it, is missing`])
})

test('a month goes when all of it is longer ago than the rule, the log says so, and the chain holds', async () => {
  const told: string[] = []
  const keep: AuditOptions = { keepForMs: 30 * DAY_MS, deleted: file => told.push(file) }
  await writeFile(path('audit.ndjson'), '{"at":"2026-10-01T00:00:00.000Z","by":"weir","change":"throttle"}\n')
  await recorded([{}, {}, { at: Date.parse('2026-12-15T00:00:00Z') }])
  const audit = await openAudit(directory, neverFails, undefined, keep)
  await audit.tidy(Date.parse('2026-12-30T23:59:59Z'))
  expect(told).toEqual(['audit.ndjson'])
  // Looked at once a day.
  await audit.tidy(Date.parse('2026-12-31T00:00:00Z'))
  await audit.close()
  expect(told).toEqual(['audit.ndjson', november])
  expect((await entries('audit-2026-12.ndjson')).slice(1)).toMatchObject([
    { seq: 4, change: 'audit-deleted', file: 'audit.ndjson', keptForDays: 30 },
    { seq: 5, change: 'audit-deleted', file: november, last: { seq: 2 } },
  ])
  expect(await breaches()).toEqual([])
})

test('nothing is deleted a moment before its time, nor without a rule', async () => {
  await recorded([{}])
  const audit = await openAudit(directory, neverFails, undefined, { keepForMs: 30 * DAY_MS })
  await audit.tidy(Date.parse('2026-12-30T23:59:59.999Z'))
  await audit.close()
  const ruleless = await openAudit(directory, neverFails)
  await ruleless.tidy(Date.parse('2036-12-31T00:00:00Z'))
  await ruleless.close()
  expect(await readdir(directory)).toContain(november)
})

test('a command beside the worker has a chain of its own', async () => {
  await recorded([{}])
  await recorded([{ change: 'limits-apply', by: 'alex' }], { chain: 'limits' })
  await recorded([{}])
  expect((await entries()).map(({ seq }) => seq)).toEqual([1, 2])
  expect(await verifyAudit([directory])).toMatchObject([
    { chain: 'worker', entries: 2, breaches: [] },
    { chain: 'limits', entries: 1, breaches: [] },
  ])
})

test('who has lost the directory writes nothing more into it, and says so', async () => {
  const failures: StreamError[] = []
  let isOurs = true
  const stillOurs = async () => {
    if (!isOurs) throw new StreamError('STATE_HELD', 'another worker is using it', { retry: 'later' })
  }
  const frozen = await openAudit(directory, failure => failures.push(failure), undefined, { stillOurs })
  await frozen.record(entry)
  isOurs = false
  await recorded([{ effectId: 'key-a#1/restore-half' }])
  await frozen.record({ ...entry, effectId: 'key-a#1/throttle-2' })
  await frozen.close()
  expect(failures.map(({ code }) => code)).toEqual(['STATE_HELD'])
  expect((await entries()).map(({ effectId }) => effectId)).toEqual(['key-a#1/throttle-1', 'key-a#1/restore-half'])
  expect(await breaches()).toEqual([])
})

test('where two have written all the same, verify says that it is a fork, and where; and no more than that', async () => {
  await recorded([{}])
  const frozen = await openAudit(directory, neverFails)
  await recorded([{ effectId: 'one' }, { effectId: 'two' }])
  await frozen.record({ ...entry, effectId: 'of the frozen one' })
  await frozen.close()
  const fork = `${november}:4 a second entry 2: another writer went on from entry 1 too`
  const [first, ...others] = await breaches()
  expect([first?.slice(0, fork.length), others]).toEqual([fork, []])
  const living = await openAudit(directory, neverFails)
  await living.record({ ...entry, effectId: 'three' })
  await living.close()
  expect(await breaches()).toHaveLength(1)
})

test('an entry that cannot be written is told, does not undo what was done, and is written when there is room again', async () => {
  const failures: StreamError[] = []
  const audit = await openAudit(directory, failure => failures.push(failure))
  await mkdir(path(november))
  await audit.record(entry)
  expect(failures.map(({ code }) => code)).toEqual(['STORE_UNWRITABLE'])
  await rmdir(path(november))
  await audit.record({ ...entry, effectId: 'key-a#1/restore-half' })
  await audit.close()
  expect((await entries()).map(({ effectId }) => effectId)).toEqual(['key-a#1/throttle-1', 'key-a#1/restore-half'])
  expect(await breaches()).toEqual([])
})

test('a folder that takes nothing is told at the start', async () => {
  await writeFile(path('taken'), '')
  await expect(openAudit(path('taken'), neverFails)).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
})

test('what is asked for is read back as it was written, and half a line says nothing', async () => {
  await appendFile(path('audit.ndjson'), '{"at":"2026-11-')
  const audit = await openAudit(directory, neverFails)
  const answer = { kind: 'refused', because: 'Weir is not halted' } as const
  const said: AuditEntry = { at: 1, by: 'ann', change: 'command', command: { kind: 'go-on' }, answer }
  await audit.record(entry)
  await audit.record(said)
  await audit.close()
  const { because: _, ...told } = entry
  expect(await readAudit(directory, () => true)).toEqual([said, told])
  expect(await readAudit(directory, ({ by }) => by === 'ann')).toEqual([said])
})
