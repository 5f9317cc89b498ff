/** Busy days that are no misbehaviour: nobody is to be throttled for one, and a sick API is told of once. */
import { castFor } from './casting.ts'
import type { Configuration } from './configuration.ts'
import type { BusyDay, RealTenant } from './contract.ts'
import { createStage, type Played, playScene, type Stage, withWeek } from './quality-run.ts'
import { sceneOf } from './scene.ts'
import type { Telling } from './telling.ts'
import { type Judged, verdictOf } from './verdict.ts'

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

/** One tenant's busy day. */
export interface BusyCase extends Judged {
  /** Epoch ms: when the day begins. */
  readonly from: number
}

/** A day on which the API itself is sick, under one configuration. */
export interface SickDay {
  readonly stage: number
  readonly name: string
  readonly configuration: string
  /** How often it was told that the API is sick. */
  readonly platformAlerts: number
  /** Keys told of under their own names, those with a page, and those whose limit would have been lowered. */
  readonly told: number
  readonly paged: number
  readonly throttled: number
  /** Of the platform, and of keys under their own names. */
  readonly tellings: readonly Telling[]
}

export interface Busy {
  readonly tenants: readonly BusyCase[]
  readonly sick: readonly SickDay[]
}

export function busy({ tenants, days, configurations, stage: number, at, perSize, say }: BusySet): Busy {
  const seconds = Math.max(...days.map(({ seconds }) => seconds))
  const stage = createStage({ tenants, at, seconds, configurations })
  say(`${new Date(stage.from).toISOString()}, ${stage.fleet.tenants.length} tenants`)
  const told: BusyCase[] = []
  const sick: SickDay[] = []
  for (const day of days) {
    if (day.scope === 'platform') sick.push(...sickDay(stage, number, day))
    else told.push(...tenantsDay(stage, number, day, perSize))
    say(day.name)
  }
  return { tenants: told, sick }
}

function tenantsDay(stage: Stage, number: number, day: BusyDay, perSize: number): readonly BusyCase[] {
  const drawn = { stream: `${day.name} ${number}`, perSize }
  return castFor(stage.fleet, { suits: () => true, ...drawn }).map(({ key, tenant }) => {
    const usual = stage.weeks[key]
    const scene = sceneOf(tenant, usual, { from: stage.from, historyTo: stage.at, name: day.name })
    const week = day.before?.(usual, scene)
    const watched = playScene({
      stage: week === undefined ? stage : withWeek(stage, key, week),
      played: [{ key, play: day.start(scene) }],
      seconds: day.seconds,
      until: 'over',
    })
    return {
      ...{ stage: number, name: day.name, from: stage.from },
      ...{ tenant: tenant.id, set: tenant.set, callsPerMinute: tenant.callsPerMinute },
      usualPerMinute: scene.usualPerSecond * 60,
      verdicts: Object.fromEntries(watched.map(each => [each.configuration, verdictOf(each, tenant.id)])),
    }
  })
}

function sickDay(stage: Stage, number: number, day: BusyDay): readonly SickDay[] {
  const played: readonly Played[] = stage.fleet.tenants.map((tenant, key) => ({
    key,
    play: day.start(sceneOf(tenant, stage.weeks[key], { from: stage.from, historyTo: stage.at, name: day.name })),
  }))
  return playScene({ stage, played, seconds: day.seconds, until: 'over' }).map(({ configuration, tellings }) => {
    const own = tellings.filter(({ kind, isPlatforms }) => kind !== 'platform' && !isPlatforms)
    const keysOf = (some: typeof own): number => new Set(some.map(({ keyId }) => keyId)).size
    return {
      ...{ stage: number, name: day.name, configuration },
      platformAlerts: new Set(tellings.filter(({ kind }) => kind === 'platform').map(({ incidentId }) => incidentId))
        .size,
      told: keysOf(own),
      paged: keysOf(own.filter(({ severity }) => severity === 'high')),
      throttled: keysOf(own.filter(({ throttles }) => throttles)),
      tellings: tellings.filter(({ isPlatforms }) => !isPlatforms),
    }
  })
}
