import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AlertEffect } from '../core/incident/effect.ts'
import { forgetLetter, type Letter, openUndelivered, readUndelivered, undeliveredFolder } from './undelivered.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-undelivered-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('what nobody got is there after a restart, those that were decided first before the others', async () => {
  const store = await openUndelivered(folder)
  for (const [id, decidedAt] of [
    ['k1#1/alert-10', 20],
    ['k1#1/alert-9', 20],
    ['k2#1/alert-1', 5],
  ] as const)
    expect(await store.keep(letter(id, decidedAt))).toEqual({ forgotten: 0 })

  const again = await openUndelivered(folder)
  expect(again.count()).toBe(3)
  expect(again.has(letter('k1#1/alert-9', 20).effect)).toBe(true)
  expect(again.has(letter('k1#1/alert-9', 21).effect)).toBe(false)
  expect(await readUndelivered(folder)).toEqual({
    letters: [letter('k2#1/alert-1', 5), letter('k1#1/alert-9', 20), letter('k1#1/alert-10', 20)],
    damaged: [],
  })
})

test('kept twice it is there once; sent it is gone, also for the worker that kept it', async () => {
  const store = await openUndelivered(folder)
  await store.keep(letter('k1#1/alert-1', 1))
  await store.keep(letter('k1#1/alert-1', 1))
  expect(store.count()).toBe(1)
  await forgetLetter(folder, letter('k1#1/alert-1', 1))
  await forgetLetter(folder, letter('k1#1/alert-1', 1))
  await store.look()
  expect(store.count()).toBe(0)
  expect(await readUndelivered(folder)).toEqual({ letters: [], damaged: [] })
})

test('of more than may be kept the oldest go, counted', async () => {
  const store = await openUndelivered(folder, { most: 2 })
  for (const at of [900, 10_000, 2_000]) await store.keep(letter(`k${at}#1/alert-1`, at))
  expect(store.count()).toBe(2)
  expect(await store.keep(letter('k3000#1/alert-1', 3_000))).toEqual({ forgotten: 1 })
  expect((await readUndelivered(folder)).letters.map(({ effect }) => effect.decidedAt)).toEqual([3_000, 10_000])
})

test('a letter that a crash left half written is none, and one that was damaged is told with its file', async () => {
  const store = await openUndelivered(folder)
  await store.keep(letter('k1#1/alert-1', 1))
  const [name = ''] = await readdir(undeliveredFolder(folder))
  await writeFile(join(undeliveredFolder(folder), `5-abc.json.new`), '{"crc":"')
  const damaged = join(undeliveredFolder(folder), '7-abc.json')
  await writeFile(damaged, '{"crc":"00000000","letter":{}}\n')
  expect(name).toMatch(/^1-/)
  expect(await readUndelivered(folder)).toEqual({ letters: [letter('k1#1/alert-1', 1)], damaged: [damaged] })
})

test('where no alert was ever given up on there is nothing to read', async () => {
  expect(await readUndelivered(folder)).toEqual({ letters: [], damaged: [] })
})

function letter(id: string, decidedAt: number): Letter {
  const incidentId = id.slice(0, id.indexOf('/'))
  const effect: AlertEffect = {
    ...{ kind: 'alert', id, incidentId, keyId: 'k1', decidedAt },
    explanation: {
      ...{ incidentId, keyId: 'k1', phase: 'open', kind: 'surge', severity: 'high', telling: 'alerted' },
      ...{ tenant: { id: 't', name: 'T', contact: 'c', escalation: 'e' }, onsetAt: 0, decidedAt },
      ...{ current: { calls: 9, seconds: 1, callsPerMinute: 540 }, detectors: [], evidence: [], mode: 'observe' },
      ...{ expected: { callsPerMinute: 1, lowerPerMinute: 1, upperPerMinute: 2, days: 7 }, action: { kind: 'none' } },
    },
  }
  return { effect, givenUpAt: decidedAt + 9, because: 'SNS did not take it' }
}
