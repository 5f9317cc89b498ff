import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import type { OperatorCommand } from '../core/operator.ts'
import { journalIndex, openEffectJournal, readEffectJournal } from './effect-journal.ts'
import type { JournalEntry } from './journal-entry.ts'

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-journal-'))
  path = join(directory, 'effects.ndjson')
})

afterEach(() => rm(directory, { recursive: true, force: true }))

const limits = (rateLimit: number, burstLimit = 10) => ({ rateLimit, burstLimit })

function throttle(id: string, keyId = 'key-a'): ThrottleEffect {
  return {
    kind: 'throttle',
    id,
    incidentId: 'i',
    keyId,
    decidedAt: 1,
    limits: limits(5),
    expiresAt: 600_000,
    urgency: 1,
    keys: [],
    siblings: [],
  }
}

function restore(id: string, keyId = 'key-a'): RestoreEffect {
  return { kind: 'restore', id, incidentId: 'i', keyId, decidedAt: 1, step: 'full' }
}

const intent = (effect: ThrottleEffect | RestoreEffect): JournalEntry => ({ kind: 'intent', at: 1, effect })
const applied = (effectId: string): JournalEntry => ({ kind: 'outcome', at: 3, effectId, outcome: { kind: 'applied' } })

function changing(effectId: string, before: number, after: number, keyId = 'key-a'): JournalEntry {
  const plan = { planId: `plan-of-${keyId}`, before: limits(before), after: limits(after) }
  return { kind: 'plan-changing', at: 2, effectId, keyId, ...plan }
}

function set(effectId: string, keyId = 'key-a'): JournalEntry {
  return { kind: 'plan-set', at: 2, effectId, keyId, planId: `plan-of-${keyId}` }
}

const throttled = [intent(throttle('t1')), changing('t1', 100.25, 5), set('t1'), applied('t1')]
const restored = [intent(restore('r1')), changing('r1', 5, 100.25), set('r1'), applied('r1')]

async function write(...appends: readonly (readonly JournalEntry[])[]): Promise<void> {
  const journal = await openEffectJournal(directory)
  for (const entries of appends) await journal.append(entries)
  await journal.close()
}

async function recover() {
  const journal = await openEffectJournal(directory)
  await journal.close()
  return journal
}

test('what was appended is there when the journal is opened again', async () => {
  await write([intent(throttle('t1'))], [changing('t1', 100.25, 5)])
  expect((await recover()).recovered).toEqual([intent(throttle('t1')), changing('t1', 100.25, 5)])
})

test('appends that do not wait for each other are written one after another', async () => {
  const journal = await openEffectJournal(directory)
  const entries = Array.from({ length: 20 }, (_, n) => intent(throttle(`t${n}`)))
  await Promise.all(entries.map(entry => journal.append([entry])))
  await journal.close()
  expect((await recover()).recovered).toEqual(entries)
})

test('an append torn at any byte is cut off as a whole, told, and writing goes on', async () => {
  await write([intent(throttle('t1'))], [changing('t1', 100.25, 5), applied('t1')])
  const content = await readFile(path)
  const secondAt = content.indexOf('\n') + 1
  for (let length = secondAt + 1; length < content.length; length += 7) {
    await writeFile(path, content)
    await truncate(path, length)
    const journal = await openEffectJournal(directory)
    expect(journal).toMatchObject({ recovered: [intent(throttle('t1'))], cutBytes: length - secondAt })
    await journal.append([changing('t1', 100.25, 5)])
    await journal.close()
    expect((await recover()).recovered).toEqual([intent(throttle('t1')), changing('t1', 100.25, 5)])
  }
})

test('a tail of zeros, as a power cut leaves it, is a torn append', async () => {
  await write(throttled)
  await appendFile(path, Buffer.alloc(512))
  expect(await recover()).toMatchObject({ recovered: throttled, cutBytes: 512 })
})

test('a damaged line in the middle is an error that says what to do, and leaves the file alone', async () => {
  await write([intent(throttle('t1'))], [changing('t1', 100.25, 5)], [intent(throttle('t2', 'key-b'))])
  const content = (await readFile(path, 'utf8')).replace('100.25', '900.25')
  await writeFile(path, content)
  await expect(openEffectJournal(directory)).rejects.toMatchObject({
    code: 'CHECKPOINT_DAMAGED',
    message: expect.stringContaining('line 2'),
    hint: expect.stringContaining(`weir throttles release --all --state ${directory} gives back`),
  })
  expect(await readFile(path, 'utf8')).toBe(content)
})

test('a damaged last line that was written to its end is not taken for a torn one', async () => {
  await write([intent(throttle('t1'))], [changing('t1', 100.25, 5)])
  await writeFile(path, (await readFile(path, 'utf8')).replace('100.25', '900.25'))
  await expect(openEffectJournal(directory)).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED' })
})

test('a journal that ends before what a checkpoint knows is not gone on from, and says what was lost', async () => {
  await write(throttled)
  const journal = await openEffectJournal(directory)
  journal.mustReach(4)
  expect(() => journal.mustReach(5)).toThrow(/ends after entry 4, and the checkpoint goes on from entry 5/)
  await journal.close()
  await rm(path)
  const empty = await openEffectJournal(directory)
  expect(() => empty.mustReach(4)).toThrow(
    expect.objectContaining({ code: 'CHECKPOINT_DAMAGED', message: expect.stringContaining('is empty or gone') }),
  )
  await empty.close()
})

test('its position is that of what is on disk: a checkpoint never speaks of an entry that a crash may take away', async () => {
  const journal = await openEffectJournal(directory)
  const appended = journal.append(throttled)
  expect(journal.position()).toBe(0)
  await appended
  expect(journal.position()).toBe(4)
  await journal.close()
})

test('compaction keeps the original of a plan that is still lowered, however often the journal is opened', async () => {
  await write(throttled, [intent(restore('half')), changing('half', 5, 50), set('half'), applied('half')])
  const before = journalIndex((await recover()).recovered).stories
  await recover()
  const { recovered } = await recover()
  expect(journalIndex(recovered).stories).toEqual(before)
  expect(before.get('plan-of-key-a')).toMatchObject({
    original: limits(100.25),
    lastSet: limits(50),
    mayHave: [limits(50)],
  })
})

test('compaction keeps an intent without outcome and drops a story that is over, but for its outcomes', async () => {
  await write([...throttled, ...restored, intent(throttle('t2', 'key-b'))])
  await recover()
  expect((await recover()).recovered).toEqual([applied('t1'), applied('r1'), intent(throttle('t2', 'key-b'))])
})

test('a change of a plan announced before a crash is kept with its intent', async () => {
  await write([intent(throttle('t1')), changing('t1', 100.25, 5)])
  await recover()
  const index = journalIndex((await recover()).recovered)
  expect(index.openIntents).toEqual([throttle('t1')])
  expect(index.stories.get('plan-of-key-a')).toMatchObject({ mayHave: [limits(100.25), limits(5)] })
})

test('of answered effects the last 10,000 outcomes are kept, and the original of a lowered plan besides', async () => {
  const many = Array.from({ length: 10_050 }, (_, n) => applied(`alert-${n}`))
  await write(throttled, many)
  await recover()
  const { recovered } = await recover()
  expect(recovered).toHaveLength(10_003)
  expect(journalIndex(recovered).stories.get('plan-of-key-a')).toMatchObject({ original: limits(100.25) })
})

test('of commands the last 1,000 are kept, and the last word on whether anybody is throttled at all', async () => {
  const said = (command: OperatorCommand): JournalEntry => ({ kind: 'commanded', at: 1, command, by: 'ann' })
  const releases = Array.from({ length: 1_010 }, (_, n) => said({ kind: 'release', keyId: `key-${n}` }))
  await write([said({ kind: 'go-on' }), said({ kind: 'halt' }), ...releases])
  await recover()
  const { recovered } = await recover()
  expect(recovered).toEqual([said({ kind: 'halt' }), ...releases.slice(-1_000)])
})

test('whoever only looks reads what is there, also half a line that is being written, and writes nothing', async () => {
  expect((await readEffectJournal(join(directory, 'nowhere'))).recovered).toEqual([])
  await write(throttled)
  await appendFile(path, '{"crc":"')
  const before = await readFile(path, 'utf8')
  expect((await readEffectJournal(directory)).recovered).toEqual(throttled)
  expect(await readFile(path, 'utf8')).toBe(before)
})

test('a journal that grows past 64 MiB while it is open forgets what is over, and no original', async () => {
  const journal = await openEffectJournal(directory)
  await journal.append(throttled)
  const long = (id: string) => intent({ ...throttle(id, 'key-b'), incidentId: '-'.repeat(23 * 1024 * 1024) })
  for (const id of ['a', 'b', 'c']) await journal.append([long(id), applied(id)])
  expect((await stat(path)).size).toBeLessThan(1024)
  await journal.append([changing('half', 5, 50)])
  await journal.close()
  const { recovered } = await recover()
  expect(journalIndex(recovered).stories.get('plan-of-key-a')).toMatchObject({
    original: limits(100.25),
    lastSet: limits(50),
  })
})

test('an intent after an outcome of the same id is open again', () => {
  const again = [...throttled, intent(throttle('t1'))]
  expect(journalIndex(again)).toMatchObject({ openIntents: [throttle('t1')], outcomes: new Map() })
})

test('a folder that cannot be made is told with what to check', async () => {
  await writeFile(join(directory, 'file'), '')
  await expect(openEffectJournal(join(directory, 'file', 'state'))).rejects.toMatchObject({
    code: 'STORE_UNWRITABLE',
    hint: expect.stringContaining('state.directory'),
  })
})

test('the stories are those of the journal as it is now', async () => {
  const journal = await openEffectJournal(directory)
  expect([...journal.stories().keys()]).toEqual([])
  await journal.append(throttled)
  expect(journal.stories()).toEqual(journalIndex(throttled).stories)
  await journal.append(restored)
  expect([...journal.stories().keys()]).toEqual([])
  await journal.close()
})
