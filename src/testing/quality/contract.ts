/**
 * What `npm run bench:quality` is made of: real tenants, misbehaviour put into their traffic, and busy days that are none.
 *
 *     traffic/ ── real tenants ──┐
 *     misbehaviour/ ── injected ─┼→ quality-run: the engine, one case after another → what was told → figures/
 *     busy/ ── innocent ─────────┘
 *     series/ ── labelled series as panes ─────→ the same engine ─────────────────→ scores
 *
 * Times are on one calendar: each tenant's first seven days of data are the week before `judgedFrom`, what follows is judged.
 */
import type { Kind } from '../../../detectors/contract.ts'
import type { Random } from '../../simulation/random.ts'

/** A Monday, 00:00 UTC: where judging begins. History is the seven days before it. */
export const judgedFrom = Date.UTC(2026, 9, 12)

/** One call as the gateway would log it. */
export interface MadeCall {
  /** Epoch ms. */
  readonly at: number
  readonly status: number
  readonly latencyMs: number
  readonly route: string
  readonly source: string
}

/** A stretch of history: what `weir learn` would be given of it. */
export interface HistoryRow {
  /** Epoch ms, whole five minutes. */
  readonly start: number
  readonly seconds: 300
  readonly calls: number
  readonly status2xx: number
  readonly status4xx: number
  readonly status429: number
  readonly status5xx: number
  readonly latencySumMs: number
  readonly latencyCount: number
}

export type TrafficSet = 'servegen' | 'lcg' | 'erddap'

/** A real client: when it called is real (or drawn from its real counts, as its set says); how it was answered is our model. */
export interface RealTenant {
  readonly id: string
  readonly set: TrafficSet
  /** Chosen by a hash of the id before anything was tuned: never looked at while tuning. */
  readonly isHeldOut: boolean
  /** Of the week of history. */
  readonly callsPerMinute: number
  /** Epoch ms; judged data reaches from `judgedFrom` to here. */
  readonly judgedTo: number
  history(): readonly HistoryRow[]
  /** Calls in each second of a judged stretch; the same for the same stretch, whatever was asked before. */
  countsOf(from: number, seconds: number): Uint32Array
  /** The same stretch call by call, oldest first, as many in each second. */
  callsOf(from: number, seconds: number): readonly MadeCall[]
  /** So many calls in any second (epoch ms), as it makes them: of a week that is only counted, where they went and came from. */
  samplesOf(second: number, calls: number): readonly MadeCall[]
}

/** What an injector is given. */
export interface Scene {
  readonly tenant: RealTenant
  /** Epoch ms, a whole second: from here on it may misbehave. */
  readonly from: number
  /** Epoch ms: the rows of history that an injector is given reach to here; to `judgedFrom` unless said. */
  readonly historyTo?: number
  /** What this tenant usually makes in a second at this time of day, at least one in ten minutes. */
  readonly usualPerSecond: number
  readonly random: Random
}

/** One tenant's misbehaviour, from start to end. */
export interface Play {
  /**
   * All that the tenant calls in this second (counted from `from`), its own calls included or not, oldest first. Asked
   * for each second once and in order.
   */
  second(index: number, own: readonly MadeCall[]): readonly MadeCall[]
  /** Epoch ms: the first injected call of a step; of a closed loop the first second at half the stated multiple. Undefined until then. */
  onsetAt(): number | undefined
}

export interface Misbehaviour {
  /** Unique; with the multiple where there is one: `retry-storm-500x`. */
  readonly name: string
  readonly sentence: string
  /** What it should be called. `undefined`: no detector of ours has a name for it yet. */
  readonly kind: Kind | undefined
  /** How long after it is told first it may still be given that name; a minute unless said. */
  readonly namedWithinSeconds?: number
  /** Peak, as a multiple of usual; undefined where the rate is not the point. */
  readonly multiple: number | undefined
  /** Whether to throttle it is right. */
  readonly harms: boolean
  /** Set where it harms by nothing but its size: then a throttle is right if it makes more calls than all other tenants together. */
  readonly harmsOnlyByDrowning?: true
  /** How long it goes on. */
  readonly seconds: number
  /** Whether it makes sense for such a tenant (a silence needs somebody who speaks). */
  suits(tenant: RealTenant): boolean
  start(scene: Scene): Play
}

/** A day that looks unusual and is no misbehaviour. It may change every tenant of the fleet. */
export interface BusyDay {
  readonly name: string
  readonly sentence: string
  readonly seconds: number
  /** One client's own affair, or the API's: the latter is a platform incident, told once and throttled never. */
  readonly scope: 'tenant' | 'platform'
  /** What it does to the history: an event that recurs has been there on earlier days. */
  before?(rows: readonly HistoryRow[], scene: Scene): readonly HistoryRow[]
  start(scene: Scene): Play
}

/** A labelled series of measured values, to be judged as if it were one tenant's calls. */
export interface LabelledSeries {
  readonly name: string
  readonly set: 'nab' | 'microsoft'
  /** Epoch ms of each value; whole seconds, rising. */
  readonly times: Float64Array
  readonly values: Float64Array
  readonly stepSeconds: number
  /** Ranges of rows, both ends inclusive. */
  readonly anomalies: readonly { readonly from: number; readonly to: number }[]
  /** Rows at the beginning that are not scored. */
  readonly probationRows: number
}
