/**
 * Which minutes the stream itself delivered, shared by all keys of an owner: what was not delivered is unknown to all of
 * them, and not zero. Mutable on purpose.
 */
import { BASELINE_DAYS, SLOTS_PER_DAY } from '../vocabulary.ts'

export const MINUTES_PER_SLOT = 5

/** It runs ahead of what a key has learned, so it remembers a day more than baselines do. */
const COVERAGE_RING = (BASELINE_DAYS + 1) * SLOTS_PER_DAY

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

/** Bit mask of a slot's minutes that were delivered. */
export const coveredMask = (coverage: Coverage, slot: number): number =>
  slot > coverage.newestSlot || slot <= coverage.newestSlot - COVERAGE_RING
    ? 0
    : (coverage.minutes[slot % COVERAGE_RING] as number)

/** Minutes delivered since the beginning, up to and with a slot. */
export function runningAt(coverage: Coverage, slot: number): number {
  if (slot >= coverage.newestSlot) return coverage.total
  const oldest = coverage.newestSlot - COVERAGE_RING + 1
  return coverage.running[Math.max(slot, oldest) % COVERAGE_RING] as number
}

export const isCovered = (coverage: Coverage, minute: number): boolean =>
  (coveredMask(coverage, Math.floor(minute / MINUTES_PER_SLOT)) & (1 << (minute % MINUTES_PER_SLOT))) !== 0
