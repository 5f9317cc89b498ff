/** What a person commands a worker, over its restarts. */
import { afterEach, expect, test } from 'vitest'
import { openEffectJournal } from '../stores/effect-journal.ts'
import type { JournalEntry } from '../stores/journal-entry.ts'
import { live, newFolder, noon, removeFolders, takesNothing } from './testing-life.ts'
import { untilQuiet } from './testing-world.ts'

afterEach(removeFolders)

const k1 = 'k1'
const plansOf = (ids: readonly string[]) => ids.filter(id => !id.includes('alert'))

/** A worker that has throttled `k1`, at second 15. */
async function throttling(folder = newFolder(), checkpointEveryMs = 5_000) {
  const life = await live({ folder, checkpointEveryMs })
  await life.bring(5, 1)
  await life.bring(10, 200)
  expect(plansOf(life.asked())).toEqual(['k1#1/throttle-1'])
  return { folder, life }
}

/** What is in the journal before a worker begins. */
async function journaled(folder: string, entries: readonly JournalEntry[]): Promise<void> {
  const journal = await openEffectJournal(folder)
  await journal.append(entries)
  await journal.close()
}

test('a released limit is given back, told, and written down with the name of who asked', async () => {
  const { life } = await throttling()
  expect(await life.say({ kind: 'release', keyId: k1 })).toEqual({
    kind: 'obeyed',
    keyIds: [k1],
    incidentIds: ['k1#1'],
  })
  await life.bring(30, 200)
  expect(plansOf(life.asked())).toEqual(['k1#1/restore-1', 'k1#1/throttle-1'])
  expect(life.told.find(({ name }) => name === 'operatorCommanded')).toMatchObject({ by: 'ann' })
  expect(life.audited).toEqual([
    {
      at: noon + 15_000,
      by: 'ann',
      change: 'command',
      command: { kind: 'release', keyId: k1 },
      answer: { kind: 'obeyed', keyIds: [k1], incidentIds: ['k1#1'] },
    },
  ])
  await life.stop()
})

test('who gives limits back without Weir hears that one is wanted for longer; also when the worker died before it could say so', async () => {
  const { life } = await throttling()
  await life.say({ kind: 'hold', keyId: k1, forMs: 3_600_000 })
  expect(life.prolonged).toEqual([[k1, noon + 15_000 + 3_600_000]])
  const second = await live({ folder: await life.crashImage(), startsAt: noon + 15_000, given: life.source.given })
  await untilQuiet()
  expect(second.prolonged).toMatchObject([[k1, expect.any(Number)]])
  await second.stop()
  await life.say({ kind: 'release', keyId: k1 })
  expect(life.prolonged).toHaveLength(1)
  await life.stop()
})

test('also of a throttle that was still on its way when it was said, and that the next worker carries out', async () => {
  const life = await live({ folder: newFolder(), answer: takesNothing })
  await life.bring(5, 1)
  await life.bring(2, 200)
  await life.say({ kind: 'hold', keyId: k1, forMs: 3_600_000 })
  const until = noon + 7_000 + 3_600_000
  expect(life.prolonged).toEqual([[k1, until]])
  await life.bring(6, 200)
  // A checkpoint knows of it by now, and the journal since then says nothing of it.
  const image = await life.crashImage()
  await life.stop()

  const wanted: string[] = []
  const second = await live({
    ...{ folder: image, startsAt: noon + 13_000, given: life.source.given },
    answer: ({ id }) => void wanted.push(id),
  })
  await untilQuiet()
  expect(second.prolonged).toEqual([[k1, until]])
  expect(wanted).toContain('k1#1/throttle-1')
  await second.stop()
})

test('of two restores that a crash leaves behind, what a person has asked for is asked of the gateway last', async () => {
  const { folder, life } = await throttling()
  await life.stop()
  const half = await live({
    ...{ folder, startsAt: noon + 15_000, given: life.source.given },
    answer: takesNothing,
  })
  await half.bring(100, 1, 5)
  expect(plansOf(half.asked())).toEqual(['k1#1/restore-1'])
  const image = await half.crashImage()
  await half.stop()
  const said = { kind: 'commanded', at: noon + 115_000, command: { kind: 'release', keyId: k1 }, by: 'ann' } as const
  await journaled(image, [said])

  const wanted: string[] = []
  const second = await live({
    ...{ folder: image, startsAt: noon + 116_000, given: half.source.given },
    answer: ({ id }) => void wanted.push(id),
  })
  await untilQuiet()
  expect(plansOf(wanted)).toEqual(['k1#1/restore-1', 'k1#1/restore-2'])
  await second.stop()
})

test('what cannot be done is refused, and is not journaled', async () => {
  const { life } = await throttling()
  expect(await life.say({ kind: 'release', keyId: 'k2' })).toMatchObject({ kind: 'refused' })
  expect(await life.say({ kind: 'go-on' })).toMatchObject({ kind: 'refused' })
  await life.stop()
  const journal = await openEffectJournal(await life.crashImage())
  expect(journal.recovered.filter(({ kind }) => kind === 'commanded')).toEqual([])
  await journal.close()
})

test('a worker that is killed before the next checkpoint has still heard of it', async () => {
  for (const command of [{ kind: 'release', keyId: k1 }, { kind: 'release-all' }, { kind: 'halt' }] as const) {
    const { life } = await throttling(newFolder(), 3_600_000)
    await life.say(command)
    const image = await life.crashImage()
    await life.stop()

    // Its checkpoint is from before the storm: the same storm is read again, and nobody is throttled for it.
    const second = await live({ folder: image, startsAt: noon + 15_000, given: life.source.given })
    await second.bring(20, 200)
    expect([command.kind, second.phases()[0], plansOf(second.asked()).filter(id => id.includes('throttle'))]).toEqual([
      command.kind,
      'open',
      [],
    ])
    await second.stop()
  }
})

test('halted, a worker says so each minute and stays so over a restart without a state, until it may go on', async () => {
  const { life } = await throttling()
  await life.say({ kind: 'halt' })
  await life.bring(60, 1)
  expect(life.told.findLast(({ name }) => name === 'throttlingHalted')).toMatchObject({ by: 'ann' })
  await life.stop()

  const bare = newFolder()
  await journaled(bare, [{ kind: 'commanded', at: noon, command: { kind: 'halt' }, by: 'ann' }])
  const second = await live({ folder: bare })
  await second.bring(5, 1)
  await second.bring(5, 200)
  expect(plansOf(second.asked())).toEqual([])
  expect(await second.say({ kind: 'go-on' })).toEqual({ kind: 'obeyed', keyIds: [], incidentIds: [] })
  await second.bring(5, 200)
  expect(plansOf(second.asked())).toEqual(['k1#1/throttle-1'])
  await second.stop()
})

test('what was released while no worker ran is not throttled again by the next, in the same incident', async () => {
  const { folder, life } = await throttling()
  await life.stop()
  await journaled(folder, [
    { kind: 'commanded', at: noon + 20_000, command: { kind: 'release', keyId: k1 }, by: 'ann' },
  ])
  const second = await live({ folder, startsAt: noon + 15_000, given: life.source.given })
  await second.bring(60, 200)
  expect(plansOf(second.asked())).toEqual(['k1#1/restore-1'])
  await second.stop()

  // And the one after it has heard of it already: the next incident is as any other.
  const third = await live({ folder, startsAt: noon + 75_000, given: second.source.given })
  await third.bring(90, 1)
  await third.bring(5, 200)
  expect(plansOf(third.asked())).toEqual(['k1#2/throttle-1'])
  await third.stop()
})

test('a limit that no incident holds is given back at once when a person says so', async () => {
  const folder = newFolder()
  await journaled(folder, [
    {
      ...{ kind: 'plan-changing', at: noon - 60_000, effectId: 'k1#9/throttle-1', keyId: k1, planId: 'plan-k1' },
      ...{ before: { rateLimit: 100, burstLimit: 200 }, after: { rateLimit: 2, burstLimit: 4 } },
    },
  ])
  const life = await live({ folder, answer: () => undefined })
  await untilQuiet()
  expect(life.asked()).toEqual([`k1#lost-${noon}/restore-full`])
  await life.pass(1_000)
  expect(await life.say({ kind: 'release', keyId: k1 })).toEqual({ kind: 'obeyed', keyIds: [k1], incidentIds: [] })
  expect(life.asked()).toContain(`k1#lost-${noon + 1_000}/restore-full`)
  await life.stop()
})
