/**
 * PayFlow in a box: clients → usage plans → Lambda pool → access log, in steps of a tenth of a second of event time.
 *
 *   fresh calls (Poisson) ─┐
 *   retry loops ───────────┼→ admission ─→ blip ─→ pool ─→ answered ─→ log line, after its delivery delay
 *   ordinary retries ──────┘   429          504     500        │
 *          └──────────────────────────── failed? ←─────────────┘
 *
 * Closed loop: what fails comes back, and what the admission refuses never reaches the pool. Deterministic for a seed and
 * an admission that is; fresh calls have a stream of chance of their own, so they are the same whatever is admitted.
 * Mutable on purpose, one simulation an object.
 */
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'
import { MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { createRetryLoops, type Incident, ordinaryBackoffMs, type RetryLoops, TRIES_PER_SECOND } from './clients.ts'
import { accountPool, createLambdaPool, type LambdaPool, type LambdaPoolOptions } from './lambda-pool.ts'
import { type Calendar, createCalendar } from './payflow-calendar.ts'
import { type Answer, drawRoute, drawStatus, logLine, type Route, statusOf } from './payflow-log.ts'
import { createRandom, type Random } from './random.ts'
import { callsPerSecondAt, type SimulatedTenant } from './tenants.ts'

/** Whether a call gets through the limits in front of the pool. Asked in the order of time. */
export interface Admission {
  admit(keyId: ApiKeyId, atMs: EpochMs): boolean
}

export const admitAll: Admission = { admit: () => true }

export interface PayflowOptions {
  readonly seed: number
  /** A whole tenth of a second. */
  readonly startsAt: EpochMs
  readonly tenants: readonly SimulatedTenant[]
  readonly admission?: Admission
  readonly incidents?: readonly Incident[]
  readonly pool?: LambdaPoolOptions
  /** From the answer to the line in the stream: drawn evenly for each line, ms. */
  readonly delivery?: { readonly leastMs: number; readonly mostMs: number }
}

export interface Payflow {
  /** Everything before this moment has happened. */
  now(): EpochMs
  /** Goes on in whole steps while they end by `untilMs`; returns the lines that came out, in the order in which they did. */
  step(untilMs: EpochMs): readonly string[]
}

/** A retry loop tries once in each. */
export const STEP_MS = SECOND_MS / TRIES_PER_SECOND

interface Call {
  readonly tenant: SimulatedTenant
  /** With its fraction, so that whoever calls in the same millisecond has the same chance of a place in the pool. */
  readonly at: EpochMs
  readonly isRetry: boolean
}

interface DeliveredLine {
  readonly at: EpochMs
  readonly text: string
}

export function createPayflow({
  seed,
  startsAt,
  tenants,
  admission = admitAll,
  incidents = [],
  pool: poolOptions = accountPool,
  delivery = { leastMs: 200, mostMs: 1_200 },
}: PayflowOptions): Payflow {
  const fleet = createFleet({ seed, tenants, incidents })
  const pool = createLambdaPool(poolOptions, createRandom(seed, 'pool'))
  const chance = createRandom(seed, 'answers')
  const retries = createCalendar<Call>(STEP_MS)
  const failures = createCalendar<Failure>(STEP_MS)
  const lines = createCalendar<DeliveredLine>(STEP_MS)
  let now = startsAt
  let ordinal = 0

  function take(call: Call): void {
    const { tenant, at } = call
    const route = drawRoute(chance)
    const answer = answerOf(call, route, { admission, loops: fleet.loopsOf(tenant), pool, chance })
    const answeredAt = Math.floor(at) + answer.durationMs
    const deliveredAt = answeredAt + delivery.leastMs + chance.integer(delivery.mostMs - delivery.leastMs + 1)
    lines.add(deliveredAt, {
      at: deliveredAt,
      text: logLine({ tenant, route, at: Math.floor(at), answer, ordinal: ordinal++ }),
    })
    const status = statusOf(answer)
    if (status >= 500 || status === 429) failures.add(answeredAt, { call, at: answeredAt })
  }

  function takeStep(): void {
    const calls = [...fleet.freshCalls(now), ...fleet.loopedCalls(now, chance), ...retries.take(now)]
    for (const call of calls.sort((one, other) => one.at - other.at)) take(call)
    for (const failure of failures.take(now))
      react(failure, { loops: fleet.loopsOf(failure.call.tenant), retries, chance })
  }

  return {
    now: () => now,
    step(untilMs) {
      const delivered: string[] = []
      while (now + STEP_MS <= untilMs) {
        takeStep()
        const ofStep = lines.take(now).sort((one, other) => one.at - other.at)
        for (const { text } of ofStep) delivered.push(text)
        now += STEP_MS
      }
      return delivered
    },
  }
}

interface Fleet {
  freshCalls(from: EpochMs): readonly Call[]
  loopedCalls(from: EpochMs, random: Random): readonly Call[]
  loopsOf(tenant: SimulatedTenant): RetryLoops | undefined
}

/** Who calls of their own accord, and whose loops call. Rates are drawn up once a minute, and where a sale begins or ends. */
function createFleet({
  seed,
  tenants,
  incidents,
}: Required<Pick<PayflowOptions, 'seed' | 'tenants' | 'incidents'>>): Fleet {
  const random = createRandom(seed, 'fresh calls')
  const loopsByKey = new Map(
    incidents.flatMap(incident =>
      incident.kind === 'retry-bug' ? [[incident.keyId, createRetryLoops(incident)]] : [],
    ),
  )
  const sales = incidents.filter(incident => incident.kind === 'sale')
  const rates = new Float64Array(tenants.length)
  /** Running sum of the rates: a call belongs to the first tenant whose sum exceeds its draw. */
  const runningRates = new Float64Array(tenants.length)
  let minute = -1

  function drawUp(from: EpochMs): void {
    minute = Math.floor(from / MINUTE_MS)
    for (const [index, tenant] of tenants.entries()) rates[index] = callsPerSecondAt(tenant, seed, from)
  }

  function sumUp(from: EpochMs): number {
    let sum = 0
    for (const [index, tenant] of tenants.entries()) {
      const sale = sales.find(
        ({ keyId, startsAt, endsAt }) => keyId === tenant.keyId && startsAt <= from && from < endsAt,
      )
      sum += (rates[index] ?? 0) * (sale?.timesNormal ?? 1)
      runningRates[index] = sum
    }
    return sum
  }

  return {
    loopsOf: tenant => loopsByKey.get(tenant.keyId),
    freshCalls(from) {
      if (Math.floor(from / MINUTE_MS) !== minute) drawUp(from)
      const callsPerSecond = sumUp(from)
      const calls: Call[] = []
      for (let left = random.poisson((callsPerSecond * STEP_MS) / SECOND_MS); left > 0; left--) {
        const tenant = tenants[firstAbove(runningRates, random.uniform() * callsPerSecond)]
        if (tenant) calls.push({ tenant, at: from + random.uniform() * STEP_MS, isRetry: false })
      }
      return calls
    },
    loopedCalls(from, chance) {
      const calls: Call[] = []
      for (const [index, tenant] of tenants.entries()) {
        const loops = loopsByKey.get(tenant.keyId)?.trying(from, rates[index] ?? 0) ?? 0
        for (let left = loops; left > 0; left--)
          calls.push({ tenant, at: from + chance.uniform() * STEP_MS, isRetry: true })
      }
      return calls
    },
  }
}

function firstAbove(sums: Float64Array, draw: number): number {
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sums[middle] ?? 0) > draw) high = middle
    else low = middle + 1
  }
  return low
}

interface Way {
  readonly admission: Admission
  readonly loops: RetryLoops | undefined
  readonly pool: LambdaPool
  readonly chance: Random
}

function answerOf({ tenant, at }: Call, route: Route, { admission, loops, pool, chance }: Way): Answer {
  if (!admission.admit(tenant.keyId, at)) return { kind: 'refused', durationMs: 1 + chance.integer(3) }
  if (loops?.isBlipped(at, chance)) return { kind: 'lost', durationMs: 20 + chance.integer(100) }
  const invocation = pool.invoke(at)
  if (invocation.kind === 'full') return { kind: 'pool-full', durationMs: 8 + chance.integer(15) }
  return {
    kind: 'answered',
    status: drawStatus(tenant, route, chance),
    durationMs: invocation.durationMs + 2 + chance.integer(6),
  }
}

interface Failure {
  readonly call: Call
  /** When the client learned of it. */
  readonly at: EpochMs
}

interface Means {
  readonly loops: RetryLoops | undefined
  readonly retries: Calendar<Call>
  readonly chance: Random
}

function react({ call, at }: Failure, { loops, retries, chance }: Means): void {
  if (loops?.isActive(at)) {
    loops.failed(at)
  } else if (!call.isRetry) {
    const again = at + ordinaryBackoffMs(chance)
    retries.add(again, { ...call, at: again, isRetry: true })
  }
}
