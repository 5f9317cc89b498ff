/** The few sums that detectors share. Pure functions of numbers, so that each `evaluate` reads as the sentence it stands for. */
import type { Comparison, OwnReach, TenantView } from './contract.ts'

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

/** Even who has never left the band is not told of within a tenth of it. */
const LEAST_TIMES_UPPER = 1.1

/**
 * Calls in a window that a key goes beyond by itself at most `perWeek` times a week, or that are `timesBusiest` its busiest
 * ever: whichever is less. Of a bursty key the record knows better, of a regular one the time of day.
 */
export function reachLimit(
  reach: OwnReach,
  { perWeek, timesBusiest }: { readonly perWeek: number; readonly timesBusiest: number },
): number {
  const byPeaks = timesUpper(reach, perWeek) * reach.upperCalls
  if (reach.busiestCalls === undefined) return byPeaks
  return Math.min(byPeaks, timesBusiest * reach.busiestCalls + recordChance(reach.busiestCalls))
}

/** The multiple of the upper end that the key goes beyond `perWeek` times a week. */
export const timesUpper = (reach: OwnReach, perWeek: number): number =>
  Math.max(LEAST_TIMES_UPPER, (reach.perWeek / perWeek) ** (1 / reach.tail))

/** A record of few calls is beaten by chance alone: three standard deviations, calls. */
export const recordChance = (busiestCalls: number): number => 3 * Math.sqrt(busiestCalls)

const windows = { 10: 'last10s', 60: 'last60s', 300: 'last5min' } as const

/** Calls in the window that a reach is about. */
export const callsIn = (view: TenantView, { seconds }: OwnReach): number => view[windows[seconds]].calls

/** How often a week the key would do by itself what the rarest of its windows shows; undefined without history. */
export const rarestTimesAWeek = (view: TenantView): number | undefined =>
  view.usual && Math.min(...view.usual.reaches.map(reach => timesAWeek(reach, callsIn(view, reach))))

/**
 * How often a week the key would go so far by itself: by its peaks, and by its record, of which r times as much is taken to
 * come 1/r times a week; whichever is the oftener, since each is known from a few weeks only. Over 111 weeks of real
 * tenants (ServeGen, LCG, ERDDAP) what this calls once a week came 0.66 times, once in ten weeks 0.9 times in ten, once
 * in a hundred 0.9 times in a hundred.
 */
export function timesAWeek({ upperCalls, perWeek, cautiousTail, busiestCalls }: OwnReach, calls: number): number {
  if (calls <= upperCalls) return Number.POSITIVE_INFINITY
  const byPeaks = perWeek * (calls / upperCalls) ** -cautiousTail
  if (busiestCalls === undefined) return byPeaks
  const beyondChance = calls - recordChance(busiestCalls)
  return beyondChance <= busiestCalls ? Number.POSITIVE_INFINITY : Math.max(byPeaks, busiestCalls / beyondChance)
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
