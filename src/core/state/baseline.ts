/**
 * What one key's five-minute slots usually bring: 7 days × 288 slots, each with the sum and the sum of squares of the
 * calls in its minutes. Learned a minute at a time as the watermark passes; read as `Usual` (robust, for detection and
 * the alert's band) and as `PlainBaseline` (the original rules' means).
 *
 * A minute that the stream delivered and in which the key was silent is an observed zero; a minute that the stream did
 * not deliver (`Coverage`), or that lies in an incident of the key, or before it was first seen, is unknown: left out.
 *
 * Memory a key: 12 bytes a slot, allocated by days in which the key called, 24 KB for seven. Mutable on purpose.
 */
import { median, medianSorted, quantileSorted } from 'simple-statistics'
import type { PlainBaseline, Usual } from '../../../detectors/contract.ts'
import { BASELINE_DAYS, MINUTE_MS, SLOTS_PER_DAY } from '../vocabulary.ts'

/** Slots remembered: the one being learned takes the place of the one seven days before it, when it is complete. */
const RING = BASELINE_DAYS * SLOTS_PER_DAY
const MINUTES_PER_SLOT = 5
const ALL_MINUTES = 0b11111
const MINUTES_PER_DAY = 1_440

interface DayOfSlots {
  readonly calls: Float64Array
  readonly squares: Float64Array
}

/** Coarser than the rates: a key's failures and latency by day. */
interface DayTotals {
  calls: number
  failures: number
  latencySumMs: number
  latencyCount: number
}

export interface KeyBaseline {
  /** Minute (epoch min) from which on the key is known. */
  firstMinute: number
  readonly days: (DayOfSlots | undefined)[]
  readonly totals: DayTotals[]
  /** Newest slot (epoch ms / SLOT_MS) that is in the ring; the ring holds it and the 2,015 before it. */
  newestSlot: number
  /** The slot being learned, kept aside until it is complete, so that the one seven days ago can still be compared with. */
  slot: number
  slotCalls: number
  slotSquares: number
  /** Sum of the ring's calls. */
  ringCalls: number
  /** Minutes not to be learned (bit 0 = the slot's first minute), by slot; entries leave with their slot. */
  readonly excluded: Map<number, number>
}

/** Coverage runs ahead of what a key has learned, so it remembers a day more. */
const COVERAGE_RING = RING + SLOTS_PER_DAY

/** Which minutes the stream itself delivered: shared by all keys of an owner. */
export interface Coverage {
  /** Bit mask of covered minutes for each slot of the ring. */
  readonly minutes: Uint8Array
  /** Covered minutes since the beginning, up to and with each slot of the ring. */
  readonly running: Float64Array
  newestSlot: number
  total: number
}

export const createCoverage = (): Coverage => ({
  minutes: new Uint8Array(COVERAGE_RING),
  running: new Float64Array(COVERAGE_RING),
  newestSlot: -1,
  total: 0,
})

export function coverMinute(coverage: Coverage, minute: number): void {
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  if (coverage.newestSlot < 0) coverage.newestSlot = slot - 1
  if (slot <= coverage.newestSlot - COVERAGE_RING) return
  const from = Math.max(coverage.newestSlot + 1, slot - COVERAGE_RING + 1)
  for (let next = from; next <= slot; next++) {
    coverage.minutes[next % COVERAGE_RING] = 0
    coverage.running[next % COVERAGE_RING] = coverage.total
  }
  coverage.newestSlot = Math.max(coverage.newestSlot, slot)
  const bit = 1 << (minute % MINUTES_PER_SLOT)
  const mask = coverage.minutes[slot % COVERAGE_RING] as number
  if (mask & bit) return
  coverage.minutes[slot % COVERAGE_RING] = mask | bit
  coverage.total++
  for (let later = slot; later <= coverage.newestSlot; later++) {
    coverage.running[later % COVERAGE_RING] = (coverage.running[later % COVERAGE_RING] as number) + 1
  }
}

const coveredMask = (coverage: Coverage, slot: number): number =>
  slot > coverage.newestSlot || slot <= coverage.newestSlot - COVERAGE_RING
    ? 0
    : (coverage.minutes[slot % COVERAGE_RING] as number)

export function createBaseline(firstMinute: number): KeyBaseline {
  const slot = Math.floor(firstMinute / MINUTES_PER_SLOT)
  return {
    firstMinute,
    days: Array.from({ length: BASELINE_DAYS }, () => undefined),
    totals: Array.from({ length: BASELINE_DAYS }, emptyTotals),
    newestSlot: slot - 1,
    slot,
    slotCalls: 0,
    slotSquares: 0,
    ringCalls: 0,
    excluded: new Map(),
  }
}

const emptyTotals = (): DayTotals => ({ calls: 0, failures: 0, latencySumMs: 0, latencyCount: 0 })

/** What a key did in one closed minute. */
export interface MinuteSeen {
  readonly calls: number
  readonly failures: number
  readonly latencySumMs: number
  readonly latencyCount: number
}

/** Calls come in any order: the key is known from its earliest on, whichever was read first. */
export function knowFrom(baseline: KeyBaseline, minute: number): void {
  if (minute >= baseline.firstMinute) return
  baseline.firstMinute = minute
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  const isNew = baseline.ringCalls === 0 && baseline.slotCalls === 0 && baseline.newestSlot === baseline.slot - 1
  if (slot >= baseline.slot || !isNew) return
  baseline.slot = slot
  baseline.newestSlot = slot - 1
}

/** One closed minute of this key. Minutes mostly come in order; one older than the slot being learned goes straight to the ring. */
export function learnMinute(baseline: KeyBaseline, minute: number, seen: MinuteSeen): void {
  if (minute < baseline.firstMinute) return // known in part only
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  moveTo(baseline, slot)
  learnInto(baseline, slot, seen.calls, seen.calls * seen.calls)
  addTotals(totalsOf(baseline, slot), seen, 1)
}

function addTotals(day: DayTotals | undefined, seen: MinuteSeen, times: 1 | -1): void {
  if (day === undefined) return
  day.calls += times * seen.calls
  day.failures += times * seen.failures
  day.latencySumMs += times * seen.latencySumMs
  day.latencyCount += times * seen.latencyCount
}

/** Takes back what `learnMinute` was given: the minute turned out to lie in an incident. Not twice: it is excluded from then on. */
export function unlearnMinute(baseline: KeyBaseline, minute: number, seen: MinuteSeen): void {
  if (minute < baseline.firstMinute || isExcluded(baseline, minute)) return
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  learnInto(baseline, slot, -seen.calls, -(seen.calls * seen.calls))
  addTotals(totalsOf(baseline, slot), seen, -1)
  excludeMinute(baseline, minute)
}

/**
 * A count over many minutes, as other tools give them: `calls` spread evenly. Inside it nothing is known of how minutes
 * differ, so they are taken to differ as chance alone makes them (variance = mean).
 */
export function learnRow(
  baseline: KeyBaseline,
  {
    firstMinute,
    minutes,
    calls,
    failures,
    latencySumMs,
    latencyCount,
  }: {
    readonly firstMinute: number
    readonly minutes: number
    readonly calls: number
    readonly failures: number
    readonly latencySumMs: number
    readonly latencyCount: number
  },
): void {
  const perMinute = calls / minutes
  for (let minute = firstMinute; minute < firstMinute + minutes; minute++) {
    const slot = Math.floor(minute / MINUTES_PER_SLOT)
    moveTo(baseline, slot)
    learnInto(baseline, slot, perMinute, perMinute * perMinute + perMinute)
  }
  const day = totalsOf(baseline, Math.floor(firstMinute / MINUTES_PER_SLOT))
  addTotals(day, { calls, failures, latencySumMs, latencyCount }, 1)
}

/**
 * Calls that came after their minute was learned. What that minute held is gone: the slot's mean minute stands in for it.
 * Of a minute that was not to be learned it teaches nothing either.
 */
export function learnLateCalls(baseline: KeyBaseline, minute: number, calls: number): void {
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  if (isExcluded(baseline, minute)) return
  const mean = slotCallsOf(baseline, slot) / MINUTES_PER_SLOT
  // As if they came one by one, each into a minute that holds what the ones before it left.
  learnInto(baseline, slot, calls, calls * (2 * mean + 1) + (calls * (calls - 1)) / MINUTES_PER_SLOT)
}

/** This minute lies in an incident of the key: neither what it brought nor that it was observed counts. */
export function excludeMinute(baseline: KeyBaseline, minute: number): void {
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  moveTo(baseline, Math.max(slot, baseline.slot))
  baseline.excluded.set(slot, (baseline.excluded.get(slot) ?? 0) | (1 << (minute % MINUTES_PER_SLOT)))
}

function isExcluded(baseline: KeyBaseline, minute: number): boolean {
  const mask = baseline.excluded.get(Math.floor(minute / MINUTES_PER_SLOT)) ?? 0
  return (mask & (1 << (minute % MINUTES_PER_SLOT))) !== 0
}

/** Where the slot is kept: aside while it is being learned, in the ring once it is older, nowhere beyond the two. */
function learnInto(baseline: KeyBaseline, slot: number, calls: number, squares: number): void {
  if (slot === baseline.slot) {
    baseline.slotCalls += calls
    baseline.slotSquares += squares
    return
  }
  if (inRing(baseline, slot)) addToRing(baseline, slot, calls, squares)
}

function totalsOf(baseline: KeyBaseline, slot: number): DayTotals | undefined {
  const day = Math.floor(slot / SLOTS_PER_DAY)
  const age = Math.floor(baseline.slot / SLOTS_PER_DAY) - day
  return age < BASELINE_DAYS ? baseline.totals[day % BASELINE_DAYS] : undefined
}

/** Makes `slot` the one being learned, unless it is older: the one before it goes into the ring, silent slots between become zeros. */
function moveTo(baseline: KeyBaseline, slot: number): void {
  if (slot <= baseline.slot) return
  clearSlot(baseline, baseline.slot)
  baseline.newestSlot = baseline.slot
  addToRing(baseline, baseline.slot, baseline.slotCalls, baseline.slotSquares)
  for (let silent = Math.max(baseline.slot + 1, slot - RING); silent < slot; silent++) clearSlot(baseline, silent)
  if (slot - baseline.slot > RING) baseline.excluded.clear()
  startDays(baseline, Math.floor(baseline.slot / SLOTS_PER_DAY), Math.floor(slot / SLOTS_PER_DAY))
  baseline.newestSlot = slot - 1
  baseline.slot = slot
  baseline.slotCalls = 0
  baseline.slotSquares = 0
}

function startDays(baseline: KeyBaseline, lastDay: number, day: number): void {
  for (let next = Math.max(lastDay + 1, day - BASELINE_DAYS + 1); next <= day; next++) {
    baseline.totals[next % BASELINE_DAYS] = emptyTotals()
  }
}

function clearSlot(baseline: KeyBaseline, slot: number): void {
  const place = slot % RING
  const dayPlace = Math.floor(place / SLOTS_PER_DAY)
  baseline.excluded.delete(slot - RING)
  const day = baseline.days[dayPlace]
  if (day === undefined) return
  const at = place % SLOTS_PER_DAY
  baseline.ringCalls -= day.calls[at] as number
  day.calls[at] = 0
  day.squares[at] = 0
}

function addToRing(baseline: KeyBaseline, slot: number, calls: number, squares: number): void {
  if (calls === 0) return
  const place = slot % RING
  const dayPlace = Math.floor(place / SLOTS_PER_DAY)
  let day = baseline.days[dayPlace]
  if (day === undefined) {
    day = { calls: new Float64Array(SLOTS_PER_DAY), squares: new Float64Array(SLOTS_PER_DAY) }
    baseline.days[dayPlace] = day
  }
  const at = place % SLOTS_PER_DAY
  day.calls[at] = (day.calls[at] as number) + calls
  day.squares[at] = (day.squares[at] as number) + squares
  baseline.ringCalls += calls
}

const inRing = (baseline: KeyBaseline, slot: number): boolean =>
  slot <= baseline.newestSlot && slot > baseline.newestSlot - RING

/** Calls learned of a slot; 0 for a slot the ring no longer or not yet holds, and while it is being learned. */
function slotCallsOf(baseline: KeyBaseline, slot: number): number {
  if (slot === baseline.slot) return baseline.slotCalls
  if (!inRing(baseline, slot)) return 0
  const place = slot % RING
  return baseline.days[Math.floor(place / SLOTS_PER_DAY)]?.calls[place % SLOTS_PER_DAY] ?? 0
}

function slotSquaresOf(baseline: KeyBaseline, slot: number): number {
  if (slot === baseline.slot) return baseline.slotSquares
  if (!inRing(baseline, slot)) return 0
  const place = slot % RING
  return baseline.days[Math.floor(place / SLOTS_PER_DAY)]?.squares[place % SLOTS_PER_DAY] ?? 0
}

/**
 * Minutes of a slot that count for this key: delivered, not in an incident, not before it was first seen. Coverage
 * remembers longer than the ring: what fell out of the ring is not known to have been zero.
 */
function knownMinutes(baseline: KeyBaseline, coverage: Coverage, slot: number): number {
  if (slot <= baseline.newestSlot - RING) return 0
  let mask = coveredMask(coverage, slot) & ~(baseline.excluded.get(slot) ?? 0)
  const firstSlot = Math.floor(baseline.firstMinute / MINUTES_PER_SLOT)
  if (slot < firstSlot) return 0
  if (slot === firstSlot) mask &= ALL_MINUTES << (baseline.firstMinute % MINUTES_PER_SLOT)
  return BIT_COUNT[mask & ALL_MINUTES] as number
}

const BIT_COUNT = Uint8Array.from({ length: 32 }, (_, mask) => mask.toString(2).replaceAll('0', '').length)

/** Known minutes of the seven days before `slot`. */
function knownWeekMinutes(baseline: KeyBaseline, coverage: Coverage, slot: number): number {
  const firstSlot = Math.floor(baseline.firstMinute / MINUTES_PER_SLOT)
  const from = Math.max(slot - RING, firstSlot)
  let minutes = runningAt(coverage, slot - 1) - runningAt(coverage, from)
  minutes += knownMinutes(baseline, coverage, from)
  for (const [excludedSlot, mask] of baseline.excluded) {
    if (excludedSlot > from && excludedSlot < slot) {
      minutes -= BIT_COUNT[coveredMask(coverage, excludedSlot) & mask] as number
    }
  }
  return Math.max(0, minutes)
}

/** Calls of the seven days before `slot`. A key that was silent since has older slots in its ring as well. */
function weekCalls(baseline: KeyBaseline, slot: number): number {
  if (baseline.slot < slot - RING) return 0
  let calls = baseline.ringCalls + (slot > baseline.slot ? baseline.slotCalls : 0)
  for (let old = baseline.newestSlot - RING + 1; old < slot - RING; old++) calls -= slotCallsOf(baseline, old)
  return calls
}

function runningAt(coverage: Coverage, slot: number): number {
  if (slot >= coverage.newestSlot) return coverage.total
  const oldest = coverage.newestSlot - COVERAGE_RING + 1
  return coverage.running[Math.max(slot, oldest) % COVERAGE_RING] as number
}

/** What the original rules compare with, for a slot that is under way or not yet begun. */
export function plainBaseline(baseline: KeyBaseline, coverage: Coverage, slot: number): PlainBaseline {
  const weekMinutes = knownWeekMinutes(baseline, coverage, slot)
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
    const known = knownMinutes(baseline, coverage, same)
    if (known === 0) continue
    const sameCalls = slotCallsOf(baseline, same)
    days++
    slotCalls += (sameCalls / known) * MINUTES_PER_SLOT
    minutes += known
    calls += sameCalls
    squares += slotSquaresOf(baseline, same)
  }
  const minuteMean = calls / minutes
  return {
    slotMeanCalls: days === 0 ? undefined : slotCalls / days,
    slotMinuteMean: days === 0 ? undefined : minuteMean,
    slotMinuteStdDev: days === 0 ? undefined : Math.sqrt(Math.max(0, squares / minutes - minuteMean * minuteMean)),
    weekMinuteMean: weekCalls(baseline, slot) / weekMinutes,
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

/**
 * What a minute of this slot usually brings, robustly: the median over the same slot and its neighbours of the last
 * seven days; the band joins the spread between slots with the spread of minutes inside one, in quadrature.
 * undefined when neither a day nor the last hour is known.
 */
export function usualOf(baseline: KeyBaseline, coverage: Coverage, slot: number): Usual | undefined {
  let slots: SlotRate[] = []
  let days = 0
  for (let day = 1; day <= BASELINE_DAYS; day++) {
    const same = slot - day * SLOTS_PER_DAY
    for (let one = same - NEIGHBOURS; one <= same + NEIGHBOURS; one++) {
      const rate = one < slot - RING ? undefined : slotRate(baseline, coverage, one)
      if (rate !== undefined) slots.push(rate)
      if (rate !== undefined && one === same) days++
    }
  }
  if (days === 0) {
    // No day has this slot yet: the last hour stands in, the slot under way with it, so that a new key is soon known.
    slots = []
    let minutes = 0
    for (let back = 0; back <= RECENT_SLOTS; back++) {
      const rate = slotRate(baseline, coverage, slot - back)
      if (rate !== undefined) slots.push(rate)
      minutes += knownMinutes(baseline, coverage, slot - back)
    }
    if (minutes < LEAST_RECENT_MINUTES) return undefined
  }

  const rates = slots.map(({ perMinute }) => perMinute).sort((one, other) => one - other)
  const middle = medianSorted(rates)
  const within = median(slots.map(({ variance }) => variance))
  // Few values hide the spread between days: the fewer there are, the wider the band is taken to be.
  const unseen = middle / (2 * Math.sqrt(slots.length))
  const above = Math.max(quantileSorted(rates, UPPER_SHARE) - middle, unseen)
  const below = Math.max(middle - quantileSorted(rates, LOWER_SHARE), unseen)
  const minuteSpread = BAND_SIGMAS * BAND_SIGMAS * within
  const between = Math.max(above, below) / BAND_SIGMAS
  const { failures, calls, latencySumMs, latencyCount } = sumTotals(baseline.totals)
  return {
    callsPerMinute: middle,
    lowerPerMinute: Math.max(0, middle - Math.sqrt(below * below + minuteSpread)),
    upperPerMinute: middle + Math.sqrt(above * above + minuteSpread),
    dispersion: middle === 0 ? 0 : clamp((within - middle + between * between) / (middle * middle), 0, MOST_DISPERSION),
    failureShare: calls === 0 ? 0 : failures / calls,
    latencyMs: latencyCount === 0 ? undefined : latencySumMs / latencyCount,
    days,
  }
}

interface SlotRate {
  readonly perMinute: number
  /** Of its minutes. */
  readonly variance: number
}

/** undefined for a slot of which no minute is known. */
function slotRate(baseline: KeyBaseline, coverage: Coverage, slot: number): SlotRate | undefined {
  const known = knownMinutes(baseline, coverage, slot)
  if (known === 0) return undefined
  const perMinute = slotCallsOf(baseline, slot) / known
  // Never less than chance alone makes it; the sample variance wants two minutes at least.
  const seen = known > 1 ? (slotSquaresOf(baseline, slot) / known - perMinute * perMinute) * (known / (known - 1)) : 0
  return { perMinute, variance: Math.max(perMinute, seen) }
}

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

function sumTotals(totals: readonly DayTotals[]): DayTotals {
  const sum = emptyTotals()
  for (const day of totals) {
    sum.calls += day.calls
    sum.failures += day.failures
    sum.latencySumMs += day.latencySumMs
    sum.latencyCount += day.latencyCount
  }
  return sum
}

export const slotOf = (timeMs: number): number => Math.floor(timeMs / (MINUTE_MS * MINUTES_PER_SLOT))

/** Calls learned of the week up to and with `slot`; undefined of a key that has been silent for all of it. */
export function callsOfLastWeek(baseline: KeyBaseline, slot: number): number | undefined {
  if (baseline.slot < slot - RING) return undefined
  return weekCalls(baseline, slot) + (slot === baseline.slot ? baseline.slotCalls : 0)
}
