/** Busy days that are no misbehaviour: nobody is to be throttled for one, and a sick API is told of once. */
import { castFor } from './casting.ts'
import type { Configuration } from './configuration.ts'
import type { BusyDay, RealTenant } from './contract.ts'
import { createStage, type Played, playScene, type Stage, type Watched, withWeek } from './quality-run.ts'
import { sceneOf } from './scene.ts'
import { verdictOf } from './verdict.ts'

export interface BusySet {
  readonly tenants: readonly RealTenant[]
  readonly days: readonly BusyDay[]
  readonly configurations: readonly Configuration[]
  /** Number of the stage, and when it is set up: epoch ms, a whole slot. */
  readonly stage: number
  readonly at: number
  readonly perSize: number
  readonly say: (line: string) => void
}

/** One tenant's busy day under one configuration; undefined where an incident of it was open before. */
export interface BusyTenant {
  readonly name: string
  readonly configuration: string
  readonly isTold: boolean
  readonly isPaged: boolean
  readonly throttles: boolean
}

/** A day on which the API itself is sick, under one configuration. */
export interface SickDay {
  readonly name: string
  readonly configuration: string
  /** How often it was told that the API is sick. */
  readonly platformAlerts: number
  /** Keys told of under their own names, those with a page, and those whose limit would have been lowered. */
  readonly told: number
  readonly paged: number
  readonly throttled: number
}

export interface Busy {
  readonly tenants: readonly BusyTenant[]
  readonly sick: readonly SickDay[]
}

export function busy({ tenants, days, configurations, stage: number, at, perSize, say }: BusySet): Busy {
  const seconds = Math.max(...days.map(({ seconds }) => seconds))
  const stage = createStage({ tenants, at, seconds, configurations })
  say(`${new Date(stage.from).toISOString()}, ${stage.fleet.tenants.length} tenants`)
  const told: BusyTenant[] = []
  const sick: SickDay[] = []
  for (const day of days) {
    if (day.scope === 'platform') sick.push(...sickDay(stage, day))
    else told.push(...tenantsDay(stage, day, { stream: `${day.name} ${number}`, perSize }))
    say(day.name)
  }
  return { tenants: told, sick }
}

function tenantsDay(
  stage: Stage,
  day: BusyDay,
  drawn: { readonly stream: string; readonly perSize: number },
): readonly BusyTenant[] {
  return castFor(stage.fleet, { suits: () => true, ...drawn }).flatMap(({ key, tenant }) => {
    const usual = stage.weeks[key]
    const scene = sceneOf(tenant, usual, { from: stage.from, historyTo: stage.at, name: day.name })
    const week = day.before?.(usual, scene)
    const watched = playScene({
      stage: week === undefined ? stage : withWeek(stage, key, week),
      played: [{ key, play: day.start(scene) }],
      seconds: day.seconds,
      until: 'over',
    })
    return watched.flatMap(each => busyTenant(each, day.name, tenant.id))
  })
}

function busyTenant(watched: Watched, name: string, keyId: string): readonly BusyTenant[] {
  const { configuration } = watched
  const verdict = verdictOf(watched, keyId)
  if (verdict.kind === 'open before') return []
  if (verdict.kind === 'missed') return [{ name, configuration, isTold: false, isPaged: false, throttles: false }]
  return [{ name, configuration, isTold: true, isPaged: verdict.isPaged, throttles: verdict.throttles }]
}

function sickDay(stage: Stage, day: BusyDay): readonly SickDay[] {
  const played: readonly Played[] = stage.fleet.tenants.map((tenant, key) => ({
    key,
    play: day.start(sceneOf(tenant, stage.weeks[key], { from: stage.from, historyTo: stage.at, name: day.name })),
  }))
  return playScene({ stage, played, seconds: day.seconds, until: 'over' }).map(({ configuration, tellings }) => {
    const own = tellings.filter(({ kind, isPlatforms }) => kind !== 'platform' && !isPlatforms)
    const keysOf = (some: typeof own): number => new Set(some.map(({ keyId }) => keyId)).size
    return {
      ...{ name: day.name, configuration },
      platformAlerts: new Set(tellings.filter(({ kind }) => kind === 'platform').map(({ incidentId }) => incidentId))
        .size,
      told: keysOf(own),
      paged: keysOf(own.filter(({ severity }) => severity === 'high')),
      throttled: keysOf(own.filter(({ throttles }) => throttles)),
    }
  })
}
