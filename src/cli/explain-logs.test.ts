/** The command as a person uses it, on the recorded stories: what was decided, and what was not. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ExplainOptions, explainLogs } from './explain-logs.ts'
import { parseMoment } from './moment.ts'

const stories = join(import.meta.dirname, '../../replay-data')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-explain-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

interface Question extends ExplainOptions {
  readonly story?: 'friday' | 'sale'
  readonly to?: string
}

async function said(keyId: string, at: string, { story = 'friday', to = at, ...options }: Question = {}) {
  let text = ''
  const out = {
    write: (more: string): void => {
      text += more
    },
  }
  const stretch = { from: parseMoment(at), to: parseMoment(to) }
  const history = [join(stories, story, 'history.ndjson.gz')]
  await explainLogs({ keyId, stretch }, [join(stories, story, 'log.ndjson.gz')], { history, ...options }, out)
  return text
}

describe('on Friday', () => {
  test('a calm minute is told as nothing, and one before the storm with how much was missing', async () => {
    const text = await said('key_abc123', '2025-03-14T13:58:00Z')
    expect(text).toContain(
      'Client A (key_abc123) at 2025-03-14 13:58:00 UTC\n\nNothing was done: nothing that may open',
    )
    expect(text).toContain(
      'Nearest: error-loop stood at 0.104, of the seconds closed, up to 13:57:24 UTC. It would have taken more than 96.2 4xx in 60 s (there were 10).',
    )
    expect(text).toContain('Usual is based on 7 of 7 days.')
    expect(await said('key_abc123', '2025-03-14T14:00:08Z')).toContain('Nearest: sequential-surge stood at')
  })

  test('the moment of the storm is told with the incident, its limit and the arithmetic', async () => {
    const json = JSON.parse(
      await said('key_abc123', '2025-03-14T14:00Z', { to: '2025-03-14T14:00:20Z', mode: 'enforce', json: true }),
    )
    expect(json).toMatchObject({
      schema: 'weir.account/1',
      tenantId: 'client-a',
      stretch: { from: '2025-03-14T14:00:00.000Z', looks: 21 },
      verdict: { incidentId: 'key_abc123#1' },
      incident: { schema: 'weir.incident/1', severity: 'high', action: { kind: 'throttled' } },
    })
    expect(json.detectors.map(({ name }: { name: string }) => name)).toContain('retry-storm')
  })

  test('a victim of the full pool is left alone, and the platform’s incident is named if there is one', async () => {
    const text = await said('key_b1001', '2025-03-14T14:00:30Z')
    expect(text).toContain('Nothing was done')
    expect(text).toContain('retry-storm')
  })
})

test('in the sale the client is told and left alone, with the questions of harm and their answers', async () => {
  const text = await said('key_b1001', '2025-11-28T10:10:00Z', { story: 'sale', mode: 'enforce' })
  expect(text).toContain('Incident key_b1001#1 was open: a surge, severity low')
  expect(text).toContain("Client's limit was not changed: so far it harms nobody else. (mode: enforce)")
  expect(text).toContain('Harm, by the last 10 s.')
  expect(text).toMatch(/no {3}[\d.]+ × the upper end of its usual; many is 10 × or more/)
})

test('of a sale that was planned the plan is told, how much of it came, and what else is planned of that day', async () => {
  const config = join(folder, 'planned.yaml')
  await writeFile(config, 'mode: enforce\ntenants: planned-tenants.yaml\n')
  await writeFile(
    join(folder, 'planned-tenants.yaml'),
    [
      'planned: [{ when: monthly 28 22:00 for 4h, upTo: 5000 per minute }]',
      'tenants:',
      '  client-b:',
      '    keys: [key_b1001]',
      '    planned: [{ from: 2025-11-28 11:00, to: 2025-11-28 11:45, zone: Europe/Berlin, upTo: 5x, note: Spring sale }]',
      '',
    ].join('\n'),
  )
  const text = await said('key_b1001', '2025-11-28T10:10:00Z', { story: 'sale', config })
  expect(text).toContain('Nothing was done: nothing that may open an incident was above 1, and none was open.')
  expect(text).toMatch(
    /^Planned that day \(UTC\)\. At this moment up to [\d.]+ req\/min, of which the last 60 s had [\d.]+ %\.$/m,
  )
  expect(text).toContain('\n  Spring sale, up to 5x, from 2025-11-28 10:00:00 UTC to 2025-11-28 10:45:00 UTC\n')
  expect(text).toContain(
    '\n  up to 5000 per minute, from 2025-11-28 22:00:00 UTC to 2025-11-29 02:00:00 UTC (of every client)\n',
  )
  const json = JSON.parse(await said('key_b1001', '2025-11-28T10:10:00Z', { story: 'sale', config, json: true }))
  expect(json.planned.events).toMatchObject([
    { note: 'Spring sale', upTo: '5x', from: '2025-11-28T10:00:00.000Z', ofEveryClient: false },
    { note: null, upTo: '5000 per minute', to: '2025-11-29T02:00:00.000Z', ofEveryClient: true },
  ])
  expect(json.planned.now.upToPerMinute).toBeCloseTo(5 * json.usual.upperPerMinute)
  expect(json.planned.now.used).toBeCloseTo(json.counted.last60s.calls / json.planned.now.upToPerMinute)
})

test('a detector that is switched off, and one that has nothing to compare with, are named with the reason', async () => {
  const config = join(folder, 'weir.yaml')
  await writeFile(config, 'detectors: { minute-sigma: { enabled: false } }\n')
  const text = await said('key_abc123', '2025-03-14T13:55:30Z', { config, history: [] })
  expect(text).toContain('minute-sigma        disabled (detectors.minute-sigma.enabled)')
  expect(text).toContain('sequential-surge    silent: nothing usual is known of this key')
  expect(text).toContain('Nothing usual is known: no history of this key.')
})

describe('what cannot be explained is told with what can', () => {
  test('a key that nobody knows: those like it, and the keys of a tenant of that name', async () => {
    await expect(said('key_abd123', '2025-03-14T13:58Z')).rejects.toMatchObject({
      code: 'KEY_UNKNOWN',
      message: 'Nothing was heard of key_abd123 up to 2025-03-14T13:58:00Z',
      hint: 'Like it: key_abc123',
    })
    await expect(said('client a', '2025-03-14T13:58Z')).rejects.toMatchObject({
      hint: 'That is a tenant, whose key is key_abc123',
    })
    const config = join(folder, 'several.yaml')
    await writeFile(config, 'tenants: several-tenants.yaml\n')
    await writeFile(
      join(folder, 'several-tenants.yaml'),
      'tenants: { one: { name: One, keys: [key_abc123, key_b1001] } }\n',
    )
    await expect(said('one', '2025-03-14T13:58Z', { config })).rejects.toMatchObject({
      hint: 'That is a tenant, whose keys are key_abc123, key_b1001; of all together asks tenant:one',
    })
    await expect(said('payments', '2025-03-14T13:58Z')).rejects.toMatchObject({
      hint: expect.stringContaining('none of them like it'),
    })
  })

  test('a time before or after the log: where that begins and ends', async () => {
    await expect(said('key_abc123', '2025-03-14T13:00Z')).rejects.toMatchObject({
      code: 'TIME_UNUSABLE',
      message: expect.stringMatching(/^2025-03-14T13:00:00Z lies before the log, which begins at 2025-03-14T13:55:00/),
    })
    await expect(said('key_abc123', '2025-03-14T15:00Z')).rejects.toMatchObject({
      code: 'TIME_UNUSABLE',
      message: '2025-03-14T15:00:00Z lies after the log, which ends at 2025-03-14T14:04:00Z',
    })
  })
})
