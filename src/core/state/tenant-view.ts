/**
 * Answers the detectors' question from one key's state, in two ways: the early look counts all that has come so far,
 * the final look counts closed panes only. One view object serves all looks (no garbage a look): detectors read it
 * during `evaluate` and keep nothing of it.
 */
import type { Counts, TenantView, WindowCounts } from '../../../detectors/contract.ts'
import { SECOND_MS } from '../vocabulary.ts'
import {
  type Accumulators,
  accumulateOpen,
  createAccumulators,
  lookTo,
  mostEarlyNats,
  mostNats,
  sequentialEvidence,
} from './accumulator.ts'
import {
  type CallPlaces,
  callsFromNewPlaces,
  hasFewRoutes,
  mostCalledRoute,
  routesIn,
  STRETCH_SECONDS,
  stretchOf,
} from './call-places.ts'
import { type KeyActivity, type KeyState, plannedTimes, type SlotKnowledge, usualFor } from './key-state.ts'
import type { KnownKeys } from './known-keys.ts'
import { placesKnown, routesUsual } from './known-places.ts'
import { steadySeconds } from './lull.ts'
import { errsLittle } from './minute-errors.ts'
import {
  CALLS,
  countSince,
  type KeyPanes,
  paneLatencySumMs,
  paneSecond,
  STATUS_2XX,
  STATUS_4XX,
  STATUS_5XX,
  STATUS_429,
} from './pane.ts'
import { createWindows, rollTo, type WindowSums } from './window.ts'

type Writable<T> = { -readonly [name in keyof T]: T[name] }

interface ReusedView {
  readonly view: Writable<TenantView>
  readonly last10s: Writable<WindowCounts>
  readonly last60s: Writable<WindowCounts>
  readonly last5min: Writable<WindowCounts>
  readonly minuteSoFar: Writable<Counts>
  readonly slotSoFar: Writable<Counts>
}

const noCounts = (): Writable<Counts> => ({ calls: 0, status2xx: 0, status4xx: 0, status429: 0, status5xx: 0 })

function createReusedView(): ReusedView {
  const last10s = { seconds: 10, ...noCounts() }
  const last60s = { seconds: 60, ...noCounts() }
  const last5min = { seconds: 300, ...noCounts() }
  const minuteSoFar = noCounts()
  const slotSoFar = noCounts()
  const plain = {
    slotMeanCalls: undefined,
    slotMinuteMean: undefined,
    slotMinuteStdDev: undefined,
    weekMinuteMean: undefined,
  }
  const view = {
    keyId: '',
    at: 0,
    look: 'early' as const,
    last10s,
    last60s,
    last5min,
    minuteSoFar,
    slotSoFar,
    usual: undefined,
    plain,
    unplanned: undefined,
    plannedTimes: 1,
    sequential: [],
    silentSeconds: undefined,
    steadySeconds: 0,
    pool: undefined,
    routes: undefined,
    places: undefined,
  }
  return { view, last10s, last60s, last5min, minuteSoFar, slotSoFar }
}

const reused = createReusedView()

/** What a view is of: a key, what is usual of it, and up to which second (exclusive); of how large a pool, if there is one. */
export interface Asked {
  readonly key: KeyState
  readonly activity: KeyActivity
  readonly known: SlotKnowledge
  readonly endSecond: number
  readonly concurrency: number | undefined
  /** The owner's: what is known of the key's routes and places. */
  readonly keys: KnownKeys
}

/**
 * The view at `endSecond` with open panes. Valid until the next view is made. Windows are made for a key that somebody
 * asks about, and rolled when somebody asks: most keys never are.
 */
export function earlyView(asked: Asked): TenantView {
  const { activity, known, endSecond } = asked
  activity.earlyWindows ??= createWindows()
  rollTo(activity.earlyWindows, activity.panes, endSecond)
  const { early, accumulators, panes } = activity
  const { model } = known
  if (model !== undefined) lookTo(early, closedFor(activity, known), model, panes, endSecond)
  const evidence = model === undefined ? accumulators : accumulateOpen(early, model, panes, endSecond)
  showPlaces(asked, 'early')
  return fill(asked, activity.earlyWindows.sums, 'early', evidence)
}

/** The view at the end of the last closed pane. Valid until the next view is made. */
export function finalView(asked: Asked): TenantView {
  const { activity, endSecond } = asked
  activity.windows ??= createWindows()
  rollTo(activity.windows, activity.panes, endSecond)
  showPlaces(asked, 'final')
  return fill(asked, activity.windows.sums, 'final', activity.accumulators)
}

/**
 * The closed evidence that open panes are put on top of. A planned event may have begun or ended since the last pane that
 * closed: then it is none, and so is what was called before that.
 */
function closedFor({ accumulators }: KeyActivity, { planned }: SlotKnowledge): Accumulators {
  if (planned === undefined || accumulators.from >= planned.plan.sinceSecond) return accumulators
  return { ...createAccumulators(), upTo: accumulators.upTo, from: planned.plan.sinceSecond }
}

/** Of a key with no more than this nobody who is asked has anything to say: `Rest` of all of them together. */
export interface Calm {
  readonly nats: number
  readonly failures: number
  readonly clientErrors: { readonly count: number; readonly share: number }
  readonly refused: number
  /** Executions at once. */
  readonly executions: number
  readonly routes: number
  /** Calm below either. `calls` and the part of the usual are of five minutes. */
  readonly oneRoute: { readonly evenness: number; readonly calls: number; readonly partOfUsual: number }
  readonly callsFromNew: number
}

/** Whether too little stirs to be asked about, in an early look at all before `endSecond`. Most looks end here. */
export function isCalmEarly(activity: KeyActivity, known: SlotKnowledge, endSecond: number, calm: Calm): boolean {
  const { nats, failures, refused, executions } = calm
  if (!staysPutEarly(activity, known, endSecond, calm)) return false
  const { early, panes } = activity
  const { model } = known
  if (model !== undefined) lookTo(early, closedFor(activity, known), model, panes, endSecond)
  const last = panes.end - 1
  if (!failsLittle(activity, last, endSecond, failures)) return false
  if (!isRefusedLittle(activity, last, endSecond, refused)) return false
  if (!runsLittle(activity, last, endSecond, executions)) return false
  if (model === undefined || mostEarlyNats(early, model, panes) <= nats) return true
  return mostNats(accumulateOpen(early, model, panes, endSecond)) <= nats
}

/** … and in a final look at the pane that was closed last. */
export function isCalmFinally(activity: KeyActivity, known: SlotKnowledge, endSecond: number, calm: Calm): boolean {
  const last = activity.panes.firstOpen - 1
  return (
    mostNats(activity.accumulators) <= calm.nats &&
    failsLittle(activity, last, endSecond, calm.failures) &&
    isRefusedLittle(activity, last, endSecond, calm.refused) &&
    runsLittle(activity, last, endSecond, calm.executions) &&
    errsLittle(activity.minuteErrors, activity.panes, endSecond, calm.clientErrors) &&
    staysPut(activity, known, endSecond, calm)
  )
}

/** Whether it calls what it always calls, from where it always does. Of closed seconds that is worked out once a stretch. */
function staysPut({ places }: KeyActivity, known: SlotKnowledge, endSecond: number, calm: Calm): boolean {
  if (places === undefined) return true
  if (endSecond >= places.askedAgainAt) askPlaces(places, endSecond, calm)
  return places.wasAtHome && (places.wasUneven || pollsLittle(places, known, 'final', endSecond, calm))
}

function askPlaces(places: CallPlaces, endSecond: number, calm: Calm): void {
  const { evenness } = calm.oneRoute
  places.askedAgainAt = (stretchOf(endSecond) + 1) * STRETCH_SECONDS
  places.wasAtHome = isAtHome(places, endSecond, calm)
  places.wasUneven =
    evenness === Number.POSITIVE_INFINITY || mostCalledRoute(places, endSecond, 'final').evenness <= evenness
}

const staysPutEarly = ({ places }: KeyActivity, known: SlotKnowledge, endSecond: number, calm: Calm): boolean =>
  places === undefined || (isAtHome(places, endSecond, calm) && pollsLittle(places, known, 'early', endSecond, calm))

const isAtHome = (places: CallPlaces, endSecond: number, { routes, callsFromNew }: Calm): boolean =>
  callsFromNewPlaces(places, endSecond) <= callsFromNew &&
  (routes === Number.POSITIVE_INFINITY || hasFewRoutes(places, endSecond, routes))

/** Whether no route is called so evenly, or not so often. By chance one is, of hundreds of keys somewhere in each minute. */
function pollsLittle(
  places: CallPlaces,
  known: SlotKnowledge,
  look: 'early' | 'final',
  endSecond: number,
  { oneRoute }: Calm,
): boolean {
  if (oneRoute.evenness === Number.POSITIVE_INFINITY) return true
  const { calls, evenness } = mostCalledRoute(places, endSecond, look)
  if (evenness <= oneRoute.evenness || calls <= oneRoute.calls) return true
  const usual = usualFor('stuck-poller', known)
  return usual !== undefined && calls <= oneRoute.partOfUsual * 5 * usual.callsPerMinute
}

/** `last`: the newest pane to look at. */
function failsLittle({ lastFailure, panes }: KeyActivity, last: number, endSecond: number, most: number): boolean {
  const fromSecond = endSecond - 10
  if (lastFailure < fromSecond) return true
  if (most <= 0) return false
  return countSince(panes, { count: STATUS_5XX, last, fromSecond, enough: most }) <= most
}

/** What is usual of them, and so a detector's answer, is what was learned by now. */
function showPlaces({ key: { number }, activity: { places }, endSecond, keys }: Asked, look: 'early' | 'final'): void {
  const { view } = reused
  view.routes = undefined
  view.places = undefined
  if (places?.hasRoutes) {
    const { calls, evenness } = mostCalledRoute(places, endSecond, look)
    view.routes = {
      last60s: routesIn(places, endSecond, 60),
      last5min: routesIn(places, endSecond, 300),
      mostCalled: { calls, evenness },
      usual: routesUsual(keys.places, number),
    }
  }
  const known = places?.hasSources ? placesKnown(keys.places, number, Math.floor(endSecond / 3_600)) : undefined
  if (places !== undefined && known !== undefined)
    view.places = { callsFromNew: callsFromNewPlaces(places, endSecond), ...known }
}

function isRefusedLittle({ lastRefusal, panes }: KeyActivity, last: number, endSecond: number, most: number): boolean {
  const fromSecond = endSecond - 60
  if (lastRefusal < fromSecond) return true
  return countSince(panes, { count: STATUS_429, last, fromSecond, enough: most }) <= most
}

/** Costs nothing where there is no pool. */
const runsLittle = ({ panes }: KeyActivity, last: number, endSecond: number, most: number): boolean =>
  most === Number.POSITIVE_INFINITY || executionsIn(panes, last, endSecond) <= most

/** At once over the last ten seconds, on average: Little's law. */
function executionsIn(panes: KeyPanes, last: number, endSecond: number): number {
  let ranMs = 0
  for (let index = last; index >= panes.first; index--) {
    const second = paneSecond(panes, index)
    if (second < endSecond - POOL_SECONDS) break
    if (second < endSecond) ranMs += paneLatencySumMs(panes, index)
  }
  return ranMs / (POOL_SECONDS * SECOND_MS)
}

const POOL_SECONDS = 10

function fill(
  { key, activity, known, endSecond, concurrency }: Asked,
  sums: WindowSums,
  look: 'early' | 'final',
  evidence: KeyActivity['accumulators'],
): TenantView {
  const { view } = reused
  view.keyId = key.keyId
  view.at = endSecond * SECOND_MS
  view.look = look
  view.usual = known.usual
  view.plain = known.plain
  view.plannedTimes = plannedTimes(known)
  const alone = known.planned ?? known.lent
  view.unplanned = alone && { usual: alone.usual, plain: alone.plain }
  view.sequential = sequentialEvidence(evidence, known.model, endSecond)
  const { panes } = activity
  const last = (look === 'early' ? panes.end : panes.firstOpen) - 1
  view.silentSeconds = silentSince(panes, last, endSecond)
  view.steadySeconds = steadySeconds(activity, endSecond)
  view.pool = concurrency === undefined ? undefined : { concurrency, executions: executionsIn(panes, last, endSecond) }
  copy(reused.last10s, sums.last10s)
  copy(reused.last60s, sums.last60s)
  copy(reused.last5min, sums.last5min)
  copy(reused.minuteSoFar, sums.minute)
  copy(reused.slotSoFar, sums.slot)
  return view
}

/** Undefined of a key that has been silent for longer than its panes are kept. */
function silentSince(panes: KeyPanes, last: number, endSecond: number): number | undefined {
  let newest = last
  while (newest >= panes.first && paneSecond(panes, newest) >= endSecond) newest--
  return newest < panes.first ? undefined : endSecond - 1 - paneSecond(panes, newest)
}

function copy(into: Writable<Counts>, from: Float64Array): void {
  into.calls = from[CALLS] as number
  into.status2xx = from[STATUS_2XX] as number
  into.status4xx = from[STATUS_4XX] as number
  into.status429 = from[STATUS_429] as number
  into.status5xx = from[STATUS_5XX] as number
}
