/**
 * Answers the detectors' question from one key's state, in two ways: the early look counts all that has come so far,
 * the final look counts closed panes only. One view object serves all looks (no garbage a look): detectors read it
 * during `evaluate` and keep nothing of it.
 */
import type { Counts, TenantView, WindowCounts } from '../../../detectors/contract.ts'
import { SECOND_MS } from '../vocabulary.ts'
import { accumulateOpen, isWithoutEvidence, sequentialEvidence } from './accumulator.ts'
import type { KeyActivity, KeyState, SlotKnowledge } from './key-state.ts'
import { CALLS, STATUS_2XX, STATUS_4XX, STATUS_5XX, STATUS_429 } from './pane.ts'
import { rollTo, type WindowSums } from './window.ts'

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
  }
  return { view, last10s, last60s, last5min, minuteSoFar, slotSoFar }
}

const reused = createReusedView()

/** The view at `endSecond` (exclusive) with open panes. Valid until the next view is made. */
export function earlyView(key: KeyState, activity: KeyActivity, known: SlotKnowledge, endSecond: number): TenantView {
  rollTo(activity.earlyWindows, activity.panes, endSecond)
  const { model } = known
  const evidence = model
    ? accumulateOpen(activity.early, activity.accumulators, model, activity.panes, endSecond)
    : activity.accumulators
  return fill(key, known, activity.earlyWindows.sums, 'early', endSecond, evidence)
}

/**
 * Whether nothing stirs: no evidence of a change and no failure in the last ten seconds. Most looks end here: what rests
 * when it is calm need not be asked.
 */
export function isCalm(
  activity: KeyActivity,
  known: SlotKnowledge,
  endSecond: number,
  look: 'early' | 'final',
): boolean {
  const { early, accumulators, lastFailure, panes } = activity
  if (lastFailure >= endSecond - 10) return false
  if (look === 'final') return isWithoutEvidence(accumulators)
  return (
    known.model === undefined || isWithoutEvidence(accumulateOpen(early, accumulators, known.model, panes, endSecond))
  )
}

/** The view at the end of the last closed pane. Valid until the next view is made. */
export function finalView(key: KeyState, activity: KeyActivity, known: SlotKnowledge, endSecond: number): TenantView {
  return fill(key, known, activity.windows.sums, 'final', endSecond, activity.accumulators)
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
