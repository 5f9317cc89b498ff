/**
 * All keys that an owner knows, a record each: its id, what its baseline sums up, and where its days stand in the slab of rows.
 * A key is a number here. A million of them are some thousands of arrays and not millions of objects, and one that does not
 * call costs nothing but its bytes: it stands in a list of idle keys, longest idle first, and nobody walks that list.
 *
 * Numbers and the places of cells depend on the order in which keys came; nothing that is decided does. Mutable on purpose.
 */
import { EMPTY_HASH, hashOn } from '../byte-hash.ts'
import type { ApiKeyId } from '../vocabulary.ts'
import { createKnownPlaces, forgetPlaces, type KnownPlaces, movePlaces, restoreKnownPlaces } from './known-places.ts'
import {
  addCell,
  byteAt,
  bytesOf,
  createSlab,
  doubleAt,
  doublesOf,
  markChanged,
  removeCell,
  type Slab,
} from './slab.ts'

/** Doubles of a record. `baseline.ts` says what the first ones mean. */
export const FIRST_MINUTE = 0
export const SLOT = 1
export const SLOT_CALLS = 2
export const SLOT_SQUARES = 3
export const PREVIOUS_CALLS = 4
export const PREVIOUS_SQUARES = 5
export const RING_CALLS = 6
export const INCIDENTS = 7
/** Neighbours in the list of idle keys, number + 1; 0 = none. Of a free record `NEWER` is the next free one. */
const NEWER = 8
const OLDER = 9
/** Minute (epoch min) since which it stands in the list; 0 = it does not. */
const IDLE_SINCE = 10
/** Row + 1 of each day of the week; 0 = none. */
export const DAY_ROWS = 11
export const DAYS = 7
/** The sums of `answer-totals.ts`, which says what each is: from the one to before the other. */
export const ANSWERS = { from: DAY_ROWS + DAYS, to: DAY_ROWS + DAYS + 6 } as const
/** How far the key goes by itself: own-reach.ts says what these mean. */
export const REACH = ANSWERS.to
const REACH_WORDS = 22
/** For how long it is silent by itself: own-silence.ts. */
export const SILENCE = REACH + REACH_WORDS
const SILENCE_WORDS = 3
/** Bytes of the id, which follow; 0 = the record is free, -1 = too long an id, see `longIds`. */
const ID_LENGTH = SILENCE + SILENCE_WORDS
const ID_BYTES = 40
const RECORD_BYTES = (ID_LENGTH + 1) * 8 + ID_BYTES

/** A row: whose it is (key × 7 + day) as a double, then a byte for the calls and half a byte for the spread of each slot. */
const OWNER_BYTES = 8
export const ROW_SLOTS = 288
export const CALLS_AT = OWNER_BYTES
export const SPREADS_AT = OWNER_BYTES + ROW_SLOTS
const ROW_BYTES = SPREADS_AT + ROW_SLOTS / 2

/** What is kept of it; all else follows from this. Plain data, apart from the slabs, which are large. */
export interface KnownKeysKept {
  size: number
  /** Record + 1 of the first free one. */
  firstFree: number
  /** Both ends of the list of idle keys, number + 1. */
  oldestIdle: number
  newestIdle: number
  /** Draws made so far for what came late (`drawOf`). */
  draws: number
  /** Keys forgotten so far, to make room for others. */
  forgotten: number
  /** Ids longer than a record holds. The decoder makes none above 256 bytes. */
  readonly longIds: Map<number, ApiKeyId>
  /** Minutes not to be learned, by key and slot (bit 0 = the slot's first minute); entries leave with their slot. */
  readonly excluded: Map<number, Map<number, number>>
}

export interface KnownKeys extends KnownKeysKept {
  readonly records: Slab
  readonly rows: Slab
  /** Of those whose calls have a route or a source. */
  readonly places: KnownPlaces
  /** Open addressing over the ids, at most half full: number + 1, and 0 where free. */
  index: Int32Array<ArrayBuffer>
}

export const createKnownKeys = (): KnownKeys => ({
  size: 0,
  firstFree: 0,
  oldestIdle: 0,
  newestIdle: 0,
  draws: 0,
  forgotten: 0,
  longIds: new Map(),
  excluded: new Map(),
  records: createSlab(RECORD_BYTES),
  rows: createSlab(ROW_BYTES),
  places: createKnownPlaces(),
  index: new Int32Array(64),
})

export function keepKnownKeys(keys: KnownKeys): KnownKeysKept {
  const { records: _, rows: __, places: ___, index: ____, ...kept } = keys
  return kept
}

/** As it was before a checkpoint: the index is made again from the records. */
export function restoreKnownKeys(
  kept: KnownKeysKept,
  slabs: { readonly records: Slab; readonly rows: Slab; readonly places: Slab },
): KnownKeys {
  let slots = 64
  while (slots < slabs.records.cells * 2) slots *= 2
  const places = restoreKnownPlaces(slabs.places)
  const keys: KnownKeys = { ...kept, ...slabs, places, index: new Int32Array(slots) }
  for (let key = 0; key < slabs.records.cells; key++) {
    if (isKnown(keys, key)) putIntoIndex(keys, key)
  }
  return keys
}

export const read = (keys: KnownKeys, key: number, field: number): number =>
  doublesOf(keys.records, key)[doubleAt(keys.records, key) + field] as number

export function write(keys: KnownKeys, key: number, field: number, value: number): void {
  doublesOf(keys.records, key)[doubleAt(keys.records, key) + field] = value
  markChanged(keys.records, key)
}

export const add = (keys: KnownKeys, key: number, field: number, amount: number): void =>
  write(keys, key, field, read(keys, key, field) + amount)

/** Whether a record below `records.cells` is a key's, and not free. */
export const isKnown = (keys: KnownKeys, key: number): boolean => read(keys, key, ID_LENGTH) !== 0

/** The key's number, or undefined if it is not known. */
export function findKey(keys: KnownKeys, keyId: ApiKeyId): number | undefined {
  const place = placeOf(keys, keyId)
  const taken = keys.index[place] as number
  return taken === 0 ? undefined : taken - 1
}

/** A key that is not known yet. It stands in no list. */
export function addKey(keys: KnownKeys, keyId: ApiKeyId): number {
  if ((keys.size + 1) * 2 > keys.index.length) enlargeIndex(keys)
  let key = keys.firstFree - 1
  if (key < 0) key = addCell(keys.records)
  else {
    keys.firstFree = read(keys, key, NEWER)
    write(keys, key, NEWER, 0)
  }
  const bytes = Buffer.from(keyId)
  const isLong = bytes.length > ID_BYTES
  write(keys, key, ID_LENGTH, isLong ? -1 : bytes.length)
  if (isLong) keys.longIds.set(key, keyId)
  else bytesOf(keys.records, key).set(bytes, byteAt(keys.records, key) + RECORD_BYTES - ID_BYTES)
  keys.index[placeOf(keys, keyId)] = key + 1
  keys.size++
  return key
}

/** Forgets all of a key that stands in no list. Its number is given to another one. */
export function removeKey(keys: KnownKeys, key: number): void {
  takeFromIndex(keys, placeOf(keys, idOf(keys, key)))
  dropRows(keys, key)
  forgetPlaces(keys.places, key)
  keys.longIds.delete(key)
  keys.excluded.delete(key)
  const from = byteAt(keys.records, key)
  bytesOf(keys.records, key).fill(0, from, from + RECORD_BYTES)
  write(keys, key, NEWER, keys.firstFree)
  keys.firstFree = key + 1
  keys.size--
}

export function idOf(keys: KnownKeys, key: number): ApiKeyId {
  const long = keys.longIds.get(key)
  if (long !== undefined) return long
  const from = byteAt(keys.records, key) + RECORD_BYTES - ID_BYTES
  const { buffer } = bytesOf(keys.records, key)
  return Buffer.from(buffer, from, read(keys, key, ID_LENGTH)).toString() as ApiKeyId
}

/** Whether it stands in the list of idle keys. */
export const isIdle = (keys: KnownKeys, key: number): boolean => read(keys, key, IDLE_SINCE) !== 0

/** The key that has been idle longest, and since which minute. */
export function longestIdle(keys: KnownKeys): { readonly key: number; readonly since: number } | undefined {
  const key = keys.oldestIdle - 1
  return key < 0 ? undefined : { key, since: read(keys, key, IDLE_SINCE) }
}

/** Puts a key at the end of the list of idle ones, wherever it stood. */
export function beIdle(keys: KnownKeys, key: number, minute: number): void {
  notIdle(keys, key)
  write(keys, key, IDLE_SINCE, Math.max(1, minute))
  write(keys, key, OLDER, keys.newestIdle)
  if (keys.newestIdle === 0) keys.oldestIdle = key + 1
  else write(keys, keys.newestIdle - 1, NEWER, key + 1)
  keys.newestIdle = key + 1
}

export function notIdle(keys: KnownKeys, key: number): void {
  if (!isIdle(keys, key)) return
  const newer = read(keys, key, NEWER)
  const older = read(keys, key, OLDER)
  if (older === 0) keys.oldestIdle = newer
  else write(keys, older - 1, NEWER, newer)
  if (newer === 0) keys.newestIdle = older
  else write(keys, newer - 1, OLDER, older)
  for (const field of [NEWER, OLDER, IDLE_SINCE]) write(keys, key, field, 0)
}

const MINUTES_PER_DAY = 1_440

/** An idle key was taught something about `minute`: it stays as long as one that fell silent then, to the day. */
export function stayKnown(keys: KnownKeys, key: number, minute: number): void {
  if (minute - read(keys, key, IDLE_SINCE) >= MINUTES_PER_DAY) beIdle(keys, key, minute)
}

/** The row of a key's day, made if it has none. */
export function makeRow(keys: KnownKeys, key: number, day: number): number {
  const known = read(keys, key, DAY_ROWS + day) - 1
  if (known >= 0) return known
  const row = addCell(keys.rows)
  doublesOf(keys.rows, row)[doubleAt(keys.rows, row)] = key * DAYS + day
  write(keys, key, DAY_ROWS + day, row + 1)
  return row
}

export function dropRows(keys: KnownKeys, key: number): void {
  for (let day = 0; day < DAYS; day++) {
    const row = read(keys, key, DAY_ROWS + day) - 1
    if (row < 0) continue
    write(keys, key, DAY_ROWS + day, 0)
    removeCell(keys.rows, row)
    // The last row has taken its place, and its key must know.
    if (row === keys.rows.cells) continue
    const owner = doublesOf(keys.rows, row)[doubleAt(keys.rows, row)] as number
    write(keys, Math.floor(owner / DAYS), DAY_ROWS + (owner % DAYS), row + 1)
  }
}

/** Moves all that is known of a key to another owner's, where it is not known yet and stands in no list. */
export function moveKey(from: KnownKeys, key: number, to: KnownKeys): number {
  notIdle(from, key)
  const moved = addKey(to, idOf(from, key))
  for (let field = 0; field < ID_LENGTH; field++) {
    if (field < DAY_ROWS || field >= ANSWERS.from) write(to, moved, field, read(from, key, field))
  }
  for (let day = 0; day < DAYS; day++) {
    const row = read(from, key, DAY_ROWS + day) - 1
    if (row < 0) continue
    const copy = makeRow(to, moved, day)
    const begin = byteAt(from.rows, row) + OWNER_BYTES
    const slots = bytesOf(from.rows, row).subarray(begin, begin + ROW_BYTES - OWNER_BYTES)
    bytesOf(to.rows, copy).set(slots, byteAt(to.rows, copy) + OWNER_BYTES)
  }
  movePlaces(from.places, key, to.places, moved)
  const excluded = from.excluded.get(key)
  if (excluded !== undefined) to.excluded.set(moved, excluded)
  removeKey(from, key)
  return moved
}

/** Where in the index the id stands, or the free place where it would. */
function placeOf(keys: KnownKeys, keyId: ApiKeyId): number {
  const mask = keys.index.length - 1
  const bytes = Buffer.from(keyId)
  let place = hashOf(bytes) & mask
  for (; ; place = (place + 1) & mask) {
    const taken = keys.index[place] as number
    if (taken === 0 || isId(keys, taken - 1, keyId, bytes)) return place
  }
}

function isId(keys: KnownKeys, key: number, keyId: ApiKeyId, bytes: Uint8Array): boolean {
  const length = read(keys, key, ID_LENGTH)
  if (length < 0) return keys.longIds.get(key) === keyId
  if (length !== bytes.length) return false
  const record = bytesOf(keys.records, key)
  const from = byteAt(keys.records, key) + RECORD_BYTES - ID_BYTES
  for (let at = 0; at < length; at++) if (record[from + at] !== bytes[at]) return false
  return true
}

/** Low bits of the hash depend on low bits only, so the high ones are folded in. */
function hashOf(bytes: Uint8Array): number {
  let hash = EMPTY_HASH
  for (let at = 0; at < bytes.length; at++) hash = hashOn(hash, bytes[at] as number)
  return hash ^ (hash >>> 15)
}

/** Of its id: the same in whatever order keys came. */
export function hashOfKey(keys: KnownKeys, key: number): number {
  const long = keys.longIds.get(key)
  if (long !== undefined) return hashOf(Buffer.from(long))
  const from = byteAt(keys.records, key) + RECORD_BYTES - ID_BYTES
  return hashOf(bytesOf(keys.records, key).subarray(from, from + read(keys, key, ID_LENGTH)))
}

function putIntoIndex(keys: KnownKeys, key: number): void {
  const mask = keys.index.length - 1
  let place = hashOfKey(keys, key) & mask
  while (keys.index[place] !== 0) place = (place + 1) & mask
  keys.index[place] = key + 1
}

function enlargeIndex(keys: KnownKeys): void {
  const before = keys.index
  keys.index = new Int32Array(before.length * 2)
  for (const taken of before) if (taken !== 0) putIntoIndex(keys, taken - 1)
}

/** Those behind it in the same run move up, if that brings them nearer to where they belong. */
function takeFromIndex(keys: KnownKeys, place: number): void {
  const { index } = keys
  const mask = index.length - 1
  let free = place
  for (let next = (place + 1) & mask; index[next] !== 0; next = (next + 1) & mask) {
    const home = hashOfKey(keys, (index[next] as number) - 1) & mask
    if (((next - home) & mask) < ((next - free) & mask)) continue
    index[free] = index[next] as number
    free = next
  }
  index[free] = 0
}
