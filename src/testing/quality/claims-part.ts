/**
 * What Weir says of its own knowledge, held against what then comes: real clients' traffic goes by, engine time, with nothing put in. Each
 * minute is held against the band and each second against how rare it is called; at moments spread over the days a copy of the
 * engine is shown the rises that it says it would see.
 */
import { createBatch, type PaneRow } from '../../core/call-batch.ts'
import { advance, type Engine } from '../../core/engine.ts'
import { type EpochMs, HOUR_MS, SECOND_MS, SLOT_MS } from '../../core/vocabulary.ts'
import { engineFrom } from '../../worker/engine-copy.ts'
import { type RisesSeen, risesAt } from './claims/rises.ts'
import {
  createUsualWatch,
  keptOf,
  type UsualKept,
  type UsualWatch,
  usualNow,
  watchSecond,
} from './claims/usual-kept.ts'
import type { Configuration } from './configuration.ts'
import { judgedFrom, type RealTenant } from './contract.ts'
import { type Fleet, fleetOf, inputOf, panesBySecond, taught, weekBefore } from './fleet.ts'

export interface ClaimsSet {
  readonly tenants: readonly RealTenant[]
  readonly hours: number
  /** Rises are tried once in so many ten minutes. */
  readonly riseEvery: number
  readonly configuration: Configuration
  readonly say: (line: string) => void
}

/** What was said of one client, and what came. */
export interface ClientClaims {
  readonly tenant: string
  /** Of its week of history. */
  readonly callsPerMinute: number
  readonly rises: readonly RisesSeen[]
  readonly usual: UsualKept
}

/** Ten minutes at once: a week of panes would not fit into memory. */
const STRETCH_SECONDS = 600
/** Into its stretch: neither where a minute nor where a slot begins. */
const RISE_SECOND = 137
const RISE_REACH_SECONDS = 61

export function claims({ tenants, hours, riseEvery, configuration, say }: ClaimsSet): readonly ClientClaims[] {
  const fleet = fleetOf(tenants)
  const weekOf = (key: number) => weekBefore(tenants[key], judgedFrom)
  const engine = engineFrom(configuration.settings, taught(fleet, configuration.settings, { at: judgedFrom, weekOf }))
  say(`${tenants.length} tenants, their weeks are known`)
  const watches = tenants.map(createUsualWatch)
  const rises = tenants.map((): readonly RisesSeen[] => [])
  const end = judgedFrom + hours * HOUR_MS
  for (let from = judgedFrom, stretch = 0; from < end; from += STRETCH_SECONDS * SECOND_MS, stretch++) {
    const panes = panesBySecond(fleet, { from, seconds: STRETCH_SECONDS })
    const isRisen = stretch % riseEvery === riseEvery - 1
    for (const [second, rows] of panes.entries()) {
      const at = from + second * SECOND_MS
      if (at % SLOT_MS === 0) knowUsual(engine, fleet, watches, at)
      if (isRisen && second === RISE_SECOND) {
        const reached = panes.slice(second, second + RISE_REACH_SECONDS)
        for (const [key, seen] of risesAt({ engine, configuration, fleet, at, panes: reached }))
          rises[key] = added(rises[key], seen)
      }
      give(engine, fleet, rows, at)
      watchAll(watches, fleet, rows, at)
    }
    if (stretch % 144 === 143) say(`day ${(stretch + 1) / 144}`)
  }
  return tenants.map(({ id, callsPerMinute }, key) => ({
    ...{ tenant: id, callsPerMinute },
    rises: rises[key],
    usual: keptOf(watches[key]),
  }))
}

function give(engine: Engine, { keys }: Fleet, panes: readonly PaneRow[], at: EpochMs): void {
  if (panes.length === 0) return
  const batch = createBatch(keys, 1)
  batch.panes = [...panes]
  advance(engine, inputOf(batch, at + SECOND_MS - 1))
}

function knowUsual(engine: Engine, { keys }: Fleet, watches: readonly UsualWatch[], at: EpochMs): void {
  for (const [key, watch] of watches.entries()) watch.usual = usualNow(engine, keys.ids[key], at)
}

function watchAll(watches: readonly UsualWatch[], { tenants }: Fleet, panes: readonly PaneRow[], at: EpochMs): void {
  const calls = new Map(panes.map(pane => [pane.key, pane.calls]))
  for (const [key, watch] of watches.entries())
    if (at < tenants[key].judgedTo) watchSecond(watch, at, calls.get(key) ?? 0)
}

function added(before: readonly RisesSeen[], more: readonly RisesSeen[]): readonly RisesSeen[] {
  return more.map(one => {
    const same = before.find(({ seconds }) => seconds === one.seconds)
    if (same === undefined) return one
    return {
      seconds: one.seconds,
      trials: same.trials + one.trials,
      seen: one.seen.map((count, part) => count + same.seen[part]),
    }
  })
}
