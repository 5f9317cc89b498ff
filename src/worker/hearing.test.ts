/** What is said to all that works on a state, over lives that begin, end and come back. */
import { afterEach, expect, test } from 'vitest'
import { spokenWords, type Word } from '../stores/spoken-words.ts'
import { live, newFolder, noon, removeFolders } from './testing-life.ts'

afterEach(removeFolders)

const word = (kind: Word['command']['kind']): Word => ({ command: { kind }, by: 'ann', at: noon })
const plansOf = (ids: readonly string[]) => ids.filter(id => !id.includes('alert'))
const saidTo = (life: Awaited<ReturnType<typeof live>>) =>
  life.told.flatMap(event => (event.name === 'operatorCommanded' ? [event.command.kind] : []))

test('a life hears within a second, once, and not again after it was killed; one that begins later hears it as it begins', async () => {
  const words = spokenWords(newFolder())
  const first = await live({ folder: newFolder(), words, checkpointEveryMs: 3_600_000 })
  await first.bring(5, 1)
  await first.bring(5, 200)
  await words.say(word('halt'))
  await first.pass(1_000)
  expect(plansOf(first.asked())).toEqual(['k1#1/restore-1', 'k1#1/throttle-1'])
  await first.pass(5_000)
  expect(saidTo(first)).toEqual(['halt'])
  const image = await first.crashImage()
  await first.stop()

  const again = await live({ folder: image, words, startsAt: noon + 16_000, given: first.source.given })
  await again.bring(5, 200)
  expect([saidTo(again), plansOf(again.asked())]).toEqual([[], []])
  await again.stop()

  const later = await live({ folder: newFolder(), words })
  await later.bring(5, 1)
  await later.bring(5, 200)
  expect([saidTo(later), plansOf(later.asked())]).toEqual([['halt'], []])
  await words.say(word('go-on'))
  await later.bring(5, 200)
  expect(plansOf(later.asked())).toEqual(['k1#1/throttle-1'])
  await later.stop()
})

test('to give all back is heard by who had the state when it was said, also after a restart, and not by who knows of nothing', async () => {
  const words = spokenWords(newFolder())
  await words.say(word('halt'))
  await words.say(word('go-on'))
  const folder = newFolder()
  const first = await live({ folder, words })
  await first.bring(5, 1)
  await first.bring(5, 200)
  await first.stop()
  await words.say(word('release-all'))
  const second = await live({ folder, words, startsAt: noon + 10_000, given: first.source.given })
  await second.bring(2, 200)
  expect([saidTo(second), plansOf(second.asked())]).toEqual([['release-all'], ['k1#1/restore-1']])
  await second.stop()
  const third = await live({ folder: newFolder(), words })
  await third.bring(1, 1)
  expect(saidTo(third)).toEqual(['go-on'])
  await third.stop()
})

test('that the words cannot be read is told once, and the worker goes on', async () => {
  const fails = {
    after: async () => {
      throw new Error('EACCES')
    },
  }
  const life = await live({ folder: newFolder(), words: fails })
  await life.bring(5, 1)
  expect(life.told.filter(({ name }) => name === 'wordsUnheard')).toEqual([{ name: 'wordsUnheard', because: 'EACCES' }])
  await life.stop()
})
