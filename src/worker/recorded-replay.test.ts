/** A worker that is recorded, and its recording fed back to the core: the same decisions to the byte. */
import { cp, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { serialize } from 'node:v8'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Explanation } from '../core/explanation/explanation.ts'
import { openRecording } from '../stores/recording.ts'
import { findRecording } from '../stores/recording-reader.ts'
import { type OtherSettings, type ReplayNote, replayRecording } from './recorded-replay.ts'
import { live, newFolder, noon, removeFolders, settings } from './testing-life.ts'

let storm: Awaited<ReturnType<typeof stormInTwoLives>> & { readonly directory: string }
beforeAll(async () => {
  const directory = newFolder()
  storm = { directory, ...(await stormInTwoLives({ directory })) }
})
afterAll(removeFolders)

const incidentsOf = (changes: readonly Explanation[]): string[] =>
  changes.map(({ incidentId, phase, action }) => `${incidentId} ${phase} ${action.kind}`)

async function played(directory: string, of?: OtherSettings['of']) {
  const changes: Explanation[] = []
  const notes: ReplayNote[] = []
  const { segments, headless } = await findRecording(directory)
  const result = await replayRecording({
    ...{ segments, ...(of && { other: { of, hasTenants: false } }) },
    changed: change => void changes.push(change),
    noted: note => void notes.push(note),
  })
  return { result, notes, headless, changes }
}

/** A storm, its throttle, a clean stop in the middle of it, and a second life to the end. */
async function stormInTwoLives(record: { directory: string; maxBytes?: number }) {
  const folder = newFolder()
  const first = await live({ folder, record })
  await first.bring(5, 1)
  await first.bring(10, 200)
  await first.stop()
  const second = await live({ folder, record, startsAt: noon + 15_000, given: first.source.given })
  await second.bring(5, 200)
  await second.bring(100, 1, 5)
  await second.stop()
  return { first, second }
}

test('a storm, its throttle and a restart in the middle are decided again to the byte', async () => {
  const { first, second, directory } = storm
  const { result, notes, changes } = await played(directory)
  expect(result.parting).toBeUndefined()
  expect(notes).toEqual([])
  expect(result).toMatchObject({ lives: 2, calls: 5 * 3 + 15 * 202 + 100 * 3 })
  expect(changes.map(({ phase }) => phase)).toEqual([...first.phases(), ...second.phases()])
  expect(incidentsOf(changes)).toEqual([
    'k1#1 open throttle',
    'k1#1 mitigated throttled',
    'k1#1 recovering restore',
    'k1#1 closed restored',
  ])
})

test('killed after its checkpoint, it decides again what it had decided, and so does its recording', async () => {
  const [folder, recorded] = [newFolder(), newFolder()]
  const first = await live({ folder, record: { directory: recorded } })
  await first.bring(5, 1)
  await first.bring(2, 200)
  const [image, directory] = [await first.crashImage(), newFolder()]
  await cp(recorded, directory, { recursive: true, filter: path => !path.endsWith('lock') })
  await first.stop()

  const second = await live({ folder: image, record: { directory }, startsAt: noon + 7_000, given: first.source.given })
  await second.bring(60, 1, 5)
  await second.stop()
  const { result, notes, changes } = await played(directory)
  expect(result.parting).toBeUndefined()
  expect(result.lives).toBe(2)
  // Up to its last flush: what it was fed after that is not on disk, and the next life was fed it again.
  expect(notes).toEqual([expect.objectContaining({ kind: 'breaks-off' })])
  expect(changes.map(({ phase }) => phase).slice(-second.phases().length)).toEqual(second.phases())
  // Under other settings too it goes back to where the second life began, and counts nothing twice.
  const again = await played(directory, recorded => recorded)
  expect(again.result.status.calls).toBe(result.status.calls)
})

test('a life that was not recorded is missed, one that began anew is not', async () => {
  const [folder, directory] = [newFolder(), newFolder()]
  const record = { directory }
  const first = await live({ folder, record })
  await first.bring(2, 1)
  await first.stop()
  const unrecorded = await live({ folder, startsAt: noon + 2_000, given: first.source.given })
  await unrecorded.bring(2, 1)
  await unrecorded.stop()
  const third = await live({ folder, record, startsAt: noon + 4_000, given: unrecorded.source.given })
  await third.stop()
  const anew = await live({ folder: newFolder(), record, startsAt: noon + 5_000 })
  await anew.stop()
  const { result, notes } = await played(directory)
  expect(result.lives).toBe(3)
  expect(notes).toEqual([{ kind: 'begins-anew', segment: 'recording-00000002', place: expect.anything() }])
})

test('on a keyed stream, where each partition has state of its own, it is the same', async () => {
  const directory = newFolder()
  const life = await live({
    folder: newFolder(),
    record: { directory },
    keyed: true,
    engine: { ...settings, keyed: true },
  })
  await life.bring(5, 1)
  life.source.give(
    't/1',
    [JSON.stringify({ requestTimeEpoch: noon + 5_000, apiKeyId: 'k3', status: 200 })],
    noon + 5_100,
  )
  await life.bring(30, 100)
  await life.stop()
  const { result, changes } = await played(directory)
  expect(result.parting).toBeUndefined()
  expect(changes.map(({ phase }) => phase)).toEqual(life.phases())
  expect(life.phases()).toContain('open')
})

test('each segment of a life leads to the state with which the next begins', async () => {
  const directory = newFolder()
  const life = await live({ folder: newFolder(), record: { directory, maxBytes: 60_000 } })
  await life.bring(5, 1)
  await life.bring(10, 200)
  await life.bring(150, 1, 5)
  await life.stop()
  const { result, notes, changes } = await played(directory)
  const { segments } = await findRecording(directory)
  expect(segments.length).toBeGreaterThan(1)
  expect(result.parting).toBeUndefined()
  expect(notes).toEqual([])
  expect(changes.map(({ phase }) => phase)).toEqual(life.phases())
})

test('a torn end is cut off and told, and all before it is compared', async () => {
  const directory = newFolder()
  await cp(storm.directory, directory, { recursive: true })
  const path = join(directory, 'recording-00000002')
  await truncate(path, (await stat(path)).size - 5)
  const { result, notes } = await played(directory)
  expect(result.parting).toBeUndefined()
  expect(notes).toEqual([
    { kind: 'torn', segment: 'recording-00000002', lostBytes: expect.any(Number) },
    expect.objectContaining({ kind: 'breaks-off' }),
  ])
})

test('where an input is missing, replay and recording part, and it is told where', async () => {
  const incomplete = newFolder()
  const [segment] = (await findRecording(storm.directory)).segments
  const copy = await openRecording({ directory: incomplete, maxBytes: 1e9, stopped: () => {} })
  let inputs = 0
  for await (const part of segment!.read()) {
    if (part.kind === 'state') copy.begin(segment!.head, part.state)
    if (part.kind !== 'entries') continue
    for (const entry of part.entries)
      if (entry.kind !== 'input' || entry.input.kind !== 'batch' || ++inputs !== 6) copy.add(entry, 100)
  }
  await copy.close()
  const { result } = await played(incomplete)
  expect(result.parting?.input).toBeDefined()
  expect(result.parting?.recorded).not.toBe(result.parting?.now)
})

test('under other settings the same stream is judged anew, over a restart too, and nothing is compared', async () => {
  const observe = await played(storm.directory, recorded => ({
    ...recorded,
    config: { ...recorded.config, mode: 'observe' },
  }))
  expect(observe.notes).toEqual([])
  expect(observe.result.parting).toBeUndefined()
  expect(incidentsOf(observe.changes)).toEqual(['k1#1 open held', 'k1#1 recovering held', 'k1#1 closed held'])
})

test('what it keeps is for its owner alone, and holds no raw key', async () => {
  const directory = newFolder()
  const life = await live({ folder: newFolder(), record: { directory } })
  const raw = 'sk_live_do_not_keep'
  life.source.give('t/0', [JSON.stringify({ requestTimeEpoch: noon + 1_000, apiKey: raw, status: 200 })], noon + 1_100)
  await life.bring(3, 1)
  await life.stop()
  const [segment] = (await findRecording(directory)).segments
  const parts: unknown[] = [segment!.head]
  for await (const part of segment!.read()) parts.push(part)
  const text = serialize(parts).toString('latin1')
  const holds = (what: string): boolean => text.includes(what)
  expect([holds('hash:'), holds(raw), holds('"apiKeyId":"k1"')]).toEqual([true, false, false])
  for (const name of await readdir(directory)) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600)
})

test('a bound without room for a state stops the recording and names the option', async () => {
  const life = await live({ folder: newFolder(), record: { directory: newFolder(), maxBytes: 1_000 } })
  await life.bring(3, 1)
  await life.stop()
  const because = life.told.flatMap(event => (event.name === 'recordingStopped' ? [event.because] : []))
  expect(because).toEqual([expect.stringContaining('--record-max')])
  expect(life.told.map(({ name }) => name)).toContain('workerStopped')
})
