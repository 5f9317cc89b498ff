/** Misbehaviour put into real tenants' traffic: on every stage each misbehaviour by a few tenants of each size. */

import { type Cast, castFor } from './casting.ts'
import type { Configuration } from './configuration.ts'
import type { Misbehaviour, RealTenant } from './contract.ts'
import { type CountedPlay, counted } from './counted-play.ts'
import { createStage, othersIn, playScene, type Stage } from './quality-run.ts'
import { busiestSlot, isSteady, sceneOf } from './scene.ts'
import { type Bystander, bystandersOf, type Case, distinct, verdictOf } from './verdict.ts'

export interface InjectedSet {
  readonly tenants: readonly RealTenant[]
  readonly misbehaviours: readonly Misbehaviour[]
  readonly configurations: readonly Configuration[]
  /** Number of the stage, and when it is set up: epoch ms, a whole slot. */
  readonly stage: number
  readonly at: number
  /** So many tenants of each size play each misbehaviour. */
  readonly perSize: number
  readonly say: (line: string) => void
}

export interface Injected {
  readonly cases: readonly Case[]
  /** By configuration. */
  readonly bystanders: Readonly<Record<string, readonly Bystander[]>>
}

export function injected(set: InjectedSet): Injected {
  const { tenants, misbehaviours, configurations, stage: number, at, perSize, say } = set
  const seconds = Math.max(...misbehaviours.map(({ seconds }) => seconds))
  const stage = createStage({ tenants, at, seconds, configurations })
  say(`${new Date(stage.from).toISOString()}, ${stage.fleet.tenants.length} tenants`)
  const cases: Case[] = []
  const bystanders: Record<string, readonly Bystander[]> = {}
  for (const misbehaviour of misbehaviours) {
    const { name } = misbehaviour
    const suits = (tenant: RealTenant): boolean => misbehaviour.suits(tenant)
    for (const each of castFor(stage.fleet, { suits, perSize, stream: `${name} ${number}` })) {
      const { played, seen } = playCase(stage, number, misbehaviour, each)
      if (played !== undefined) cases.push(played)
      for (const [configuration, some] of Object.entries(seen))
        bystanders[configuration] = distinct([...(bystanders[configuration] ?? []), ...some])
    }
    say(name)
  }
  return { cases, bystanders }
}

function playCase(stage: Stage, number: number, misbehaviour: Misbehaviour, { key, tenant }: Cast) {
  const week = stage.weeks[key]
  const scene = sceneOf(tenant, week, { from: stage.from, historyTo: stage.at, name: misbehaviour.name })
  const play = counted(misbehaviour.start(scene), scene)
  const { name, kind, multiple, seconds } = misbehaviour
  const watched = playScene({ stage, played: [{ key, play }], seconds, until: 'told' })
  const onsetAt = play.onsetAt()
  const played: Case | undefined =
    // A loop that never closed: nothing to be found.
    onsetAt === undefined
      ? undefined
      : {
          ...{ stage: number, name, kind, multiple, onsetAt },
          harms: harms(misbehaviour, play, second => othersIn(stage, key, second)),
          ...{ tenant: tenant.id, set: tenant.set, callsPerMinute: tenant.callsPerMinute },
          usualPerMinute: scene.usualPerSecond * 60,
          isSteady: isSteady(week),
          isBeyondOwn: (multiple ?? 0) * scene.usualPerSecond * 300 > busiestSlot(week),
          excessAt: play.excessAt(),
          verdicts: Object.fromEntries(watched.map(each => [each.configuration, verdictOf(each, tenant.id)])),
        }
  const ids = new Set([tenant.id])
  const seen = Object.fromEntries(watched.map(each => [each.configuration, bystandersOf(each, number, ids)]))
  return { played, seen }
}

const DROWNING_SECONDS = 10

/** What harms by its size alone harms if for ten seconds it makes more calls than all others together. */
function harms(
  { harms, harmsOnlyByDrowning }: Misbehaviour,
  { callsInSecond }: CountedPlay,
  othersIn: (second: number) => number,
): boolean {
  if (!harms || harmsOnlyByDrowning !== true) return harms
  let lead = 0
  const leads = callsInSecond.map((calls, second) => calls - othersIn(second))
  return leads.some((ahead, second) => {
    lead += ahead - (leads[second - DROWNING_SECONDS] ?? 0)
    return second >= DROWNING_SECONDS - 1 && lead > 0
  })
}
