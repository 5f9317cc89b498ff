import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Verdict } from '../core/tuning/label.ts'
import { openIncidentLog } from '../stores/incident-log.ts'
import { readLabels } from '../stores/labels.ts'
import { type LabelOptions, labelIncident } from './label-incident.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-label-'))
  await writeFile(join(folder, 'weir.yaml'), 'state: {directory: kept}\n')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const at = Date.parse('2026-11-20T17:00:00Z')
const labels = () => readLabels(join(folder, 'kept/labels.ndjson'))

async function label(incidentId: string, verdict: Verdict, options: Partial<LabelOptions> = {}): Promise<string> {
  let text = ''
  const write = (more: string): void => {
    text += more
  }
  await labelIncident(
    incidentId,
    verdict,
    { config: join(folder, 'weir.yaml'), ...options },
    { out: { write }, now: () => at },
  )
  return text
}

test('what the worker told is labelled by its number, with its key, kind and time', async () => {
  const incidents = await openIncidentLog(join(folder, 'kept'), () => {})
  const change = { incidentId: 'key-a#2', keyId: 'key-a', kind: 'surge', severity: 'low', onsetAt: at } as const
  incidents.record({ ...change, phase: 'open', decidedAt: at + 4_000 })
  incidents.record({ ...change, phase: 'closed', decidedAt: at + 90_000 })
  await incidents.close()
  expect(await label('key-a#2', 'false-alarm', { note: 'their sale' })).toBe(
    `key-a#2 (surge of key-a, 2026-11-20T17:00:00Z to 2026-11-20T17:01:30Z) is labelled a false alarm in ${join(folder, 'kept/labels.ndjson')}.\n`,
  )
  expect(await labels()).toEqual([
    {
      ...{ at, incidentId: 'key-a#2', keyId: 'key-a', kind: 'surge', verdict: 'false-alarm', note: 'their sale' },
      ...{ from: at, to: at + 90_000 },
    },
  ])
})

test('what only a replay told is labelled by a moment in it', async () => {
  await label('key-b#7', 'true', { at })
  await label('platform#1', 'true', { at })
  expect(await labels()).toMatchObject([
    { incidentId: 'key-b#7', keyId: 'key-b', from: at, to: at, kind: undefined },
    { incidentId: 'platform#1', keyId: '*' },
  ])
})

test('an incident that nobody knows is not labelled', async () => {
  await expect(label('key-c#1', 'true')).rejects.toMatchObject({
    code: 'INCIDENT_UNKNOWN',
    hint: expect.stringContaining('--at'),
  })
  await expect(label('key-c', 'true', { at })).rejects.toMatchObject({ code: 'INCIDENT_UNKNOWN' })
  await expect(readFile(join(folder, 'kept/labels.ndjson'))).rejects.toThrow('ENOENT')
})
