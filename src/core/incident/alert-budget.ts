/**
 * One knob for all tenants: how often people may be woken for nothing (`alertBudget: 1 per week`). It is shared out evenly
 * among the keys that are known, and each key's share is compared with how often a week that key would go so far by itself
 * (`timesAWeek`, by its own past: state/own-reach.ts). So the fleet's false alarms stay within the budget however many
 * tenants there are: a bound on their expected number (Bonferroni's, per week), as far as each key's tail is known.
 *
 * An alert of low severity wakes nobody, so that there may be twenty for each page. A page takes harm as well (response.ts:
 * it drowns the others, or they begin to fail), which chance brings to one in many of those: so all surges are held to the
 * alerts' share, and the pages that remain are measured (`npm run bench:quality`, clean traffic).
 *
 * It rations surprise alone. Who answers failures with more calls, or calls into its own limits, is told in any case.
 */
import { type Engine, watching } from '../engine-state.ts'
import type { KnownKeys } from '../state/known-keys.ts'
import { lastTold } from '../state/own-reach.ts'
import { type EpochMs, HOUR_MS } from '../vocabulary.ts'

const ALERTS_PER_PAGE = 20

/** Times a week that one key may be told of by chance. */
export function timesAllowed({ state, settings }: Engine): number {
  let keys = 0
  for (const owner of watching(state)) keys += owner.keys.size
  return (ALERTS_PER_PAGE * settings.config.alertBudget) / Math.max(1, keys)
}

/** What was told is not told again for so long, unless it has become so many times rarer: half a decade. */
const TOLD_FOR_MS = 12 * HOUR_MS
const TIMES_RARER = Math.sqrt(10)

interface Found {
  readonly at: EpochMs
  readonly timesAWeek: number | undefined
  readonly allowed: number
}

/** Whether a finding of low severity is worth an alert. */
export function isHeard(keys: KnownKeys, key: number, { at, timesAWeek, allowed }: Found): boolean {
  if (timesAWeek === undefined) return true
  if (timesAWeek > allowed) return false
  const told = lastTold(keys, key)
  return told === undefined || at - told.at > TOLD_FOR_MS || timesAWeek * TIMES_RARER <= told.timesAWeek
}
