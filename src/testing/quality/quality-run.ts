/**
 * One scene after another on the same stage: a fleet of real tenants whose week is known, some minutes of their own traffic,
 * then somebody's script instead of their own. All configurations are given the same calls, side by side.
 *
 *     week as counts ─→ taught once ─→ warmed up once a configuration ─→ copied for each scene ─→ played
 *
 * Time is event time alone, as in a replay: a second is looked at when the next call of anybody shows that it is over.
 */
import { type CallBatch, clearBatch, columnsOf, createBatch, type PaneRow } from '../../core/call-batch.ts'
import { advance, type Engine } from '../../core/engine.ts'
import { type EpochMs, SECOND_MS } from '../../core/vocabulary.ts'
import { copyOf, type EngineCopy, engineFrom } from '../../worker/engine-copy.ts'
import type { Configuration } from './configuration.ts'
import type { HistoryRow, MadeCall, Play, RealTenant } from './contract.ts'
import { type Fleet, fleetOf, inputOf, panesBySecond, taught, weekBefore } from './fleet.ts'
import { addMadeCall } from './made-calls.ts'
import { type Telling, tellingsOf } from './telling.ts'

/** The last closed second is a delivery time behind the newest call; detectors that wait for it have so much longer. */
const AFTER_SECONDS = 40
/** Its own traffic, judged, before anything is played: whoever was told of by then was so by itself. */
const WARM_UP_SECONDS = 600
/** Once an incident is open it may still turn worse, or be given its right name. */
const NAMED_WITHIN_SECONDS = 60

export interface Stage {
  readonly fleet: Fleet
  /** Until then all that is known was taught as counts. */
  readonly at: EpochMs
  /** When plays begin. */
  readonly from: EpochMs
  /** Longest play that the panes reach for. */
  readonly seconds: number
  readonly weeks: readonly (readonly HistoryRow[])[]
  /** Panes of each second from the warm-up on. */
  readonly panes: readonly (readonly PaneRow[])[]
  readonly ready: readonly ReadyEngine[]
}

interface ReadyEngine {
  readonly configuration: Configuration
  /** Never run: each scene has an engine made of a copy of it. */
  readonly copy: EngineCopy
}

export interface StageSet {
  readonly tenants: readonly RealTenant[]
  /** Epoch ms, a whole slot; plays begin ten minutes later. */
  readonly at: EpochMs
  readonly seconds: number
  readonly configurations: readonly Configuration[]
}

export function createStage({ tenants, at, seconds, configurations }: StageSet): Stage {
  const reach = WARM_UP_SECONDS + seconds + AFTER_SECONDS
  const fleet = fleetOf(tenants.filter(({ judgedTo }) => judgedTo >= at + reach * SECOND_MS))
  const weeks = fleet.tenants.map(tenant => weekBefore(tenant, at))
  const panes = panesBySecond(fleet, { from: at, seconds: reach })
  const from = at + WARM_UP_SECONDS * SECOND_MS
  const cold = { fleet, at, from, seconds, weeks, panes }
  return { ...cold, ready: warmedUp(cold, configurations, weeks) }
}

type ColdStage = Omit<Stage, 'ready'>

function warmedUp(
  { fleet, at, from, panes }: ColdStage,
  configurations: readonly Configuration[],
  weeks: readonly (readonly HistoryRow[])[],
): readonly ReadyEngine[] {
  const [first] = configurations
  if (first === undefined) return []
  const known = taught(fleet, first.settings, { at, weekOf: key => weeks[key], showsPlaces: true })
  return configurations.map(configuration => {
    const engine = engineOf({ configuration, copy: known })
    const batch = createBatch(fleet.keys, 1)
    for (let second = 0; second < WARM_UP_SECONDS; second++) {
      batch.panes = [...panes[second]]
      give(engine, batch, from + (second - WARM_UP_SECONDS) * SECOND_MS)
    }
    return { configuration, copy: copyOf(engine) }
  })
}

const engineOf = ({ configuration, copy }: ReadyEngine): Engine =>
  engineFrom(configuration.settings, structuredClone(copy))

/** The same stage where one tenant's week was another. */
export function withWeek(stage: Stage, key: number, week: readonly HistoryRow[]): Stage {
  const weeks = stage.weeks.map((usual, index) => (index === key ? week : usual))
  const configurations = stage.ready.map(({ configuration }) => configuration)
  return { ...stage, weeks, ready: warmedUp(stage, configurations, weeks) }
}

export interface Played {
  /** Place in the fleet. */
  readonly key: number
  readonly play: Play
}

export interface SceneSet {
  readonly stage: Stage
  readonly played: readonly Played[]
  readonly seconds: number
  /** An engine is watched until it has told of this key, and a minute longer; of a whole platform, to the end. */
  readonly until: 'told' | 'over'
  /** How much longer, where not a minute. */
  readonly namedWithinSeconds?: number | undefined
}

/** What one configuration made of a scene. */
export interface Watched {
  readonly configuration: string
  /** Keys with an incident that was open before anything was played. */
  readonly openBefore: ReadonlySet<string>
  readonly tellings: readonly Telling[]
}

interface Watching {
  readonly engine: Engine
  readonly configuration: string
  readonly openBefore: ReadonlySet<string>
  readonly tellings: Telling[]
  stopsAt: EpochMs
}

export function playScene({
  stage,
  played,
  seconds,
  until,
  namedWithinSeconds = NAMED_WITHIN_SECONDS,
}: SceneSet): readonly Watched[] {
  const { fleet, from, ready, panes } = stage
  const playedIds = played.map(({ key }) => fleet.keys.ids[key])
  const watching = ready.map(each => watch(each, until === 'told' ? playedIds : []))
  const scripts = played.map(each => scriptOf(fleet, each, from, seconds))
  const playedKeys = new Set(played.map(({ key }) => key))
  const batch = createBatch(fleet.keys, 4_096)
  for (let second = 0; second < seconds + AFTER_SECONDS; second++) {
    const at = from + second * SECOND_MS
    const awake = watching.filter(({ stopsAt }) => at < stopsAt)
    if (awake.length === 0) break
    clearBatch(batch)
    for (const pane of panes[WARM_UP_SECONDS + second]) if (!playedKeys.has(pane.key)) batch.panes.push(pane)
    for (const script of scripts) script(second, batch)
    if (scripts.length > 1) inOrderOfTime(batch)
    for (const each of awake) {
      for (const telling of give(each.engine, batch, at)) {
        each.tellings.push(telling)
        if (until === 'told' && playedIds.includes(telling.keyId) && !telling.isPlatforms)
          each.stopsAt = Math.min(each.stopsAt, telling.at + namedWithinSeconds * SECOND_MS)
      }
    }
  }
  return watching.map(({ configuration, openBefore, tellings }) => ({ configuration, openBefore, tellings }))
}

/** `needed`: there is nothing to see where an incident of one of these was open before. */
function watch(ready: ReadyEngine, needed: readonly string[]): Watching {
  const engine = engineOf(ready)
  const openBefore = openIn(engine)
  return {
    ...{ engine, openBefore, configuration: ready.configuration.name, tellings: [] },
    stopsAt: needed.some(keyId => openBefore.has(keyId)) ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY,
  }
}

function openIn({ state }: Engine): ReadonlySet<string> {
  const open = new Set<string>()
  for (const { incidents } of state.owners.values())
    for (const { keyId, incident } of incidents) if ('story' in incident) open.add(keyId)
  return open
}

/** Calls that everybody but one tenant makes in a second of a play. */
export const othersIn = ({ panes }: Stage, key: number, second: number): number =>
  panes[WARM_UP_SECONDS + second].reduce((sum, pane) => sum + (pane.key === key ? 0 : pane.calls), 0)

/** Puts a second of a played tenant into the batch, call by call; after the play's end its own calls. */
function scriptOf({ tenants }: Fleet, { key, play }: Played, from: EpochMs, seconds: number) {
  const tenant = tenants[key]
  if (tenant === undefined) throw new Error(`there is no tenant ${key} in a fleet of ${tenants.length}`)
  const own = bySecond(tenant.callsOf(from, seconds + AFTER_SECONDS), from)
  return (second: number, batch: CallBatch): void => {
    const calls = own.get(second) ?? []
    for (const call of second < seconds ? play.second(second, calls) : calls) addMadeCall(batch, key, call)
  }
}

function bySecond(calls: readonly MadeCall[], from: EpochMs): ReadonlyMap<number, readonly MadeCall[]> {
  const seconds = new Map<number, MadeCall[]>()
  for (const call of calls) {
    const second = Math.floor((call.at - from) / SECOND_MS)
    const before = seconds.get(second)
    if (before === undefined) seconds.set(second, [call])
    else before.push(call)
  }
  return seconds
}

/** Calls of several scripts, merged: as one log would hold them. */
function inOrderOfTime(batch: CallBatch): void {
  const rows = Array.from({ length: batch.length }, (_, row) => row)
  rows.sort((one, other) => batch.time[one] - batch.time[other])
  for (const column of columnsOf(batch)) {
    const before = column.slice(0, batch.length)
    for (const [to, from] of rows.entries()) column[to] = before[from]
  }
}

function give(engine: Engine, batch: CallBatch, at: EpochMs): readonly Telling[] {
  if (batch.length + batch.panes.length === 0) return []
  return tellingsOf(advance(engine, inputOf(batch, at + SECOND_MS - 1)))
}
