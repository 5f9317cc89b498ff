/**
 * The stories in replay-data/, as recipes: who takes part, what goes wrong and when. Seeded, so that the recorded logs
 * can be made again to the byte. A story is recorded without Weir: nothing refuses, nothing is fed back.
 */
import type { EpochMs } from '../core/vocabulary.ts'
import { MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { fridayBug, type Incident } from './clients.ts'
import { accountPool, type LambdaPoolOptions } from './lambda-pool.ts'
import { createPayflow } from './payflow.ts'
import { payflowTenants, type SimulatedTenant, weekOfPanes } from './tenants.ts'

export interface Story {
  readonly name: string
  readonly seed: number
  readonly tenants: readonly SimulatedTenant[]
  /** History ends where the log begins. A whole five minutes. */
  readonly startsAt: EpochMs
  readonly endsAt: EpochMs
  readonly incidents: readonly Incident[]
  readonly pool: LambdaPoolOptions
}

// Chosen among seeds for a Client A that calls about 500 times a minute when it begins, which is what the incident tells.
const fridaySeed = 703
const blipAt = Date.parse('2025-03-14T14:00:00Z')

/**
 * The incident that Weir exists for, at a scale that fits a repository: sixteen of PayFlow's clients, a pool to match,
 * and a Client A whose machines can send 100 times its normal rate (50,000 calls a minute).
 */
const friday: Story = {
  name: 'friday',
  seed: fridaySeed,
  tenants: excerpt(fridaySeed, [0, 1, 2, 3, 5, 8, 12, 17, 25, 40, 60, 90, 120, 150, 175, 199]),
  startsAt: blipAt - 5 * MINUTE_MS,
  endsAt: blipAt + 4 * MINUTE_MS,
  incidents: [fridayBug(blipAt, { mostTimesNormal: 100, fixedAt: blipAt + 65 * SECOND_MS })],
  pool: { ...accountPool, concurrency: 200 },
}

const saleSeed = 1128
const saleAt = Date.parse('2025-11-28T10:05:00Z')

/** Client B's sale: four times the calls for over half an hour, with no more errors than ever. Busy, not misbehaving. */
const sale: Story = {
  name: 'sale',
  seed: saleSeed,
  tenants: excerpt(saleSeed, [1, 4, 7, 10, 14, 20, 30, 45, 70, 100, 140, 190]),
  startsAt: saleAt - 5 * MINUTE_MS,
  endsAt: saleAt + 40 * MINUTE_MS,
  incidents: [{ kind: 'sale', keyId: 'key_b1001', startsAt: saleAt, endsAt: saleAt + 35 * MINUTE_MS, timesNormal: 4 }],
  pool: accountPool,
}

export const stories: readonly Story[] = [friday, sale]

/** Some of the fleet, by size: the largest and a sample of the tail. */
function excerpt(seed: number, ranks: readonly number[]): readonly SimulatedTenant[] {
  return payflowTenants({ seed }).filter(({ rank }) => ranks.includes(rank))
}

/** The access log, NDJSON, in pieces; what was not delivered by `endsAt` is not in it. */
export function* storyLog({ seed, tenants, startsAt, endsAt, incidents, pool }: Story): Generator<string> {
  const payflow = createPayflow({ seed, startsAt, tenants, incidents, pool })
  while (payflow.now() < endsAt) {
    for (const line of payflow.step(payflow.now() + SECOND_MS)) yield `${line}\n`
  }
}

/** The week before, as panes of five minutes. */
export const storyHistory = ({ seed, tenants, startsAt }: Story): Generator<string> =>
  weekOfPanes({ seed, tenants, endsAt: startsAt })

/** tenants.yaml of the story, as data. */
export function storyTenants({ tenants }: Story) {
  return {
    tenants: Object.fromEntries(
      tenants.map(({ id, name, keyId, contact, plan }) => [id, { name, keys: [keyId], contact, usagePlan: plan.id }]),
    ),
  }
}
