import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { weirSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import { openRecording } from './recording.ts'
import type { RecordedEntry, SegmentHead } from './recording-entry.ts'
import { findRecording, type SegmentPart } from './recording-reader.ts'

let directory: string
let because: string[]
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-recording-'))
  because = []
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const open = (maxBytes = 1_000_000) =>
  openRecording({ directory, maxBytes, stopped: reason => void because.push(reason) })

const headAt = (input: number): SegmentHead => ({
  place: { life: 'one', input },
  startedAt: 0,
  resumedFrom: undefined,
  isAnew: true,
  settings: engineSettings(weirSchema.parse({}), {}),
  settingsHash: 'abc',
})

const tick = (at: number): RecordedEntry => ({ kind: 'input', input: { kind: 'tick', at }, decided: undefined })

/** About a kilobyte that deflates to no less. */
const kilobyte = (): RecordedEntry => ({
  kind: 'input',
  input: { kind: 'tick', at: 1 },
  decided: randomBytes(750).toString('base64'),
})

async function partsOf(index: number): Promise<readonly SegmentPart[]> {
  const parts: SegmentPart[] = []
  for await (const part of (await findRecording(directory)).segments[index]!.read()) parts.push(part)
  return parts
}

test('what was recorded is read back: the head, the state as it was then, the entries in order', async () => {
  const recording = await open()
  const state = { calls: new Map([['a', 1]]) }
  recording.begin(headAt(0), state)
  state.calls.set('a', 2)
  recording.add(tick(1), 100)
  recording.add(tick(2), 100)
  await recording.flush()
  recording.add({ kind: 'closed' }, 0)
  await recording.close()
  const { segments, headless } = await findRecording(directory)
  expect(headless).toEqual([])
  expect(segments.map(({ name, head }) => [name, head])).toEqual([['recording-00000001', headAt(0)]])
  expect(await partsOf(0)).toEqual([
    { kind: 'state', state: { calls: new Map([['a', 1]]) } },
    { kind: 'entries', entries: [tick(1), tick(2)] },
    { kind: 'entries', entries: [{ kind: 'closed' }] },
  ])
  expect(because).toEqual([])
})

test('the next life goes on in the same directory, in a segment of its own', async () => {
  for (const life of ['one', 'two']) {
    const recording = await open()
    recording.begin({ ...headAt(0), place: { life, input: 0 } }, {})
    await recording.close()
  }
  const { segments } = await findRecording(directory)
  expect(segments.map(({ name, head }) => `${name} ${head.place.life}`)).toEqual([
    'recording-00000001 one',
    'recording-00000002 two',
  ])
})

test('only one worker records into a directory', async () => {
  const recording = await open()
  await expect(open()).rejects.toMatchObject({ code: 'STORE_UNWRITABLE', message: expect.stringContaining(directory) })
  await recording.close()
})

test('at its bound the oldest segments go, never the one that is written', async () => {
  const recording = await open(80_000)
  for (let input = 0; input < 300; input++) {
    if (input === 0 || recording.isFull()) recording.begin(headAt(input), {})
    recording.add(kilobyte(), 1_000)
    if (input % 5 === 0) await recording.flush()
  }
  await recording.close()
  const names = (await readdir(directory)).toSorted()
  const sizes = await Promise.all(names.map(async name => (await stat(join(directory, name))).size))
  expect(names.length).toBeGreaterThan(4)
  expect(names[0]).not.toBe('recording-00000001')
  expect(sizes.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(80_000)
  expect(because).toEqual([])
})

test.each([1, 20, 700])('an end that lacks %i bytes is cut off, and what stands before it is read', async missing => {
  const recording = await open()
  recording.begin(headAt(0), {})
  recording.add(tick(1), 100)
  await recording.flush()
  recording.add(kilobyte(), 1_000)
  await recording.close()
  const path = join(directory, 'recording-00000001')
  await truncate(path, (await stat(path)).size - missing)
  expect(await partsOf(0)).toEqual([
    { kind: 'state', state: {} },
    { kind: 'entries', entries: [tick(1)] },
    { kind: 'torn', lostBytes: expect.any(Number) },
  ])
})

test('a worker killed as it began a segment leaves one without a head, which is told and passed over', async () => {
  const recording = await open()
  recording.begin(headAt(0), {})
  await recording.close()
  await writeFile(join(directory, 'recording-00000002'), 'WEIR')
  expect(await findRecording(directory)).toMatchObject({ segments: [{}], headless: ['recording-00000002'] })
})

test('a directory that takes nothing more stops the recording, once, and nobody is thrown at', async () => {
  const recording = await open()
  recording.begin(headAt(0), {})
  await recording.flush()
  await rm(directory, { recursive: true })
  recording.begin(headAt(1), {})
  recording.add(tick(1), 100)
  await recording.flush()
  recording.add(tick(2), 100)
  await recording.close()
  expect(because).toEqual([expect.stringContaining('ENOENT')])
  expect(recording.isStopped()).toBe(true)
})

test('a disk that does not keep up stops the recording before memory is full of it', async () => {
  const recording = await open(1e9)
  recording.begin(headAt(0), {})
  const large = (): RecordedEntry => ({ kind: 'input', input: { kind: 'tick', at: 1 }, decided: 'x'.repeat(1_000_000) })
  // Nobody awaits anything: the disk has no turn.
  for (let input = 0; input < 80 && !recording.isStopped(); input++) recording.add(large(), 1_000_000)
  expect(because).toEqual([expect.stringContaining('does not keep up')])
  await recording.close()
})

test('what is no recording is refused with what it is instead', async () => {
  await expect(findRecording(join(directory, 'nowhere'))).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' })
  await expect(findRecording(directory)).rejects.toMatchObject({ code: 'NOTHING_READ' })
  await writeFile(join(directory, 'recording-00000001'), 'something else altogether')
  await expect(findRecording(directory)).rejects.toMatchObject({
    message: expect.stringContaining('does not begin as one'),
  })
  await writeFile(join(directory, 'recording-00000001'), Buffer.from('WEIRRECD\x09\0\0\0', 'latin1'))
  await expect(findRecording(directory)).rejects.toMatchObject({ message: expect.stringContaining('format 9') })
})
