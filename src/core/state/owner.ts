/**
 * Owner of keys' state: windows, baselines and incidents, and the event time they live in. On a keyed stream each
 * partition is an owner, so that it can move to another worker with all that belongs to it; otherwise there is one,
 * which merges panes over all partitions. Here is how calls come in and how time passes; judging is the engine's.
 *
 * Plain data, mutable on purpose. Bounds: keys are those the stream shows (a limit comes with the worker's hardening),
 * open panes span at most watermark.ts's OPEN_SPAN_MS, quiet minutes are settled a week at a time.
 */

import type { CallBatch, PaneRow } from '../call-batch.ts'
import { holdsLimit } from '../incident/incident.ts'
import { type ApiKeyId, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'
import {
  type Coverage,
  coverMinute,
  createCoverage,
  excludeMinute,
  knowFrom,
  learnLateCalls,
  learnMinute,
  learnRow,
  unlearnMinute,
} from './baseline.ts'
import { activityOf, createKeyState, type KeyState, latencyOf, type WrongStretch } from './key-state.ts'
import {
  addCall,
  addCounts,
  CALLS,
  newestIs,
  openPane,
  paneCount,
  paneLatencyCount,
  paneLatencySumMs,
  paneSecond,
  STATUS_5XX,
} from './pane.ts'
import { addLatency } from './sketches.ts'
import { createEventTime, type EventTime, OPEN_SPAN_MS } from './watermark.ts'
import { addStraggler, addStragglers, paneInserted } from './window.ts'

const MINUTES_PER_DAY = 1_440
const MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY

export interface Owner {
  readonly keys: Map<ApiKeyId, KeyState>
  /** Keys with panes: those that called in the last five minutes. */
  readonly active: Set<KeyState>
  /** Keys whose incident is not quiet. */
  readonly incidents: Set<KeyState>
  /** Keys in a stretch that final looks found wrong. */
  readonly wrong: Set<KeyState>
  readonly time: EventTime
  readonly coverage: Coverage
  /** Keys with a pane in each second that is still open. */
  readonly openSeconds: Map<number, KeyState[]>
  /** Keys with new calls since the last early look, and the second of that look. */
  dirty: KeyState[]
  lookedAtSecond: number
  /** Panes of seconds before this one are closed; minutes before this one are learned. */
  closedToSecond: number
  learnedToMinute: number
  /** Keys with closed panes in the minute under way. */
  minuteKeys: KeyState[]
  /** Calls of the whole stream in minutes not yet learned. */
  readonly minuteCalls: Map<number, number>
  quiet: QuietStretch
  /** Calls in the busiest minute of each of the last seven days, by day: what the API has been seen to carry. */
  readonly busiestMinutes: Map<number, number>
  /** End of the latest count row, epoch ms: time to which a history of counts reaches. */
  rowsUntil: number
  calls: number
  lateCalls: number
}

/** Minutes in which nobody called: a gap in delivery, or a quiet night. Known only when calls come again. */
interface QuietStretch {
  fromMinute: number
  minutes: number
  /** The stretch holds the beginning, or the seam between history and stream: nothing is known of it. */
  isUnknown: boolean
  /** Calls a minute of the whole stream before it, averaged over about a quarter of an hour. */
  recentPerMinute: number
}

/** Name of the one owner of a stream that is not keyed; of a keyed one it holds what the history taught. */
export const SHARED_OWNER = ''

export const createOwner = (): Owner => ({
  keys: new Map(),
  active: new Set(),
  incidents: new Set(),
  wrong: new Set(),
  time: createEventTime(),
  coverage: createCoverage(),
  openSeconds: new Map(),
  dirty: [],
  lookedAtSecond: 0,
  closedToSecond: -1,
  learnedToMinute: -1,
  minuteKeys: [],
  minuteCalls: new Map(),
  quiet: { fromMinute: 0, minutes: 0, isUnknown: true, recentPerMinute: 0 },
  busiestMinutes: new Map(),
  rowsUntil: Number.NEGATIVE_INFINITY,
  calls: 0,
  lateCalls: 0,
})

/** An owner that begins with what another one was taught of the stream as a whole: which minutes it delivered. */
export function createHeir(taught: Owner): Owner {
  const { minutes, running, newestSlot, total } = taught.coverage
  return {
    ...createOwner(),
    coverage: { minutes: minutes.slice(), running: running.slice(), newestSlot, total },
    quiet: { ...taught.quiet, isUnknown: true },
  }
}

/** What was taught of a key goes to the owner in whose partition it turns up. */
export function inherit(owner: Owner, taught: Owner | undefined, keyId: ApiKeyId): void {
  const key = taught?.keys.get(keyId)
  if (taught === undefined || key === undefined || owner.keys.has(keyId)) return
  taught.keys.delete(keyId)
  taught.active.delete(key)
  key.activity = undefined
  key.isDirty = false
  key.earlySlot = undefined
  key.finalSlot = undefined
  owner.keys.set(keyId, key)
}

export function keyOf(owner: Owner, keyId: ApiKeyId, timeMs: number): KeyState {
  let key = owner.keys.get(keyId)
  if (key === undefined) {
    key = createKeyState(keyId, firstWholeMinute(Math.floor(timeMs / SECOND_MS)))
    owner.keys.set(keyId, key)
  }
  return key
}

/** The minute in which a key turns up is not a whole one, unless it turns up as the minute begins. */
const firstWholeMinute = (second: number): number => Math.ceil(second / 60)

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

/** Counts one call of the batch. Time has been moved on to it already. */
export function countCall(owner: Owner, key: KeyState, batch: CallBatch, row: number): void {
  const timeMs = batch.time[row] as number
  const second = Math.floor(timeMs / SECOND_MS)
  owner.calls++
  if (second < owner.closedToSecond) {
    owner.lateCalls++
    learnLateCalls(key.baseline, Math.floor(timeMs / MINUTE_MS), 1)
    return
  }
  const index = paneOf(owner, key, second)
  const activity = activityOf(key)
  const latencyMs = batch.latencyMs[row] as number
  const status = batch.status[row] as number
  addCall(activity.panes, index, timeMs, status, latencyMs, batch.bytes[row] as number)
  addStraggler(activity.earlyWindows, second, status)
  if (second < activity.early.accumulators.upTo) activity.early.isStale = true
  if (status >= 500 && second > activity.lastFailure) activity.lastFailure = second
  if (latencyMs >= 0) addLatency(latencyOf(activity), second, latencyMs)
}

/** Counts what another tool counted: a row of one second is a pane, a longer one teaches the baseline only. */
export function countRow(owner: Owner, key: KeyState, row: PaneRow): void {
  const { start, seconds } = row
  owner.rowsUntil = Math.max(owner.rowsUntil, start + seconds * SECOND_MS)
  if (seconds > 1) {
    const minutes = Math.max(1, Math.round(seconds / 60))
    const firstMinute = Math.floor(start / MINUTE_MS)
    for (let minute = firstMinute; minute < firstMinute + minutes; minute++)
      countMinute(owner, minute, row.calls / minutes)
    const { calls, status5xx, latencySumMs, latencyCount } = row
    knowFrom(key.baseline, firstMinute)
    learnRow(key.baseline, { firstMinute, minutes, calls, failures: status5xx, latencySumMs, latencyCount })
    return
  }
  owner.calls += row.calls
  const second = Math.floor(start / SECOND_MS)
  if (second < owner.closedToSecond) {
    owner.lateCalls += row.calls
    learnLateCalls(key.baseline, Math.floor(start / MINUTE_MS), row.calls)
    return
  }
  const index = paneOf(owner, key, second)
  const activity = activityOf(key)
  const { panes, earlyWindows, early } = activity
  if (second < early.accumulators.upTo) early.isStale = true
  if (row.status5xx > 0) activity.lastFailure = Math.max(activity.lastFailure, second)
  addCounts(panes, index, row)
  addStragglers(earlyWindows, second, [row.calls, row.status2xx, row.status4xx, row.status429, row.status5xx])
}

function paneOf(owner: Owner, key: KeyState, second: number): number {
  knowFrom(key.baseline, firstWholeMinute(second))
  if (!key.isDirty) {
    key.isDirty = true
    owner.dirty.push(key)
  }
  if (key.activity === undefined) owner.active.add(key)
  const { panes, earlyWindows } = activityOf(key)
  if (newestIs(panes, second)) return panes.end - 1
  const before = panes.end - panes.first
  const index = openPane(panes, second)
  if (panes.end - panes.first > before) {
    const keys = owner.openSeconds.get(second)
    if (keys === undefined) owner.openSeconds.set(second, [key])
    else keys.push(key)
    paneInserted(earlyWindows, index + panes.passed, second)
  }
  return index
}

function countMinute(owner: Owner, minute: number, calls: number): void {
  if (minute >= owner.learnedToMinute) owner.minuteCalls.set(minute, (owner.minuteCalls.get(minute) ?? 0) + calls)
}

/**
 * Told of each minute that has closed and was delivered, with the calls in it by key; before it the silent minutes from
 * `from` on, which only now turn out to have been a quiet stretch and no gap. Not told of a minute that rows of more than a
 * second had a part in: whose calls those were is learned, and not kept apart.
 */
export type Delivered = (from: number, minute: number, counts: ReadonlyMap<KeyState, number>) => void

/**
 * Closes all seconds before `toSecond`, oldest first, and learns the minutes that end in them. `close` is called for
 * each key with a pane in a closing second, in the order of key ids, so that no order of arrival shows.
 */
export function closeTo(
  owner: Owner,
  toSecond: number,
  delivered: Delivered | undefined,
  close: (key: KeyState, second: number) => void,
): void {
  if (owner.closedToSecond < 0) return
  while (owner.closedToSecond < toSecond) {
    const second = owner.closedToSecond
    const keys = owner.openSeconds.get(second)
    if (keys !== undefined) {
      owner.openSeconds.delete(second)
      if (keys.length > 1) keys.sort(byKeyId)
      for (const key of keys) {
        close(key, second)
        noteMinute(owner, key, second)
      }
    }
    owner.closedToSecond = second + 1
    if ((second + 1) % 60 === 0) learnTo(owner, (second + 1) / 60, delivered)
  }
}

const byKeyId = (one: KeyState, other: KeyState): number => (one.keyId < other.keyId ? -1 : 1)

/** Remembers that the key has calls in the minute under way (its windows hold how many). */
function noteMinute(owner: Owner, key: KeyState, second: number): void {
  const panes = key.activity?.panes
  if (panes === undefined) return
  const last = panes.firstOpen - 1
  const isFirstOfMinute =
    last <= panes.first || Math.floor(paneSecond(panes, last - 1) / 60) !== Math.floor(second / 60)
  if (isFirstOfMinute) owner.minuteKeys.push(key)
}

function learnTo(owner: Owner, minute: number, delivered: Delivered | undefined): void {
  const learned = minute - 1
  const counts = delivered && countsOf(owner, learned)
  for (const key of owner.minuteKeys) {
    const windows = key.activity?.windows
    if (windows === undefined || windows.minute !== learned) continue
    const calls = windows.sums.minute[CALLS] as number
    countMinute(owner, learned, calls)
    if (isNotLearned(key, learned)) continue
    learnMinute(key.baseline, learned, {
      calls,
      failures: windows.sums.minute[STATUS_5XX] as number,
      latencySumMs: windows.minuteLatencySumMs,
      latencyCount: windows.minuteLatencyCount,
    })
  }
  for (const key of new Set([...owner.wrong, ...owner.incidents])) {
    if (isNotLearned(key, learned)) excludeMinute(key.baseline, learned)
    if (key.wrong === undefined || key.wrong.until >= minute * MINUTE_MS) continue
    key.wrong = undefined
    owner.wrong.delete(key)
  }
  owner.minuteKeys = []
  if (learned >= owner.learnedToMinute) {
    const from = coverOrWait(owner, learned)
    if (from !== undefined && counts !== undefined) delivered?.(from, learned, counts)
    owner.learnedToMinute = minute
  }
  forgetIdle(owner, learned)
}

/** Calls of each key in the minute that ends; undefined where rows of more than a second had a part in it. */
function countsOf({ minuteKeys, minuteCalls }: Owner, minute: number): ReadonlyMap<KeyState, number> | undefined {
  if (minuteCalls.has(minute)) return undefined
  const counts = new Map<KeyState, number>()
  for (const key of minuteKeys) {
    const windows = key.activity?.windows
    if (windows?.minute === minute) counts.set(key, windows.sums.minute[CALLS] as number)
  }
  return counts
}

/**
 * Minutes in which a key is wrong are not learned, from the onset on; nor are those in which its limit is lowered. But for
 * one day only: a tenant that has grown for good would else stay a stranger for ever.
 */
function isNotLearned({ incident, wrong }: KeyState, minute: number): boolean {
  const at = minute * MINUTE_MS
  if (wrong !== undefined && at <= wrong.until && at + MINUTE_MS > wrong.onsetAt) {
    return minute - Math.floor(wrong.foundAt / MINUTE_MS) < MINUTES_PER_DAY
  }
  return holdsLimit(incident) && 'story' in incident && at + MINUTE_MS > incident.story.signal.onsetAt
}

/**
 * Minutes since the onset may have been learned before the evidence was enough: they are taken back, as far as panes still
 * tell what was in them. What began longer ago was slow, and no more than the robust statistic bears.
 */
export function turnedWrong(owner: Owner, key: KeyState, wrong: WrongStretch): void {
  key.wrong = wrong
  owner.wrong.add(key)
  const panes = key.activity?.panes
  if (panes === undefined) return
  const learnedTo = Math.floor(owner.closedToSecond / 60)
  const oldest = Math.ceil((owner.closedToSecond + 1 - 300) / 60)
  for (let minute = Math.max(oldest, Math.floor(wrong.onsetAt / MINUTE_MS)); minute < learnedTo; minute++) {
    const seen = { calls: 0, failures: 0, latencySumMs: 0, latencyCount: 0 }
    for (let index = panes.first; index < panes.firstOpen; index++) {
      if (Math.floor(paneSecond(panes, index) / 60) !== minute) continue
      seen.calls += paneCount(panes, index, CALLS)
      seen.failures += paneCount(panes, index, STATUS_5XX)
      seen.latencySumMs += paneLatencySumMs(panes, index)
      seen.latencyCount += paneLatencyCount(panes, index)
    }
    unlearnMinute(key.baseline, minute, seen)
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
  owner.minuteCalls.delete(minute)
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
  provenMinute(owner, minute, calls)
  quiet.recentPerMinute =
    quiet.recentPerMinute === 0 ? calls : quiet.recentPerMinute + (calls - quiet.recentPerMinute) / AVERAGE_MINUTES
  return first
}

/** A minute in which somebody harms the others shows what broke the API, not what it carries. */
function provenMinute({ busiestMinutes, incidents }: Owner, minute: number, calls: number): void {
  for (const { incident } of incidents) if ('story' in incident && incident.story.signal.severity === 'high') return
  const day = Math.floor(minute / MINUTES_PER_DAY)
  busiestMinutes.set(day, Math.max(busiestMinutes.get(day) ?? 0, calls))
  for (const old of busiestMinutes.keys()) if (old < day - 6) busiestMinutes.delete(old)
}

/** Calls in the busiest minute of the last seven days; 0 when none is known. */
export const busiestMinute = ({ busiestMinutes }: Owner): number => Math.max(0, ...busiestMinutes.values())

/** A stream that brought this many calls in as long a time just before does not fall silent by chance. */
const GAP_CALLS = 50
/** Nights come slowly: only this much of a long silence is held against it. */
const GAP_MINUTES = 15

const isGap = ({ minutes, isUnknown, recentPerMinute }: QuietStretch): boolean =>
  isUnknown || (minutes >= 2 && recentPerMinute * Math.min(minutes, GAP_MINUTES) >= GAP_CALLS)

/** A key that has not called for so many whole minutes shrinks to its baseline. */
export const IDLE_MINUTES = 5

function forgetIdle(owner: Owner, minute: number): void {
  for (const key of owner.active) {
    const panes = key.activity?.panes
    if (panes !== undefined && panes.end > panes.firstOpen) continue
    const newest = panes && panes.end > panes.first ? paneSecond(panes, panes.end - 1) : 0
    if (Math.floor(newest / 60) >= minute - IDLE_MINUTES) continue
    key.activity = undefined
    key.earlySlot = undefined
    key.finalSlot = undefined
    owner.active.delete(key)
  }
}
