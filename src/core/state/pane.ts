/**
 * One key's one-second panes: only seconds that had calls, oldest first, from five minutes behind the watermark to the
 * newest call. Panes behind `firstOpen` are closed and never change; those from it on still take calls in any order.
 *
 * Struct of arrays in two typed arrays, a ring (88 bytes a pane, at most 1,200 panes a key: five closed minutes and, when
 * partitions are far apart, fifteen open ones, see watermark.ts), because the hot path lands here once a call. They begin
 * with room for one pane, which is all that most keys of a large fleet ever need, and which V8 keeps in its own heap: an
 * array of more than 64 bytes costs an allocation outside it. Mutable on purpose.
 */
import type { PaneRow } from '../call-batch.ts'
import { SECOND_MS } from '../vocabulary.ts'

/** Words a pane in `counts`: its second, five counts, then the ten 100-ms counts. */
const WORDS = 16
/** Doubles a pane in `sums`: latency sum (ms), how many calls had a latency, bytes. */
const SUMS = 3

export const CALLS = 0
export const STATUS_2XX = 1
export const STATUS_4XX = 2
export const STATUS_429 = 3
export const STATUS_5XX = 4
/** How many counts a pane, a window and a minute hold, in the order above. */
export const COUNTS = 5

const FIRST_TENTH = 1 + COUNTS

export interface KeyPanes {
  counts: Uint32Array
  sums: Float64Array
  /** Places in the ring less one; their number is a power of two. */
  mask: number
  /** A pane's index counts from the key's first pane on: of the oldest kept, of the first open one, and one past the newest. */
  first: number
  firstOpen: number
  end: number
  /** So many calls in one second are no evidence of anything (accumulator.ts), and how many all open panes hold beyond that. */
  quiet: number
  surplus: number
}

export const createPanes = (): KeyPanes => ({
  counts: new Uint32Array(WORDS),
  sums: new Float64Array(SUMS),
  mask: 0,
  first: 0,
  firstOpen: 0,
  end: 0,
  quiet: ANY_NUMBER,
  surplus: 0,
})

/** More calls than a second can hold: until something usual is known, no number of them is evidence. */
export const ANY_NUMBER = 0x7fff_ffff

/** Closed panes that are kept, in seconds: what the widest window holds. */
export const KEPT_SECONDS = 300

/** Where a pane's words, its five counts, and its sums begin. */
const wordsOf = ({ mask }: KeyPanes, index: number): number => (index & mask) * WORDS
export const firstCount = (panes: KeyPanes, index: number): number => wordsOf(panes, index) + 1
const sumsOf = ({ mask }: KeyPanes, index: number): number => (index & mask) * SUMS

export const paneSecond = (panes: KeyPanes, index: number): number => panes.counts[wordsOf(panes, index)] as number
export const paneCount = (panes: KeyPanes, index: number, count: number): number =>
  panes.counts[firstCount(panes, index) + count] as number
export const paneLatencySumMs = (panes: KeyPanes, index: number): number => panes.sums[sumsOf(panes, index)] as number
export const paneLatencyCount = (panes: KeyPanes, index: number): number =>
  panes.sums[sumsOf(panes, index) + 1] as number
export const paneBytes = (panes: KeyPanes, index: number): number => panes.sums[sumsOf(panes, index) + 2] as number

/** Calls in the busiest of a pane's ten 100-ms stretches. */
export function busiestTenth(panes: KeyPanes, index: number): number {
  let most = 0
  for (let at = wordsOf(panes, index) + FIRST_TENTH, end = at + 10; at < end; at++)
    most = Math.max(most, panes.counts[at] as number)
  return most
}

/** Which count a status belongs to besides CALLS; -1 for 1xx, 3xx and no status. */
export function statusCount(status: number): number {
  if (status >= 200 && status < 300) return STATUS_2XX
  if (status === 429) return STATUS_429
  if (status >= 400 && status < 500) return STATUS_4XX
  if (status >= 500) return STATUS_5XX
  return -1
}

/** Index of the open pane of this second, made if it is not there; those behind it move on by one then. `second` must not be closed. */
export function openPane(panes: KeyPanes, second: number): number {
  let index = panes.end - 1
  while (index >= panes.firstOpen && paneSecond(panes, index) > second) index--
  if (index >= panes.firstOpen && paneSecond(panes, index) === second) return index
  insertPane(panes, index + 1, second)
  return index + 1
}

export function addCall(
  panes: KeyPanes,
  index: number,
  timeMs: number,
  status: number,
  latencyMs: number,
  bytes: number,
): void {
  const { counts, sums } = panes
  const at = wordsOf(panes, index)
  const calls = (counts[at + 1 + CALLS] as number) + 1
  counts[at + 1 + CALLS] = calls
  if (calls > panes.quiet) panes.surplus++
  const kind = statusCount(status)
  if (kind > 0) counts[at + 1 + kind] = (counts[at + 1 + kind] as number) + 1
  // From the second's beginning: a remainder of so large a number as an epoch time is slow.
  const tenth = at + FIRST_TENTH + (((timeMs - (counts[at] as number) * SECOND_MS) / 100) | 0)
  counts[tenth] = (counts[tenth] as number) + 1
  const sum = sumsOf(panes, index)
  if (latencyMs >= 0) {
    sums[sum] = (sums[sum] as number) + latencyMs
    sums[sum + 1] = (sums[sum + 1] as number) + 1
  }
  if (bytes > 0) sums[sum + 2] = (sums[sum + 2] as number) + bytes
}

/** Adds what another tool counted in this second. Its shape inside the second is unknown: spread evenly. */
export function addCounts(panes: KeyPanes, index: number, row: Omit<PaneRow, 'key' | 'start' | 'seconds'>): void {
  const { counts, sums } = panes
  const at = firstCount(panes, index)
  const add = (to: number, amount: number) => {
    counts[to] = (counts[to] as number) + amount
  }
  panes.surplus -= surplusOf(panes, index)
  add(at + CALLS, row.calls)
  panes.surplus += surplusOf(panes, index)
  add(at + STATUS_2XX, row.status2xx)
  add(at + STATUS_4XX, row.status4xx)
  add(at + STATUS_429, row.status429)
  add(at + STATUS_5XX, row.status5xx)
  for (let tenth = 0; tenth < 10; tenth++) {
    add(at - 1 + FIRST_TENTH + tenth, Math.floor((row.calls + tenth) / 10))
  }
  const sum = sumsOf(panes, index)
  sums[sum] = (sums[sum] as number) + row.latencySumMs
  sums[sum + 1] = (sums[sum + 1] as number) + row.latencyCount
  sums[sum + 2] = (sums[sum + 2] as number) + row.bytes
}

/** Calls of a pane beyond what is quiet. */
const surplusOf = (panes: KeyPanes, index: number): number => Math.max(0, paneCount(panes, index, CALLS) - panes.quiet)

/** What is quiet has changed: the surplus of open panes is counted anew. */
export function setQuiet(panes: KeyPanes, quiet: number): void {
  if (quiet === panes.quiet) return
  panes.quiet = quiet
  panes.surplus = 0
  for (let index = panes.firstOpen; index < panes.end; index++) panes.surplus += surplusOf(panes, index)
}

/** Closes the oldest open pane and returns its index. */
export function closePane(panes: KeyPanes): number {
  const index = panes.firstOpen
  const calls = paneCount(panes, index, CALLS)
  if (calls > panes.quiet) panes.surplus -= calls - panes.quiet
  panes.firstOpen = index + 1
  return index
}

/** How many of one count the panes up to `last` hold since `fromSecond`; no further than to above `enough`. */
export function countSince(
  panes: KeyPanes,
  { count, last, fromSecond, enough }: { count: number; last: number; fromSecond: number; enough: number },
): number {
  let sum = 0
  for (let index = last; index >= panes.first && sum <= enough; index--) {
    if (paneSecond(panes, index) < fromSecond) break
    sum += paneCount(panes, index, count)
  }
  return sum
}

function insertPane(panes: KeyPanes, index: number, second: number): void {
  if (panes.end - panes.first > panes.mask) makeRoom(panes)
  const { counts, sums } = panes
  for (let later = panes.end; later > index; later--) copyPane(panes, later - 1, panes, later)
  const at = wordsOf(panes, index)
  counts[at] = second
  for (let word = at + 1; word < at + WORDS; word++) counts[word] = 0
  const sum = sumsOf(panes, index)
  sums[sum] = 0
  sums[sum + 1] = 0
  sums[sum + 2] = 0
  panes.end++
}

/** Forgets the closed panes that no window holds any more; if there are none, the ring is made twice as large. */
function makeRoom(panes: KeyPanes): void {
  if (panes.firstOpen > panes.first) forgetBefore(panes, paneSecond(panes, panes.firstOpen - 1) + 1 - KEPT_SECONDS)
  if (panes.end - panes.first <= panes.mask) return
  const from = { counts: panes.counts, sums: panes.sums, mask: panes.mask }
  const places = (panes.mask + 1) * 2
  panes.counts = new Uint32Array(places * WORDS)
  panes.sums = new Float64Array(places * SUMS)
  panes.mask = places - 1
  for (let index = panes.first; index < panes.end; index++) copyPane(from, index, panes, index)
}

type Ring = Pick<KeyPanes, 'counts' | 'sums' | 'mask'>

function copyPane(from: Ring, index: number, to: Ring, place: number): void {
  const word = (index & from.mask) * WORDS
  const toWord = (place & to.mask) * WORDS
  for (let offset = 0; offset < WORDS; offset++) to.counts[toWord + offset] = from.counts[word + offset] as number
  const sum = (index & from.mask) * SUMS
  const toSum = (place & to.mask) * SUMS
  for (let offset = 0; offset < SUMS; offset++) to.sums[toSum + offset] = from.sums[sum + offset] as number
}

/** Forgets closed panes before this second. */
function forgetBefore(panes: KeyPanes, second: number): void {
  while (panes.first < panes.firstOpen && paneSecond(panes, panes.first) < second) panes.first++
}
