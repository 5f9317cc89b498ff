/**
 * How a tenant calls: on which routes, from where, how it is answered. What is put beside its calls looks like them, so
 * that nothing but the misbehaviour itself gives it away. Routes and sources are those of its calls after `from` (of an
 * hour at most, or of others where it makes none), shares and latency those of its week.
 */
import { MINUTE_MS } from '../../../core/vocabulary.ts'
import { type HistoryRow, judgedFrom, type MadeCall, type RealTenant, type Scene } from '../contract.ts'

export interface Manner {
  /** Share of its calls that are answered 5xx, and 4xx (but 429), 0..1. */
  readonly failureShare: number
  readonly rejectedShare: number
  readonly latencyMs: number
  /** One call as it makes them, answered as its calls usually are. */
  call(at: number): MadeCall
}

type Answers = Pick<Manner, 'failureShare' | 'rejectedShare' | 'latencyMs'>
type Place = Pick<MadeCall, 'route' | 'source'>

const PLACES_MOST = 40
const MINUTES_MOST = 60
const unknownAnswers: Answers = { failureShare: 0.002, rejectedShare: 0.02, latencyMs: 80 }
/** Spread of a latency's logarithm. */
const SIGMA = 0.5

export function mannerOf({ tenant, from, random }: Scene): Manner {
  const places = placesOf(tenant, from)
  const answers = answersOf(tenant)
  return {
    ...answers,
    call(at) {
      const { route, source } = places[random.integer(places.length)]
      const latencyMs = Math.max(1, Math.round(random.lognormal({ mean: answers.latencyMs, sigma: SIGMA })))
      const place = random.uniform()
      if (place < answers.failureShare) return { at, status: 500, latencyMs, route, source }
      const isRejected = place < answers.failureShare + answers.rejectedShare
      return { at, status: isRejected ? random.pick([400, 404]) : 200, latencyMs, route, source }
    },
  }
}

/** Minute by minute, since a large tenant shows all its routes in the first. */
function placesOf(tenant: RealTenant, from: number): readonly Place[] {
  const places: Place[] = []
  const lookFrom = Math.max(from, judgedFrom)
  for (let minute = 0; minute < MINUTES_MOST && places.length < PLACES_MOST; minute++) {
    const at = lookFrom + minute * MINUTE_MS
    if (at + MINUTE_MS > tenant.judgedTo) break
    for (const { route, source } of tenant.callsOf(at, 60).slice(0, PLACES_MOST)) places.push({ route, source })
  }
  // Of a tenant that is silent for the whole hour: as it calls otherwise.
  return places.length > 0 ? places : tenant.samplesOf(lookFrom, PLACES_MOST)
}

/** A tenant's week takes long to draw up (seconds for a large one) and is always the same, so it is asked for once. */
const knownAnswers = new WeakMap<RealTenant, Answers>()

function answersOf(tenant: RealTenant): Answers {
  const answers = knownAnswers.get(tenant) ?? answersIn(tenant.history())
  knownAnswers.set(tenant, answers)
  return answers
}

function answersIn(rows: readonly HistoryRow[]): Answers {
  const sum = { calls: 0, failed: 0, rejected: 0, latencySumMs: 0, latencyCount: 0 }
  for (const row of rows) {
    sum.calls += row.calls
    sum.failed += row.status5xx
    sum.rejected += row.status4xx
    sum.latencySumMs += row.latencySumMs
    sum.latencyCount += row.latencyCount
  }
  if (sum.calls === 0) return unknownAnswers
  return {
    failureShare: sum.failed / sum.calls,
    rejectedShare: sum.rejected / sum.calls,
    latencyMs: sum.latencyCount === 0 ? unknownAnswers.latencyMs : sum.latencySumMs / sum.latencyCount,
  }
}
