import { readdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { tenantsSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import type { Outcome } from '../core/incident/effect.ts'
import { HOUR_MS, MINUTE_MS } from '../core/vocabulary.ts'
import { journalIndex, openEffectJournal } from '../stores/effect-journal.ts'
import { otherSource, type SavedState } from './saved-state.ts'
import type { TelemetryEvent } from './telemetry.ts'
import { config, full, live, newFolder, noon, removeFolders, takesNothing } from './testing-life.ts'
import { untilQuiet } from './testing-world.ts'

afterEach(removeFolders)

test('stopped in the middle of an incident and started again it says nothing twice, and gives the limit back', async () => {
  const folder = newFolder()
  const first = await live({ folder })
  await first.bring(5, 1)
  await first.bring(10, 200)
  await first.stop()
  expect(first.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])

  const second = await live({ folder, startsAt: noon + 15_000, given: first.source.given })
  await second.bring(5, 200)
  expect(second.asked()).toEqual([])
  await second.bring(100, 1)
  await second.stop()
  expect(second.phases()).toEqual(['recovering', 'closed'])
  expect(second.asked().filter(id => !id.includes('alert'))).toEqual(['k1#1/restore-1', 'k1#1/restore-2'])
})

test('killed after it acted and before the next checkpoint, it knows what it decided and says and does nothing twice', async () => {
  const first = await live({ folder: newFolder(), checkpointEveryMs: 3_600_000 })
  await first.bring(5, 1)
  await first.bring(5, 200)
  expect(first.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  const image = await first.crashImage()
  await first.stop()

  const second = await live({ folder: image, startsAt: noon + 10_000, given: first.source.given })
  await second.bring(2, 200)
  expect(second.asked()).toEqual([])
  expect(second.phases()).toEqual(['mitigated'])
  expect(second.told).toContainEqual({ name: 'decisionsRecalled', decisions: 1, outcomes: 2 })
  await second.bring(100, 1)
  await second.stop()
  expect(second.phases()).toEqual(['mitigated', 'recovering', 'closed'])
  expect(second.asked().filter(id => !id.includes('alert'))).toEqual(['k1#1/restore-1', 'k1#1/restore-2'])
})

test('a checkpoint that is asked for while a turn fails is not written: it would hold calls that no position covers', async () => {
  let written = 0
  const first = await live({
    folder: newFolder(),
    watch: checkpoints => ({
      ...checkpoints,
      write(snapshot) {
        written++
        return checkpoints.write(snapshot)
      },
    }),
  })
  await first.bring(6, 1)
  const writtenBefore = written
  let fail = (_: Error): void => {}
  first.journal.append = () =>
    new Promise((_, reject) => {
      fail = reject
    })
  // The storm's intents wait for the disk, and the checkpoint of each five seconds for them.
  await first.bring(6, 200)
  fail(new Error('the disk is full'))
  await expect(first.running).rejects.toThrow('the disk is full')
  expect(written).toBe(writtenBefore)
})

test('killed while an effect was on its way, it is performed again, once', async () => {
  const first = await live({ folder: newFolder(), answer: takesNothing })
  await first.bring(5, 1)
  await first.bring(5, 200)
  const image = await first.crashImage()
  await first.stop()
  expect(first.told.filter(({ name }) => name === 'effectLeftOpen')).toHaveLength(2)

  const second = await live({ folder: image, startsAt: noon + 10_000, given: first.source.given })
  await second.bring(5, 200)
  expect(second.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  expect(second.phases().at(-1)).toBe('mitigated')
  await second.stop()
})

/** What a worker leaves behind that decided to throttle `k1` and was stopped before the gateway had answered. */
async function stoppedWhileThrottling() {
  const folder = newFolder()
  const life = await live({ folder, answer: takesNothing })
  await life.bring(5, 1)
  await life.bring(5, 200)
  await life.stop()
  expect(life.asked()).toContain('k1#1/throttle-1')
  return { folder, given: life.source.given }
}

const refusedOf = (told: readonly TelemetryEvent[]) =>
  told.flatMap(event => (event.name === 'effectRefused' ? [[event.effect.id, event.because]] : []))
const outdated = ['k1#1/throttle-1', 'decided before the restart and not true any more']
const throttlesOf = (ids: readonly string[]) => ids.filter(id => id.includes('throttle'))

test('a throttle on its way is not carried out by a worker that was started again to observe', async () => {
  const second = await live({
    ...(await stoppedWhileThrottling()),
    startsAt: noon + 10_000,
    engine: engineSettings({ ...config, mode: 'observe' }, {}),
  })
  await second.bring(2, 1)
  expect(throttlesOf(second.asked())).toEqual([])
  expect(refusedOf(second.told)).toEqual([outdated])
  await second.stop()
})

test('nor is it for a tenant that is exempt by now', async () => {
  const { tenants } = tenantsSchema.parse({ tenants: { t: { keys: ['k1'], exempt: true } } })
  const second = await live({
    ...(await stoppedWhileThrottling()),
    startsAt: noon + 10_000,
    engine: engineSettings(config, tenants),
  })
  await second.bring(2, 1)
  expect(throttlesOf(second.asked())).toEqual([])
  expect(refusedOf(second.told)).toEqual([outdated])
  await second.stop()
})

test('nor is it an hour later, and the alert gets through', async () => {
  const second = await live({ ...(await stoppedWhileThrottling()), startsAt: noon + 3_600_000 })
  await second.bring(1, 1)
  expect(throttlesOf(second.asked())).toEqual([])
  expect(second.asked()).toContain('k1#1/alert-1')
  expect(refusedOf(second.told)).toEqual([outdated])
  await second.stop()
})

test('a tenant that was made exempt while the worker was away gets its limit back at the start', async () => {
  const folder = newFolder()
  const first = await live({ folder })
  await first.bring(5, 1)
  await first.bring(10, 200)
  await first.stop()
  expect(first.phases()).toEqual(['open', 'mitigated'])

  const { tenants } = tenantsSchema.parse({ tenants: { t: { keys: ['k1'], exempt: true } } })
  const second = await live({ folder, startsAt: noon + 15_000, given: first.source.given, tenants })
  await untilQuiet()
  const [restored] = second.told.flatMap(event =>
    event.name === 'effectPerformed' && event.effect.kind === 'restore' ? [event.effect] : [],
  )
  expect(restored).toMatchObject({ id: 'k1#1/restore-1', step: 'full' })
  await second.stop()
})

test('killed between a throttle’s intent and the checkpoint, the throttle is carried out at the start', async () => {
  const first = await live({ folder: newFolder(), answer: takesNothing, checkpointEveryMs: 3_600_000 })
  await first.bring(5, 1)
  await first.bring(5, 200)
  const image = await first.crashImage()
  await first.stop()

  const again = await live({ folder: image, startsAt: noon + 10_000, given: first.source.given })
  expect(again.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  await again.bring(2, 200)
  expect(again.phases()).toEqual(['mitigated'])
  await again.stop()
})

test('nor by one that was killed and is started again to observe', async () => {
  const first = await live({ folder: newFolder(), answer: takesNothing, checkpointEveryMs: 3_600_000 })
  await first.bring(5, 1)
  await first.bring(5, 200)
  const image = await first.crashImage()
  await first.stop()

  const observe = engineSettings({ ...config, mode: 'observe' }, {})
  const second = await live({ folder: image, startsAt: noon + 10_000, given: first.source.given, engine: observe })
  await second.bring(10, 1)
  await second.stop()
  expect(throttlesOf(second.asked())).toEqual([])
  expect(refusedOf(second.told)).toEqual([outdated])
  const journal = await openEffectJournal(image)
  await journal.close()
  expect(journalIndex(journal.recovered).openIntents).toEqual([])
})

test('an incident that closed after the checkpoint is over after a crash too, however its calls are read again', async () => {
  const first = await live({ folder: newFolder(), checkpointEveryMs: 3_600_000 })
  await first.bring(5, 1)
  await first.bring(10, 200)
  await first.bring(120, 1)
  expect(first.phases()).toEqual(['open', 'mitigated', 'recovering', 'closed'])
  const image = await first.crashImage()
  await first.stop()

  const second = await live({ folder: image, startsAt: noon + 135_000, given: first.source.given })
  await second.bring(5, 1)
  expect(second.asked()).toEqual([])
  expect(second.phases()).toEqual([])
  // And the next one has a number of its own.
  await second.bring(60, 1)
  await second.bring(10, 200)
  await second.stop()
  expect(second.asked()).toEqual(['k1#2/alert-1', 'k1#2/throttle-1'])
})

test('what only the younger of two checkpoints knows is recalled where that is damaged and the older one is taken', async () => {
  const folder = newFolder()
  const first = await live({ folder })
  await first.bring(5, 1)
  await first.bring(10, 200)
  await first.stop()
  const newest = (await readdir(folder))
    .filter(name => name.startsWith('checkpoint-'))
    .toSorted()
    .at(-1) as string
  await writeFile(join(folder, newest), 'torn')

  const second = await live({ folder, startsAt: noon + 15_000, given: first.source.given })
  await second.bring(3, 200)
  await second.stop()
  expect(second.asked()).toEqual([])
})

test('what was on its way in a life whose state was lost is not done two lives later', async () => {
  const { folder } = await stoppedWhileThrottling()
  for (const name of await readdir(folder)) if (name.startsWith('checkpoint-')) await unlink(join(folder, name))
  const second = await live({ folder, startsAt: noon + 3_600_000, given: [] })
  await second.bring(2, 1)
  await second.stop()
  expect(second.asked()).toEqual([])
  expect(refusedOf(second.told)).toEqual([
    ['k1#1/throttle-1', 'state lost'],
    ['k1#1/alert-1', 'state lost'],
  ])
  const third = await live({ folder, startsAt: noon + 3_700_000, given: second.source.given })
  await third.bring(2, 1)
  expect(third.asked()).toEqual([])
  await third.stop()
})

test('a worker whose journal is gone does not go on from its checkpoint: it owes limits that nobody knows any more', async () => {
  const folder = newFolder()
  const first = await live({ folder })
  await first.bring(5, 1)
  await first.bring(10, 200)
  await first.stop()
  await unlink(join(folder, 'effects.ndjson'))
  const second = await live({ folder, startsAt: noon + 15_000, given: first.source.given })
  await expect(second.running).rejects.toMatchObject({
    ...{ code: 'CHECKPOINT_DAMAGED', message: expect.stringContaining('is empty or gone') },
    hint: expect.stringContaining('weir throttles list'),
  })
  expect(second.asked()).toEqual([])
})

test.each([
  ['growing file /logs/a', undefined],
  ['kafka topic calls (group weir)', 'The checkpoint is of ANOTHER source, kafka topic calls (group weir)'],
])('a state that was kept of %s and goes on with files says so where that is another source', (source, note) => {
  const said = otherSource({ source } as SavedState, { description: '3 files from a to c' })
  expect(said?.slice(0, note?.length)).toBe(note)
})

test('a limit that is lowered and that no incident holds is given back within the minute', async () => {
  const folder = newFolder()
  const first = await live({ folder })
  await first.stop()
  const life = await live({ folder })
  await life.bring(10, 1)
  // What the gateway’s performer does: it journals the change itself.
  await life.journal.append([
    {
      ...{ kind: 'plan-changing', at: noon, effectId: 'k1#1/throttle-1', keyId: 'k1', planId: 'p1' },
      ...{ before: full, after: { rateLimit: 2, burstLimit: 4 } },
    },
  ])
  await life.bring(60, 1, 10)
  await life.stop()
  expect(life.asked()).toEqual([`k1#lost-${noon + 60_000}/restore-full`])
})

test('a limit that was lowered at the start and was given back with its incident is not given back again', async () => {
  const first = await live({ folder: newFolder() })
  await first.bring(5, 1)
  await first.bring(10, 200)
  const image = await first.crashImage()
  await first.stop()
  const before = await openEffectJournal(image)
  const change = { kind: 'plan-changing', at: noon, keyId: 'k1', planId: 'p1' } as const
  const low = { rateLimit: 2, burstLimit: 4 }
  await before.append([{ ...change, effectId: 'k1#1/throttle-1', before: full, after: low }])
  await before.close()

  const life = await live({ folder: image, startsAt: noon + 15_000, given: first.source.given })
  await life.bring(100, 1, 5)
  expect(life.phases().at(-1)).toBe('closed')
  await life.journal.append([
    { ...change, effectId: 'k1#1/restore-2', before: low, after: full },
    { kind: 'plan-set', at: noon, effectId: 'k1#1/restore-2', keyId: 'k1', planId: 'p1' },
    { kind: 'outcome', at: noon, effectId: 'k1#1/restore-2', outcome: { kind: 'applied' } },
  ])
  await life.bring(300, 1, 10)
  await life.stop()
  expect(life.asked()).toEqual(expect.not.arrayContaining([expect.stringContaining('lost')]))
})

/** A folder whose state is gone, and whose journal says that the limit of `k1` is lowered. */
async function orphanedFolder(): Promise<string> {
  const folder = newFolder()
  const journal = await openEffectJournal(folder)
  const [effectId, before, after] = ['k1#1/throttle-1', full, { rateLimit: 2, burstLimit: 4 }]
  await journal.append([
    { kind: 'plan-changing', at: noon, effectId, keyId: 'k1', planId: 'p1', before, after },
    { kind: 'outcome', at: noon, effectId, outcome: { kind: 'applied', before, after } },
  ])
  await journal.close()
  return folder
}

test('with its state lost and its journal there, it gives back what it had taken', async () => {
  const life = await live({ folder: await orphanedFolder() })
  await untilQuiet()
  expect(life.asked()).toEqual([`k1#lost-${noon}/restore-full`])
  await life.stop()
})

test('and where the gateway refuses to take it back, it asks again each hour, and not each minute', async () => {
  const answer = (): Outcome => ({ kind: 'refused', because: 'access denied' })
  const life = await live({ folder: await orphanedFolder(), answer })
  await life.pass(30 * MINUTE_MS)
  await life.pass(29 * MINUTE_MS)
  const first = `k1#lost-${noon}/restore-full`
  expect(life.asked()).toEqual([first])
  await life.pass(MINUTE_MS)
  expect(life.asked()).toEqual([first, `k1#lost-${noon + HOUR_MS}/restore-full`])
  await life.stop()
})

test('one that it was given back, and that is left lowered once more within the hour, is given back as soon', async () => {
  const life = await live({ folder: await orphanedFolder() })
  await untilQuiet()
  const change = { kind: 'plan-changing', at: noon, keyId: 'k1', planId: 'p1' } as const
  const low = { rateLimit: 2, burstLimit: 4 }
  const back = { effectId: `k1#lost-${noon}/restore-full`, before: low, after: full }
  await life.journal.append([
    { ...change, ...back },
    { kind: 'plan-set', at: noon, effectId: back.effectId, keyId: 'k1', planId: 'p1' },
    { ...change, effectId: 'k1#7/throttle-1', before: full, after: low },
  ])
  await life.pass(MINUTE_MS)
  expect(life.asked()).toEqual([back.effectId, `k1#lost-${noon + MINUTE_MS}/restore-full`])
  await life.stop()
})

test('a history that is given again is not read again, and the start says so', async () => {
  const folder = newFolder()
  const first = await live({ folder })
  await first.bring(3, 1)
  await first.stop()
  const second = await live({ folder, startsAt: noon + 10_000 })
  await second.stop()
  const notes = [first, second].map(({ told }) =>
    told.flatMap(event => (event.name === 'workerStarted' ? [event.note] : [])),
  )
  expect(notes).toEqual([[undefined], [expect.stringContaining('history was NOT read')]])
})

test('a start that read nothing does not keep the next one from being taught', async () => {
  const folder = newFolder()
  const empty = await live({ folder, teach: async function* () {} })
  await empty.stop()
  const second = await live({ folder })
  await second.bring(5, 1)
  await second.bring(10, 200)
  await second.stop()
  expect(second.asked()).toContain('k1#1/throttle-1')
})
