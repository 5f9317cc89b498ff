/**
 * PayFlow's clients and how much they call. What a client calls at a moment is a pure function of seed, client and time,
 * so that a week of history (`weekOfPanes`) and the live traffic after it (payflow.ts) come of one model:
 *
 *   rate = mean over the week × shape of the day × weekend × how this day, this slot and this minute stray
 *
 * Clients differ in all of it: size (Client A a fifth of everything, a long tail behind), business hours in UTC, weekend,
 * how much they stray, share of failures and of rejected payments. All numbers are assumptions; none is from real clients.
 */
import type { ApiKeyId, EpochMs, PlanLimits, TenantId } from '../core/vocabulary.ts'
import { BASELINE_DAYS, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, SLOT_MS } from '../core/vocabulary.ts'
import { createRandom, normalAt, type Random } from './random.ts'

export interface SimulatedTenant {
  readonly id: TenantId
  readonly name: string
  readonly keyId: ApiKeyId
  readonly contact: string
  /** A plan of its own, with the limits it had before any incident: so generous that they protect nobody. */
  readonly plan: { readonly id: string; readonly limits: PlanLimits }
  /** Place of the client's straying in the seed; its rank in the fleet. */
  readonly rank: number
  /** Mean over weekdays. */
  readonly callsPerSecond: number
  readonly day: {
    readonly peakHour: number
    /** Business hours reach this far to either side of the peak. */
    readonly halfWidthHours: number
    /** What is left at night, as a share of the peak. */
    readonly quietShare: number
    /** A Saturday's or Sunday's calls, as a share of a weekday's. */
    readonly weekendShare: number
  }
  /** Standard deviations, relative to the rate. */
  readonly strays: { readonly day: number; readonly slot: number; readonly minute: number }
  readonly failureShare: number
  readonly rejectedShare: number
  readonly sourceIps: readonly string[]
  readonly userAgent: string
}

export interface FleetOptions {
  readonly seed: number
  readonly count?: number
  readonly callsPerMonth?: number
}

const SECONDS_PER_MONTH = (365.25 / 12) * (DAY_MS / SECOND_MS)
const CLIENT_A_SHARE = 0.2
const unprotective: PlanLimits = { rateLimit: 5_000, burstLimit: 5_000 }

export function payflowTenants({
  seed,
  count = 200,
  callsPerMonth = 50_000_000,
}: FleetOptions): readonly SimulatedTenant[] {
  const random = createRandom(seed, 'tenants')
  const callsPerSecond = callsPerMonth / SECONDS_PER_MONTH
  // 1/(rank + 3): the second client has some 4 %, the 200th a call a minute.
  const weights = Array.from({ length: count }, (_, rank) => (rank === 0 ? 0 : 1 / (rank + 4)))
  const allWeights = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight, rank) =>
    rank === 0
      ? clientA(callsPerSecond * CLIENT_A_SHARE)
      : anotherClient(rank, callsPerSecond * (1 - CLIENT_A_SHARE) * (weight / allWeights), random),
  )
}

/** The client of the story: at its peak about 500 calls a minute, usually between 400 and 600. */
function clientA(callsPerSecond: number): SimulatedTenant {
  return {
    ...named(0),
    keyId: 'key_abc123',
    contact: 'client-a-sre@partner.com',
    callsPerSecond,
    day: { peakHour: 14, halfWidthHours: 8.5, quietShare: 0.1, weekendShare: 0.94 },
    strays: { day: 0.03, slot: 0.08, minute: 0.07 },
    failureShare: 0.001,
    rejectedShare: 0.02,
    sourceIps: ['192.0.2.10', '192.0.2.11'],
    userAgent: 'payflow-java/4.2.0',
  }
}

// Europe's business day most of all, then America's, then Asia's.
const peakHours = [11, 11, 11, 17, 17, 5] as const
const userAgents = [
  'payflow-node/3.1.2',
  'payflow-python/2.8.0',
  'payflow-java/4.1.7',
  'okhttp/4.12.0',
  'Go-http-client/2.0',
] as const
/** The networks that RFC 5737 keeps for documentation. */
const networks = ['192.0.2', '198.51.100', '203.0.113'] as const

function anotherClient(rank: number, callsPerSecond: number, random: Random): SimulatedTenant {
  const network = random.pick(networks)
  return {
    ...named(rank),
    callsPerSecond,
    day: {
      peakHour: random.pick(peakHours) + random.normal(),
      halfWidthHours: 7 + 4 * random.uniform(),
      quietShare: 0.08 + 0.3 * random.uniform(),
      weekendShare: 0.6 + 0.4 * random.uniform(),
    },
    strays: { day: 0.04, slot: 0.06 + 0.1 * random.uniform(), minute: 0.05 + 0.1 * random.uniform() },
    failureShare: 0.001 + 0.004 * random.uniform(),
    rejectedShare: 0.01 + 0.03 * random.uniform(),
    sourceIps: [`${network}.${20 + random.integer(200)}`, `${network}.${20 + random.integer(200)}`],
    userAgent: random.pick(userAgents),
  }
}

function named(rank: number) {
  const letters = lettersOf(rank)
  const id = `client-${letters.toLowerCase()}`
  return {
    id,
    name: `Client ${letters}`,
    keyId: `key_${letters.toLowerCase()}${1_000 + rank}`,
    contact: `${id}-sre@partner.example`,
    plan: { id: `plan-${id}`, limits: unprotective },
    rank,
  }
}

/** A … Z, AA, AB …: as a spreadsheet counts its columns. */
function lettersOf(rank: number): string {
  const last = String.fromCharCode(65 + (rank % 26))
  return rank < 26 ? last : lettersOf(Math.floor(rank / 26) - 1) + last
}

/** Expected calls a second in the minute that holds `at`; what really comes is a Poisson draw of it. */
export function callsPerSecondAt(tenant: SimulatedTenant, seed: number, at: EpochMs): number {
  const { strays, rank } = tenant
  const stray =
    strays.day * normalAt(seed + 1, rank, Math.floor(at / DAY_MS)) +
    strays.slot * normalAt(seed + 2, rank, Math.floor(at / SLOT_MS)) +
    strays.minute * normalAt(seed + 3, rank, Math.floor(at / MINUTE_MS))
  return tenant.callsPerSecond * shapeOf(tenant.day, at) * Math.max(0.1, 1 + stray)
}

/** 1 on average over a weekday. A smooth bump of business hours, (1 − x²)², over what is left at night. */
function shapeOf({ peakHour, halfWidthHours, quietShare, weekendShare }: SimulatedTenant['day'], at: EpochMs): number {
  const hour = (at % DAY_MS) / HOUR_MS
  const apart = Math.abs(((((hour - peakHour + 12) % 24) + 24) % 24) - 12) / halfWidthHours
  const bump = apart < 1 ? (1 - apart * apart) * (1 - apart * apart) : 0
  // The bump's area is 16/15 of its half width.
  const mean = quietShare + (1 - quietShare) * ((16 / 15) * (halfWidthHours / 24))
  // 1970 began on a Thursday.
  const weekday = (Math.floor(at / DAY_MS) + 4) % 7
  const week = weekday === 0 || weekday === 6 ? weekendShare : 1
  return ((quietShare + (1 - quietShare) * bump) / mean) * week
}

export interface HistoryOptions {
  readonly seed: number
  readonly tenants: readonly SimulatedTenant[]
  /** A whole number of rows since 1970; history ends before it. */
  readonly endsAt: EpochMs
  readonly days?: number
  readonly seconds?: 60 | 300
  /** What a call takes on average, ms. */
  readonly latencyMs?: number
}

/**
 * What was counted in the days before `endsAt`, as panes (NDJSON), oldest first: one piece of text for each stretch of
 * time, with a line for each tenant that called in it. No incident is in it.
 */
export function* weekOfPanes({
  seed,
  tenants,
  endsAt,
  days = BASELINE_DAYS,
  seconds = 300,
  latencyMs = 85,
}: HistoryOptions): Generator<string> {
  const random = createRandom(seed, 'history')
  const rowMs = seconds * SECOND_MS
  for (let start = endsAt - days * DAY_MS; start < endsAt; start += rowMs) {
    let text = ''
    for (const tenant of tenants) {
      let expected = 0
      for (let at = start; at < start + rowMs; at += MINUTE_MS) expected += callsPerSecondAt(tenant, seed, at) * 60
      const calls = random.poisson(expected)
      if (calls > 0) text += paneRow({ tenant, start, seconds, calls, latencyMs }, random)
    }
    yield text
  }
}

interface RowCounts {
  readonly tenant: SimulatedTenant
  readonly start: EpochMs
  readonly seconds: number
  readonly calls: number
  readonly latencyMs: number
}

function paneRow({ tenant, start, seconds, calls, latencyMs }: RowCounts, random: Random): string {
  const failed = Math.min(calls, random.poisson(calls * tenant.failureShare))
  const rejected = Math.min(calls - failed, random.poisson(calls * tenant.rejectedShare))
  // The mean of many latencies strays by their standard deviation (about half the mean) over the root of their number.
  const latencySumMs = Math.round(calls * latencyMs * Math.max(0.2, 1 + (0.5 * random.normal()) / Math.sqrt(calls)))
  return `{"key":"${tenant.keyId}","start":${start},"seconds":${seconds},"calls":${calls},"status2xx":${calls - failed - rejected},"status4xx":${rejected},"status5xx":${failed},"latencySumMs":${latencySumMs},"latencyCount":${calls}}\n`
}
