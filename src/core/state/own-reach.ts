/**
 * How far a key goes by itself: how often, and by how much, its own traffic has left the band of what is usual at that
 * time of day. A tenant whose batch brings ten times the usual every other day is not to be told of at ten times; one that
 * has never left its band is.
 *
 * For windows of 10 s, 60 s and 5 min each, from what was called while nothing harmful was going on:
 *
 *     peaks over the band's upper end, one a stretch (what lies within half an hour belongs together), as a Pareto tail:
 *         goes beyond r × upper end   perWeek · r^-tail times a week        (peaks over threshold; tail by Hill 1975)
 *     the busiest window, which fades by 3 % a day
 *
 * Both forget: a peak counts half after two weeks. Little knowledge is shrunk towards what tenants do on average. Shorter
 * windows are not known from a history of five-minute counts: until two days have been seen second by second, the five
 * minutes speak for them. What each window is compared with, and how rare a count is by this: `detectors/statistics.ts`.
 */
import type { OwnReach } from '../../../detectors/contract.ts'
import { type EpochMs, SLOTS_PER_DAY } from '../vocabulary.ts'
import { MINUTES_PER_SLOT } from './coverage.ts'
import { add, FIRST_MINUTE, type KnownKeys, REACH, read, write } from './known-keys.ts'

/** Window lengths, seconds, ascending. */
const LENGTHS = [10, 60, 300] as const
export const TEN_SECONDS = 0
export const MINUTE = 1
export const SLOT_LONG = 2

/** Words of a window length: how many peaks, the sum of their logarithms, the busiest, what that was before, and the stretch under way. */
const EVENTS = 0
const LOGARITHMS = 1
const BUSIEST = 2
const BUSIEST_BEFORE = 3
const PEAK = 4
const LAST_SLOT = 5
const WORDS = 6
/** Day of the last fading, and minutes that were seen second by second. */
const FADED_DAY = REACH + LENGTHS.length * WORDS
const PANE_MINUTES = FADED_DAY + 1
/** When people were last told of a surge of this key (epoch ms; 0 = never), and how often a week it would come by itself. */
const TOLD_AT = PANE_MINUTES + 1
const TOLD_TIMES = TOLD_AT + 1

/** Peaks closer than this belong together, slots. */
const STRETCH_SLOTS = 6
const EVENTS_FADE = 0.95
const BUSIEST_FADE = 0.97
/** One event moves what is known of the tail and of the busiest window by so much at most: it may have been an attack. */
const MOST_TIMES_UPPER = 30
const MOST_TIMES_BUSIEST = 3
/** Seen second by second for so many minutes, short windows speak for themselves. */
const KNOWN_PANE_MINUTES = 2 * 1_440
/** A busiest window is one only where there were two days to be busy in. */
const LEAST_DAYS = 2
/** How much busier the busiest 10 s and 60 s are than the busiest five minutes on average, where that is not known. */
const TIMES_AVERAGE = [3, 2, 1] as const
/** Of fewer calls in a window nobody wants to hear. */
const LEAST_UPPER = 20
/** A Poisson count is above its mean by more than so many standard deviations in 5 of 100 cases. */
const BAND_SIGMAS = 1.645
/** What tenants do on average, and how much of their own it takes to outweigh it: weeks, peaks. */
const PRIOR_PER_WEEK = 4
const PRIOR_WEEKS = 0.1
const PRIOR_TAIL = { tail: 2.5, peaks: 1 }
/** What cannot be excluded as long as little is known: what is alerted goes by this. */
const CAUTIOUS_TAIL = { tail: 1, peaks: 2 }

/** The upper end of what a window usually brings, calls: the band's at that rate, and what chance adds in so short a time. */
export function upperCallsOf(length: number, upperPerMinute: number): number {
  const calls = (upperPerMinute * (LENGTHS[length] as number)) / 60
  return Math.max(LEAST_UPPER, calls + BAND_SIGMAS * Math.sqrt(calls))
}

/** As long as nobody knows how the calls of a minute lie in it, all of them may come in ten seconds. */
function upperCalls(length: number, upperPerMinute: number, unknownShare: number): number {
  const upper = upperCallsOf(length, upperPerMinute)
  return length === TEN_SECONDS ? upper + unknownShare * (upperCallsOf(MINUTE, upperPerMinute) - upper) : upper
}

/** A window of this key brought so many calls in this slot. */
export function noteReach(
  keys: KnownKeys,
  key: number,
  { length, slot, calls, upperPerMinute }: { length: number; slot: number; calls: number; upperPerMinute: number },
): void {
  fade(keys, key, Math.floor(slot / SLOTS_PER_DAY))
  const at = REACH + length * WORDS
  const upper = upperCallsOf(length, upperPerMinute)
  if (calls > upper) noteBeyond(keys, key, at, slot, Math.log(Math.min(MOST_TIMES_UPPER, calls / upper)))
  if (calls <= read(keys, key, at + BUSIEST)) return
  const isNew = (slot * MINUTES_PER_SLOT - read(keys, key, FIRST_MINUTE)) / 1_440 < LEAST_DAYS
  const most = MOST_TIMES_BUSIEST * Math.max(upper, read(keys, key, at + BUSIEST_BEFORE))
  write(keys, key, at + BUSIEST, isNew ? calls : Math.max(read(keys, key, at + BUSIEST), Math.min(calls, most)))
}

function noteBeyond(keys: KnownKeys, key: number, at: number, slot: number, logarithm: number): void {
  const before = read(keys, key, at + PEAK)
  if (Math.abs(slot - read(keys, key, at + LAST_SLOT)) > STRETCH_SLOTS) {
    add(keys, key, at + EVENTS, 1)
    add(keys, key, at + LOGARITHMS, logarithm)
    write(keys, key, at + PEAK, logarithm)
    write(keys, key, at + BUSIEST_BEFORE, read(keys, key, at + BUSIEST))
  } else if (logarithm > before) {
    add(keys, key, at + LOGARITHMS, logarithm - before)
    write(keys, key, at + PEAK, logarithm)
  }
  write(keys, key, at + LAST_SLOT, slot)
}

/** A minute of which each second is known. */
export const notePaneMinute = (keys: KnownKeys, key: number): void => add(keys, key, PANE_MINUTES, 1)

function fade(keys: KnownKeys, key: number, day: number): void {
  const days = day - read(keys, key, FADED_DAY)
  if (days <= 0) return
  const isFirst = days === day
  write(keys, key, FADED_DAY, day)
  if (isFirst) return
  for (let length = 0; length < LENGTHS.length; length++) {
    const at = REACH + length * WORDS
    for (const [word, share] of fading) {
      const value = read(keys, key, at + word)
      if (value !== 0) write(keys, key, at + word, value * share ** days)
    }
  }
  write(keys, key, PANE_MINUTES, read(keys, key, PANE_MINUTES) * EVENTS_FADE ** days)
}

const fading = [
  [EVENTS, EVENTS_FADE],
  [LOGARITHMS, EVENTS_FADE],
  [BUSIEST, BUSIEST_FADE],
] as const

/** What is known of each window length, shortest first. `upperPerMinute`: the band of whole slots. */
export function ownReaches(keys: KnownKeys, key: number, slot: number, upperPerMinute: number): readonly OwnReach[] {
  const days = Math.max(0, slot * MINUTES_PER_SLOT - read(keys, key, FIRST_MINUTE)) / 1_440
  const paneMinutes = read(keys, key, PANE_MINUTES)
  const long = REACH + SLOT_LONG * WORDS
  const longBusiest = read(keys, key, long + BUSIEST)
  const unknownShare = unknownShareOf(paneMinutes)
  return LENGTHS.map((seconds, length) => {
    const at = REACH + length * WORDS
    const isShort = length !== SLOT_LONG
    const ownWeeks = fadedWeeks(isShort ? paneMinutes / 1_440 : days)
    const weeks = ownWeeks + (isShort ? fadedWeeks(days) : 0)
    const events = read(keys, key, at + EVENTS) + (isShort ? read(keys, key, long + EVENTS) : 0)
    const logarithms = read(keys, key, at + LOGARITHMS) + (isShort ? read(keys, key, long + LOGARITHMS) : 0)
    const guessed = Math.min(longBusiest, ((TIMES_AVERAGE[length] as number) * longBusiest * seconds) / 300)
    const busiest = Math.max(read(keys, key, at + BUSIEST), isShort ? guessed * unknownShare : 0)
    return {
      seconds,
      upperCalls: upperCalls(length, upperPerMinute, unknownShare),
      perWeek: (events + PRIOR_PER_WEEK * PRIOR_WEEKS) / (weeks + PRIOR_WEEKS),
      tail: shrunk(events, logarithms, PRIOR_TAIL),
      cautiousTail: shrunk(events, logarithms, CAUTIOUS_TAIL),
      busiestCalls: days >= LEAST_DAYS ? busiest : undefined,
    }
  })
}

/** Of a key that nothing is known of, and that usually makes no more than so many calls in a window. */
export const strangersReach = (length: number, calls: number): OwnReach => ({
  seconds: LENGTHS[length] as (typeof LENGTHS)[number],
  upperCalls: Math.max(LEAST_UPPER, calls),
  ...{ perWeek: PRIOR_PER_WEEK, tail: PRIOR_TAIL.tail, cautiousTail: CAUTIOUS_TAIL.tail, busiestCalls: undefined },
})

/** How much of what seconds tell of a key is still unknown: 1 of one that was only counted. */
export const unseenShare = (keys: KnownKeys, key: number): number => unknownShareOf(read(keys, key, PANE_MINUTES))

const unknownShareOf = (paneMinutes: number): number => Math.max(0, 1 - paneMinutes / KNOWN_PANE_MINUTES)

const shrunk = (peaks: number, logarithms: number, to: typeof PRIOR_TAIL): number =>
  (peaks + to.peaks) / (logarithms + to.peaks / to.tail)

/** Weeks that so many days are worth, when each day before counts 5 % less. */
const fadedWeeks = (days: number): number => (1 - EVENTS_FADE ** days) / (1 - EVENTS_FADE) / 7

/** What others did together is taken for what a key did: their peaks come one after another, their busiest at once. */
export function inheritReach(keys: KnownKeys, key: number, others: readonly { keys: KnownKeys; key: number }[]): void {
  for (const other of others) {
    write(keys, key, FADED_DAY, Math.max(read(keys, key, FADED_DAY), read(other.keys, other.key, FADED_DAY)))
    write(keys, key, PANE_MINUTES, Math.max(read(keys, key, PANE_MINUTES), read(other.keys, other.key, PANE_MINUTES)))
    for (let length = 0; length < LENGTHS.length; length++) {
      const at = REACH + length * WORDS
      for (const word of [EVENTS, LOGARITHMS, BUSIEST])
        add(keys, key, at + word, read(other.keys, other.key, at + word))
    }
  }
}

export interface Told {
  /** Event time, epoch ms. */
  readonly at: EpochMs
  readonly timesAWeek: number
}

/** People were told of a surge of this key. */
export function noteTold(keys: KnownKeys, key: number, { at, timesAWeek }: Told): void {
  write(keys, key, TOLD_AT, at)
  write(keys, key, TOLD_TIMES, timesAWeek)
}

export function lastTold(keys: KnownKeys, key: number): Told | undefined {
  const at = read(keys, key, TOLD_AT)
  return at === 0 ? undefined : { at, timesAWeek: read(keys, key, TOLD_TIMES) }
}
