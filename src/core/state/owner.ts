/**
 * Owner of keys' state: windows, baselines and incidents, and the event time they live in. On a keyed stream each
 * partition is an owner, so that it can move to another worker with all that belongs to it; otherwise there is one,
 * which merges panes over all partitions. Here is how calls come in and how time passes; judging is the engine's.
 *
 * Mutable on purpose. Bounds: known keys are at most `state.maxKeys` (engine.ts), open panes span at most watermark.ts's
 * OPEN_SPAN_MS, quiet minutes are settled a week at a time.
 */

import type { CallBatch, PaneRow } from '../call-batch.ts'
import { holdsLimit } from '../incident/incident.ts'
import { type ApiKeyId, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'
import { excludeMinute, knowFrom, learnLateCalls, learnMinute, learnRow, unlearnMinute } from './baseline.ts'
import { type Coverage, coverMinute, createCoverage } from './coverage.ts'
import { activityOf, type KeyState, latencyOf, type WrongStretch } from './key-state.ts'
import { createKnownKeys, stayKnown } from './known-keys.ts'
import { findLive, firstWholeMinute, inheritKey, type OwnedKeys, retire } from './live-keys.ts'
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

export interface Owner extends OwnedKeys {
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
  keys: createKnownKeys(),
  live: [],
  place: new Int32Array(64),
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

/** What was taught of a key goes to the owner in whose partition it turns up; its number there. */
export function inherit(owner: Owner, taught: Owner, keyId: ApiKeyId): number | undefined {
  const live = findLive(taught, keyId)
  if (live !== undefined) taught.active.delete(live)
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

/** Counts one call of the batch. Time has been moved on to it already. */
export function countCall(owner: Owner, key: KeyState, batch: CallBatch, row: number): void {
  const timeMs = batch.time[row] as number
  const second = Math.floor(timeMs / SECOND_MS)
  owner.calls++
  if (second < owner.closedToSecond) {
    owner.lateCalls++
    learnLateCalls(owner.keys, key.number, Math.floor(timeMs / MINUTE_MS), 1)
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

/** What another tool counted over more than a second teaches the baseline only; the key need not be live. */
export function teachRow(owner: Owner, number: number, row: PaneRow): void {
  const { start, seconds, calls, status5xx, latencySumMs, latencyCount } = row
  owner.rowsUntil = Math.max(owner.rowsUntil, start + seconds * SECOND_MS)
  const minutes = Math.max(1, Math.round(seconds / 60))
  const firstMinute = Math.floor(start / MINUTE_MS)
  for (let minute = firstMinute; minute < firstMinute + minutes; minute++) countMinute(owner, minute, calls / minutes)
  const live = owner.live[(owner.place[number] as number) - 1]
  if (live !== undefined) live.knownFrom = Math.min(live.knownFrom, firstMinute)
  else stayKnown(owner.keys, number, firstMinute)
  knowFrom(owner.keys, number, firstMinute)
  learnRow(owner.keys, number, { firstMinute, minutes, calls, failures: status5xx, latencySumMs, latencyCount })
}

/** Counts what another tool counted in one second: a pane. */
export function countRow(owner: Owner, key: KeyState, row: PaneRow): void {
  const { start, seconds } = row
  owner.rowsUntil = Math.max(owner.rowsUntil, start + seconds * SECOND_MS)
  owner.calls += row.calls
  const second = Math.floor(start / SECOND_MS)
  if (second < owner.closedToSecond) {
    owner.lateCalls += row.calls
    learnLateCalls(owner.keys, key.number, Math.floor(start / MINUTE_MS), row.calls)
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
  if (second <= (key.knownFrom - 1) * 60) {
    key.knownFrom = firstWholeMinute(second)
    knowFrom(owner.keys, key.number, key.knownFrom)
  }
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
 * Closes all seconds before `toSecond`, oldest first, and learns the minutes that end in them. `close` is called for
 * each key with a pane in a closing second, in the order of key ids, so that no order of arrival shows.
 */
export function closeTo(owner: Owner, toSecond: number, close: (key: KeyState, second: number) => void): void {
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
    if ((second + 1) % 60 === 0) learnTo(owner, (second + 1) / 60)
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

function learnTo(owner: Owner, minute: number): void {
  const learned = minute - 1
  for (const key of owner.minuteKeys) {
    const windows = key.activity?.windows
    if (windows === undefined || windows.minute !== learned) continue
    const calls = windows.sums.minute[CALLS] as number
    countMinute(owner, learned, calls)
    if (isNotLearned(key, learned)) continue
    learnMinute(owner.keys, key.number, learned, {
      calls,
      failures: windows.sums.minute[STATUS_5XX] as number,
      latencySumMs: windows.minuteLatencySumMs,
      latencyCount: windows.minuteLatencyCount,
    })
  }
  for (const key of new Set([...owner.wrong, ...owner.incidents])) {
    if (isNotLearned(key, learned)) excludeMinute(owner.keys, key.number, learned)
    if (key.wrong === undefined || key.wrong.until >= minute * MINUTE_MS) continue
    key.wrong = undefined
    owner.wrong.delete(key)
  }
  owner.minuteKeys = []
  if (learned >= owner.learnedToMinute) {
    coverOrWait(owner, learned)
    owner.learnedToMinute = minute
  }
  forgetIdle(owner, learned)
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
    unlearnMinute(owner.keys, key.number, minute, seen)
  }
}

const AVERAGE_MINUTES = 15

function coverOrWait(owner: Owner, minute: number): void {
  const { quiet } = owner
  const calls = owner.minuteCalls.get(minute)
  if (calls === undefined) {
    if (quiet.minutes === 0) quiet.fromMinute = minute
    quiet.minutes++
    return
  }
  owner.minuteCalls.delete(minute)
  if (quiet.minutes > 0) {
    if (!isGap(quiet)) {
      const from = Math.max(quiet.fromMinute, minute - MINUTES_PER_WEEK)
      for (let silent = from; silent < minute; silent++) coverMinute(owner.coverage, silent)
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

/** A key that has not called for so many whole minutes shrinks to its incident, and without one to its record. */
export const IDLE_MINUTES = 5

function forgetIdle(owner: Owner, minute: number): void {
  const idle: KeyState[] = []
  for (const key of owner.live) {
    const panes = key.activity?.panes
    if (panes !== undefined && panes.end > panes.firstOpen) continue
    const newest = panes && panes.end > panes.first ? paneSecond(panes, panes.end - 1) : 0
    if (Math.floor(newest / 60) >= minute - IDLE_MINUTES) continue
    key.activity = undefined
    key.earlySlot = undefined
    key.finalSlot = undefined
    owner.active.delete(key)
    if (key.incident.phase === 'quiet' && key.wrong === undefined) idle.push(key)
  }
  // In the order of their ids, so that none of arrival shows when some are to be forgotten.
  for (const key of idle.sort(byKeyId)) retire(owner, key, minute)
}
