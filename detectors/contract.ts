/**
 * The question a detector asks, and the answer it gives.
 *
 * Detectors own this file: the core answers the question (`TenantView`), detectors judge it, and nothing here
 * imports anything outside this folder. A detector is a stateless function of one view: all memory is in the core's
 * windows, baselines and accumulators, so a detector is added, tuned or replayed without migrating a byte.
 */

/** What was counted of one key over one stretch of event time. Counts are whole calls. */
export interface Counts {
  /** Every call the tenant made, refused ones too: the demand. */
  readonly calls: number
  readonly status2xx: number
  /** 4xx but 429. */
  readonly status4xx: number
  /** 429: refused by a limit. An account-wide limit gives every victim 429s, so they are never a failure of the tenant's. */
  readonly status429: number
  readonly status5xx: number
}

/** A stretch of event time with what was counted in it. A trailing window ends at the view's `at`. */
export interface WindowCounts extends Counts {
  /** Length in whole seconds. */
  readonly seconds: number
}

/** What this key usually does at this time of day, from what was learned of the last seven days. Rates are a minute. */
export interface Usual {
  /** Robust middle of the slot's minutes, calls a minute. */
  readonly callsPerMinute: number
  /** The band: the 5th and 95th percentile of what a minute of this slot brings, calls a minute. */
  readonly lowerPerMinute: number
  readonly upperPerMinute: number
  /** The upper end for whole five-minute slots: minutes stray farther. Calls a minute. */
  readonly slotUpperPerMinute: number
  /** … and the lower one. */
  readonly slotLowerPerMinute: number
  /** Overdispersion: variance of a minute = mean + dispersion × mean². 0 is Poisson. */
  readonly dispersion: number
  /** Shares of calls, 0..1: answered 4xx but 429, refused (429), and failed (5xx). The older a call, the less it weighs. */
  readonly clientErrorShare: number
  readonly refusedShare: number
  readonly failureShare: number
  /** Calls that these are shares of, the older the less they count. */
  readonly answered: number
  /** Mean latency, ms; undefined where the log has none. */
  readonly latencyMs: number | undefined
  /** How many of the last seven days have this slot; 0 when it was taken from this day's last hour alone. */
  readonly days: number
  /** How far the key goes by itself, in windows of 10 s, 60 s and 5 min: shortest first. */
  readonly reaches: readonly OwnReach[]
  /** Its longest pause of the last weeks at a time when it usually calls, seconds, fading by 3 % a day; undefined until two days were seen second by second. */
  readonly longestPause: number | undefined
  /** Of a key that is known for less than a day: whom it is compared with beside itself. */
  readonly peers?: Peers
}

/** Keys of a plan, or all of them. */
export interface Peers {
  readonly keys: number
  /** Undefined: of any. */
  readonly plan: string | undefined
}

/** How far a key goes by itself in windows of one length: how often its own traffic leaves the band, and by how much. */
export interface OwnReach {
  readonly seconds: 10 | 60 | 300
  /** Upper end of what such a window usually brings at this time of day, calls; 20 at least. */
  readonly upperCalls: number
  /** By itself it goes beyond r × `upperCalls` about perWeek · r^-tail times a week. */
  readonly perWeek: number
  readonly tail: number
  /** A tail that little knowledge cannot exclude: what wakes people goes by this. */
  readonly cautiousTail: number
  /** Calls of its busiest such window in the last weeks, fading by 3 % a day; undefined until two days were seen second by second. */
  readonly busiestCalls: number | undefined
}

/** The three plain statistics that the original design's rules compare with. Each undefined under one observed day. */
export interface PlainBaseline {
  /** Mean calls of this five-minute slot over the observed days of the last 7. */
  readonly slotMeanCalls: number | undefined
  /** Mean and population standard deviation of the calls in this slot's minutes, over the observed days of the last 7. */
  readonly slotMinuteMean: number | undefined
  readonly slotMinuteStdDev: number | undefined
  /** Mean calls a minute over all observed time of the last 7 days. */
  readonly weekMinuteMean: number | undefined
}

/**
 * Sequential evidence: for each multiple in the bank, the CUSUM of the log-likelihood ratio between "this key calls
 * `multiple` times as often as usual" and "as usual", in nats. 0 when there is nothing to say, or nothing usual is known.
 */
export interface SequentialEvidence {
  readonly multiple: number
  readonly nats: number
  /** Start of the pane since which the evidence has grown, epoch ms: the best guess of when it began. */
  readonly since: number
  /** Calls counted since then, and calls that would have been usual. */
  readonly calls: number
  readonly usualCalls: number
}

/**
 * Which routes (paths, without their queries) this key calls. Counted in whole stretches of ten seconds, the last of which has
 * ended at `at` or up to ten seconds before.
 */
export interface RoutesSeen {
  /** Distinct ones; off by some percent, and of more than 3,000 only that there are that many. */
  readonly last60s: number
  readonly last5min: number
  /** The one that was called most in the last five minutes, with a few others that share its count. */
  readonly mostCalled: {
    readonly calls: number
    /** How many times less its calls in ten seconds differ than chance would have it: 1 is chance, 8 a machine's interval. */
    readonly evenness: number
  }
  /** Undefined until ten minutes with calls are known. */
  readonly usual: RoutesUsual | undefined
}

export interface RoutesUsual {
  /** Distinct routes of a minute with calls: the middle, and what minutes hardly exceed. */
  readonly perMinute: number
  readonly upperPerMinute: number
  /** The same upper end for calls in five minutes of one route that is called as evenly as clockwork. */
  readonly upperEvenCalls: number
}

/** From which networks this key is used. A new place is one where it was first seen within the last 24 h. */
export interface PlacesSeen {
  /** Calls from new places in the last five minutes, in whole stretches of ten seconds. */
  readonly callsFromNew: number
  readonly newToday: number
  /** New places a day in the week before that. */
  readonly newPerDay: number
  readonly known: number
}

/** What this key takes of the pool of concurrent executions that serves all clients (a Lambda function's, a worker pool's). */
export interface PoolUse {
  /** As configured: so many can run at once. */
  readonly concurrency: number
  /**
   * Executions of this key that ran at once, over the last ten seconds: Little's law, rate × mean latency. What was refused
   * (429) never ran. A call whose latency the log lacks counts nothing.
   */
  readonly executions: number
}

/** All that is known of one key at one moment of event time. */
export interface TenantView {
  readonly keyId: string
  /** Windows end here (exclusive), epoch ms, a whole second. */
  readonly at: number
  /** An early look counts what has come so far, open panes included; a final look counts closed panes only. */
  readonly look: 'early' | 'final'
  readonly last10s: WindowCounts
  readonly last60s: WindowCounts
  readonly last5min: WindowCounts
  /** Aligned periods that hold the second before `at`, up to `at`: the UTC minute and the five-minute slot. */
  readonly minuteSoFar: Counts
  readonly slotSoFar: Counts
  /**
   * While an event is planned, detectors whose kind is `surge` are shown this and `plain` lifted to the plan: what was
   * expected surprises nobody. All others are shown what is usual without it: harm is judged as ever.
   */
  readonly usual: Usual | undefined
  readonly plain: PlainBaseline
  /** The core's, to show either; undefined where nothing is planned. */
  readonly unplanned?: { readonly usual: Usual | undefined; readonly plain: PlainBaseline } | undefined
  /** How many times the upper end of the usual is planned now; left out, 1: nothing is. So many more calls bring so many more failures. */
  readonly plannedTimes?: number
  readonly sequential: readonly SequentialEvidence[]
  /** Undefined where no call of the last minutes has a route. */
  readonly routes: RoutesSeen | undefined
  /** Undefined where no call has a source, while the first three days teach which places are its own, and for one without a home. */
  readonly places: PlacesSeen | undefined
  /**
   * How long it has not called, whole seconds up to `at`; 0 in a look at a second with calls. A key that falls silent is looked
   * at after each whole minute in which others called, up to five, or for as long as its longest pause makes it worth while; never across a gap in delivery. Undefined of one that has been silent for longer than that.
   */
  readonly silentSeconds: number | undefined
  /** For how long the key has called without a pause of a minute, as of the newest closed pane. */
  readonly steadySeconds: number
  /** Undefined where no pool is configured. */
  readonly pool: PoolUse | undefined
}

/** What misbehaviour a finding speaks of. */
export type Kind =
  | 'surge'
  | 'fall'
  | 'retry-storm'
  | 'error-loop'
  | 'limit-pressure'
  | 'pool-share'
  | 'silence'
  | 'enumeration'
  | 'new-place'
  | 'stuck-poller'

/** One measured thing beside what is usual: the alert, explain and the page all print these. */
export interface Evidence {
  /** Name with its unit, e.g. `calls/min`, `5xx in 10 s`. */
  readonly measure: string
  readonly observed: number
  readonly usual: number | undefined
}

/** One comparison that a score is made of: what was counted, and the limit that it would have to exceed. */
export interface Comparison {
  /** With its unit, so that "more than 20 …" reads on: `5xx in 10 s`. */
  readonly measure: string
  readonly observed: number
  readonly limit: number
  /** How the limit is made, in names of thresholds and of `parts`: `max(excessFloor, timesUpper × upperPerMinute)`. */
  readonly formula: string
  /** What the formula takes from the view. */
  readonly parts: Readonly<Record<string, number>>
}

export interface Finding {
  readonly kind: Kind
  /** 1 is the threshold, exceeded only above it; below it is an answer too (tune and explain need to see how near it was). Finite, never below 0. */
  readonly score: number
  /** The arithmetic of the score, which is what the least of these has (`leastOf`): all must be exceeded. At least one. */
  readonly comparisons: readonly Comparison[]
  readonly evidence: readonly Evidence[]
  /** When it began, as far as the detector can tell, epoch ms. */
  readonly since: number
  /**
   * How often a week this key would go so far by itself, by its own past (`OwnReach`): what the alert budget compares.
   * Left out by detectors that speak of harm, whatever is usual.
   */
  readonly timesAWeek?: number | undefined
}

/** One tunable number: declared once, from which configuration, help and the catalogue are made. */
export interface Threshold {
  readonly default: number
  readonly min: number
  readonly max: number
  /** `×`, `calls`, `σ`, `nats`, `share` … */
  readonly unit: string
  readonly sentence: string
  /**
   * Which way it is turned so that less is told: higher, unless said. Tuning turns all of them so together, but those of
   * which neither way is the stricter one. The conformance suite tests the claim.
   */
  readonly stricter?: 'lower' | 'neither'
}

export type Thresholds = Readonly<Record<string, Threshold>>
export type Values<T extends Thresholds> = { readonly [name in keyof T]: number }

/** Up to where a detector has nothing to say. What is left out is of no matter to it. */
export interface Rest {
  /** Sequential evidence. */
  readonly nats?: number
  /** 5xx in the last ten seconds. */
  readonly failures?: number
  /** Distinct routes in the last 60 s. */
  readonly routes?: number
  /** Of the route that is called most: evenness, or calls in five minutes, at most so many or this part of all usual ones. In final looks alone. */
  readonly oneRoute?: { readonly evenness: number; readonly calls: number; readonly partOfUsual: number }
  /** In the last five minutes. */
  readonly callsFromNew?: number
  /** 4xx in the last sixty seconds, and in the last five minutes: at most so many, or at most this share of the calls. In final looks alone. */
  readonly clientErrors?: { readonly count: number; readonly share: number }
  /** 429s in the last sixty seconds. */
  readonly refused?: number
  /** Of the pool, 0..1. */
  readonly poolShare?: number
}

/** What a line of a log need not have. */
export type LogField = 'route' | 'source' | 'status' | 'latency'

export interface Detector<T extends Thresholds = Thresholds> {
  /** File name without its ending; the name in configuration, messages and metrics. */
  readonly name: string
  /** What it speaks of; a finding that lacks what makes it that is a surge. */
  readonly kind: Kind
  /** One sentence for the catalogue: what it sees. */
  readonly sees: string
  /**
   * Whether its score can only rise when missing calls arrive: then it may judge early looks, on panes still open.
   * The conformance suite tests the claim.
   */
  readonly early: boolean
  /**
   * Whether its score is 0 (or it is silent) while nothing stirs: no sequential evidence, no 5xx and nothing in the pool in
   * the last ten seconds, no 4xx or 429 in the last sixty, no route that is new or called evenly, no call from a new place; and it has just called. Then it need not be asked of a calm key, which most are. The
   * conformance suite tests the claim.
   */
  readonly restsWhenCalm: boolean
  /**
   * How much it takes before its score can exceed `score`: it does not while no part of `Rest` is exceeded. Where it rests
   * when calm and does not say, nothing may stir at all. The conformance suite tests the claim.
   */
  restsBelow?(values: Values<T>, score: number): Rest
  /** The field without which it is blind. Routes and sources are read from a log only where a detector that needs them is asked. */
  readonly needs?: LogField
  /**
   * Of a detector of what is missing, which no evidence tells: up to `score` it has nothing to say while the last five
   * minutes have more than this share of the usual calls. It is asked in the first final look of each five-minute slot, and
   * in all from then on as long as a score is of interest. The conformance suite tests the claim.
   */
  restsAbove?(values: Values<T>, score: number): number
  /** Whether a finding of its own opens an incident, unless the user says otherwise; if not, it only corroborates. */
  readonly opens: boolean
  readonly thresholds: T
  /** Why it has nothing to say where it answers undefined: "silent: …". Left out where it always answers. */
  readonly silence?: string
  /** undefined: it has nothing to say of this view (no history, or a field the log lacks). */
  evaluate(view: TenantView, values: Values<T>): Finding | undefined
}

/** Keeps the thresholds' names in the detector's type, so that `evaluate` knows its own values. */
export const defineDetector = <const T extends Thresholds>(detector: Detector<T>): Detector<T> => detector
