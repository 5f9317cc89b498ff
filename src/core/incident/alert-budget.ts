/**
 * One knob for all tenants: how often people may be woken for nothing (`alertBudget: 1 per week`). It is shared out evenly
 * among the keys that are known, and each key's share is compared with how often a week that key would go so far by itself
 * (`timesAWeek`, by its own past: state/own-reach.ts, state/own-silence.ts). So the fleet's false alarms stay within the budget however many
 * tenants there are: a bound on their expected number (Bonferroni's, per week), as far as each key's tail is known.
 *
 * An alert of low severity wakes nobody, so that there may be twenty for each page. A page takes harm as well (response.ts:
 * it drowns the others, or they begin to fail), which chance brings to one in many of those: so all surges are held to the
 * alerts' share, and the pages that remain are measured (`npm run bench:quality`, clean traffic).
 *
 * Of what has no such measure of its own (a fall, a loop of errors, a new place) the fleet's own week says how common it is: half as many
 * alerts of each kind are told a week, and what comes then is noted; also of silences, of which a key knows the longest alone. No kind
 * uses up what is another's. Who endangers others, and
 * whatever is severe, is told in any case.
 */
import type { Kind } from '../../../detectors/contract.ts'
import { type Engine, type EngineState, watching } from '../engine-state.ts'
import type { KnownKeys } from '../state/known-keys.ts'
import { lastTold, type Told } from '../state/own-reach.ts'
import { SHARED_OWNER } from '../state/owner.ts'
import { DAY_MS, type EpochMs } from '../vocabulary.ts'

/** So many alerts of low severity, which wake nobody, are as bad as a page. */
export const ALERTS_PER_PAGE = 20
const OF_EACH_KIND_PER_PAGE = ALERTS_PER_PAGE / 2

/** Times a week that one key may be told of by chance. */
export function timesAllowed(engine: Engine): number {
  return (ALERTS_PER_PAGE * engine.settings.config.alertBudget) / Math.max(1, keysKnown(engine))
}

function keysKnown({ state }: Engine): number {
  let keys = 0
  for (const owner of watching(state)) keys += owner.keys.size
  if (state.others === undefined) return keys
  // What a history taught each part knows of all.
  const taught = state.owners.get(SHARED_OWNER)?.keys.size ?? 0
  return Math.max(taught, keysInParts(state) + state.others.sums.keys)
}

/** Keys of the partitions; not those that only a history has taught so far. */
export function keysInParts(state: EngineState): number {
  let keys = state.tenantWide?.keys.size ?? 0
  for (const [id, owner] of state.owners) if (id !== SHARED_OWNER) keys += owner.keys.size
  return keys
}

/** What was told is not told again for so long, unless it has become so many times rarer: half a decade. */
export const TOLD_FOR_MS = DAY_MS
export const DECADES_RARER = 0.5
export const TIMES_RARER = 10 ** DECADES_RARER

const isNews = (told: Told | undefined, { at, timesAWeek }: Told): boolean =>
  told === undefined || at - told.at > TOLD_FOR_MS || timesAWeek * TIMES_RARER <= told.timesAWeek

/** These endanger others: the API that all share. */
const DANGERS: ReadonlySet<Kind> = new Set(['retry-storm', 'pool-share'])

interface Found {
  readonly kind: Kind
  readonly at: EpochMs
  /** How often a week the key would go so far by itself; undefined where nothing tells. */
  readonly timesAWeek: number | undefined
  readonly allowed: number
}

/** Whether a finding of low severity is worth an alert. */
export function isHeard(
  { state, settings }: Engine,
  keys: KnownKeys,
  key: number,
  { kind, at, timesAWeek, allowed }: Found,
): boolean {
  if (DANGERS.has(kind)) return true
  if (timesAWeek !== undefined && timesAWeek > allowed) return false
  if (kind === 'surge' && timesAWeek !== undefined) return isNews(lastTold(keys, key), { at, timesAWeek })
  return spentOn(state, kind, at) + 1 <= mostOfAKind(settings.config.alertBudget, state)
}

/** However small the budget is, one of each kind is told; without any, none. */
const mostOfAKind = (alertBudget: number, { others }: EngineState): number =>
  alertBudget === 0 ? 0 : Math.max(1, (OF_EACH_KIND_PER_PAGE * alertBudget) / (1 + (others?.sums.parts ?? 0)))

const WEEK_MS = 7 * DAY_MS

function spentOn({ alertsSpent }: EngineState, kind: Kind, at: EpochMs): number {
  const spent = alertsSpent.get(kind)
  return spent === undefined ? 0 : spent.alerts * Math.exp(-Math.max(0, at - spent.at) / WEEK_MS)
}

/** What an alert of one key is held against, for people. */
export interface Ration {
  /** Whether the kind is told however common it is. */
  readonly isDanger: boolean
  /** Alerts of low severity that the whole fleet may cost a week, and the keys that share them. */
  readonly alerts: number
  readonly keys: number
  /** Times a week that one of them may be told of by chance. */
  readonly allowed: number
  /** Of the kind, of which no key's own past says how common it is: told of late, and how many may be. */
  readonly spent: number
  readonly most: number
  /** The surge of this key that people were told of last. */
  readonly told: Told | undefined
}

export function rationOf(
  engine: Engine,
  keys: KnownKeys,
  key: number,
  { kind, at }: Pick<Found, 'kind' | 'at'>,
): Ration {
  const { alertBudget } = engine.settings.config
  return {
    ...{ isDanger: DANGERS.has(kind), alerts: ALERTS_PER_PAGE * alertBudget, keys: keysKnown(engine) },
    ...{
      allowed: timesAllowed(engine),
      spent: spentOn(engine.state, kind, at),
      most: mostOfAKind(alertBudget, engine.state),
    },
    told: lastTold(keys, key),
  }
}

/** People were told of something of low severity that nothing but the fleet's week says how common it is. */
export function noteSpent(state: EngineState, kind: Kind, at: EpochMs): void {
  if (state.isHistory || DANGERS.has(kind)) return
  const newest = Math.max(at, state.alertsSpent.get(kind)?.at ?? at)
  state.alertsSpent.set(kind, { at: newest, alerts: spentOn(state, kind, newest) + 1 })
}
