/**
 * Hears what was said to all that works on the state (stores/spoken-words.ts): each word once, in order, also what was said while nobody
 * had this part of it, or to another worker. A life that knows of none begins with whether anybody is to be throttled at all.
 */
import type { OperatorCommand } from '../core/operator.ts'
import type { JournalEntry } from '../stores/journal-entry.ts'
import { isOnOrOff, type SpokenWord, type SpokenWords } from '../stores/spoken-words.ts'
import type { Telemetry } from './telemetry.ts'

export interface HearingOptions {
  /** Undefined where nobody says anything to all. */
  readonly words: Pick<SpokenWords, 'after'> | undefined
  /** What is in the journal as this life begins. */
  readonly recovered: readonly JournalEntry[]
  readonly operate: (command: OperatorCommand, by: string, word: number) => Promise<unknown>
  readonly telemetry: Telemetry
}

export interface Hearing {
  /** Reads outside of any turn: the disk may take its time. */
  listen(): Promise<readonly SpokenWord[]>
  /** Obeys those of them that it has not. */
  heed(words: readonly SpokenWord[]): Promise<void>
}

export function createHearing({ words, recovered, operate, telemetry }: HearingOptions): Hearing {
  let heard = heardUpTo(recovered)
  let isTroubled = false
  return {
    async listen() {
      try {
        const unheard = (await words?.after(heard)) ?? []
        isTroubled = false
        return unheard
      } catch (cause) {
        if (!isTroubled)
          telemetry({ name: 'wordsUnheard', because: cause instanceof Error ? cause.message : String(cause) })
        isTroubled = true
        return []
      }
    },
    async heed(unheard) {
      const last = unheard.findLast(isOnOrOff)
      const meant = heard === undefined ? (last === undefined ? [] : [last]) : unheard
      for (const { command, by, number } of meant) if (number > (heard ?? 0)) await operate(command, by, number)
      heard = Math.max(heard ?? 0, unheard.at(-1)?.number ?? 0)
    },
  }
}

function heardUpTo(entries: readonly JournalEntry[]): number | undefined {
  const numbers = entries.flatMap(entry => (entry.kind === 'commanded' && entry.word !== undefined ? [entry.word] : []))
  return numbers.length === 0 ? undefined : Math.max(...numbers)
}
