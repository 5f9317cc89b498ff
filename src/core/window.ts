/**
 * What one key did in the last 10 s, 60 s and 5 min, and in the UTC minute and five-minute slot under way.
 *
 * Closed panes are added once and subtracted once (O(1) a pane); an early look adds the open panes on top, at most
 * the watermark's lag of them. Both fill the same `WindowSums`, so a detector cannot tell how it was made. Mutable on purpose.
 */
import { COUNTS, type KeyPanes, paneCount, paneLatencyCount, paneLatencySumMs, paneSecond } from './pane.ts'

export const WINDOW_SECONDS = [10, 60, 300] as const
const MINUTE_SECONDS = 60
const SLOT_SECONDS = 300

/** Five counts each, in pane.ts's order. */
export interface WindowSums {
  readonly last10s: Float64Array
  readonly last60s: Float64Array
  readonly last5min: Float64Array
  readonly minute: Float64Array
  readonly slot: Float64Array
}

export const createWindowSums = (): WindowSums => ({
  last10s: new Float64Array(COUNTS),
  last60s: new Float64Array(COUNTS),
  last5min: new Float64Array(COUNTS),
  minute: new Float64Array(COUNTS),
  slot: new Float64Array(COUNTS),
})

/** The closed side: sums that end where the last closed pane ended. */
export interface ClosedWindows {
  readonly sums: WindowSums
  /** For each of WINDOW_SECONDS the lasting number (pane.ts) of the oldest pane still inside it. */
  readonly tails: Float64Array
  /** Minute and slot (epoch s / 60, / 300) that `sums.minute` and `sums.slot` belong to. */
  minute: number
  slot: number
  /** Latency sum (ms) and count of the minute under way: what baselines learn. */
  minuteLatencySumMs: number
  minuteLatencyCount: number
}

export const createClosedWindows = (): ClosedWindows => ({
  sums: createWindowSums(),
  tails: new Float64Array(WINDOW_SECONDS.length),
  minute: -1,
  slot: -1,
  minuteLatencySumMs: 0,
  minuteLatencyCount: 0,
})

/** Adds the pane at `index`, the oldest open one, and moves every window's end to the end of its second. */
export function closePane(windows: ClosedWindows, panes: KeyPanes, index: number): void {
  const second = paneSecond(panes, index)
  startPeriods(windows, second)
  const { sums } = windows
  for (let count = 0; count < COUNTS; count++) {
    const amount = paneCount(panes, index, count)
    if (amount === 0) continue
    add(sums.last10s, count, amount)
    add(sums.last60s, count, amount)
    add(sums.last5min, count, amount)
    add(sums.minute, count, amount)
    add(sums.slot, count, amount)
  }
  windows.minuteLatencySumMs += paneLatencySumMs(panes, index)
  windows.minuteLatencyCount += paneLatencyCount(panes, index)
  expire(windows, panes, index + 1, second + 1)
}

/** Subtracts the closed panes that lie outside the windows that end at `endSecond`. `closedEnd`: one past the last closed pane. */
export function expire(windows: ClosedWindows, panes: KeyPanes, closedEnd: number, endSecond: number): void {
  expireOne(windows, 0, windows.sums.last10s, panes, closedEnd, endSecond)
  expireOne(windows, 1, windows.sums.last60s, panes, closedEnd, endSecond)
  expireOne(windows, 2, windows.sums.last5min, panes, closedEnd, endSecond)
}

function expireOne(
  windows: ClosedWindows,
  window: 0 | 1 | 2,
  sum: Float64Array,
  panes: KeyPanes,
  closedEnd: number,
  endSecond: number,
): void {
  const firstSecond = endSecond - WINDOW_SECONDS[window]
  let index = (windows.tails[window] as number) - panes.passed
  for (; index < closedEnd && paneSecond(panes, index) < firstSecond; index++) {
    for (let count = 0; count < COUNTS; count++) add(sum, count, -paneCount(panes, index, count))
  }
  windows.tails[window] = index + panes.passed
}

function startPeriods(windows: ClosedWindows, second: number): void {
  const minute = Math.floor(second / MINUTE_SECONDS)
  if (minute !== windows.minute) {
    windows.minute = minute
    windows.sums.minute.fill(0)
    windows.minuteLatencySumMs = 0
    windows.minuteLatencyCount = 0
  }
  const slot = Math.floor(second / SLOT_SECONDS)
  if (slot !== windows.slot) {
    windows.slot = slot
    windows.sums.slot.fill(0)
  }
}

/** Fills `into` with all that is counted up to `endSecond` (exclusive), open panes included. */
export function countAll(into: WindowSums, windows: ClosedWindows, panes: KeyPanes, endSecond: number): void {
  const lastSecond = endSecond - 1
  const minuteStart = Math.floor(lastSecond / MINUTE_SECONDS) * MINUTE_SECONDS
  const slotStart = Math.floor(lastSecond / SLOT_SECONDS) * SLOT_SECONDS
  into.last10s.fill(0)
  into.last60s.fill(0)
  into.minute.fill(0)
  if (slotStart === windows.slot * SLOT_SECONDS) into.slot.set(windows.sums.slot)
  else into.slot.fill(0)
  into.last5min.set(windows.sums.last5min)

  for (let index = panes.end - 1; index >= panes.first; index--) {
    const second = paneSecond(panes, index)
    if (second >= endSecond) continue
    const isOpen = index >= panes.firstOpen
    if (!isOpen && second < endSecond - 60) break
    for (let count = 0; count < COUNTS; count++) {
      const amount = paneCount(panes, index, count)
      if (amount === 0) continue
      if (second >= endSecond - 10) add(into.last10s, count, amount)
      if (second >= endSecond - 60) add(into.last60s, count, amount)
      if (second >= minuteStart) add(into.minute, count, amount)
      if (isOpen) {
        if (second >= endSecond - 300) add(into.last5min, count, amount)
        if (second >= slotStart) add(into.slot, count, amount)
      }
    }
  }
  // The closed five-minute sum ends at the last closed pane: take off what has passed out of it since.
  for (let index = (windows.tails[2] as number) - panes.passed; index < panes.firstOpen; index++) {
    if (paneSecond(panes, index) >= endSecond - 300) break
    for (let count = 0; count < COUNTS; count++) add(into.last5min, count, -paneCount(panes, index, count))
  }
}

function add(sum: Float64Array, count: number, amount: number): void {
  sum[count] = (sum[count] as number) + amount
}
