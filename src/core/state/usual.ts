/**
 * What a baseline says is usual in a slot: as `Usual` (robust, for detection and the alert's band) and as
 * `PlainBaseline` (the original rules' means).
 */
import { median, medianSorted, quantileSorted } from 'simple-statistics'
import type { PlainBaseline, Usual } from '../../../detectors/contract.ts'
import { BASELINE_DAYS, SLOTS_PER_DAY } from '../vocabulary.ts'
import { answersOf } from './answer-totals.ts'
import { RING, slotSumsOf, weekCalls } from './baseline.ts'
import { type Coverage, coveredMask, MINUTES_PER_SLOT, runningAt } from './coverage.ts'
import { FIRST_MINUTE, type KnownKeys, read, SLOT } from './known-keys.ts'
import { ownReaches } from './own-reach.ts'
import { longestPause } from './own-silence.ts'

const ALL_MINUTES = 0b11111
const MINUTES_PER_DAY = 1_440

/**
 * Minutes of a slot that count for this key: delivered, not in an incident, not before it was first seen. Coverage
 * remembers longer than the ring: what fell out of the ring is not known to have been zero.
 */
function knownMinutes(keys: KnownKeys, key: number, coverage: Coverage, slot: number): number {
  if (slot < read(keys, key, SLOT) - RING) return 0
  let mask = coveredMask(coverage, slot) & ~(keys.excluded.get(key)?.get(slot) ?? 0)
  const firstSlot = firstSlotOf(keys, key)
  if (slot < firstSlot) return 0
  if (slot === firstSlot) mask &= ALL_MINUTES << (read(keys, key, FIRST_MINUTE) % MINUTES_PER_SLOT)
  return BIT_COUNT[mask & ALL_MINUTES] as number
}

const firstSlotOf = (keys: KnownKeys, key: number): number =>
  Math.floor(read(keys, key, FIRST_MINUTE) / MINUTES_PER_SLOT)

const BIT_COUNT = Uint8Array.from({ length: 32 }, (_, mask) => mask.toString(2).replaceAll('0', '').length)

/** Known minutes of the seven days before `slot`. */
function knownWeekMinutes(keys: KnownKeys, key: number, coverage: Coverage, slot: number): number {
  const firstSlot = firstSlotOf(keys, key)
  const from = Math.max(slot - RING, firstSlot)
  let minutes = runningAt(coverage, slot - 1) - runningAt(coverage, from)
  minutes += knownMinutes(keys, key, coverage, from)
  for (const [excludedSlot, mask] of keys.excluded.get(key) ?? []) {
    if (excludedSlot > from && excludedSlot < slot) {
      minutes -= BIT_COUNT[coveredMask(coverage, excludedSlot) & mask] as number
    }
  }
  return Math.max(0, minutes)
}

/** What the original rules compare with, for a slot that is under way or not yet begun. */
export function plainBaseline(keys: KnownKeys, key: number, coverage: Coverage, slot: number): PlainBaseline {
  const weekMinutes = knownWeekMinutes(keys, key, coverage, slot)
  if (weekMinutes < MINUTES_PER_DAY) {
    return {
      slotMeanCalls: undefined,
      slotMinuteMean: undefined,
      slotMinuteStdDev: undefined,
      weekMinuteMean: undefined,
    }
  }
  let days = 0
  let slotCalls = 0
  let minutes = 0
  let calls = 0
  let squares = 0
  for (let day = 1; day <= BASELINE_DAYS; day++) {
    const same = slot - day * SLOTS_PER_DAY
    const known = knownMinutes(keys, key, coverage, same)
    if (known === 0) continue
    const sums = slotSumsOf(keys, key, same)
    days++
    slotCalls += (sums.calls / known) * MINUTES_PER_SLOT
    minutes += known
    calls += sums.calls
    squares += sums.squares
  }
  const minuteMean = calls / minutes
  return {
    slotMeanCalls: days === 0 ? undefined : slotCalls / days,
    slotMinuteMean: days === 0 ? undefined : minuteMean,
    slotMinuteStdDev: days === 0 ? undefined : Math.sqrt(Math.max(0, squares / minutes - minuteMean * minuteMean)),
    weekMinuteMean: weekCalls(keys, key, slot) / weekMinutes,
  }
}

/** Neighbours on each side that help a slot: its days are few, and quarter hours are alike. */
const NEIGHBOURS = 1
/** Slots of the last hour that stand in where no day has this slot yet, and how many minutes of them are the least. */
const RECENT_SLOTS = 12
const LEAST_RECENT_MINUTES = 2
/** The band: 5th and 95th percentile. */
const LOWER_SHARE = 0.05
const UPPER_SHARE = 0.95
/** A normal value is above its mean by more than so many standard deviations in 5 of 100 cases. */
const BAND_SIGMAS = 1.645
const MOST_DISPERSION = 10
/** From so many days on, what came on one of them alone is not usual. */
const DAYS_TO_TELL = 4

/** What slots of the last days, or of the last hour, say of one. */
interface Sample {
  readonly slots: readonly SlotRate[]
  /** Of each day the busiest of the slot and its neighbours; none where the last hour stands in. */
  readonly days: readonly number[]
  /** How many days have the slot itself. */
  readonly knownDays: number
}

/**
 * What a minute of this slot usually brings, robustly: the median over the same slot and its neighbours of the last
 * seven days. The band's upper end is what two of the days reached, so that a batch is usual when it has come twice at this
 * time of day, and once is not; it joins the spread between days with that of minutes inside a slot, in quadrature.
 * undefined when neither a day nor the last hour is known.
 */
export function usualOf(keys: KnownKeys, key: number, coverage: Coverage, slot: number): Usual | undefined {
  const sample = lastDays(keys, key, coverage, slot) ?? lastHour(keys, key, coverage, slot)
  if (sample === undefined) return undefined
  const { slots, knownDays } = sample
  const rates = slots.map(({ perMinute }) => perMinute).sort(ascending)
  const middle = medianSorted(rates)
  const within = median(slots.map(({ variance }) => variance))
  // Few values hide the spread between days: the fewer there are, the wider the band is taken to be.
  const unseen = middle / (2 * Math.sqrt(slots.length))
  const above = Math.max(upperRate(sample, rates) - middle, unseen)
  const below = Math.max(middle - quantileSorted(rates, LOWER_SHARE), unseen)
  const minuteSpread = BAND_SIGMAS * BAND_SIGMAS * within
  const between = Math.max(above, below) / BAND_SIGMAS
  const { calls, status4xx, status429, status5xx, latencySumMs, latencyCount } = answersOf(keys, key)
  const shareOf = (count: number): number => (calls === 0 ? 0 : count / calls)
  return {
    callsPerMinute: middle,
    lowerPerMinute: Math.max(0, middle - Math.sqrt(below * below + minuteSpread)),
    upperPerMinute: middle + Math.sqrt(above * above + minuteSpread),
    slotUpperPerMinute: middle + above,
    slotLowerPerMinute: Math.max(0, middle - below),
    dispersion: middle === 0 ? 0 : clamp((within - middle + between * between) / (middle * middle), 0, MOST_DISPERSION),
    clientErrorShare: shareOf(status4xx),
    refusedShare: shareOf(status429),
    failureShare: shareOf(status5xx),
    answered: calls,
    latencyMs: latencyCount === 0 ? undefined : latencySumMs / latencyCount,
    days: knownDays,
    reaches: ownReaches(keys, key, slot, middle + above),
    longestPause: longestPause(keys, key, slot),
  }
}

const ascending = (one: number, other: number): number => one - other

function lastDays(keys: KnownKeys, key: number, coverage: Coverage, slot: number): Sample | undefined {
  // Of who is new today this is asked in each minute.
  if (slot - SLOTS_PER_DAY < firstSlotOf(keys, key)) return undefined
  const slots: SlotRate[] = []
  const days: number[] = []
  let knownDays = 0
  for (let day = 1; day <= BASELINE_DAYS; day++) {
    const same = slot - day * SLOTS_PER_DAY
    let busiest = -1
    for (let one = same - NEIGHBOURS; one <= same + NEIGHBOURS; one++) {
      const rate = one < slot - RING ? undefined : slotRate(keys, key, coverage, one)
      if (rate === undefined) continue
      slots.push(rate)
      if (rate.perMinute > busiest) busiest = rate.perMinute
      if (one === same) knownDays++
    }
    if (busiest >= 0) days.push(busiest)
  }
  return knownDays === 0 ? undefined : { slots, days, knownDays }
}

/** No day has this slot yet: the last hour stands in, the slot under way with it, so that a new key is soon known. */
function lastHour(keys: KnownKeys, key: number, coverage: Coverage, slot: number): Sample | undefined {
  const slots: SlotRate[] = []
  let minutes = 0
  const oldest = Math.max(slot - RECENT_SLOTS, firstSlotOf(keys, key))
  for (let one = slot; one >= oldest; one--) {
    const rate = slotRate(keys, key, coverage, one)
    if (rate === undefined) continue
    slots.push(rate)
    minutes += rate.minutes
  }
  return minutes < LEAST_RECENT_MINUTES ? undefined : { slots, days: [], knownDays: 0 }
}

/** What two of the days reached; of a few days the busiest, of the last hour a quantile. */
function upperRate({ days }: Sample, rates: readonly number[]): number {
  if (days.length === 0) return quantileSorted([...rates], UPPER_SHARE)
  const sorted = [...days].sort(ascending)
  return sorted.at(days.length < DAYS_TO_TELL ? -1 : -2) as number
}

interface SlotRate {
  /** So many are known. */
  readonly minutes: number
  readonly perMinute: number
  /** Of its minutes. */
  readonly variance: number
}

/** undefined for a slot of which no minute is known. */
function slotRate(keys: KnownKeys, key: number, coverage: Coverage, slot: number): SlotRate | undefined {
  const known = knownMinutes(keys, key, coverage, slot)
  if (known === 0) return undefined
  const { calls, squares } = slotSumsOf(keys, key, slot)
  const perMinute = calls / known
  // Never less than chance alone makes it; the sample variance wants two minutes at least.
  const seen = known > 1 ? (squares / known - perMinute * perMinute) * (known / (known - 1)) : 0
  return { minutes: known, perMinute, variance: Math.max(perMinute, seen) }
}

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))
