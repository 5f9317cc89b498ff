import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Label } from '../core/tuning/label.ts'
import { addLabel, labelsPath, readLabels } from './labels.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-labels-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const at = Date.parse('2026-11-20T18:00:00Z')
const label: Label = {
  ...{ at, incidentId: 'key-a#1', keyId: 'key-a', kind: 'surge', verdict: 'false-alarm', note: 'their sale' },
  ...{ from: at - 600_000, to: at - 300_000 },
}

const read = () => readLabels(labelsPath(directory))

test('a label is a line that people can read, and comes back as it was', async () => {
  await addLabel(directory, label)
  expect(await readFile(labelsPath(directory), 'utf8')).toBe(
    '{"at":"2026-11-20T18:00:00.000Z","incidentId":"key-a#1","keyId":"key-a","kind":"surge","verdict":"false-alarm","note":"their sale","from":"2026-11-20T17:50:00.000Z","to":"2026-11-20T17:55:00.000Z"}\n',
  )
  expect(await read()).toEqual([label])
})

test('the last label of an incident counts, and that of another stays', async () => {
  const other: Label = { ...label, incidentId: 'key-b#1', keyId: 'key-b', kind: undefined, note: undefined }
  for (const one of [label, other, { ...label, at: at + 1_000, verdict: 'true' } as const])
    await addLabel(directory, one)
  expect(await read()).toEqual([other, { ...label, at: at + 1_000, verdict: 'true' }])
})

test('without a file there is no label, which is not the same as an empty one', async () => {
  expect(await read()).toBeUndefined()
  await writeFile(labelsPath(directory), '')
  expect(await read()).toEqual([])
})

test('a line that a crash tore off was never acknowledged, and the next label has a line of its own', async () => {
  await addLabel(directory, label)
  await appendFile(labelsPath(directory), '{"at":"2026-')
  expect(await read()).toEqual([label])
  await addLabel(directory, { ...label, verdict: 'true' })
  await expect(read()).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' })
})

test('a line that is no label is told with its place, and what is wrong with it', async () => {
  await addLabel(directory, label)
  await appendFile(labelsPath(directory), '{"incidentId":"key-a#1","verdict":"maybe"}\n')
  await expect(read()).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    message: expect.stringMatching(/labels\.ndjson:2: at: /),
  })
})
