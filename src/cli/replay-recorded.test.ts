/** The command as a person uses it, on what a worker recorded. */
import { cp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openRecording } from '../stores/recording.ts'
import { findRecording } from '../stores/recording-reader.ts'
import { live, newFolder, removeFolders } from '../worker/testing-life.ts'
import { type RecordedOptions, replayRecorded } from './replay-recorded.ts'

let recorded: string
beforeAll(async () => {
  recorded = newFolder()
  const life = await live({ folder: newFolder(), record: { directory: recorded } })
  await life.bring(5, 1)
  await life.bring(10, 200)
  await life.stop()
})
afterEach(() => {
  process.exitCode = undefined
})
afterAll(removeFolders)

async function said(directory: string, options: RecordedOptions = {}) {
  const text = { out: '', err: '' }
  const streamOf = (name: 'out' | 'err') => ({
    write: (more: string): void => {
      text[name] += more
    },
  })
  await replayRecorded(directory, options, { out: streamOf('out'), err: streamOf('err') })
  return { ...text, exitCode: process.exitCode }
}

test('incidents are told as a replay of logs tells them, and that every decision is what it was', async () => {
  const { out, err, exitCode } = await said(recorded)
  expect(out).toContain('OPEN        k1#1  retry-storm, severity high')
  expect(out).toMatch(
    /\n1 life, \d+ inputs with 2,035 calls of 2 keys, 2026-11-20T12:00:00.900Z to 2026-11-20T12:00:1\S+: 1 incident\.\n/,
  )
  expect(out).toMatch(
    /Every decision is what it was: \d+ effects and changes compared, and the state wherever it is recorded\.\n$/,
  )
  expect([err, exitCode]).toEqual(['', undefined])
})

test('with --json there are incidents and nothing else', async () => {
  const { out, err } = await said(recorded, { json: true })
  expect(
    out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).phase),
  ).toEqual(['open', 'mitigated'])
  expect(err).toBe('')
})

test('under another configuration the stream is judged by that, and it is said that nothing was compared', async () => {
  const config = join(newFolder(), 'other.yaml')
  await writeFile(config, 'mode: suggest\ndetectors: {retry-storm: {enabled: false}}\n')
  const { out, exitCode } = await said(recorded, { config })
  expect(out).toContain('OPEN        k1#1  surge')
  expect(out).toContain(`Judged under ${config}: nothing was compared.`)
  expect(exitCode).toBeUndefined()
})

test('a mode alone changes the settings too', async () => {
  const { out } = await said(recorded, { mode: 'observe' })
  expect(out).toContain('Judged under mode observe: nothing was compared.')
})

test('where a decision is not what it was, both are shown and the exit code is 1', async () => {
  const other = newFolder()
  const [segment] = (await findRecording(recorded)).segments
  const copy = await openRecording({ directory: other, maxBytes: 1e9, stopped: () => {} })
  for await (const part of segment!.read()) {
    if (part.kind === 'state') copy.begin(segment!.head, part.state)
    if (part.kind !== 'entries') continue
    for (const entry of part.entries)
      copy.add(entry.kind === 'input' && entry.decided ? { ...entry, decided: undefined } : entry, 100)
  }
  await copy.close()
  const { out, exitCode } = await said(other)
  expect(out).toMatch(
    /Parted at input \d+ of life 1@2026-11-20T12:00:00.000Z \(recording-00000001\): (tick|\d+ calls of t\/0)\n {2}recorded: no decision\n {2}now: {6}\{"effects":\[/,
  )
  expect(exitCode).toBe(1)
  process.exitCode = undefined
  const asJson = await said(other, { json: true })
  expect([asJson.err.startsWith('Parted at input'), asJson.exitCode]).toEqual([true, 1])
})

test('a torn end is told', async () => {
  const torn = newFolder()
  await rm(torn, { recursive: true })
  await cp(recorded, torn, { recursive: true })
  const path = join(torn, 'recording-00000001')
  await truncate(path, (await stat(path)).size - 5)
  const { out } = await said(torn)
  expect(out).toContain('recording-00000001 is torn: its last')
  expect(out).toMatch(/breaks off after input \d+, at 2026-11-20T12:00:1/)
})
