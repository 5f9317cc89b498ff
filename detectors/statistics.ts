/** The few sums that detectors share. Pure functions of numbers, so that each `evaluate` reads as the sentence it stands for. */
import type { Comparison } from './contract.ts'

export const MINUTE_MS = 60_000
export const SLOT_MS = 5 * MINUTE_MS

/**
 * How many times its limit a count is: above 1 exactly when `calls > limit`, and it only rises with the calls.
 *
 * A limit may be zero (a slot that never had a call), and a score must stay finite. Calls are whole, so any limit below
 * one call is exceeded by the first call and by nothing less; half a call stands for all limits smaller than that, and
 * the comparison stays exact. The first call against a limit of zero scores 2.
 */
export function timesLimit({ calls, limit }: { readonly calls: number; readonly limit: number }): number {
  return calls / Math.max(limit, LEAST_LIMIT)
}

const LEAST_LIMIT = 0.5

/** The limit that a comparison is really made with. */
export const limitIn = ({ limit }: Comparison): number => Math.max(limit, LEAST_LIMIT)

/** The score that comparisons come to: as many times its limit as the least of them is, since all must be exceeded. Never below 0. */
export function leastOf(comparisons: readonly Comparison[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const { observed, limit } of comparisons) least = Math.min(least, observed / Math.max(limit, LEAST_LIMIT))
  return Math.max(0, least)
}

/** Start of the aligned period that holds the second before `at`: at 10:05:00 the minute is still 10:04. Epoch ms. */
export function periodStart({ at, lengthMs }: { readonly at: number; readonly lengthMs: number }): number {
  return Math.floor((at - 1) / lengthMs) * lengthMs
}

export function perMinute({ calls, seconds }: { readonly calls: number; readonly seconds: number }): number {
  return (calls * 60) / seconds
}

/** Since when, epoch ms, if what is counted in a window came as fast all along as in the last ten seconds of it. */
export function steadySince(told: {
  readonly at: number
  readonly seconds: number
  readonly count: number
  readonly inLast10s: number
}): number {
  const { at, seconds, count, inLast10s } = told
  return at - Math.min(seconds, Math.max(1, Math.ceil((10 * count) / Math.max(1, inLast10s)))) * 1_000
}

/** Standard deviation of a count with this mean, where counts spread as `Usual` says: by chance, and by their dispersion. */
export function spreadOf({ mean, dispersion }: { readonly mean: number; readonly dispersion: number }): number {
  return Math.sqrt(mean + Math.max(dispersion, LEAST_DISPERSION) * mean * mean)
}

/** Answers of one sort are burstier than calls altogether: never taken to be closer to chance than this. */
const LEAST_DISPERSION = 0.1
