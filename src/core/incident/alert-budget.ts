/**
 * One knob for all tenants: how often people may be woken for nothing (`alertBudget: 1 per week`). It is shared out evenly
 * among the keys that are known, and each key's share is compared with how often a week that key would go so far by itself
 * (`timesAWeek`, by its own past: state/own-reach.ts). So that the fleet's false alarms stay within the budget however many
 * tenants there are: a bound on their expected number (Bonferroni's, per week), as far as each tail is known.
 *
 * It rations surprise alone. Who answers failures with more calls, or calls into its own limits, is told in any case.
 */
import { type Engine, watching } from '../engine-state.ts'
import type { KnownKeys } from '../state/known-keys.ts'
import { lastTold } from '../state/own-reach.ts'
import { type EpochMs, HOUR_MS } from '../vocabulary.ts'

/** Times a week that one key may be told of by chance. */
export interface Allowance {
  readonly pages: number
  readonly alerts: number
}

/** So many alerts of low severity, which wake nobody, for each page. */
const ALERTS_PER_PAGE = 20

export function allowance({ state, settings }: Engine): Allowance {
  let keys = 0
  for (const owner of watching(state)) keys += owner.keys.size
  const pages = settings.config.alertBudget / Math.max(1, keys)
  return { pages, alerts: ALERTS_PER_PAGE * pages }
}

/** What was told is not told again for so long, unless it has become so many times rarer: half a decade. */
const TOLD_FOR_MS = 12 * HOUR_MS
const TIMES_RARER = Math.sqrt(10)

/** Whether a finding of low severity is worth an alert. */
export function isHeard(
  keys: KnownKeys,
  key: number,
  { at, timesAWeek, allowed }: { at: EpochMs; timesAWeek: number | undefined; allowed: Allowance },
): boolean {
  if (timesAWeek === undefined) return true
  if (timesAWeek > allowed.alerts) return false
  const told = lastTold(keys, key)
  return told === undefined || at - told.at > TOLD_FOR_MS || timesAWeek * TIMES_RARER <= told.timesAWeek
}
