/**
 * What is kept for weeks of the routes and places of a key, for keys whose calls have any: a cell of 152 bytes in a slab of its
 * own.
 *
 * - The last twelve networks that it was used from, each as 16 bits of its keyed hash with the hours in which it was first and
 *   last seen. A new one is taken for one of twelve known ones by chance in one of 5,000 cases.
 * - How many distinct routes its minutes usually have, and how often it calls one route as evenly as clockwork: so that who
 *   crawls or polls by trade is known to.
 *
 * A key's first three days teach which places are its own, and at least 24 hours in which it called. After that a place is new
 * for a day, whether or not anybody was told.
 * One that is used from more places than are kept is at home nowhere, and nothing is said of its places for two weeks.
 * Mutable on purpose.
 */
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

/** Doubles of a cell. Its hours count from the one in which it began. */
const OWNER = 0
const BEGAN_HOUR = 1
const MINUTES = 2
const ROUTES = 3
const ROUTES_UPPER = 4
const EVEN_UPPER = 5
/** Hour of the last time that a place gave way which had been seen lately; 0 = never. */
const ROAMED = 6
/** How many hours had a call, the newest of them, and the hour from which on its places were known; 0 = not yet. */
const CALLING_HOURS = 7
const NEWEST_HOUR = 8
const LEARNED = 9
const ENTRIES_AT = 10 * 8
/** Three numbers of 16 bits each. */
const MOST_PLACES = 12
const CELL_BYTES = ENTRIES_AT + MOST_PLACES * 6

const HOURS_PER_DAY = 24
const LEARNING_HOURS = 3 * HOURS_PER_DAY
const LEARNING_CALLING_HOURS = 24
const NEW_FOR_HOURS = HOURS_PER_DAY
const ROAMS_FOR_HOURS = 14 * HOURS_PER_DAY
const MOST_HOURS = 65_535

export interface KnownPlaces {
  readonly slab: Slab
  /** Cell + 1 by key; 0 = it has none. */
  cells: Int32Array<ArrayBuffer>
}

export const createKnownPlaces = (): KnownPlaces => ({ slab: createSlab(CELL_BYTES), cells: new Int32Array(64) })

/** As it was before a checkpoint: whose a cell is stands in it. */
export function restoreKnownPlaces(slab: Slab): KnownPlaces {
  const places: KnownPlaces = { slab, cells: new Int32Array(64) }
  for (let cell = 0; cell < slab.cells; cell++) setCell(places, doubleOf(slab, cell, OWNER), cell + 1)
  return places
}

const doubleOf = (slab: Slab, cell: number, field: number): number =>
  doublesOf(slab, cell)[doubleAt(slab, cell) + field] as number

function setDouble(slab: Slab, cell: number, field: number, value: number): void {
  doublesOf(slab, cell)[doubleAt(slab, cell) + field] = value
  markChanged(slab, cell)
}

const cellOf = ({ cells }: KnownPlaces, key: number): number => (cells[key] ?? 0) - 1

function setCell(places: KnownPlaces, key: number, value: number): void {
  let { length } = places.cells
  while (length <= key) length *= 2
  if (length > places.cells.length) {
    const before = places.cells
    places.cells = new Int32Array(length)
    places.cells.set(before)
  }
  places.cells[key] = value
}

function makeCell(places: KnownPlaces, key: number, hour: number): number {
  const known = cellOf(places, key)
  if (known >= 0) return known
  const cell = addCell(places.slab)
  setDouble(places.slab, cell, OWNER, key)
  setDouble(places.slab, cell, BEGAN_HOUR, hour)
  setCell(places, key, cell + 1)
  return cell
}

export function forgetPlaces(places: KnownPlaces, key: number): void {
  const { slab } = places
  const cell = cellOf(places, key)
  if (cell < 0) return
  setCell(places, key, 0)
  removeCell(slab, cell)
  // The last cell has taken its place.
  if (cell < slab.cells) setCell(places, doubleOf(slab, cell, OWNER), cell + 1)
}

/** To another owner's key, of whose places nothing is known. */
export function movePlaces(from: KnownPlaces, key: number, to: KnownPlaces, moved: number): void {
  const cell = cellOf(from, key)
  if (cell < 0) return
  const copy = makeCell(to, moved, 0)
  const begin = byteAt(from.slab, cell)
  bytesOf(to.slab, copy).set(bytesOf(from.slab, cell).subarray(begin, begin + CELL_BYTES), byteAt(to.slab, copy))
  setDouble(to.slab, copy, OWNER, moved)
  forgetPlaces(from, key)
}

/** Notes that the key was used from a source (its hash) in this hour (epoch h), and answers whether that is a new place. */
export function noteSource(places: KnownPlaces, key: number, source: number, hour: number): boolean {
  const { slab } = places
  const cell = makeCell(places, key, hour)
  const now = hoursSince(slab, cell, hour)
  const learned = learnHour(slab, cell, now)
  const entries = entriesOf(slab, cell)
  const print = source & 0xffff || 1
  let oldest = 0
  for (let at = 0; at < entries.length; at += 3) {
    const held = entries[at] as number
    if (held === print) return isNewPlace(meet(slab, cell, entries, at, now), now, learned)
    if (held === 0) {
      entries.set([print, now, now], at)
      markChanged(slab, cell)
      return isNewPlace(now, now, learned)
    }
    if (isOlder(entries, at, oldest)) oldest = at
  }
  if (now - (entries[oldest + 2] as number) < ROAMS_FOR_HOURS) setDouble(slab, cell, ROAMED, Math.max(1, now))
  entries.set([print, now, now], oldest)
  markChanged(slab, cell)
  return isNewPlace(now, now, learned)
}

/** Counts the hour, and answers from which hour on the key's places have been known; 0 where that is not yet. */
function learnHour(slab: Slab, cell: number, now: number): number {
  const learned = doubleOf(slab, cell, LEARNED)
  const isCounted = doubleOf(slab, cell, CALLING_HOURS) > 0 && now <= doubleOf(slab, cell, NEWEST_HOUR)
  if (learned > 0 || isCounted) return learned
  const hours = doubleOf(slab, cell, CALLING_HOURS) + 1
  setDouble(slab, cell, CALLING_HOURS, hours)
  setDouble(slab, cell, NEWEST_HOUR, now)
  if (now < LEARNING_HOURS || hours <= LEARNING_CALLING_HOURS) return 0
  setDouble(slab, cell, LEARNED, now)
  return now
}

/** Seen again: when it was seen first. */
function meet(slab: Slab, cell: number, entries: Uint16Array, at: number, now: number): number {
  const [first, last] = [entries[at + 1] as number, entries[at + 2] as number]
  if (now >= first && now <= last) return first
  entries[at + 1] = Math.min(first, now)
  entries[at + 2] = Math.max(last, now)
  markChanged(slab, cell)
  return Math.min(first, now)
}

/** Last seen longer ago; of two seen in the same hour one by its number, so that no order of arrival shows. */
const isOlder = (entries: Uint16Array, one: number, other: number): boolean => {
  const [seen, otherSeen] = [entries[one + 2] as number, entries[other + 2] as number]
  return seen < otherSeen || (seen === otherSeen && (entries[one] as number) < (entries[other] as number))
}

const hoursSince = (slab: Slab, cell: number, hour: number): number =>
  Math.min(MOST_HOURS, Math.max(0, hour - doubleOf(slab, cell, BEGAN_HOUR)))

function entriesOf(slab: Slab, cell: number): Uint16Array {
  const { buffer } = bytesOf(slab, cell)
  return new Uint16Array(buffer, byteAt(slab, cell) + ENTRIES_AT, MOST_PLACES * 3)
}

const isNewPlace = (first: number, now: number, learned: number): boolean =>
  learned > 0 && first >= learned && now - first < NEW_FOR_HOURS

export interface PlacesKnown {
  /** Places that were seen first in the last day, those of the first three days left out. */
  readonly newToday: number
  /** How many a day there were in the week before that, or in as much of it as is known. */
  readonly newPerDay: number
  /** The others. */
  readonly known: number
}

/** Undefined while its places are still being learned, and of a key that roams. */
export function placesKnown(places: KnownPlaces, key: number, hour: number): PlacesKnown | undefined {
  const { slab } = places
  const cell = cellOf(places, key)
  if (cell < 0) return undefined
  const now = hoursSince(slab, cell, hour)
  const roamed = doubleOf(slab, cell, ROAMED)
  const learned = doubleOf(slab, cell, LEARNED)
  if (learned === 0 || (roamed > 0 && now - roamed < ROAMS_FOR_HOURS)) return undefined
  const weekHours = 7 * HOURS_PER_DAY
  let newToday = 0
  let newBefore = 0
  let known = 0
  const entries = entriesOf(slab, cell)
  for (let at = 0; at < entries.length && entries[at] !== 0; at += 3) {
    const first = entries[at + 1] as number
    if (isNewPlace(first, now, learned)) newToday++
    else {
      known++
      if (first >= learned && now - first < NEW_FOR_HOURS + weekHours) newBefore++
    }
  }
  const days = Math.min(weekHours, Math.max(HOURS_PER_DAY, now - learned - NEW_FOR_HOURS)) / HOURS_PER_DAY
  return { newToday, newPerDay: newBefore / days, known }
}

/** So many minutes with a call must be known before any of this is usual. */
const LEAST_MINUTES = 10
/** What counts of the middle: the last thousand minutes with a call, the newer the more. */
const MIDDLE_MINUTES = 1_000
/**
 * The upper end goes a twentieth of the way up to what is above it, and is halved in a week of minutes that stay below. Twice as
 * much as it is, or as is little, is all that a minute may teach: what nobody expected must not become usual while it is told.
 */
const RISES = 1 / 20
const FALLS = Math.LN2 / (7 * 1_440)
const MOST_TIMES = 2
const FEW_ROUTES = 10
const FEW_EVEN_CALLS = 60

/** Learns what a minute with a call had: distinct routes, and calls of one route that came by clockwork. */
export function learnRoutes(
  places: KnownPlaces,
  key: number,
  minute: number,
  seen: { readonly routes: number; readonly evenCalls: number },
): void {
  const { slab } = places
  const cell = makeCell(places, key, Math.floor(minute / 60))
  const minutes = doubleOf(slab, cell, MINUTES) + 1
  const middle = doubleOf(slab, cell, ROUTES)
  setDouble(slab, cell, MINUTES, minutes)
  setDouble(slab, cell, ROUTES, middle + (seen.routes - middle) / Math.min(minutes, MIDDLE_MINUTES))
  setDouble(slab, cell, ROUTES_UPPER, upperAfter(doubleOf(slab, cell, ROUTES_UPPER), seen.routes, FEW_ROUTES))
  setDouble(slab, cell, EVEN_UPPER, upperAfter(doubleOf(slab, cell, EVEN_UPPER), seen.evenCalls, FEW_EVEN_CALLS))
}

function upperAfter(upper: number, seen: number, few: number): number {
  const lesson = Math.min(seen, MOST_TIMES * Math.max(upper, few))
  return lesson > upper ? upper + RISES * (lesson - upper) : upper * (1 - FALLS)
}

export interface RoutesUsual {
  readonly perMinute: number
  readonly upperPerMinute: number
  /** Upper end of the calls in five minutes of one route called by clockwork. */
  readonly upperEvenCalls: number
}

/** Undefined until ten minutes with calls are known. */
export function routesUsual(places: KnownPlaces, key: number): RoutesUsual | undefined {
  const { slab } = places
  const cell = cellOf(places, key)
  if (cell < 0 || doubleOf(slab, cell, MINUTES) < LEAST_MINUTES) return undefined
  const perMinute = doubleOf(slab, cell, ROUTES)
  return {
    perMinute,
    upperPerMinute: Math.max(perMinute, doubleOf(slab, cell, ROUTES_UPPER)),
    upperEvenCalls: doubleOf(slab, cell, EVEN_UPPER),
  }
}
