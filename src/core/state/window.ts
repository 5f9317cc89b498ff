/**
 * What one key did in the last 10 s, 60 s and 5 min, and in the UTC minute and five-minute slot under way.
 *
 * The same rolling windows twice a key: the closed ones end with the last closed pane, the early ones with the last early
 * look that asked and take in open panes. A pane is added once and subtracted once, O(1) a pane; a call that comes into a
 * pane that early windows already hold is added to them directly. Rolled only when somebody asks: windows that fell so far
 * behind that panes they hold are gone begin anew from the panes that are there, of which five minutes are kept.
 * Mutable on purpose.
 */
import { CALLS, COUNTS, type KeyPanes, paneCount, paneSecond, statusCount } from './pane.ts'

const WINDOW_SECONDS = [10, 60, 300] as const
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

export interface RollingWindows {
  readonly sums: WindowSums
  /** Second (exclusive) at which the windows end. */
  end: number
  /** Index of the first pane not yet added, and for each of WINDOW_SECONDS of the oldest still inside. */
  head: number
  readonly tails: Float64Array
  /** Minute and slot (epoch s / 60, / 300) that `sums.minute` and `sums.slot` belong to. */
  minute: number
  slot: number
}

export const createWindows = (): RollingWindows => ({
  sums: {
    last10s: new Float64Array(COUNTS),
    last60s: new Float64Array(COUNTS),
    last5min: new Float64Array(COUNTS),
    minute: new Float64Array(COUNTS),
    slot: new Float64Array(COUNTS),
  },
  end: 0,
  head: 0,
  tails: new Float64Array(WINDOW_SECONDS.length),
  minute: -1,
  slot: -1,
})

/** Moves the windows' end to `endSecond` (exclusive): takes in the panes before it, and lets go of those too old. */
export function rollTo(windows: RollingWindows, panes: KeyPanes, endSecond: number): void {
  const { sums, tails } = windows
  if ((tails[2] as number) < panes.first) startOver(windows, panes)
  let index = windows.head
  for (; index < panes.end; index++) {
    const second = paneSecond(panes, index)
    if (second >= endSecond) break
    startPeriods(windows, second)
    takeIn(sums, panes, index)
  }
  windows.head = index
  startPeriods(windows, endSecond - 1)
  windows.end = endSecond
  tails[0] = expire(sums.last10s, tails[0] as number, panes, index, endSecond - WINDOW_SECONDS[0])
  tails[1] = expire(sums.last60s, tails[1] as number, panes, index, endSecond - WINDOW_SECONDS[1])
  tails[2] = expire(sums.last5min, tails[2] as number, panes, index, endSecond - WINDOW_SECONDS[2])
}

/** Adds a pane's five counts: most are zero. */
function takeIn({ last10s, last60s, last5min, minute, slot }: WindowSums, panes: KeyPanes, index: number): void {
  for (let count = 0; count < COUNTS; count++) {
    const amount = paneCount(panes, index, count)
    if (amount === 0) continue
    last10s[count] = (last10s[count] as number) + amount
    last60s[count] = (last60s[count] as number) + amount
    last5min[count] = (last5min[count] as number) + amount
    minute[count] = (minute[count] as number) + amount
    slot[count] = (slot[count] as number) + amount
  }
}

/** Subtracts panes before `firstSecond`; returns the new tail. */
function expire(sum: Float64Array, tail: number, panes: KeyPanes, head: number, firstSecond: number): number {
  let index = tail
  for (; index < head && paneSecond(panes, index) < firstSecond; index++) {
    for (let count = 0; count < COUNTS; count++) {
      const amount = paneCount(panes, index, count)
      if (amount > 0) sum[count] = (sum[count] as number) - amount
    }
  }
  return index
}

/** Panes that the widest window holds are gone (nobody looked for minutes): begin with those that are there. */
function startOver(windows: RollingWindows, panes: KeyPanes): void {
  for (const sum of Object.values(windows.sums)) sum.fill(0)
  windows.head = panes.first
  windows.tails.fill(windows.head)
}

function startPeriods(windows: RollingWindows, second: number): void {
  const minute = Math.floor(second / MINUTE_SECONDS)
  if (minute === windows.minute) return
  windows.minute = minute
  windows.sums.minute.fill(0)
  const slot = Math.floor(second / SLOT_SECONDS)
  if (slot === windows.slot) return
  windows.slot = slot
  windows.sums.slot.fill(0)
}

/** A pane was put in at this index, in the middle of those that were there: what stands behind it moves by one. */
export function paneInserted(windows: RollingWindows, index: number, second: number): void {
  const { tails } = windows
  if (index < windows.head || (index === windows.head && second < windows.end)) windows.head++
  for (let window = 0; window < WINDOW_SECONDS.length; window++) {
    const tail = tails[window] as number
    const isOutside = second < windows.end - (WINDOW_SECONDS[window] as number)
    if (index < tail || (index === tail && isOutside)) tails[window] = tail + 1
  }
}

/** A call came into a second that the windows hold already. */
export function addStraggler(windows: RollingWindows, second: number, status: number): void {
  if (second >= windows.end) return // it comes in with its pane
  count(windows, second, CALLS, 1)
  const kind = statusCount(status)
  if (kind > 0) count(windows, second, kind, 1)
}

/** As `addStraggler`, for calls that another tool counted. `amounts` in pane.ts's order. */
export function addStragglers(windows: RollingWindows, second: number, amounts: readonly number[]): void {
  if (second >= windows.end) return
  for (const [index, amount] of amounts.entries()) count(windows, second, index, amount)
}

function count({ sums, end, minute, slot }: RollingWindows, second: number, index: number, amount: number): void {
  if (second >= end - WINDOW_SECONDS[0]) add(sums.last10s, index, amount)
  if (second >= end - WINDOW_SECONDS[1]) add(sums.last60s, index, amount)
  if (second >= end - WINDOW_SECONDS[2]) add(sums.last5min, index, amount)
  if (Math.floor(second / MINUTE_SECONDS) === minute) add(sums.minute, index, amount)
  if (Math.floor(second / SLOT_SECONDS) === slot) add(sums.slot, index, amount)
}

function add(sum: Float64Array, count: number, amount: number): void {
  sum[count] = (sum[count] as number) + amount
}
