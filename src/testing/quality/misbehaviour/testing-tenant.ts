/**
 * A tenant that is not real, and a stage for it: it calls by chance at a rate that is known, on three routes from two
 * places, and hardly ever fails. So a test can say what must come of what is put into its traffic.
 */
import { BASELINE_DAYS, DAY_MS, HOUR_MS, SECOND_MS, SLOT_MS } from '../../../core/vocabulary.ts'
import { createRandom } from '../../../simulation/random.ts'
import {
  type BusyDay,
  type HistoryRow,
  judgedFrom,
  type MadeCall,
  type Misbehaviour,
  type RealTenant,
  type Scene,
} from '../contract.ts'

export interface TestingTenantOptions {
  readonly callsPerSecond?: number
  /** In place of a rate that is always the same. */
  readonly callsPerSecondAt?: (at: number) => number
  readonly judgedDays?: number
}

const SEED = 1

export function testingTenant({
  callsPerSecond = 1,
  callsPerSecondAt = () => callsPerSecond,
  judgedDays = 7,
}: TestingTenantOptions = {}): RealTenant {
  const countOf = (at: number): number => createRandom(SEED, `count ${at}`).poisson(callsPerSecondAt(at))
  const secondsOf = (from: number, seconds: number) =>
    Array.from({ length: seconds }, (_, index) => from + index * SECOND_MS)
  return {
    id: 'testing',
    set: 'servegen',
    isHeldOut: false,
    callsPerMinute: callsPerSecond * 60,
    judgedTo: judgedFrom + judgedDays * DAY_MS,
    history: () => weekOf(callsPerSecond),
    countsOf: (from, seconds) => Uint32Array.from(secondsOf(from, seconds), countOf),
    samplesOf: callsIn,
    callsOf: (from, seconds) => secondsOf(from, seconds).flatMap(at => callsIn(at, countOf(at))),
  }
}

function callsIn(second: number, count: number): readonly MadeCall[] {
  const random = createRandom(SEED, `calls ${second}`)
  return Array.from({ length: count }, () => ({
    at: second + random.integer(SECOND_MS),
    status: random.uniform() < 0.98 ? 200 : 404,
    latencyMs: 50 + random.integer(60),
    route: random.pick(['/v1/payments', '/v1/refunds', '/v1/balance']),
    source: random.pick(['198.51.100.1', '198.51.100.2']),
  })).sort((one, other) => one.at - other.at)
}

function weekOf(callsPerSecond: number): readonly HistoryRow[] {
  const calls = Math.round(callsPerSecond * 300)
  const status4xx = Math.round(calls * 0.02)
  return Array.from({ length: (BASELINE_DAYS * DAY_MS) / SLOT_MS }, (_, index) => ({
    start: judgedFrom - BASELINE_DAYS * DAY_MS + index * SLOT_MS,
    seconds: 300,
    calls,
    status2xx: calls - status4xx,
    status4xx,
    status429: 0,
    status5xx: 0,
    latencySumMs: calls * 80,
    latencyCount: calls,
  }))
}

/** Ten o'clock of the second judged day, unless said otherwise. `seed` tells one play from another. */
export const sceneOf = ({
  seed = 7,
  from = judgedFrom + DAY_MS + 10 * HOUR_MS,
  ...tenant
}: TestingTenantOptions & { seed?: number; from?: number } = {}): Scene => ({
  tenant: testingTenant(tenant),
  from,
  usualPerSecond: Math.max(tenant.callsPerSecond ?? 1, 1 / 600),
  random: createRandom(seed, 'play'),
})

export interface Played {
  /** Second by second: what the tenant calls of its own accord, and what it calls in the play. */
  readonly own: readonly (readonly MadeCall[])[]
  readonly made: readonly (readonly MadeCall[])[]
  /** All of the play. */
  readonly calls: readonly MadeCall[]
  /** Those that are not its own; of a play that changes its own calls these are among them. */
  readonly added: readonly MadeCall[]
  readonly onsetAt: number | undefined
  /** Demand between two seconds of the play, as a multiple of usual. */
  timesUsual(from: number, to: number): number
}

export function played(
  { seconds: lasts, start }: Pick<Misbehaviour | BusyDay, 'seconds' | 'start'>,
  scene: Scene,
  seconds = lasts,
): Played {
  const play = start(scene)
  const own = Array.from({ length: seconds }, (_, index) => scene.tenant.callsOf(scene.from + index * SECOND_MS, 1))
  const made = own.map((calls, index) => play.second(index, calls))
  const isOwn = new Set(own.flat())
  const calls = made.flat()
  return {
    own,
    made,
    calls,
    added: calls.filter(call => !isOwn.has(call)),
    onsetAt: play.onsetAt(),
    timesUsual(from, to) {
      const count = made.slice(from, to).reduce((sum, { length }) => sum + length, 0)
      return count / (to - from) / scene.usualPerSecond
    },
  }
}

export const shareOf = (calls: readonly MadeCall[], is: (call: MadeCall) => boolean): number =>
  calls.filter(is).length / calls.length

/** Everything of a play in one comparable piece: two plays are the same when their scores are. */
export const scoreOf = ({ calls, onsetAt }: Played): string =>
  [onsetAt, ...calls.map(({ at, status, latencyMs, route, source }) => [at, status, latencyMs, route, source])].join()

/** Where calls are not oldest first, or not in the second for which they were asked. */
export const misplaced = ({ made }: Played, { from }: Scene): readonly MadeCall[] =>
  made.flatMap((calls, index) =>
    calls.filter(
      ({ at }, place) =>
        at < from + index * SECOND_MS || at >= from + (index + 1) * SECOND_MS || at < (calls[place - 1]?.at ?? 0),
    ),
  )
