/** The command as a person uses it, on the recorded stories: what was tried, what is suggested, and what labels change. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseBudget } from './budget.ts'
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
  const how = { config, history: [history], budget: 1, tries: 0, ...options }
  await tuneLogs([log], how, { out, err: { write: () => {} } })
  return text
}

test('on Friday the storm is the one page, and it is told sooner by what is suggested', async () => {
  const html = join(folder, 'friday.html')
  const answer = JSON.parse(await said('friday', { tries: 3, json: true, html, holdOut: 1 / 1_440 }))
  expect(answer).toMatchObject({ schema: 'weir.tune/1', calls: 47_618, budgetPerWeek: 1 })
  expect(answer.present.incidents).toMatchObject([
    { incidentId: 'key_abc123#1', severity: 'high', kind: 'retry-storm' },
  ])
  expect(answer.trials).toHaveLength(4)
  const [before, after] = [answer.present.tunedOn, answer.suggested.tunedOn]
  expect(after.falseAlarms).toBeLessThanOrEqual(after.allowed)
  expect(after.found).toBe(before.found)
  expect(after.latenessSeconds).toBeLessThan(before.latenessSeconds)
  expect(answer.suggested.yaml).toMatch(/^detectors:\n {2}sequential-surge:\n/)
  expect(answer.suggested.difference).toContainEqual(
    expect.objectContaining({ kind: 'moves', before: expect.objectContaining({ keyId: 'key_abc123' }) }),
  )
  expect(await readFile(html, 'utf8')).toContain('<!doctype html>')
})

test('another configuration over the same history: the sale that is told at low severity now is told no more', async () => {
  const against = join(folder, 'strict.yaml')
  await writeFile(against, 'detectors: {sequential-surge: {timesUpper: 100}}\n')
  const text = await said('sale', { against })
  expect(text).toMatch(/strict\.yaml, of all days judged: \d go\.\n {2}goes {3}2025-11-28T10:\d\d:\d\dZ {2}key_b1001#1/)
  expect(text).not.toContain('Suggested')
})

test('a sale that was labelled a false alarm counts whole; labelled true it is none, and is not to be missed', async () => {
  const alarms = async () => {
    const { present, labels } = JSON.parse(await said('sale', { json: true, holdOut: 1 / 1_440 }))
    return { labels, alarms: present.tunedOn.falseAlarms + present.heldOut.falseAlarms }
  }
  const label = (verdict: 'true' | 'false-alarm') =>
    labelIncident(
      ...(['key_b1001#1', verdict] as const),
      { config, at: parseMoment('2025-11-28T10:10:00Z') },
      { out: { write: () => {} }, now: () => Date.UTC(2025, 10, 29) },
    )
  const unlabelled = await alarms()
  await label('false-alarm')
  const wrong = await alarms()
  expect(wrong).toMatchObject({ labels: { true: 0, falseAlarm: 1, elsewhere: 0 } })
  expect(wrong.alarms - unlabelled.alarms).toBeCloseTo(0.05)
  await label('true')
  const right = await alarms()
  expect(right).toMatchObject({ labels: { true: 1, falseAlarm: 0 } })
  expect(wrong.alarms - right.alarms).toBeCloseTo(0.1)
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

test('days held out that are all there are leave nothing to tune on', async () => {
  await expect(said('friday', { holdOut: 30 })).rejects.toMatchObject({ code: 'TIME_UNUSABLE' })
})

test('a budget is said as people say it', () => {
  expect(['1 per week', '2 a day', '3/month', '0.5 per week'].map(parseBudget)).toEqual([1, 14, 0.7, 0.5])
  for (const unclear of ['1', 'per week', '1 per hour', '-1 per week'])
    expect(() => parseBudget(unclear)).toThrow("Write it like '1 per week'")
})
