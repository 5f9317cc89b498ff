/** The command as a person uses it, on the recorded stories: what was tried, what is suggested, and what labels change. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ToldIncident } from '../core/tuning/told-incident.ts'
import { labelIncident } from './label-incident.ts'
import { parseMoment } from './moment.ts'
import { type TuneOptions, tuneLogs } from './tune-logs.ts'

const stories = join(import.meta.dirname, '../../replay-data')

let folder: string
let config: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-tune-test-'))
  config = join(folder, 'weir.yaml')
  await writeFile(config, 'state: {directory: state}\n')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function said(story: 'friday' | 'sale', options: Partial<TuneOptions> = {}): Promise<string> {
  let text = ''
  const out = {
    write: (more: string): void => {
      text += more
    },
  }
  const [log, history] = [join(stories, story, 'log.ndjson.gz'), join(stories, story, 'history.ndjson.gz')]
  const how = { config, history: [history], tries: 0, ...options }
  await tuneLogs([log], how, { out, err: { write: () => {} } })
  return text
}

test('on Friday one client is told of, beside the API that fails; and what is suggested tells it no later', async () => {
  const html = join(folder, 'friday.html')
  const answer = JSON.parse(await said('friday', { tries: 1, json: true, html, holdOut: 1 / 1_440 }))
  expect(answer).toMatchObject({ schema: 'weir.tune/1', calls: 47_618, budgetPerWeek: 1 })
  const clients = answer.present.incidents.filter(
    (told: ToldIncident) => told.telling === 'alerted' && told.keyId !== '*',
  )
  expect(clients).toMatchObject([{ incidentId: 'key_abc123#1', severity: 'high' }])
  expect(answer.trials).toHaveLength(2)
  const [before, after] = [answer.present.tunedOn, answer.suggested.tunedOn]
  expect(before).toMatchObject({ falseAlarms: before.pages / 2, allowed: 1, found: before.pages, due: before.pages })
  expect(after.falseAlarms).toBeLessThanOrEqual(after.allowed)
  expect(after.latenessSeconds).toBeLessThanOrEqual(before.latenessSeconds)
  expect(await readFile(html, 'utf8')).toContain('<!doctype html>')
})

test('another configuration over the same history: the sale that is told at low severity now is told no more', async () => {
  const against = join(folder, 'strict.yaml')
  await writeFile(against, 'detectors: {sequential-surge: {excessFloor: 1000000}}\n')
  const text = await said('sale', { against, budget: '2 per day' })
  expect(text).toMatch(/strict\.yaml, of all days judged: \d go\.\n {2}goes {3}2025-11-28T10:\d\d:\d\dZ {2}key_b1001#1/)
  expect(text).toContain('within the budget of 14 a week')
  expect(text).not.toContain('Suggested')
})

test('a sale that was labelled a false alarm counts whole; labelled true it is none, and is not to be missed', async () => {
  const labelled = async (verdict: 'true' | 'false-alarm') => {
    await labelIncident(
      ...(['key_b1001#1', verdict] as const),
      { config, at: parseMoment('2025-11-28T10:10:00Z') },
      { out: { write: () => {} }, now: () => Date.UTC(2025, 10, 29) },
    )
    const { present, labels } = JSON.parse(await said('sale', { json: true }))
    return { labels, alarms: present.tunedOn.falseAlarms + present.heldOut.falseAlarms }
  }
  const wrong = await labelled('false-alarm')
  expect(wrong).toMatchObject({ labels: { true: 0, falseAlarm: 1, elsewhere: 0 } })
  const right = await labelled('true')
  expect(right).toMatchObject({ labels: { true: 1, falseAlarm: 0 } })
  expect(wrong.alarms - right.alarms).toBeCloseTo(1 / 20)
})

test('what cannot be used is told before anything is read', async () => {
  await expect(said('sale', { labels: join(folder, 'none.ndjson') })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
  })
  await expect(said('sale', { html: join(folder, 'no/such/folder.html') })).rejects.toMatchObject({
    code: 'STORE_UNWRITABLE',
  })
  await expect(said('sale', { against: join(folder, 'none.yaml') })).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
  })
})

test('what cannot be used of the log or the budget is told as that', async () => {
  const log = join(folder, 'one.ndjson')
  const calls = [1741960800000, 1741960830000].map(at => `{"requestTimeEpoch":"${at}","apiKeyId":"key_a"}\n`)
  await writeFile(log, calls.join(''))
  const tuned = (options: Partial<TuneOptions>) =>
    tuneLogs([log], { config, tries: 0, ...options }, { out: { write: () => {} }, err: { write: () => {} } })
  await expect(tuned({ holdOut: 30 })).rejects.toMatchObject({ code: 'TIME_UNUSABLE' })
  await expect(tuned({ budget: '5' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(tuned({ history: [log] })).rejects.toMatchObject({ code: 'HISTORY_OVERLAPS' })
})
