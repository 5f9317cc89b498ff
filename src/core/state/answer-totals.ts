/**
 * How a key's calls are usually answered, and how fast: sums over what was learned, coarser than the rates of its slots.
 * They are halved where a half of the week ends, so that a call of last week counts a quarter of one of now and no
 * day has to be kept to be taken off again: 48 bytes a key.
 *
 * Halving whole half-weeks makes the sums a function of what was learned, not of the order in which: what comes late
 * is added with the weight that it would have by now, and all are multiples of one grain, of which no sum rounds anything off.
 */
import { BASELINE_DAYS, SLOTS_PER_DAY } from '../vocabulary.ts'
import { ANSWERS, type KnownKeys, read, SLOT, write } from './known-keys.ts'
import type { MinuteSeen } from './minute-seen.ts'

const HALF_WEEK_SLOTS = (BASELINE_DAYS * SLOTS_PER_DAY) / 2
const GRAIN = 1 / 1_024

/** Adds what was seen in a slot (`times` 1), or takes it back (-1). */
export function addAnswers(keys: KnownKeys, key: number, slot: number, seen: MinuteSeen, times: 1 | -1): void {
  addWeighted(keys, key, seen, times * weightOf(slot, read(keys, key, SLOT)))
}

/** As many answers as another key has had, as of its own newest slot. */
export function inheritAnswers(keys: KnownKeys, key: number, other: { keys: KnownKeys; key: number }): void {
  const weight = weightOf(read(other.keys, other.key, SLOT), read(keys, key, SLOT))
  addWeighted(keys, key, answersOf(other.keys, other.key), weight)
}

/** Before `slot` takes the place of the slot being learned. */
export function ageAnswers(keys: KnownKeys, key: number, slot: number): void {
  const weight = weightOf(read(keys, key, SLOT), slot)
  if (weight === 1) return
  for (let sum = ANSWERS.from; sum < ANSWERS.to; sum++)
    write(keys, key, sum, wholeGrains(read(keys, key, sum) * weight))
}

/** What was learned of a key, the older the less it weighs. */
export function answersOf(keys: KnownKeys, key: number): MinuteSeen {
  return {
    calls: read(keys, key, ANSWERS.from),
    status4xx: read(keys, key, ANSWERS.from + 1),
    status429: read(keys, key, ANSWERS.from + 2),
    status5xx: read(keys, key, ANSWERS.from + 3),
    latencySumMs: read(keys, key, ANSWERS.from + 4),
    latencyCount: read(keys, key, ANSWERS.from + 5),
  }
}

function addWeighted(keys: KnownKeys, key: number, seen: MinuteSeen, weight: number): void {
  const { calls, status4xx, status429, status5xx, latencySumMs, latencyCount } = seen
  const amounts = [calls, status4xx, status429, status5xx, latencySumMs, latencyCount]
  for (const [sum, amount] of amounts.entries()) {
    if (amount === 0) continue
    const at = ANSWERS.from + sum
    write(keys, key, at, read(keys, key, at) + Math.sign(weight) * wholeGrains(amount * Math.abs(weight)))
  }
}

/** What is left by the time of `newest` of what was learned in `slot`; all of it of what is newer still. */
const weightOf = (slot: number, newest: number): number =>
  2 ** -Math.max(0, Math.floor(newest / HALF_WEEK_SLOTS) - Math.floor(slot / HALF_WEEK_SLOTS))

const wholeGrains = (amount: number): number => Math.floor(amount / GRAIN) * GRAIN
