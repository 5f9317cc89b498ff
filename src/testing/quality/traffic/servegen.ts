/**
 * ServeGen: two weeks of a hosted model API's production traffic, one row a client and ten minutes (Alibaba; arXiv
 * 2505.09999). Week one is history, week two is judged.
 *
 * The counts of ten minutes are real; where in the ten minutes the calls lie is drawn (gaps.ts) from the distribution of
 * gaps that the set has fitted to each window. So five-minute rows and seconds are a simulation; the rows of history
 * vary as the seconds of the judged week do, and are drawn without them, in a fraction of the time.
 *
 * Very large clients are made smaller: their counts are divided until they make `mostPerSecond` on average, rounded up or
 * down by chance; their gaps keep their shape, so they are as bursty as they were. Weekdays are not known of this set.
 * Clients with fewer than LEAST_CALLS calls in both weeks are left out.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createRandom } from '../../../simulation/random.ts'
import { sharedDataDirectory } from '../../shared-data.ts'
import type { RealTenant } from '../contract.ts'
import { type Arrivals, sumOf } from './arrivals.ts'
import { drawFirstHalf, drawSeconds, type GapShape } from './gaps.ts'
import { realTenant } from './real-tenant.ts'
import { LEAST_CALLS } from './recorded-tenants.ts'

const SEED = 1
const WINDOW_SECONDS = 600
const WINDOWS_PER_DAY = 144
const DAYS = 14
export const WINDOWS = DAYS * WINDOWS_PER_DAY
const HISTORY_WINDOWS = WINDOWS / 2

/** Calls a second, averaged over the two weeks, that a client makes at most. */
export const MOST_PER_SECOND = 20

/** One client's two weeks. */
export interface WindowedClient {
  /** `servegen/<pool>/<number>`. */
  readonly id: string
  /** Calls of each ten-minute window. */
  readonly calls: Uint32Array
  /** Of the gaps in each window; a shape of 0 where nobody called. */
  readonly shapes: Float64Array
  readonly isWeibull: Uint8Array
}

/** Clients of which two weeks are known: those with one day only have no history. */
export function readServegen(directory = sharedDataDirectory): readonly WindowedClient[] {
  const withTwoWeeks = clientsOf(readFileSync(join(directory, 'servegen_tenants.csv'), 'utf8'))
  fillWindows(withTwoWeeks, gunzipSync(readFileSync(join(directory, 'servegen_client_counts_10min.csv.gz'))).toString())
  return [...withTwoWeeks.values()].filter(({ calls }) => sumOf(calls) >= LEAST_CALLS)
}

/** Columns: tenant, category, pool, windows_total, … */
function clientsOf(csv: string): ReadonlyMap<string, WindowedClient> {
  const [, ...lines] = csv.trim().split('\n')
  const rows = lines.map(line => line.split(',')).filter(([, , , windows]) => Number(windows) === WINDOWS)
  return new Map(rows.map(([tenant = '']) => [tenant, emptyClient(`servegen/${tenant}`)]))
}

export const emptyClient = (id: string): WindowedClient => ({
  id,
  calls: new Uint32Array(WINDOWS),
  shapes: new Float64Array(WINDOWS),
  isWeibull: new Uint8Array(WINDOWS),
})

/** Columns: tenant, t_start_s, count, iat_cv, iat_dist, iat_p1 (shape), iat_p2 (scale). */
function fillWindows(clients: ReadonlyMap<string, WindowedClient>, csv: string): void {
  for (const line of csv.split('\n')) {
    const [tenant = '', start, count, , family, shape] = line.split(',')
    const client = clients.get(tenant)
    if (client === undefined) continue
    const window = Number(start) / WINDOW_SECONDS
    client.calls[window] = Number(count)
    client.shapes[window] = Number(shape)
    client.isWeibull[window] = family === 'Weibull' ? 1 : 0
  }
}

export interface ServegenOptions {
  readonly mostPerSecond?: number
  /** A copy begins so many days later in the two weeks, and goes on with their beginning after their end. */
  readonly copy?: { readonly number: number; readonly shiftDays: number }
}

export function servegenTenant(
  client: WindowedClient,
  { mostPerSecond = MOST_PER_SECOND, copy }: ServegenOptions = {},
): RealTenant {
  const id = copy === undefined ? client.id : `${client.id}/copy ${copy.number}`
  const perSecond = sumOf(client.calls) / (WINDOWS * WINDOW_SECONDS)
  const share = Math.min(1, mostPerSecond / perSecond)
  const shifted = (copy?.shiftDays ?? 0) * WINDOWS_PER_DAY
  const source = (window: number): number => (window + shifted) % WINDOWS
  return realTenant({
    id,
    set: 'servegen',
    original: client.id,
    judgedDays: 7,
    arrivals: drawnArrivals({
      id,
      calls: callsOfWindows(client, { id, share, source, isCopy: copy !== undefined }),
      gapsOf: window => gapShapeOf(client, source(window)),
    }),
  })
}

/** How far a copy's counts stray from its original's, as a factor, beside what chance alone makes of them. */
const COPY_SIGMA = 0.25

interface Drawing {
  readonly id: string
  readonly share: number
  readonly source: (window: number) => number
  readonly isCopy: boolean
}

function callsOfWindows(client: WindowedClient, { id, share, source, isCopy }: Drawing): Uint32Array {
  const random = createRandom(SEED, `windows/${id}`)
  return Uint32Array.from({ length: WINDOWS }, (_, window) => {
    const calls = client.calls[source(window)] * share
    if (calls === 0) return 0
    return isCopy
      ? random.poisson(calls * random.lognormal({ mean: 1, sigma: COPY_SIGMA }))
      : Math.floor(calls + random.uniform())
  })
}

const gapShapeOf = ({ shapes, isWeibull }: WindowedClient, window: number): GapShape => ({
  family: isWeibull[window] === 1 ? 'weibull' : 'gamma',
  shape: shapes[window],
})

interface WindowedCalls {
  readonly id: string
  readonly calls: Uint32Array
  readonly gapsOf: (window: number) => GapShape
}

/** Keeps the window that was asked for last: a cache, so that a bench may ask minute by minute. */
function drawnArrivals({ id, calls, gapsOf }: WindowedCalls): Arrivals {
  let kept: { readonly window: number; readonly counts: Uint32Array } | undefined
  const countsOfWindow = (window: number): Uint32Array => {
    if (kept?.window !== window) {
      const random = createRandom(SEED, `${id}/${window}`)
      const counts = drawSeconds(calls[window], gapsOf(window), WINDOW_SECONDS, random)
      kept = { window, counts }
    }
    return kept.counts
  }
  return {
    historyCalls: sumOf(calls.subarray(0, HISTORY_WINDOWS)),
    historyCounts() {
      const random = createRandom(SEED, `halves/${id}`)
      const halves = new Uint32Array(2 * HISTORY_WINDOWS)
      for (let window = 0; window < HISTORY_WINDOWS; window++) {
        if (calls[window] === 0) continue
        halves[2 * window] = drawFirstHalf(calls[window], gapsOf(window), random)
        halves[2 * window + 1] = calls[window] - halves[2 * window]
      }
      return halves
    },
    countsOf(fromSecond, seconds) {
      const counts = new Uint32Array(seconds)
      const to = fromSecond + seconds
      const first = Math.max(0, Math.floor(fromSecond / WINDOW_SECONDS))
      for (let window = first; window < WINDOWS && window * WINDOW_SECONDS < to; window++) {
        if (calls[window] === 0) continue
        const start = window * WINDOW_SECONDS
        const from = Math.max(0, fromSecond - start)
        counts.set(
          countsOfWindow(window).subarray(from, Math.min(WINDOW_SECONDS, to - start)),
          start + from - fromSecond,
        )
      }
      return counts
    },
  }
}
