import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listPlanned } from './planned-list.ts'

const tenants = `
planned:
  - {from: 2026-11-27 00:00, to: 2026-11-28 00:00, zone: America/New_York, upTo: 5x, note: Black Friday}
tenants:
  client-a:
    name: Client A
    keys: [key_a1, key_a2]
    planned: [{when: 'monthly last day 22:00 for 4h', zone: Europe/Berlin, upTo: 5000 per minute}]
  client-b:
    keys: [key_b1]
    planned: [{when: 'Mon 02:00-03:00', upTo: 20x, note: weekly export}]
`
/** A Monday. */
const now = Date.parse('2026-11-23T02:30:00Z')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-planned-'))
  await writeFile(join(folder, 'weir.yaml'), 'mode: observe\n')
  await writeFile(join(folder, 'tenants.yaml'), tenants)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function listed(who: string | undefined, days: number, json = false): Promise<string> {
  let text = ''
  const out = { write: (more: string) => (text += more) }
  await listPlanned(who, { config: join(folder, 'weir.yaml'), days, json }, out, now)
  return text
}

const friday = '  every client: Black Friday, up to 5x, from 2026-11-27 05:00:00 UTC to 2026-11-28 05:00:00 UTC'
const monthEnd = '  Client A: up to 5000 per minute, from 2026-11-30 21:00:00 UTC to 2026-12-01 01:00:00 UTC'

test('of everybody: what goes on now first, and in the order in which it comes', async () => {
  expect((await listed(undefined, 8)).split('\n')).toEqual([
    'Planned until 2026-12-01 02:30:00 UTC:',
    '  client-b: weekly export, up to 20x, from 2026-11-23 02:00:00 UTC to 2026-11-23 03:00:00 UTC (now)',
    friday,
    '  client-b: weekly export, up to 20x, from 2026-11-30 02:00:00 UTC to 2026-11-30 03:00:00 UTC',
    monthEnd,
    '',
  ])
})

test('of one client, by its key, its id or its name: its own, and what is planned of every client', async () => {
  for (const who of ['key_a2', 'client-a', 'client a'])
    expect(await listed(who, 30)).toBe(`Planned until 2026-12-23 02:30:00 UTC:\n${friday}\n${monthEnd}\n`)
  expect(await listed('key_x', 30)).toBe(
    `key_x is nobody’s in tenants.yaml: of it is planned what is of every client.\nPlanned until 2026-12-23 02:30:00 UTC:\n${friday}\n`,
  )
  expect(await listed('client-a', 2)).toBe('Nothing is planned until 2026-11-25 02:30:00 UTC.\n')
})

test('for machines it is one object, with whose each event is', async () => {
  const json = JSON.parse(await listed('client-a', 30, true))
  expect(json).toMatchObject({ schema: 'weir.planned/1', from: '2026-11-23T02:30:00.000Z' })
  expect(json.events).toMatchObject([
    { tenantId: null, note: 'Black Friday', upTo: '5x', from: '2026-11-27T05:00:00.000Z' },
    { tenantId: 'client-a', note: null, upTo: '5000 per minute', to: '2026-12-01T01:00:00.000Z' },
  ])
})
