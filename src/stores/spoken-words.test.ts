import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { spokenWords, type Word } from './spoken-words.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-words-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const word = (kind: Word['command']['kind'], by = 'ann'): Word => ({ command: { kind }, by, at: 1 })

test('what several say at once has an order that all see alike, whatever their clocks say', async () => {
  const said = await Promise.all(
    Array.from({ length: 10 }, (_, each) => spokenWords(directory).say(word(each % 2 ? 'halt' : 'go-on', `${each}`))),
  )
  expect(said.toSorted((one, other) => one - other)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  const heard = await spokenWords(directory).after(7)
  expect(heard.map(({ number, by }) => [number, by])).toEqual([8, 9, 10].map(n => [n, `${said.indexOf(n)}`]))
})

test('of many the last hundred are kept, and who was halted before them stays so', async () => {
  const words = spokenWords(directory)
  await words.say(word('go-on'))
  await words.say(word('halt'))
  for (let each = 0; each < 101; each++) await words.say(word('release-all'))
  const kept = await words.after(undefined)
  expect(kept).toHaveLength(101)
  expect(kept[0]).toMatchObject({ number: 2, command: { kind: 'halt' } })
})

test('nothing is made before something is said, and then for the owner of the state alone', async () => {
  const words = spokenWords(directory)
  expect(await words.after(undefined)).toEqual([])
  expect(await readdir(directory)).toEqual([])
  await words.say(word('halt'))
  const modes = ['words', 'words/word-000000001.json'].map(
    async name => (await stat(join(directory, name))).mode & 0o077,
  )
  expect(await Promise.all(modes)).toEqual([0, 0])
  expect(await readdir(join(directory, 'words'))).toEqual(['word-000000001.json'])
})
