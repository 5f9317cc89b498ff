/**
 * How calls are answered: a stated model, since no public set has a client, status and latency together over a week.
 * Each client has its own, drawn from its id: 0.1-0.5 % of its calls fail (5xx), 1-4 % are its own mistakes (4xx, never
 * 429), latency is lognormal with a mean of 30-300 ms; it calls two to six routes, the first ones most, from one to three
 * places. Calls are answered independently of each other and of the load.
 */
import { createRandom, type Random } from '../../../simulation/random.ts'
import type { HistoryRow, MadeCall } from '../contract.ts'

export interface Answering {
  readonly share5xx: number
  readonly share4xx: number
  readonly latency: { readonly mean: number; readonly sigma: number }
  readonly routes: number
  readonly sources: readonly [string, ...string[]]
}

const SEED = 3

/** What a client may call, as an API's routes are named. */
const ROUTES = [
  'GET /orders/{id}',
  'POST /orders',
  'GET /customers/{id}',
  'GET /prices',
  'POST /quotes',
  'GET /status',
] as const

export function answeringOf(id: string): Answering {
  const random = createRandom(SEED, `answering/${id}`)
  const between = (least: number, most: number) => least + (most - least) * random.uniform()
  const place = () => `10.${random.integer(256)}.${random.integer(256)}.${1 + random.integer(254)}`
  return {
    share5xx: between(0.001, 0.005),
    share4xx: between(0.01, 0.04),
    latency: { mean: between(30, 300), sigma: between(0.3, 0.8) },
    routes: 2 + random.integer(ROUTES.length - 1),
    sources: [place(), ...Array.from({ length: random.integer(3) }, place)],
  }
}

/** The calls of one second, oldest first. */
export function callsOfSecond(id: string, answering: Answering, start: number, calls: number): readonly MadeCall[] {
  const random = createRandom(SEED, `calls/${id}/${start}`)
  const times = Array.from({ length: calls }, () => start + random.integer(1_000)).sort((one, other) => one - other)
  return times.map(at => ({
    at,
    status: statusOf(answering, random),
    latencyMs: Math.max(1, Math.round(random.lognormal(answering.latency))),
    route: routeOf(answering, random),
    source: random.pick(answering.sources),
  }))
}

function statusOf({ share5xx, share4xx }: Answering, random: Random): number {
  const place = random.uniform()
  if (place < share5xx) return random.pick([500, 502, 503])
  return place < share5xx + share4xx ? random.pick([400, 404, 422]) : 200
}

/** The square of an even draw: half of all calls go to the first quarter. */
function routeOf({ routes }: Answering, random: Random): string {
  const place = random.uniform()
  return ROUTES[Math.floor(place * place * routes)] ?? ROUTES[0]
}

/** What a log of so many calls in five minutes would count, by the same shares; a long sum of latencies is near its normal. */
export function rowOfCalls(id: string, answering: Answering, start: number, calls: number): HistoryRow {
  const random = createRandom(SEED, `row/${id}/${start}`)
  const { share5xx, share4xx, latency } = answering
  const status5xx = howMany(calls, share5xx, random)
  const status4xx = howMany(calls - status5xx, share4xx, random)
  const spread = latency.mean * Math.sqrt(Math.exp(latency.sigma * latency.sigma) - 1)
  const latencySumMs = Math.round(latency.mean * calls + spread * Math.sqrt(calls) * random.normal())
  return {
    start,
    seconds: 300,
    calls,
    status2xx: calls - status4xx - status5xx,
    status4xx,
    status429: 0,
    status5xx,
    latencySumMs: Math.max(calls, latencySumMs),
    latencyCount: calls,
  }
}

/** Beyond this, shares of a few hundredths are Poisson to within what anybody could tell. */
const COUNTED_ONE_BY_ONE = 100

function howMany(calls: number, share: number, random: Random): number {
  if (calls > COUNTED_ONE_BY_ONE) return Math.min(calls, random.poisson(calls * share))
  let count = 0
  for (let call = 0; call < calls; call++) if (random.uniform() < share) count++
  return count
}
