/**
 * What a person says to all that works on a state directory, whichever worker is told: to halt, to go on, to give everything back.
 * Each word is a file of its own in a folder that all share, numbered by who gets the name (the clocks of several machines do not
 * agree on what was said last), and is never changed. Every life reads it when it begins and once a second, and notes in its
 * journal up to which it has heard.
 *
 * Whoever may write into the state directory may say it, as they may write the journal in it. Bounded: the last 100 words, and
 * the last of those that say whether anybody is throttled at all.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import type { EpochMs } from '../core/vocabulary.ts'
import { type Disk, machineDisk } from './disk.ts'
import { syncDirectory, tryLink, unwritable } from './durable.ts'

export interface Word {
  readonly command: { readonly kind: 'halt' | 'go-on' | 'release-all' }
  readonly by: string
  readonly at: EpochMs
}

export interface SpokenWord extends Word {
  readonly number: number
}

export interface SpokenWords {
  /** Resolves with its number when it is on disk. Throws StreamError STORE_UNWRITABLE. */
  say(word: Word): Promise<number>
  /** Those after this one, oldest first; undefined: all. */
  after(number: number | undefined): Promise<readonly SpokenWord[]>
}

export const isOnOrOff = ({ command }: Word): boolean => command.kind !== 'release-all'

const folder = 'words'
const keptWords = 100

/** Makes nothing before something is said. */
export function spokenWords(stateDirectory: string, disk: Disk = machineDisk): SpokenWords {
  const directory = join(stateDirectory, folder)

  async function numbers(): Promise<readonly number[]> {
    const names = await disk.readdir(directory).catch(cause => {
      if (hasCode(cause, 'ENOENT')) return []
      throw cause
    })
    return names.flatMap(numberIn).sort((one, other) => one - other)
  }

  async function after(number = 0): Promise<readonly SpokenWord[]> {
    const words: SpokenWord[] = []
    for (const each of await numbers()) {
      const word = each > number ? await read(each) : undefined
      if (word !== undefined) words.push(word)
    }
    return words
  }

  /** Undefined for one that is out of bounds by now. */
  async function read(number: number): Promise<SpokenWord | undefined> {
    const text = await disk.readFile(join(directory, nameOf(number))).catch(cause => {
      if (hasCode(cause, 'ENOENT')) return undefined
      throw cause
    })
    return text === undefined ? undefined : { number, ...wordShape.parse(JSON.parse(text.toString())) }
  }

  async function claim(candidate: string): Promise<number> {
    for (;;) {
      const number = ((await numbers()).at(-1) ?? 0) + 1
      if (await tryLink(disk, candidate, join(directory, nameOf(number)))) return number
    }
  }

  async function forgetOldest(): Promise<void> {
    const words = await after()
    const kept = new Set([...words.slice(-keptWords), words.findLast(isOnOrOff)])
    for (const word of words) if (!kept.has(word)) await disk.unlink(join(directory, nameOf(word.number)))
  }

  return {
    after,
    async say(word) {
      const candidate = join(directory, `candidate-${randomUUID()}`)
      try {
        await disk.mkdir(directory, { recursive: true, mode: 0o700 })
        const file = await disk.open(candidate, 'w', 0o600)
        try {
          await file.writeFile(Buffer.from(JSON.stringify(word)))
          await file.sync()
        } finally {
          await file.close()
        }
        const number = await claim(candidate)
        await disk.unlink(candidate)
        await syncDirectory(disk, directory)
        // Another may be forgetting the same; what is left too long does no harm.
        await forgetOldest().catch(() => undefined)
        return number
      } catch (cause) {
        throw unwritable('what was said', directory, cause)
      }
    },
  }
}

const wordShape = z.object({
  command: z.object({ kind: z.enum(['halt', 'go-on', 'release-all']) }),
  by: z.string(),
  at: z.number(),
})

const nameOf = (number: number): string => `word-${String(number).padStart(9, '0')}.json`

function numberIn(name: string): readonly number[] {
  const [, digits] = /^word-(\d{9,15})\.json$/.exec(name) ?? []
  return digits === undefined ? [] : [Number(digits)]
}

const hasCode = (cause: unknown, code: string): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === code
