/**
 * What one key's five-minute slots bring: 7 days × 288 slots, each with the sum and the sum of squares of the calls in its
 * minutes, learned a minute at a time as the watermark passes. `usual.ts` reads it.
 *
 * A minute that the stream delivered and in which the key was silent is an observed zero; a minute that the stream did
 * not deliver (`Coverage`), or that lies in an incident of the key, or before it was first seen, is unknown: left out.
 *
 *     … ring: a byte and a half a slot (`slot-code.ts`) … │ previous: exact │ slot being learned: exact
 *
 * What is taken back lies in the last five minutes, so in the two that are exact. Only calls that come late change a slot
 * of the ring: each time it is written anew by a draw, so that one call more is not lost among thousands, on average.
 *
 * Memory a key: its record (`known-keys.ts`, 416 bytes) and 440 bytes for each day of the week in which it called. Mutable on purpose.
 */
import { BASELINE_DAYS, MINUTE_MS, SLOTS_PER_DAY } from '../vocabulary.ts'
import { addAnswers, ageAnswers, answersOf, inheritAnswers } from './answer-totals.ts'
import { MINUTES_PER_SLOT } from './coverage.ts'
import {
  add,
  CALLS_AT,
  DAY_ROWS,
  dropRows,
  FIRST_MINUTE,
  type KnownKeys,
  makeRow,
  PREVIOUS_CALLS,
  PREVIOUS_SQUARES,
  RING_CALLS,
  ROW_SLOTS,
  read,
  SLOT,
  SLOT_CALLS,
  SLOT_SQUARES,
  SPREADS_AT,
  write,
} from './known-keys.ts'
import type { MinuteSeen } from './minute-seen.ts'
import { inheritReach } from './own-reach.ts'
import { inheritPauses } from './own-silence.ts'
import { byteAt, bytesOf, markChanged } from './slab.ts'
import { callsCodeOf, callsOf, drawOf, type SlotSums, spreadCodeOf, squaresOf } from './slot-code.ts'

/** Slots remembered: the one being learned takes the place of the one seven days before it, when it is complete. */
export const RING = BASELINE_DAYS * SLOTS_PER_DAY

/** Begins a key's baseline: nothing is known of it before `firstMinute` (epoch min). */
export function beginBaseline(keys: KnownKeys, key: number, firstMinute: number): void {
  write(keys, key, FIRST_MINUTE, firstMinute)
  write(keys, key, SLOT, Math.floor(firstMinute / MINUTES_PER_SLOT))
}

/** Calls come in any order: the key is known from its earliest on, whichever was read first. */
export function knowFrom(keys: KnownKeys, key: number, minute: number): void {
  if (minute >= read(keys, key, FIRST_MINUTE)) return
  write(keys, key, FIRST_MINUTE, minute)
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  const isNew =
    read(keys, key, RING_CALLS) === 0 &&
    read(keys, key, PREVIOUS_CALLS) === 0 &&
    read(keys, key, SLOT_CALLS) === 0 &&
    answersOf(keys, key).calls === 0
  if (slot < read(keys, key, SLOT) && isNew) write(keys, key, SLOT, slot)
}

/** One closed minute of this key. Minutes mostly come in order; one older than the two exact slots goes straight to the ring. */
export function learnMinute(keys: KnownKeys, key: number, minute: number, seen: MinuteSeen): void {
  if (minute < read(keys, key, FIRST_MINUTE)) return // known in part only
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  moveTo(keys, key, slot)
  learnInto(keys, key, slot, seen.calls, seen.calls * seen.calls)
  addAnswers(keys, key, slot, seen, 1)
}

/** Takes back what `learnMinute` was given: the minute turned out to lie in an incident. Not twice: it is excluded from then on. */
export function unlearnMinute(keys: KnownKeys, key: number, minute: number, seen: MinuteSeen): void {
  if (minute < read(keys, key, FIRST_MINUTE) || isExcluded(keys, key, minute)) return
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  learnInto(keys, key, slot, -seen.calls, -(seen.calls * seen.calls))
  addAnswers(keys, key, slot, seen, -1)
  excludeMinute(keys, key, minute)
}

/**
 * A count over many minutes, as other tools give them: `calls` spread evenly. `reaches` is told of the first minute in each slot, before it is learned. Inside it nothing is known of how minutes
 * differ, so they are taken to differ as chance alone makes them (variance = mean).
 */
export function learnRow(
  keys: KnownKeys,
  key: number,
  { firstMinute, minutes, ...seen }: MinuteSeen & { readonly firstMinute: number; readonly minutes: number },
  reaches: (minute: number) => void = () => undefined,
): void {
  const perMinute = seen.calls / minutes
  for (let minute = firstMinute; minute < firstMinute + minutes; ) {
    const slot = Math.floor(minute / MINUTES_PER_SLOT)
    const inSlot = Math.min(firstMinute + minutes, (slot + 1) * MINUTES_PER_SLOT) - minute
    reaches(minute)
    moveTo(keys, key, slot)
    // A second row of the same whole slot, of another key or stage, comes on top of each minute of the first.
    const before = inSlot === MINUTES_PER_SLOT ? slotSumsOf(keys, key, slot).calls / MINUTES_PER_SLOT : 0
    const squares = perMinute * perMinute + perMinute + 2 * perMinute * before
    learnInto(keys, key, slot, inSlot * perMinute, inSlot * squares)
    minute += inSlot
  }
  addAnswers(keys, key, Math.floor(firstMinute / MINUTES_PER_SLOT), seen, 1)
}

/**
 * Calls that came after their minute was learned. What that minute held is gone: the slot's mean minute stands in for it.
 * Of a minute that was not to be learned it teaches nothing either.
 */
export function learnLateCalls(keys: KnownKeys, key: number, minute: number, calls: number): void {
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  if (isExcluded(keys, key, minute)) return
  const mean = slotSumsOf(keys, key, slot).calls / MINUTES_PER_SLOT
  // As if they came one by one, each into a minute that holds what the ones before it left.
  learnInto(keys, key, slot, calls, calls * (2 * mean + 1) + (calls * (calls - 1)) / MINUTES_PER_SLOT)
}

/** This minute lies in an incident of the key: neither what it brought nor that it was observed counts. */
export function excludeMinute(keys: KnownKeys, key: number, minute: number): void {
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  moveTo(keys, key, slot)
  let slots = keys.excluded.get(key)
  if (slots === undefined) {
    slots = new Map()
    keys.excluded.set(key, slots)
  }
  slots.set(slot, (slots.get(slot) ?? 0) | (1 << (minute % MINUTES_PER_SLOT)))
}

function isExcluded(keys: KnownKeys, key: number, minute: number): boolean {
  const mask = keys.excluded.get(key)?.get(Math.floor(minute / MINUTES_PER_SLOT)) ?? 0
  return (mask & (1 << (minute % MINUTES_PER_SLOT))) !== 0
}

/** Where the slot is kept: aside while it is one of the last two, in the ring once it is older, nowhere beyond. */
function learnInto(keys: KnownKeys, key: number, slot: number, calls: number, squares: number): void {
  const newest = read(keys, key, SLOT)
  if (slot === newest) {
    add(keys, key, SLOT_CALLS, calls)
    add(keys, key, SLOT_SQUARES, squares)
  } else if (slot === newest - 1) {
    add(keys, key, PREVIOUS_CALLS, calls)
    add(keys, key, PREVIOUS_SQUARES, squares)
  } else if (isInRing(newest, slot)) {
    const before = ringSumsOf(keys, key, slot)
    const after = { calls: Math.max(0, before.calls + calls), squares: Math.max(0, before.squares + squares) }
    keys.draws = (keys.draws + 1) | 0
    putIntoRing(keys, key, slot, after, keys.draws)
  }
}

const isInRing = (newest: number, slot: number): boolean => slot < newest - 1 && slot >= newest - RING

/** Makes `slot` the one being learned, unless it is older: those before it go into the ring, silent slots between become zeros. */
function moveTo(keys: KnownKeys, key: number, slot: number): void {
  const newest = read(keys, key, SLOT)
  if (slot <= newest) return
  ageAnswers(keys, key, slot)
  const previous = { calls: read(keys, key, PREVIOUS_CALLS), squares: read(keys, key, PREVIOUS_SQUARES) }
  let last = { calls: read(keys, key, SLOT_CALLS), squares: read(keys, key, SLOT_SQUARES) }
  if (slot - newest > RING) {
    dropRows(keys, key)
    keys.excluded.delete(key)
    write(keys, key, RING_CALLS, 0)
    last = NOTHING
  } else {
    settle(keys, key, newest - 1, previous)
    clearSlot(keys, key, newest)
    if (slot > newest + 1) {
      settle(keys, key, newest, last)
      for (let silent = newest + 1; silent < slot; silent++) clearSlot(keys, key, silent)
      last = NOTHING
    }
  }
  write(keys, key, PREVIOUS_CALLS, last.calls)
  write(keys, key, PREVIOUS_SQUARES, last.squares)
  write(keys, key, SLOT, slot)
  write(keys, key, SLOT_CALLS, 0)
  write(keys, key, SLOT_SQUARES, 0)
}

const NOTHING: SlotSums = { calls: 0, squares: 0 }

/** A slot that is complete goes into the ring. The draw is made of what it holds: the same whatever order it came in. */
function settle(keys: KnownKeys, key: number, slot: number, sums: SlotSums): void {
  if (sums.calls > 0) putIntoRing(keys, key, slot, sums, Math.round(sums.calls))
}

/** The place of `slot` holds what was learned seven days before it: that leaves. */
function clearSlot(keys: KnownKeys, key: number, slot: number): void {
  const excluded = keys.excluded.get(key)
  if (excluded?.delete(slot - RING) === true && excluded.size === 0) keys.excluded.delete(key)
  const row = rowOf(keys, key, slot)
  if (row >= 0) putCodes(keys, key, row, slot, 0, 0)
}

function putIntoRing(keys: KnownKeys, key: number, slot: number, sums: SlotSums, seed: number): void {
  const callsCode = callsCodeOf(sums.calls, drawOf(slot, seed))
  const spreadCode = spreadCodeOf(callsCode, sums, drawOf(~slot, seed))
  let row = rowOf(keys, key, slot)
  if (row < 0 && callsCode === 0) return
  if (row < 0) row = makeRow(keys, key, Math.floor((slot % RING) / SLOTS_PER_DAY))
  putCodes(keys, key, row, slot, callsCode, spreadCode)
}

function putCodes(
  keys: KnownKeys,
  key: number,
  row: number,
  slot: number,
  callsCode: number,
  spreadCode: number,
): void {
  const bytes = bytesOf(keys.rows, row)
  const at = slot % ROW_SLOTS
  const callsAt = byteAt(keys.rows, row) + CALLS_AT + at
  const before = bytes[callsAt] as number
  if (before === 0 && callsCode === 0) return
  bytes[callsAt] = callsCode
  const spreadAt = byteAt(keys.rows, row) + SPREADS_AT + (at >> 1)
  const other = (bytes[spreadAt] as number) & (at & 1 ? 0x0f : 0xf0)
  bytes[spreadAt] = other | (at & 1 ? spreadCode << 4 : spreadCode)
  markChanged(keys.rows, row)
  add(keys, key, RING_CALLS, callsOf(callsCode) - callsOf(before))
}

/** The row that holds a slot's place in the ring; -1 if the key did not call on that day of the week. */
const rowOf = (keys: KnownKeys, key: number, slot: number): number =>
  read(keys, key, DAY_ROWS + Math.floor((slot % RING) / SLOTS_PER_DAY)) - 1

/** What was learned of a slot; nothing for one that is no longer or not yet remembered. */
export function slotSumsOf(keys: KnownKeys, key: number, slot: number): SlotSums {
  const newest = read(keys, key, SLOT)
  if (slot === newest) return { calls: read(keys, key, SLOT_CALLS), squares: read(keys, key, SLOT_SQUARES) }
  if (slot === newest - 1) return { calls: read(keys, key, PREVIOUS_CALLS), squares: read(keys, key, PREVIOUS_SQUARES) }
  return isInRing(newest, slot) ? ringSumsOf(keys, key, slot) : NOTHING
}

function ringSumsOf(keys: KnownKeys, key: number, slot: number): SlotSums {
  const row = rowOf(keys, key, slot)
  if (row < 0) return NOTHING
  const bytes = bytesOf(keys.rows, row)
  const at = slot % ROW_SLOTS
  const callsCode = bytes[byteAt(keys.rows, row) + CALLS_AT + at] as number
  if (callsCode === 0) return NOTHING
  const pair = bytes[byteAt(keys.rows, row) + SPREADS_AT + (at >> 1)] as number
  return { calls: callsOf(callsCode), squares: squaresOf(callsCode, at & 1 ? pair >> 4 : pair & 0x0f) }
}

/** Whether a key called in fewer than so many slots of the seven days before `slot`. */
export function calledInFewSlots(keys: KnownKeys, key: number, slot: number, enough: number): boolean {
  let slots = 0
  for (let before = slot - 1; before >= slot - RING; before--) {
    if (slotSumsOf(keys, key, before).calls > 0 && ++slots === enough) return false
  }
  return true
}

/** A key's baseline among those of its owner. */
export interface Baseline {
  readonly keys: KnownKeys
  readonly key: number
}

/**
 * A key of which nothing is known yet is taken to have done before what others did together, as one key. Their minutes are
 * taken to differ independently of each other: the square of a sum has twice the products of their means.
 */
export function learnHistory(keys: KnownKeys, key: number, others: readonly Baseline[]): void {
  if (others.length === 0) return
  const slot = Math.max(read(keys, key, SLOT), ...others.map(other => read(other.keys, other.key, SLOT)))
  const firstMinute = Math.min(...others.map(other => read(other.keys, other.key, FIRST_MINUTE)))
  moveTo(keys, key, slot)
  write(keys, key, FIRST_MINUTE, Math.min(firstMinute, read(keys, key, FIRST_MINUTE)))
  for (let past = slot - RING; past <= slot; past++) {
    const sums = together(others.map(other => slotSumsOf(other.keys, other.key, past)))
    if (past < slot - 1) settle(keys, key, past, sums)
    else learnInto(keys, key, past, sums.calls, sums.squares)
  }
  inheritReach(keys, key, others)
  inheritPauses(keys, key, others)
  for (const other of others) {
    inheritAnswers(keys, key, other)
    for (const [past, minutes] of other.keys.excluded.get(other.key) ?? []) {
      for (let minute = 0; minute < MINUTES_PER_SLOT; minute++)
        if (minutes & (1 << minute)) excludeMinute(keys, key, past * MINUTES_PER_SLOT + minute)
    }
  }
}

function together(slots: readonly SlotSums[]): SlotSums {
  const sum = { calls: 0, squares: 0 }
  for (const { calls, squares } of slots) {
    sum.squares += squares + (2 * sum.calls * calls) / MINUTES_PER_SLOT
    sum.calls += calls
  }
  return sum
}

/** Calls of the seven days before `slot`. A key that was silent since has older slots in its ring as well. */
export function weekCalls(keys: KnownKeys, key: number, slot: number): number {
  const newest = read(keys, key, SLOT)
  if (newest < slot - RING) return 0
  let calls = read(keys, key, RING_CALLS)
  if (newest - 1 >= slot - RING) calls += read(keys, key, PREVIOUS_CALLS)
  if (slot > newest) calls += read(keys, key, SLOT_CALLS)
  for (let old = newest - RING; old < slot - RING; old++) calls -= ringSumsOf(keys, key, old).calls
  return calls
}

export const slotOf = (timeMs: number): number => Math.floor(timeMs / (MINUTE_MS * MINUTES_PER_SLOT))

/** Calls learned of the week up to and with `slot`; undefined of a key that has been silent for all of it. */
export function callsOfLastWeek(keys: KnownKeys, key: number, slot: number): number | undefined {
  const newest = read(keys, key, SLOT)
  if (newest < slot - RING) return undefined
  return weekCalls(keys, key, slot) + (slot === newest ? read(keys, key, SLOT_CALLS) : 0)
}
