/**
 * Owner of keys' state: windows, baselines and incidents, and the event time they live in. On a keyed stream each
 * partition is an owner, so that it can move to another worker with all that belongs to it; otherwise there is one,
 * which merges panes over all partitions. Here is how calls come in and how time passes; judging is the engine's.
 *
 * Mutable on purpose. Bounds: known keys are at most `state.maxKeys` (engine.ts), open panes span at most watermark.ts's
 * OPEN_SPAN_MS, quiet minutes are settled a week at a time.
 */

import type { CallBatch, PaneRow } from '../call-batch.ts'
import { type Backlog, NO_BACKLOG } from '../incident/backlog.ts'
import { type ApiKeyId, type EpochMs, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'
import { excludeMinute, knowFrom, learnLateCalls, learnMinute, learnRow, unlearnMinute } from './baseline.ts'
import type { CallGroups } from './call-groups.ts'
import { coverMinute, createCoverage, MINUTES_PER_SLOT } from './coverage.ts'
import { forgetIdle, type PausingKeys, silentKeys } from './idle-keys.ts'
import {
  beforeCalls,
  beforeChange,
  createActivity,
  type KeyActivity,
  type KeyState,
  latencyOf,
  type WrongStretch,
} from './key-state.ts'
import { createKnownKeys, stayKnown } from './known-keys.ts'
import { findLive, firstWholeMinute, inheritKey } from './live-keys.ts'
import { seenInMinute } from './minute-seen.ts'
import { isNotLearned, isOnlyPlanned } from './not-learned.ts'
import { addCall, addCounts, openPane } from './pane.ts'
import { type KnownPeers, NO_PEERS, type Plans, peersOf } from './peers.ts'
import { countPlaces, learnRoutesOf } from './place-count.ts'
import { isGap, type QuietStretch } from './quiet-stretch.ts'
import { noteMinuteReach, noteSlotReach } from './reach-lessons.ts'
import { addLatency } from './sketches.ts'
import { createEventTime, type EventTime, OPEN_SPAN_MS } from './watermark.ts'
import { addStraggler, addStragglers, paneInserted } from './window.ts'

const MINUTES_PER_DAY = 1_440
const MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY

export interface Owner extends PausingKeys {
  /** Keys whose incident is not quiet. */
  readonly incidents: Set<KeyState>
  /** Of these, keys whose limit is lowered, or on its way down or up. */
  readonly limited: Set<KeyState>
  /** Keys in a stretch that final looks found wrong. */
  readonly wrong: Set<KeyState>
  readonly time: EventTime
  /** Whether what is read of it is long past. */
  backlog: Backlog
  /** Grows with all that any baseline learns or unlearns: what was worked out at the same number is still true. */
  lessons: number
  /** Keys with a pane in each second that is still open. */
  readonly openSeconds: Map<number, KeyState[]>
  /** Keys with new calls since the last early look, and the second of that look. */
  dirty: KeyState[]
  lookedAtSecond: number
  /** What is compared with a key of which little is known. */
  peers: KnownPeers
  /** Minute (epoch min) from which on that is worked out anew. */
  peersFrom: number
  /** Which key is in which plan: a reference to what tenants.yaml says. */
  plans: Plans
  /** Panes of seconds before this one are closed; minutes before this one are learned. */
  closedToSecond: number
  learnedToMinute: number
  /** Keys with closed panes in the minute under way. */
  minuteKeys: KeyState[]
  /** Calls of the whole stream in minutes not yet learned, and how many of them were neither refused nor failed. */
  readonly minuteCalls: Map<number, number>
  readonly minuteCarried: Map<number, number>
  quiet: QuietStretch
  /** Calls carried in the busiest minute of each of the last seven days, by day. */
  readonly busiestMinutes: Map<number, number>
  /** End of the latest count row, epoch ms: time to which a history of counts reaches. */
  rowsUntil: number
  /** End of the latest one of more than a second (epoch min, exclusive): until then a key may have called though no pane tells. */
  taughtToMinute: number
  calls: number
  lateCalls: number
}

/** Name of the one owner of a stream that is not keyed; of a keyed one it holds what the history taught. */
export const SHARED_OWNER = ''

export const createOwner = (plans: Plans = new Map()): Owner => ({
  keys: createKnownKeys(),
  live: [],
  place: new Int32Array(64),
  active: new Set(),
  incidents: new Set(),
  limited: new Set(),
  wrong: new Set(),
  time: createEventTime(),
  backlog: NO_BACKLOG,
  coverage: createCoverage(),
  lessons: 0,
  openSeconds: new Map(),
  dirty: [],
  lookedAtSecond: 0,
  peers: NO_PEERS,
  peersFrom: 0,
  plans,
  closedToSecond: -1,
  learnedToMinute: -1,
  minuteKeys: [],
  keysByMinute: new Map(),
  awaited: new Set(),
  minuteCalls: new Map(),
  minuteCarried: new Map(),
  quiet: { fromMinute: 0, minutes: 0, isUnknown: true, recentPerMinute: 0 },
  busiestMinutes: new Map(),
  rowsUntil: Number.NEGATIVE_INFINITY,
  taughtToMinute: Number.NEGATIVE_INFINITY,
  calls: 0,
  lateCalls: 0,
})

/** An owner that begins with what another one was taught of the stream as a whole: which minutes it delivered. */
export function createHeir(taught: Owner): Owner {
  const { minutes, running, newestSlot, total } = taught.coverage
  return {
    ...createOwner(taught.plans),
    peers: taught.peers,
    peersFrom: taught.peersFrom,
    coverage: { minutes: minutes.slice(), running: running.slice(), newestSlot, total },
    quiet: { ...taught.quiet, isUnknown: true },
  }
}

/** What was taught of a key goes to the owner in whose partition it turns up; its number there. */
export function inherit(owner: Owner, taught: Owner, keyId: ApiKeyId): number | undefined {
  const live = findLive(taught, keyId)
  if (live !== undefined) {
    taught.active.delete(live)
    taught.awaited.delete(live)
  }
  return inheritKey(owner, taught, keyId, Math.floor(taught.closedToSecond / 60))
}

/**
 * The first call of all: time begins as far before it as open panes may reach, since the first to be read need not be the
 * oldest. What lies before the oldest is unknown, not quiet.
 */
export function beginTime(owner: Owner, timeMs: number): void {
  if (owner.closedToSecond >= 0) return
  const from = Math.max(0, timeMs - OPEN_SPAN_MS)
  owner.closedToSecond = Math.floor(from / SECOND_MS)
  owner.learnedToMinute = Math.floor(from / MINUTE_MS)
}

/** Counts the calls of one group, all of this key, that begins at `first`. Time has been moved on to them already. */
export function countCalls(owner: Owner, key: KeyState, batch: CallBatch, groups: CallGroups, first: number): void {
  beforeCalls(key)
  let offset = first
  while (offset >= 0) {
    const timeMs = batch.time[groups.from + offset] as number
    const second = Math.floor(timeMs / SECOND_MS)
    if (second >= owner.closedToSecond) {
      offset = countRun(owner, key, second, batch, groups, offset)
      continue
    }
    owner.calls++
    countLate(owner, key, timeMs, 1)
    offset = groups.next[offset] as number
  }
}

/** Counts the group's calls from `first` on as long as they are of this second. Returns where the next one is. */
function countRun(
  owner: Owner,
  key: KeyState,
  second: number,
  batch: CallBatch,
  groups: CallGroups,
  first: number,
): number {
  const activity = key.activity ?? activate(owner, key)
  const { panes, earlyWindows } = activity
  const { time, status: statuses, latencyMs: latencies, bytes } = batch
  const { from, next } = groups
  const index = paneOf(owner, key, activity, second)
  const neededFrom = owner.closedToSecond - LATENCY_SECONDS
  const start = second * SECOND_MS
  let calls = 0
  let offset = first
  for (; offset >= 0; offset = next[offset] as number) {
    const row = from + offset
    const sinceMs = (time[row] as number) - start
    if (sinceMs < 0 || sinceMs >= SECOND_MS) break
    const status = statuses[row] as number
    const latencyMs = latencies[row] as number
    addCall(panes, index, sinceMs, status, latencyMs, bytes[row] as number)
    if (earlyWindows !== undefined) addStraggler(earlyWindows, second, status)
    if (status >= 429) noteTrouble(activity, second, status)
    if (latencyMs >= 0) addLatency(latencyOf(activity), second, latencyMs, neededFrom)
    calls++
  }
  owner.calls += calls
  countPlaces(owner, key, second, batch, groups, { first, end: offset })
  return offset
}

/** A call failed or was refused. */
function noteTrouble(activity: KeyActivity, second: number, status: number): void {
  if (status >= 500) activity.lastFailure = Math.max(activity.lastFailure, second)
  else if (status === 429) activity.lastRefusal = Math.max(activity.lastRefusal, second)
}

function countLate(owner: Owner, key: KeyState, timeMs: EpochMs, calls: number): void {
  owner.lateCalls += calls
  owner.lessons++
  learnLateCalls(owner.keys, key.number, Math.floor(timeMs / MINUTE_MS), calls)
}

/** The latencies of a minute are asked for, of one that ends a second before the last closed pane at the earliest. */
const LATENCY_SECONDS = 61

/** What another tool counted over more than a second teaches the baseline only; the key need not be live. */
export function teachRow(owner: Owner, number: number, row: PaneRow): void {
  const { start, seconds } = row
  owner.rowsUntil = Math.max(owner.rowsUntil, start + seconds * SECOND_MS)
  const minutes = Math.max(1, Math.round(seconds / 60))
  const firstMinute = Math.floor(start / MINUTE_MS)
  owner.taughtToMinute = Math.max(owner.taughtToMinute, firstMinute + minutes)
  noteRow(owner, row)
  const live = owner.live[(owner.place[number] as number) - 1]
  if (live !== undefined) {
    beforeChange(live)
    live.knownFrom = Math.min(live.knownFrom, firstMinute)
  } else stayKnown(owner.keys, number, firstMinute)
  owner.lessons++
  knowFrom(owner.keys, number, firstMinute)
  learnRow(owner.keys, number, { ...row, firstMinute, minutes }, minute => noteSlotReach(owner, number, minute))
}

/** Counts what another tool counted in one second: a pane. */
export function countRow(owner: Owner, key: KeyState, row: PaneRow): void {
  const { start, seconds } = row
  owner.rowsUntil = Math.max(owner.rowsUntil, start + seconds * SECOND_MS)
  owner.calls += row.calls
  const second = Math.floor(start / SECOND_MS)
  if (second < owner.closedToSecond) {
    countLate(owner, key, start, row.calls)
    return
  }
  beforeCalls(key)
  const activity = key.activity ?? activate(owner, key)
  const { panes, earlyWindows } = activity
  const index = paneOf(owner, key, activity, second)
  if (row.status5xx > 0) noteTrouble(activity, second, 500)
  if (row.status429 > 0) noteTrouble(activity, second, 429)
  addCounts(panes, index, row)
  if (earlyWindows !== undefined)
    addStragglers(earlyWindows, second, [row.calls, row.status2xx, row.status4xx, row.status429, row.status5xx])
}

function activate(owner: Owner, key: KeyState): KeyActivity {
  const activity = createActivity()
  key.activity = activity
  owner.active.add(key)
  return activity
}

/** Index of the key's pane of this second, made if it is not there; it is about to take calls. */
function paneOf(owner: Owner, key: KeyState, { panes, early, earlyWindows }: KeyActivity, second: number): number {
  if (!key.isDirty) {
    key.isDirty = true
    owner.dirty.push(key)
  }
  if (second < early.lookedTo) early.isStale = true
  const before = panes.end
  const index = openPane(panes, second)
  if (panes.end === before) return index
  const minute = firstWholeMinute(second)
  if (minute < key.knownFrom) {
    owner.lessons++
    key.knownFrom = minute
    knowFrom(owner.keys, key.number, minute)
  }
  const keys = owner.openSeconds.get(second)
  if (keys === undefined) owner.openSeconds.set(second, [key])
  else keys.push(key)
  if (earlyWindows !== undefined) paneInserted(earlyWindows, index, second)
  return index
}

/** Calls of a key that this owner does not watch: they tell that the stream delivered these minutes. */
export function noteCalls(owner: Owner, batch: CallBatch, groups: CallGroups, first: number): void {
  for (let row = first; row >= 0; row = groups.next[row] as number) {
    const status = batch.status[groups.from + row] as number
    const carried = status === 429 || status >= 500 ? 0 : 1
    countMinute(owner, Math.floor((batch.time[groups.from + row] as number) / MINUTE_MS), 1, carried)
  }
}

/** As `noteCalls`, for a count row. */
export function noteRow(owner: Owner, row: PaneRow): void {
  const { start, seconds, calls } = row
  const minutes = Math.max(1, Math.round(seconds / 60))
  const first = Math.floor(start / MINUTE_MS)
  const carried = carriedOf(row)
  for (let minute = first; minute < first + minutes; minute++)
    countMinute(owner, minute, calls / minutes, carried / minutes)
}

function countMinute(
  { learnedToMinute, minuteCalls, minuteCarried }: Owner,
  minute: number,
  calls: number,
  carried: number,
): void {
  if (minute < learnedToMinute) return
  minuteCalls.set(minute, (minuteCalls.get(minute) ?? 0) + calls)
  minuteCarried.set(minute, (minuteCarried.get(minute) ?? 0) + carried)
}

/** Calls that were neither refused nor failed. */
const carriedOf = ({ calls, status429, status5xx }: Pick<PaneRow, 'calls' | 'status429' | 'status5xx'>): number =>
  calls - status429 - status5xx

/**
 * Told of each minute that has closed and was delivered, with the calls in it by key; before it the silent minutes from
 * `from` on, which only now turn out to have been a quiet stretch and no gap. Not told of a minute that rows of more than a
 * second had a part in: whose calls those were is learned, and not kept apart.
 */
export type Delivered = (from: number, minute: number, counts: ReadonlyMap<number, number>) => void

/** Who is told as seconds and minutes close; of keys in no order that means anything. */
export interface Closing {
  /** Each closing second, with the keys that have a pane in it. */
  close(keys: readonly KeyState[], second: number): void
  /** Each minute that was delivered, with the keys that did not call in it and did in the five before, without a gap. */
  silent(keys: readonly KeyState[], minute: number): void
  readonly delivered: Delivered | undefined
}

/** Closes all seconds before `toSecond`, oldest first, and learns the minutes that end in them. */
export function closeTo(owner: Owner, toSecond: number, closing: Closing): void {
  if (owner.closedToSecond < 0) return
  while (owner.closedToSecond < toSecond) {
    const second = owner.closedToSecond
    const keys = owner.openSeconds.get(second)
    if (keys !== undefined) {
      owner.openSeconds.delete(second)
      keys.forEach(beforeChange)
      closing.close(keys, second)
      noteMinute(owner, keys, second)
    }
    // Where nothing is open there is nothing to close but minutes: a gap of a year is stepped over by these.
    const isEmpty = owner.openSeconds.size === 0
    owner.closedToSecond = isEmpty ? Math.min(toSecond, (Math.floor(second / 60) + 1) * 60) : second + 1
    if (owner.closedToSecond % 60 === 0) learnTo(owner, owner.closedToSecond / 60, closing)
  }
}

/** Remembers which keys have calls in the minute under way (their panes hold how many). */
function noteMinute(owner: Owner, keys: readonly KeyState[], second: number): void {
  const minute = Math.floor(second / 60)
  for (const key of keys) {
    const { activity } = key
    if (activity === undefined || activity.minute === minute) continue
    activity.minute = minute
    owner.minuteKeys.push(key)
  }
}

function learnTo(owner: Owner, minute: number, { delivered, silent }: Closing): void {
  const learned = minute - 1
  const counts = delivered && countsOf(owner, learned)
  if (owner.minuteKeys.length > 0) learnKeys(owner, learned)
  if (owner.wrong.size + owner.incidents.size > 0) {
    owner.lessons++
    for (const key of new Set([...owner.wrong, ...owner.incidents])) {
      if (isNotLearned(key, learned)) excludeMinute(owner.keys, key.number, learned)
      if (key.wrong === undefined || key.wrong.until >= minute * MINUTE_MS) continue
      beforeChange(key)
      key.wrong = undefined
      owner.wrong.delete(key)
    }
  }
  if (learned >= owner.learnedToMinute) {
    const from = coverOrWait(owner, learned)
    if (from !== undefined && counts !== undefined) delivered?.(from, learned, counts)
    if (from !== undefined && learned >= owner.taughtToMinute) silent(silentKeys(owner, learned), learned)
    owner.learnedToMinute = minute
  }
  forgetIdle(owner, learned)
  if (minute >= owner.peersFrom) {
    owner.peers = peersOf(owner.keys, owner.plans, Math.floor(minute / MINUTES_PER_SLOT))
    owner.peersFrom = minute + PEERS_EVERY_MINUTES
  }
}

const PEERS_EVERY_MINUTES = 60
const PEERS_AFTER_MINUTES = 10

/** A history is over: who else there is than those that it knew, the stream shows first. */
export function askPeersAnew(owner: Owner): void {
  owner.peers = NO_PEERS
  owner.peersFrom = owner.learnedToMinute + PEERS_AFTER_MINUTES
}

function learnKeys(owner: Owner, minute: number): void {
  let calls: number | undefined
  let carried = 0
  for (const key of owner.minuteKeys) {
    const panes = key.activity?.panes
    if (panes === undefined) continue
    beforeChange(key)
    const seen = seenInMinute(panes, minute)
    calls = (calls ?? 0) + seen.calls
    carried += carriedOf(seen)
    // In the minute that closes, the key's last final look was at a second of it.
    if (isOnlyPlanned(key.finalSlot, minute, seen.calls)) excludeMinute(owner.keys, key.number, minute)
    else if (!isNotLearned(key, minute)) {
      noteMinuteReach(key, owner.keys, minute, seen.calls)
      noteSlotReach(owner, key.number, minute)
      learnMinute(owner.keys, key.number, minute, seen)
      learnRoutesOf(owner.keys, key, minute)
    }
  }
  if (calls !== undefined) countMinute(owner, minute, calls, carried)
  owner.keysByMinute.set(minute, owner.minuteKeys)
  owner.minuteKeys = []
  owner.lessons++
}

/** Calls of each key in the minute that ends; undefined where rows of more than a second had a part in it. */
function countsOf({ minuteKeys, minuteCalls }: Owner, minute: number): ReadonlyMap<number, number> | undefined {
  if (minuteCalls.has(minute)) return undefined
  const counts = new Map<number, number>()
  for (const key of minuteKeys) {
    const panes = key.activity?.panes
    if (panes !== undefined) counts.set(key.number, seenInMinute(panes, minute).calls)
  }
  return counts
}

/**
 * Minutes since the onset may have been learned before the evidence was enough: they are taken back, as far as panes still
 * tell what was in them. What began longer ago was slow, and no more than the robust statistic bears.
 */
export function turnedWrong(owner: Owner, key: KeyState, wrong: WrongStretch): void {
  key.wrong = wrong
  owner.wrong.add(key)
  owner.lessons++
  const panes = key.activity?.panes
  if (panes === undefined) return
  const learnedTo = Math.floor(owner.closedToSecond / 60)
  const oldest = Math.ceil((owner.closedToSecond + 1 - 300) / 60)
  for (let minute = Math.max(oldest, Math.floor(wrong.onsetAt / MINUTE_MS)); minute < learnedTo; minute++) {
    unlearnMinute(owner.keys, key.number, minute, seenInMinute(panes, minute))
  }
}

const AVERAGE_MINUTES = 15

/** The first of the minutes up to this one that are now known to have been delivered; undefined while that is not known. */
function coverOrWait(owner: Owner, minute: number): number | undefined {
  const { quiet } = owner
  let first = minute
  const calls = owner.minuteCalls.get(minute)
  if (calls === undefined) {
    if (quiet.minutes === 0) quiet.fromMinute = minute
    quiet.minutes++
    return undefined
  }
  const carried = owner.minuteCarried.get(minute) ?? 0
  owner.minuteCalls.delete(minute)
  owner.minuteCarried.delete(minute)
  if (quiet.minutes > 0) {
    if (!isGap(quiet)) {
      first = Math.max(quiet.fromMinute, minute - MINUTES_PER_WEEK)
      for (let silent = first; silent < minute; silent++) coverMinute(owner.coverage, silent)
    }
    // Silence counts in the average too, or a stream that comes in bursts would seem to fall silent after each.
    quiet.recentPerMinute *= (1 - 1 / AVERAGE_MINUTES) ** quiet.minutes
    quiet.minutes = 0
  }
  quiet.isUnknown = false
  coverMinute(owner.coverage, minute)
  noteCarried(owner, minute, carried)
  quiet.recentPerMinute =
    quiet.recentPerMinute === 0 ? calls : quiet.recentPerMinute + (calls - quiet.recentPerMinute) / AVERAGE_MINUTES
  return first
}

/** Also of a minute in which somebody drowned the others: what was answered all the same the API has carried. */
function noteCarried({ busiestMinutes }: Owner, minute: number, carried: number): void {
  const day = Math.floor(minute / MINUTES_PER_DAY)
  busiestMinutes.set(day, Math.max(busiestMinutes.get(day) ?? 0, carried))
  for (const old of busiestMinutes.keys()) if (old < day - 6) busiestMinutes.delete(old)
}

/** Calls carried in the busiest minute of the last seven days; 0 when none is known. */
export const busiestMinute = ({ busiestMinutes }: Owner): number => Math.max(0, ...busiestMinutes.values())
