/**
 * Real traffic with nothing put into it, judged week after week: whatever is told here was either a real event that nobody
 * labelled or a false alarm, and all of it counts as the latter.
 */
import { createBatch } from '../../core/call-batch.ts'
import { advance } from '../../core/engine.ts'
import { DAY_MS, SECOND_MS } from '../../core/vocabulary.ts'
import { engineFrom } from '../../worker/engine-copy.ts'
import type { Configuration } from './configuration.ts'
import { judgedFrom, type RealTenant } from './contract.ts'
import { fleetOf, inputOf, panesBySecond, taught, weekBefore } from './fleet.ts'
import { type Telling, tellingsOf } from './telling.ts'

export interface CleanSet {
  readonly tenants: readonly RealTenant[]
  readonly days: number
  readonly configurations: readonly Configuration[]
  readonly say: (line: string) => void
}

/** What one configuration told of a fleet. */
export interface Clean {
  readonly configuration: string
  readonly tenants: number
  readonly days: number
  readonly tenantWeeks: number
  /** Incidents, each by the worst that was told of it. */
  readonly low: number
  /** Of the low ones those that were alerted, and not only noted. */
  readonly lowAlerted: number
  readonly high: number
  readonly throttles: number
  /** Pages that told of the whole API. */
  readonly platform: number
}

/** One incident of clean traffic, by the worst that was told of it. */
export interface CleanIncident {
  readonly configuration: string
  readonly tenants: number
  readonly isPaged: boolean
  readonly isAlerted: boolean
  readonly throttles: boolean
  /** What was told first. */
  readonly told: Telling
}

export interface CleanRun {
  readonly clean: readonly Clean[]
  readonly incidents: readonly CleanIncident[]
}

/** Ten minutes at once: a week of panes would not fit into memory. */
const STRETCH_SECONDS = 600

export function cleanRun({ tenants, days, configurations, say }: CleanSet): CleanRun {
  const fleet = fleetOf(tenants)
  const [first] = configurations
  if (first === undefined) return { clean: [], incidents: [] }
  const weekOf = (key: number) => weekBefore(tenants[key], judgedFrom)
  const known = taught(fleet, first.settings, { at: judgedFrom, weekOf })
  say(`${tenants.length} tenants, their weeks are known`)
  const judging = configurations.map(({ name, settings }) => ({
    name,
    engine: engineFrom(settings, structuredClone(known)),
    incidents: new Map<string, CleanIncident>(),
  }))
  const batch = createBatch(fleet.keys, 1)
  const end = judgedFrom + days * DAY_MS
  let told = 0
  for (let from = judgedFrom; from < end; from += STRETCH_SECONDS * SECOND_MS) {
    for (const [second, panes] of panesBySecond(fleet, { from, seconds: STRETCH_SECONDS }).entries()) {
      if (panes.length === 0) continue
      batch.panes = panes
      const input = inputOf(batch, from + second * SECOND_MS + SECOND_MS - 1)
      for (const { name, engine, incidents } of judging) {
        for (const telling of tellingsOf(advance(engine, input))) {
          if (telling.isPlatforms) continue
          const before = incidents.get(telling.incidentId)
          incidents.set(telling.incidentId, {
            ...{ configuration: name, tenants: tenants.length },
            isAlerted: telling.isAlerted || before?.isAlerted === true,
            isPaged: telling.severity === 'high' || before?.isPaged === true,
            throttles: telling.throttles || before?.throttles === true,
            told: before?.told ?? telling,
          })
        }
      }
    }
    const done = (from + STRETCH_SECONDS * SECOND_MS - judgedFrom) / (end - judgedFrom)
    if (Math.floor(done * 4) > told) say(`${tenants.length} tenants, ${Math.floor(done * 4)} of 4 quarters`)
    told = Math.floor(done * 4)
  }
  const tenantWeeks = tenants.reduce(
    (sum, { judgedTo }) => sum + (Math.min(judgedTo, end) - judgedFrom) / (7 * DAY_MS),
    0,
  )
  return {
    clean: judging.map(({ name, incidents }) =>
      cleanOf(name, [...incidents.values()], { tenants: tenants.length, days, tenantWeeks }),
    ),
    incidents: judging.flatMap(({ incidents }) => [...incidents.values()]),
  }
}

function cleanOf(
  configuration: string,
  incidents: readonly CleanIncident[],
  fleet: Pick<Clean, 'tenants' | 'days' | 'tenantWeeks'>,
): Clean {
  const clients = incidents.filter(({ told }) => told.kind !== 'platform')
  return {
    configuration,
    ...fleet,
    low: incidents.filter(({ isPaged }) => !isPaged).length,
    lowAlerted: incidents.filter(({ isPaged, isAlerted }) => !isPaged && isAlerted).length,
    high: clients.filter(({ isPaged }) => isPaged).length,
    throttles: clients.filter(({ throttles }) => throttles).length,
    platform: incidents.filter(({ told, isPaged }) => isPaged && told.kind === 'platform').length,
  }
}

/** `7 days`, `8 hours`. */
export function stretchText(days: number): string {
  const [count, unit] = days < 1 ? [Math.round(days * 24), 'hour'] : [days, 'day']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** Of several runs the largest in which every configuration took part: there they can be compared. */
export function sharedRun(runs: readonly Clean[]): readonly Clean[] {
  const all = new Set(runs.map(({ configuration }) => configuration)).size
  const sizes = [...new Set(runs.map(({ tenants }) => tenants))].sort((one, other) => other - one)
  const largest = sizes.find(size => runs.filter(({ tenants }) => tenants === size).length === all)
  return runs.filter(({ tenants }) => tenants === largest)
}
