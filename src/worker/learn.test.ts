/** Baselines learned before the first run, and the run that starts from them. */
import { afterEach, expect, test } from 'vitest'
import { createDecoder } from '../core/formats/decoder.ts'
import type { FilePiece } from '../sources/file-pieces.ts'
import { openCheckpoints } from '../stores/checkpoint.ts'
import { learn } from './learn.ts'
import { savedState } from './saved-state.ts'
import { stateDigest } from './state-digest.ts'
import { config, dayOfHistory, history, live, newFolder, noon, removeFolders, settings } from './testing-life.ts'

afterEach(removeFolders)

interface Given {
  readonly pieces?: AsyncIterable<FilePiece>
  readonly replace?: boolean
  readonly ask?: AbortController
}

async function learnInto(
  folder: string,
  { pieces = history(), replace = false, ask = new AbortController() }: Given = {},
) {
  const checkpoints = await openCheckpoints(folder)
  const decoder = createDecoder({
    ...{ format: 'auto', fields: config.fields, hashSecret: 'for tests', maxRecordBytes: 1_000_000 },
  })
  try {
    const logs = [{ path: 'week.ndjson', pieces }]
    const told = { settings, decoder, logs, checkpoints, directory: folder, at: noon }
    return await learn({ ...told, replace }, ask.signal)
  } finally {
    await checkpoints.close()
  }
}

async function keptIn(folder: string) {
  const checkpoints = await openCheckpoints(folder)
  const read = await checkpoints.read().finally(() => checkpoints.close())
  return read && { ...read.snapshot, state: savedState(read.snapshot.state) }
}

const startsOf = ({ told }: Awaited<ReturnType<typeof live>>) =>
  told.flatMap(event => (event.name === 'workerStarted' ? [event] : []))

test('a run that starts from it decides what one that was taught the same history decides', async () => {
  const [learned, taught] = [newFolder(), newFolder()]
  await learnInto(learned)
  const runs = [await live({ folder: learned, teach: 'nothing' }), await live({ folder: taught })]
  const explained = []
  for (const run of runs) {
    await run.bring(5, 1)
    await run.bring(10, 200)
    await run.stop()
    explained.push(run.told.flatMap(event => (event.name === 'incidentChanged' ? [event.explanation] : [])))
  }
  expect(explained[0]?.map(({ phase }) => phase)).toEqual(['open', 'mitigated'])
  expect(explained[0]).toEqual(explained[1])
})

test('killed before the first checkpoint that has read something it goes on all the same, and says nothing twice', async () => {
  const folder = newFolder()
  await learnInto(folder)
  const first = await live({ folder, teach: 'nothing', checkpointEveryMs: 3_600_000 })
  await first.bring(5, 1)
  await first.bring(5, 200)
  expect(first.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  const image = await first.crashImage()
  await first.stop()

  const given = first.source.given
  const second = await live({ folder: image, teach: 'nothing', startsAt: noon + 10_000, given })
  await second.bring(2, 200)
  expect(second.asked()).toEqual([])
  expect(second.phases()).toEqual(['mitigated'])
  await second.stop()
})

test('the start says from which logs it knows what, and the next one that it goes on', async () => {
  const folder = newFolder()
  await learnInto(folder)
  const first = await live({ folder, teach: 'nothing' })
  await first.bring(3, 1)
  await first.stop()
  const second = await live({ folder, teach: 'nothing', startsAt: noon + 3_000, given: first.source.given })
  await second.stop()
  expect([...startsOf(first), ...startsOf(second)]).toEqual([
    expect.objectContaining({ learned: { at: noon, logs: ['week.ndjson'], keys: 2 }, resumedFrom: undefined }),
    expect.objectContaining({ learned: undefined, resumedFrom: expect.any(Number) }),
  ])
})

test('a run that came to no call leaves it as what was learned', async () => {
  const folder = newFolder()
  await learnInto(folder)
  const idle = await live({ folder, teach: 'nothing' })
  await idle.stop()
  expect((await keptIn(folder))?.state.learned).toMatchObject({ keys: 2 })
  expect(await learnInto(folder, { replace: true })).toBeDefined()
})

test('a stream that goes back into what was learned is refused, and what was learned stays', async () => {
  const folder = newFolder()
  await learnInto(folder)
  const life = await live({ folder, teach: 'nothing', startsAt: noon - 60_000 })
  await life.bring(1, 1)
  await expect(life.running).rejects.toMatchObject({ code: 'HISTORY_OVERLAPS' })
  expect((await keptIn(folder))?.state.learned).toMatchObject({ keys: 2 })
})

test('a history that is given to the run as well is not read, and the start says so', async () => {
  const folder = newFolder()
  await learnInto(folder)
  const life = await live({ folder })
  await life.stop()
  expect(startsOf(life)[0]?.note).toContain('history was NOT read')
})

test('a second learning takes the place of the first only when told to, and then nothing of the first is left', async () => {
  const [folder, other] = [newFolder(), newFolder()]
  const day = async function* (): AsyncGenerator<FilePiece> {
    yield dayOfHistory(1)
  }
  await learnInto(folder)
  await expect(learnInto(folder, { pieces: day() })).rejects.toMatchObject({
    code: 'STATE_TAKEN',
    message: expect.stringContaining('week.ndjson'),
    hint: expect.stringContaining('--replace'),
  })
  await learnInto(folder, { pieces: day(), replace: true })
  await learnInto(other, { pieces: day() })
  const [again, alone] = [await keptIn(folder), await keptIn(other)]
  expect(stateDigest(again?.state.engine)).toBe(stateDigest(alone?.state.engine))
  expect(again?.positions).toEqual({})
})

test('what a worker has read is never replaced', async () => {
  const folder = newFolder()
  const life = await live({ folder })
  await life.bring(3, 1)
  await life.stop()
  for (const replace of [false, true])
    await expect(learnInto(folder, { replace })).rejects.toMatchObject({
      code: 'STATE_TAKEN',
      message: expect.stringContaining('holds the state of a worker'),
    })
})

test('stopped half way it has written nothing', async () => {
  const folder = newFolder()
  const ask = new AbortController()
  const pieces = (async function* (): AsyncGenerator<FilePiece> {
    yield dayOfHistory(2)
    ask.abort()
  })()
  expect(await learnInto(folder, { pieces, ask })).toBeUndefined()
  expect(await keptIn(folder)).toBeUndefined()
})

test('logs without a call teach nothing and are refused', async () => {
  const folder = newFolder()
  const pieces = (async function* (): AsyncGenerator<FilePiece> {})()
  await expect(learnInto(folder, { pieces })).rejects.toMatchObject({ code: 'NOTHING_READ' })
  expect(await keptIn(folder)).toBeUndefined()
})
