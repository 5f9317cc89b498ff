/**
 * One key's one-second panes: only seconds that had calls, oldest first, from five minutes behind the watermark to the
 * newest call. Panes behind `firstOpen` are closed and never change; those from it on still take calls in any order.
 *
 * Struct of arrays in typed arrays, a ring (88 bytes a pane, at most 1,200 panes a key: five closed minutes and, when
 * partitions are far apart, fifteen open ones, see watermark.ts), because the hot path lands here once a call. Seconds and
 * calls stand apart, since most looks want nothing else: eight panes to a cache line, where whole ones would miss at each.
 * The arrays begin with room for one pane, which is all that most keys of a large fleet ever need, and which V8 keeps in
 * its own heap: an array of more than 64 bytes costs an allocation outside it. Mutable on purpose.
 */
import type { PaneRow } from '../call-batch.ts'

/** Words a pane in `heads`: its second and its calls. */
export const HEAD = 2
/** Words a pane in `counts`: the four counts by status, then the ten 100-ms counts. */
export const WORDS = 14
/** Doubles a pane in `sums`: latency sum (ms) of calls that were not refused, how many of them had a latency, bytes. */
export const SUMS = 3

export const CALLS = 0
export const STATUS_2XX = 1
export const STATUS_4XX = 2
export const STATUS_429 = 3
export const STATUS_5XX = 4
/** How many counts a pane, a window and a minute hold, in the order above. */
export const COUNTS = 5

const FIRST_TENTH = COUNTS - 1

export interface KeyPanes {
  heads: Uint32Array
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
  heads: new Uint32Array(HEAD),
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

const headOf = ({ mask }: KeyPanes, index: number): number => (index & mask) * HEAD
const countsOf = ({ mask }: KeyPanes, index: number): number => (index & mask) * WORDS
const sumsOf = ({ mask }: KeyPanes, index: number): number => (index & mask) * SUMS

export const paneSecond = (panes: KeyPanes, index: number): number => panes.heads[headOf(panes, index)] as number
export const paneCalls = (panes: KeyPanes, index: number): number => panes.heads[headOf(panes, index) + 1] as number
/** One of the counts above, CALLS too. */
export const paneCount = (panes: KeyPanes, index: number, count: number): number =>
  count === CALLS ? paneCalls(panes, index) : (panes.counts[countsOf(panes, index) + count - 1] as number)
export const paneLatencySumMs = (panes: KeyPanes, index: number): number => panes.sums[sumsOf(panes, index)] as number
export const paneLatencyCount = (panes: KeyPanes, index: number): number =>
  panes.sums[sumsOf(panes, index) + 1] as number
export const paneBytes = (panes: KeyPanes, index: number): number => panes.sums[sumsOf(panes, index) + 2] as number

/** Calls in the busiest of a pane's ten 100-ms stretches. */
export function busiestTenth(panes: KeyPanes, index: number): number {
  let most = 0
  for (let at = countsOf(panes, index) + FIRST_TENTH, end = at + 10; at < end; at++)
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

/** Counts a call that came so many ms after the pane's second began. */
export function addCall(
  panes: KeyPanes,
  index: number,
  sinceMs: number,
  status: number,
  latencyMs: number,
  bytes: number,
): void {
  const { heads, counts, sums } = panes
  const head = headOf(panes, index)
  const calls = (heads[head + 1] as number) + 1
  heads[head + 1] = calls
  if (calls > panes.quiet) panes.surplus++
  const at = countsOf(panes, index)
  const kind = statusCount(status)
  if (kind > 0) counts[at + kind - 1] = (counts[at + kind - 1] as number) + 1
  const tenth = at + FIRST_TENTH + (((sinceMs | 0) / 100) | 0) // as whole numbers, which divide far quicker
  counts[tenth] = (counts[tenth] as number) + 1
  const sum = sumsOf(panes, index)
  // What was refused never ran: its latency is the gateway's own, and would hide how long calls take.
  if (latencyMs >= 0 && kind !== STATUS_429) {
    sums[sum] = (sums[sum] as number) + latencyMs
    sums[sum + 1] = (sums[sum + 1] as number) + 1
  }
  if (bytes > 0) sums[sum + 2] = (sums[sum + 2] as number) + bytes
}

/** Adds what another tool counted in this second. Its shape inside the second is unknown: spread evenly. */
export function addCounts(panes: KeyPanes, index: number, row: Omit<PaneRow, 'key' | 'start' | 'seconds'>): void {
  const { heads, counts, sums } = panes
  const at = countsOf(panes, index)
  const add = (to: number, amount: number) => {
    counts[to] = (counts[to] as number) + amount
  }
  panes.surplus -= surplusOf(panes, index)
  heads[headOf(panes, index) + 1] = paneCalls(panes, index) + row.calls
  panes.surplus += surplusOf(panes, index)
  add(at + STATUS_2XX - 1, row.status2xx)
  add(at + STATUS_4XX - 1, row.status4xx)
  add(at + STATUS_429 - 1, row.status429)
  add(at + STATUS_5XX - 1, row.status5xx)
  for (let tenth = 0; tenth < 10; tenth++) add(at + FIRST_TENTH + tenth, Math.floor((row.calls + tenth) / 10))
  const sum = sumsOf(panes, index)
  sums[sum] = (sums[sum] as number) + row.latencySumMs
  sums[sum + 1] = (sums[sum + 1] as number) + row.latencyCount
  sums[sum + 2] = (sums[sum + 2] as number) + row.bytes
}

/** Calls of a pane beyond what is quiet. */
const surplusOf = (panes: KeyPanes, index: number): number => Math.max(0, paneCalls(panes, index) - panes.quiet)

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
  const calls = paneCalls(panes, index)
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
  const { heads, counts, sums } = panes
  for (let later = panes.end; later > index; later--) copyPane(panes, later - 1, panes, later)
  const head = headOf(panes, index)
  heads[head] = second
  heads[head + 1] = 0
  const at = countsOf(panes, index)
  for (let word = at; word < at + WORDS; word++) counts[word] = 0
  const sum = sumsOf(panes, index)
  sums[sum] = 0
  sums[sum + 1] = 0
  sums[sum + 2] = 0
  panes.end++
}

/** Forgets the closed panes that no window holds any more; if there are none, the ring grows: to four places, then twofold. */
function makeRoom(panes: KeyPanes): void {
  if (panes.firstOpen > panes.first) forgetBefore(panes, paneSecond(panes, panes.firstOpen - 1) + 1 - KEPT_SECONDS)
  if (panes.end - panes.first <= panes.mask) return
  const from = { heads: panes.heads, counts: panes.counts, sums: panes.sums, mask: panes.mask }
  const places = Math.max(4, (panes.mask + 1) * 2)
  panes.heads = new Uint32Array(places * HEAD)
  panes.counts = new Uint32Array(places * WORDS)
  panes.sums = new Float64Array(places * SUMS)
  panes.mask = places - 1
  for (let index = panes.first; index < panes.end; index++) copyPane(from, index, panes, index)
}

type Ring = Pick<KeyPanes, 'heads' | 'counts' | 'sums' | 'mask'>

function copyPane(from: Ring, index: number, to: Ring, toIndex: number): void {
  const place = index & from.mask
  const toPlace = toIndex & to.mask
  copyWords(from.heads, to.heads, HEAD, place, toPlace)
  copyWords(from.counts, to.counts, WORDS, place, toPlace)
  for (let offset = 0; offset < SUMS; offset++)
    to.sums[toPlace * SUMS + offset] = from.sums[place * SUMS + offset] as number
}

function copyWords(from: Uint32Array, to: Uint32Array, words: number, place: number, toPlace: number): void {
  for (let offset = 0; offset < words; offset++) to[toPlace * words + offset] = from[place * words + offset] as number
}

/** Forgets closed panes before this second. */
function forgetBefore(panes: KeyPanes, second: number): void {
  while (panes.first < panes.firstOpen && paneSecond(panes, panes.first) < second) panes.first++
}
