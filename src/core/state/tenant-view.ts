/**
 * Answers the detectors' question from one key's state, in two ways: the early look counts all that has come so far,
 * the final look counts closed panes only. One view object serves all looks (no garbage a look): detectors read it
 * during `evaluate` and keep nothing of it.
 */
import type { Counts, TenantView, WindowCounts } from '../../../detectors/contract.ts'
import { SECOND_MS } from '../vocabulary.ts'
import { accumulateOpen, lookTo, mostEarlyNats, mostNats, sequentialEvidence } from './accumulator.ts'
import type { KeyActivity, KeyState, SlotKnowledge } from './key-state.ts'
import { steadySeconds } from './lull.ts'
import { CALLS, countSince, STATUS_2XX, STATUS_4XX, STATUS_5XX, STATUS_429 } from './pane.ts'
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
    sequential: [],
    steadySeconds: 0,
  }
  return { view, last10s, last60s, last5min, minuteSoFar, slotSoFar }
}

const reused = createReusedView()

/**
 * The view at `endSecond` (exclusive) with open panes. Valid until the next view is made. Windows are made for a key that
 * somebody asks about, and rolled when somebody asks: most keys never are.
 */
export function earlyView(key: KeyState, activity: KeyActivity, known: SlotKnowledge, endSecond: number): TenantView {
  activity.earlyWindows ??= createWindows()
  rollTo(activity.earlyWindows, activity.panes, endSecond)
  const { early, accumulators, panes } = activity
  const { model } = known
  if (model !== undefined) lookTo(early, accumulators, model, panes, endSecond)
  reused.view.steadySeconds = steadySeconds(activity, endSecond)
  const evidence = model === undefined ? accumulators : accumulateOpen(early, model, panes, endSecond)
  return fill(key, known, activity.earlyWindows.sums, 'early', endSecond, evidence)
}

/** The view at the end of the last closed pane. Valid until the next view is made. */
export function finalView(key: KeyState, activity: KeyActivity, known: SlotKnowledge, endSecond: number): TenantView {
  activity.windows ??= createWindows()
  rollTo(activity.windows, activity.panes, endSecond)
  reused.view.steadySeconds = steadySeconds(activity, endSecond)
  return fill(key, known, activity.windows.sums, 'final', endSecond, activity.accumulators)
}

/** Of a key with no more than this nobody who is asked has anything to say. Failures: 5xx in ten seconds. */
export interface Calm {
  readonly nats: number
  readonly failures: number
}

/** Whether too little stirs to be asked about, in an early look at all before `endSecond`. Most looks end here. */
export function isCalmEarly(
  activity: KeyActivity,
  { model }: SlotKnowledge,
  endSecond: number,
  { nats, failures }: Calm,
): boolean {
  const { early, accumulators, panes } = activity
  if (model !== undefined) lookTo(early, accumulators, model, panes, endSecond)
  if (!failsLittle(activity, panes.end - 1, endSecond, failures)) return false
  if (model === undefined || mostEarlyNats(early, model, panes) <= nats) return true
  return mostNats(accumulateOpen(early, model, panes, endSecond)) <= nats
}

/** … and in a final look at the pane that was closed last. */
export const isCalmFinally = (activity: KeyActivity, endSecond: number, { nats, failures }: Calm): boolean =>
  mostNats(activity.accumulators) <= nats && failsLittle(activity, activity.panes.firstOpen - 1, endSecond, failures)

/** `last`: the newest pane to look at. */
function failsLittle({ lastFailure, panes }: KeyActivity, last: number, endSecond: number, most: number): boolean {
  const fromSecond = endSecond - 10
  if (lastFailure < fromSecond) return true
  if (most <= 0) return false
  return countSince(panes, { count: STATUS_5XX, last, fromSecond, enough: most }) <= most
}

function fill(
  key: KeyState,
  known: SlotKnowledge,
  sums: WindowSums,
  look: 'early' | 'final',
  endSecond: number,
  evidence: KeyActivity['accumulators'],
): TenantView {
  const { view } = reused
  view.keyId = key.keyId
  view.at = endSecond * SECOND_MS
  view.look = look
  view.usual = known.usual
  view.plain = known.plain
  view.sequential = sequentialEvidence(evidence, known.model, endSecond)
  copy(reused.last10s, sums.last10s)
  copy(reused.last60s, sums.last60s)
  copy(reused.last5min, sums.last5min)
  copy(reused.minuteSoFar, sums.minute)
  copy(reused.slotSoFar, sums.slot)
  return view
}

function copy(into: Writable<Counts>, from: Float64Array): void {
  into.calls = from[CALLS] as number
  into.status2xx = from[STATUS_2XX] as number
  into.status4xx = from[STATUS_4XX] as number
  into.status429 = from[STATUS_429] as number
  into.status5xx = from[STATUS_5XX] as number
}
