/**
 * How often clients of this fleet turn wrong by themselves. Real clients burst: among thousands some turn wrong in every
 * minute, and have nothing to do with each other. Only far more of them in one minute than chance brings say that what
 * they share is sick.
 *
 * Openings of a minute are taken to be Poisson, of a rate that the fleet's own last day tells, to which each minute counts a
 * little less than the one after it. A Gamma belief of one an hour stands before it, so that an hour without any is not
 * taken for never. What then comes in a minute is negative binomial:
 *
 *     rate ~ Gamma(1 + openings, 60 min + minutes)  →  P(n) = C(r + n - 1, n) · (β / (β + 1))^r · (1 / (β + 1))^n
 *                                                      with r = 1 + openings, β = 60 + minutes
 *
 * (A. Gelman and others, Bayesian Data Analysis, section 2.6.) Known too little of, a fleet needs more of them to be surprised.
 */
import { type EpochMs, MINUTE_MS } from '../vocabulary.ts'

/** Plain data: what a checkpoint holds. */
export interface Openings {
  /** The newest minute (epoch min), and what opened in it and in the one before: not held to be usual yet. */
  readonly minute: number
  readonly now: number
  readonly justBefore: number
  /** Openings and minutes before these, older ones weighing less. */
  readonly openings: number
  readonly minutes: number
}

const BELIEVED = { openings: 1, minutes: 60 }
/** A minute of a day ago counts a third of one of now. */
const KEPT = 1 - 1 / 1_440
/** By chance so many open in about one minute of two years. */
const RARE = 1e-6

export const openingsFrom = (at: EpochMs): Openings => ({
  minute: Math.floor(at / MINUTE_MS),
  now: 0,
  justBefore: 0,
  openings: 0,
  minutes: 0,
})

/** A client turned wrong. Of a partition that lags behind, it counts for the newest minute. */
export function opened(before: Openings, at: EpochMs): Openings {
  const passed = passedTo(before, Math.floor(at / MINUTE_MS))
  return { ...passed, now: passed.now + 1 }
}

function passedTo(before: Openings, minute: number): Openings {
  const passing = minute - before.minute
  if (passing <= 0) return before
  const { openings, minutes } = aged(before, before.justBefore)
  if (passing === 1) return { minute, now: 0, justBefore: before.now, openings, minutes }
  const later = aged({ openings, minutes }, before.now)
  // Minutes in which nobody turned wrong, all at once.
  const kept = KEPT ** (passing - 2)
  return {
    ...{ minute, now: 0, justBefore: 0 },
    openings: later.openings * kept,
    minutes: later.minutes * kept + (1 - kept) / (1 - KEPT),
  }
}

const aged = ({ openings, minutes }: Pick<Openings, 'openings' | 'minutes'>, added: number) => ({
  openings: openings * KEPT + added,
  minutes: minutes * KEPT + 1,
})

/** Openings a minute that are usual. */
export function usualOpenings(known: Openings, at: EpochMs): number {
  const { r, beta } = beliefAt(known, at)
  return r / beta
}

/** Whether chance does not bring so many in the minute that ends at `at`. */
export function areTooMany(known: Openings, at: EpochMs, many: number): boolean {
  const { r, beta } = beliefAt(known, at)
  let chance = (beta / (beta + 1)) ** r
  let fewer = 0
  for (let count = 0; count < many; count++) {
    fewer += chance
    chance *= (r + count) / (count + 1) / (beta + 1)
  }
  return 1 - fewer < RARE
}

function beliefAt(known: Openings, at: EpochMs) {
  const { openings, minutes } = passedTo(known, Math.floor(at / MINUTE_MS))
  return { r: BELIEVED.openings + openings, beta: BELIEVED.minutes + minutes }
}
