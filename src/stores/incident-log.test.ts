import { appendFile, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { StreamError } from '../core/errors.ts'
import { changesOf, findIncident, type LoggedChange, openIncidentLog } from './incident-log.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-incidents-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const neverFails = (failure: StreamError) => {
  throw failure
}

const at = Date.parse('2026-11-20T17:00:00Z')
const change = (more: Partial<LoggedChange> = {}): LoggedChange => ({
  ...{ incidentId: 'key-a#1', keyId: 'key-a', phase: 'open', kind: 'surge', severity: 'low' },
  ...{ onsetAt: at, decidedAt: at + 5_000 },
  ...more,
})

async function log(...changes: readonly LoggedChange[]): Promise<void> {
  const incidents = await openIncidentLog(directory, neverFails)
  for (const one of changes) incidents.record(one)
  await incidents.close()
}

test('an incident is found by its id, from its onset to what was told of it last, over restarts', async () => {
  await log(change(), change({ incidentId: 'key-a#11', keyId: 'key-a', decidedAt: at + 9_000 }))
  await log(change({ kind: 'retry-storm', severity: 'high', phase: 'closed', decidedAt: at + 90_000 }))
  expect(await findIncident(directory, 'key-a#1')).toEqual({
    ...{ incidentId: 'key-a#1', keyId: 'key-a', kind: 'retry-storm', severity: 'high', from: at, to: at + 90_000 },
  })
  expect(await findIncident(directory, 'key-b#1')).toBeUndefined()
})

test('after a worker has lost its state the same id is another incident, and the newer one is meant', async () => {
  const later = at + 86_400_000
  await log(change(), change({ onsetAt: later, decidedAt: later + 2_000 }))
  expect(await findIncident(directory, 'key-a#1')).toMatchObject({ from: later, to: later + 2_000 })
})

test('a line that is being written is none yet', async () => {
  await log(change())
  await appendFile(join(directory, 'incidents.ndjson'), '{"incidentId":"key-a#1","keyId":"ke')
  expect(await findIncident(directory, 'key-a#1')).toMatchObject({ to: at + 5_000 })
})

test('the log is bounded: the older half goes, and what is in either file is found', async () => {
  const incidents = await openIncidentLog(directory, neverFails, { maxFileBytes: 1_000 })
  for (let number = 0; number < 40; number++) incidents.record(change({ incidentId: `key-a#${number}` }))
  await incidents.close()
  expect((await readdir(directory)).sort()).toEqual(['incidents.1.ndjson', 'incidents.ndjson'])
  expect((await stat(join(directory, 'incidents.1.ndjson'))).size).toBeLessThanOrEqual(1_000)
  expect(await findIncident(directory, 'key-a#39')).toBeDefined()
  expect(await findIncident(directory, 'key-a#34')).toBeDefined()
  expect(await findIncident(directory, 'key-a#0')).toBeUndefined()
})

test('a disk that refuses is told, and nothing else stops', async () => {
  const told: string[] = []
  const incidents = await openIncidentLog(directory, ({ message }) => told.push(message))
  await rm(directory, { recursive: true })
  await writeFile(directory, 'a file where the folder was')
  incidents.record(change())
  await incidents.close()
  expect(told).toEqual([expect.stringContaining('Could not keep the incident log')])
})

test('what a disk or a hand has made of a line is none, and the lines around it are read', async () => {
  await log(change())
  await appendFile(join(directory, 'incidents.ndjson'), 'null\n7\n[]\n{}\n"key-a#1"\n{"incidentId":"key-a#1"}\n')
  await log(change({ phase: 'closed', decidedAt: at + 9_000 }))
  const incidents = await openIncidentLog(directory, neverFails)
  expect(incidents.standingOf('key-a#1')).toEqual({ phase: 'closed', at: at + 9_000 })
  expect(await findIncident(directory, 'key-a#1')).toMatchObject({ from: at, to: at + 9_000 })
  expect(await changesOf(directory, 'key-a')).toHaveLength(2)
})
