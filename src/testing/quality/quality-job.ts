/**
 * A run of the bench as pieces of work that know nothing of each other, so that each core may take one; the same pieces
 * give the same results in any order.
 */
import { HOUR_MS } from '../../core/vocabulary.ts'
import { busyDays } from './busy/index.ts'
import { type Busy, busy } from './busy-part.ts'
import { type ClientClaims, claims } from './claims-part.ts'
import { type CleanRun, cleanRun } from './clean-run.ts'
import { configurations, theOriginalThree, whole } from './configuration.ts'
import { judgedFrom } from './contract.ts'
import type { SeriesScore } from './goals.ts'
import { type Injected, injected } from './injected-part.ts'
import { misbehaviours } from './misbehaviour/index.ts'
import { seriesPart } from './series-part.ts'
import { manyTenants, realTenants } from './traffic/tenants.ts'

export const partNames = ['clean', 'injected', 'busy', 'series', 'claims'] as const
export type PartName = (typeof partNames)[number]

export interface Asked {
  readonly parts: readonly PartName[]
  readonly small: boolean
  readonly heldOut: boolean
  /** Weir as it comes, and nothing beside it. */
  readonly alone: boolean
}

interface Common {
  readonly small: boolean
  readonly heldOut: boolean
  /** By name. */
  readonly configurations: readonly string[]
}

export type Job = Common &
  (
    | {
        readonly part: 'clean'
        readonly tenants: number
        readonly days: number
        /** Larger clients are made smaller: drawing all calls of thousands would take an hour. */
        readonly mostPerSecond: number
      }
    /** `stage`: its number among all. */
    | { readonly part: 'injected' | 'busy'; readonly stage: number; readonly perSize: number }
    | { readonly part: 'series'; readonly set: 'nab' | 'microsoft' }
    | { readonly part: 'claims'; readonly hours: number; readonly riseEvery: number }
  )

export type JobResult =
  | ({ readonly part: 'clean' } & CleanRun)
  | { readonly part: 'injected'; readonly injected: Injected }
  | { readonly part: 'busy'; readonly busy: Busy }
  | { readonly part: 'series'; readonly series: readonly SeriesScore[] }
  | { readonly part: 'claims'; readonly claims: readonly ClientClaims[] }

/** Hours after `judgedFrom`: a morning, a night, an afternoon and an evening; the recorded sets end after two and four days. */
const stageHours = [10.25, 27, 86.5, 139]

const every = configurations.map(({ name }) => name)
const compared = [whole.name, theOriginalThree.name]

/** The longest first, so that no core is left with it at the end. Each detector by itself is asked where that is cheap. */
export function jobsOf({ parts, small, heldOut, alone }: Asked): readonly Job[] {
  const jobs = small ? smallJobs({ small, heldOut }) : wholeJobs({ small, heldOut })
  const asked = jobs.filter(({ part }) => parts.includes(part))
  return alone ? asked.filter(isOfWhole).map(job => ({ ...job, configurations: [whole.name] })) : asked
}

const isOfWhole = ({ configurations: asked }: Job): boolean => asked.includes(whole.name)

type About = Pick<Common, 'small' | 'heldOut'>

const wholeJobs = (about: About): readonly Job[] => [
  ...compared.map(name => ({ part: 'series' as const, ...about, configurations: [name], set: 'nab' as const })),
  { part: 'clean', ...about, configurations: [whole.name], tenants: 5_000, days: 4 / 24, mostPerSecond: 20 },
  { part: 'clean', ...about, configurations: compared, tenants: 200, days: 2, mostPerSecond: 20 },
  ...[0, 1, 2, 3].map(stage => ({ part: 'injected' as const, ...about, configurations: every, stage, perSize: 2 })),
  ...[0, 2].map(stage => ({ part: 'busy' as const, ...about, configurations: every, stage, perSize: 2 })),
  { part: 'clean', ...about, configurations: compared, tenants: 20, days: 7, mostPerSecond: 20 },
  { part: 'clean', ...about, configurations: every, tenants: 20, days: 1, mostPerSecond: 20 },
  { part: 'claims', ...about, configurations: [whole.name], hours: 7 * 24, riseEvery: 11 },
  { part: 'series', ...about, configurations: compared, set: 'microsoft' },
]

/** Weir as it comes, once round: what falls back shows. */
const smallJobs = (about: About): readonly Job[] => {
  const common = { ...about, configurations: [whole.name] }
  return [
    { part: 'busy', ...common, stage: 0, perSize: 2 },
    { part: 'injected', ...common, stage: 0, perSize: 2 },
    { part: 'clean', ...common, tenants: 20, days: 1, mostPerSecond: 20 },
    { part: 'claims', ...common, hours: 6, riseEvery: 5 },
    { part: 'series', ...common, set: 'nab' },
  ]
}

export function runJob(job: Job, say: (line: string) => void): JobResult {
  const { heldOut, small } = job
  const asked = configurations.filter(({ name }) => job.configurations.includes(name))
  switch (job.part) {
    case 'clean': {
      const tenants = manyTenants(job.tenants, { heldOut, mostPerSecond: job.mostPerSecond })
      return { part: 'clean', ...cleanRun({ tenants, days: job.days, configurations: asked, say }) }
    }
    case 'injected': {
      const stage = stageOf(job.stage)
      const tenants = tenantsFor(job)
      return {
        part: 'injected',
        injected: injected({ ...stage, tenants, misbehaviours, configurations: asked, perSize: job.perSize, say }),
      }
    }
    case 'busy': {
      const stage = stageOf(job.stage)
      const tenants = tenantsFor(job)
      return {
        part: 'busy',
        busy: busy({ ...stage, tenants, days: busyDays, configurations: asked, perSize: job.perSize, say }),
      }
    }
    case 'series':
      return { part: 'series', series: seriesPart({ set: job.set, configurations: asked, small, say }) }
    case 'claims': {
      const { hours, riseEvery } = job
      return {
        part: 'claims',
        claims: claims({ tenants: tenantsFor(job), hours, riseEvery, configuration: whole, say }),
      }
    }
    default:
      throw new Error(`no such part: ${job satisfies never}`)
  }
}

const stageOf = (stage: number) => ({ stage, at: judgedFrom + stageHours[stage] * HOUR_MS })

/** Every second, of a small run every fifth: who stands beside costs as much as who plays. */
const tenantsFor = ({ small, heldOut }: Common) =>
  realTenants({ heldOut }).filter((_, place) => place % (small ? 5 : 2) === 0)
