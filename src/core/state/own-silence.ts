/**
 * For how long a key is silent by itself: its longest pause at a time of day when it usually calls. Who pauses for ten
 * minutes each day is not to be missed after two; who never does, is.
 *
 *     pause      from one second with calls to the next
 *     longest    fades by 3 % a day, and grows to three times itself a day at most: it may have been an outage
 *
 * A pause teaches only where somebody would have missed calls: so many are usual in it. What lies across a gap in delivery is
 * nobody's pause, and what lasts for more than an hour is no pause, but the end of a day. Counts of five minutes do not tell: a key
 * must have been seen second by second for two days.
 */
import { SLOTS_PER_DAY } from '../vocabulary.ts'
import { type Coverage, isCovered, MINUTES_PER_SLOT } from './coverage.ts'
import { FIRST_MINUTE, type KnownKeys, read, SILENCE, write } from './known-keys.ts'
import { unseenShare } from './own-reach.ts'

/** Words: the longest, seconds; what it was as its day began; the day (epoch) of the last one that was noted. */
const LONGEST = SILENCE
const LONGEST_BEFORE = SILENCE + 1
const NOTED_DAY = SILENCE + 2

const FADE = 0.97
const MOST_TIMES_BEFORE = 3
/** However short its pauses were, one of so long may be noted, seconds. */
const LEAST_GROWN = 120
/** As long as so many days are not known, nobody can say how long a key pauses; what it does in them is taken as it is. */
const LEAST_DAYS = 2
const LEAST_MISSING = 30
/** Shorter ones are chance, seconds. */
export const LEAST_PAUSE = 15
export const MOST_PAUSE = 3_600

export interface Pause {
  /** Where it began. */
  readonly slot: number
  readonly seconds: number
  /** Calls that are usual in a minute of that slot. */
  readonly callsPerMinute: number
}

export function notePause(keys: KnownKeys, key: number, { slot, seconds, callsPerMinute }: Pause): void {
  if (seconds < LEAST_PAUSE || seconds > MOST_PAUSE || (callsPerMinute * seconds) / 60 < LEAST_MISSING) return
  const day = Math.floor(slot / SLOTS_PER_DAY)
  const longest = longestOn(keys, key, day)
  if (seconds <= longest) return
  if (day > read(keys, key, NOTED_DAY)) {
    write(keys, key, NOTED_DAY, day)
    write(keys, key, LONGEST_BEFORE, longest)
  }
  const most = Math.max(LEAST_GROWN, MOST_TIMES_BEFORE * read(keys, key, LONGEST_BEFORE))
  write(keys, key, LONGEST, isNew(keys, key, slot) ? seconds : Math.max(longest, Math.min(seconds, most)))
}

/** Seconds; undefined of a key of which too little is known. */
export const longestPause = (keys: KnownKeys, key: number, slot: number): number | undefined =>
  isNew(keys, key, slot) || unseenShare(keys, key) > 0
    ? undefined
    : longestOn(keys, key, Math.floor(slot / SLOTS_PER_DAY))

function longestOn(keys: KnownKeys, key: number, day: number): number {
  const longest = read(keys, key, LONGEST)
  return longest === 0 ? 0 : longest * FADE ** Math.max(0, day - read(keys, key, NOTED_DAY))
}

const isNew = (keys: KnownKeys, key: number, slot: number): boolean =>
  slot * MINUTES_PER_SLOT - read(keys, key, FIRST_MINUTE) < LEAST_DAYS * 1_440

/** Whether the stream delivered each minute from one to before the other. */
export function isDelivered(coverage: Coverage, fromMinute: number, toMinute: number): boolean {
  for (let minute = fromMinute; minute < toMinute; minute++) if (!isCovered(coverage, minute)) return false
  return true
}

/** What others did together is taken for what a key did: they paused all at once only while the shortest pause lasted. */
export function inheritPauses(keys: KnownKeys, key: number, others: readonly { keys: KnownKeys; key: number }[]): void {
  let shortest = others[0]
  for (const other of others)
    if (shortest === undefined || read(other.keys, other.key, LONGEST) < read(shortest.keys, shortest.key, LONGEST))
      shortest = other
  if (shortest === undefined) return
  for (const word of [LONGEST, LONGEST_BEFORE, NOTED_DAY])
    write(keys, key, word, read(shortest.keys, shortest.key, word))
}
