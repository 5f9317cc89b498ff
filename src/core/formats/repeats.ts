/**
 * Records that are delivered twice: a producer whose put was answered too late puts again, under another sequence number,
 * and CloudWatch Logs does so for up to a day. What is read again at the same position is none of these: a worker that was
 * killed may have decoded what it had not counted yet, and the checkpoint remembers it.
 *
 * A record is known again only by what the log's own side made unique, and whole:
 * - an envelope of CloudWatch Logs by the ids of its first and last event and how far they are apart. A subscription retries
 *   the record it could not put, so an id a call would tell nothing more, and cost as much as reading the call;
 * - anything else by all of its bytes, and only if an `extendedRequestId` is among them: two calls may be alike to the
 *   millisecond, but not in that. A `requestId` is the client's to set, so a client could hide its calls behind one.
 *
 * Mutable on purpose, and part of the checkpoint: the copy may come after a restart. Bound: the last 65,536 to 131,072
 * identities of 64 bits with where they were, 1.5 MiB of a checkpoint at most; what comes again after so many others counts twice.
 */

import { EMPTY_HASH, hashOn } from '../byte-hash.ts'
import type { Position } from '../vocabulary.ts'
import { skipSpace } from './json-members.ts'

export interface Repeats {
  /** Whether the same record has been here lately, at another position. From now on it has. */
  isRepeat(bytes: Buffer, position: Position): boolean
  /** The live state, not a copy; serialise it before the next record. */
  snapshot(): SavedRepeats
  /** Goes on from what a checkpoint brought back. */
  restore(saved: SavedRepeats): void
}

/** Identities as two halves and the hash of their position, oldest first. */
export interface SavedRepeats {
  readonly recent: Uint32Array
  readonly before: Uint32Array
}

const perGeneration = 65_536
/** Half full at most: a look ends after a step or two. */
const slots = perGeneration * 2

export function createRepeats(): Repeats {
  // Two generations: when the younger is full the older one is forgotten whole, so that nothing is ever taken out of a table.
  let recent = createGeneration()
  let before = createGeneration()
  const id = new Uint32Array(2)
  return {
    isRepeat(bytes, position) {
      if (!identify(bytes, id)) return false
      const [low = 0, high = 0] = id
      const place = placeOf(position)
      const known = recent.placeOf(low, high) ?? before.placeOf(low, high)
      if (known !== undefined) return known !== place
      if (recent.count() === perGeneration) {
        before = recent
        recent = createGeneration()
      }
      recent.add(low, high, place)
      return false
    },
    snapshot: () => ({ recent: recent.ids(), before: before.ids() }),
    restore(saved) {
      recent = createGeneration(saved.recent)
      before = createGeneration(saved.before)
    },
  }
}

/** Words an identity: its halves, and where it was. */
const WORDS = 3

function createGeneration(saved: Uint32Array = new Uint32Array()) {
  const ids = new Uint32Array(perGeneration * WORDS)
  /** Number of an identity plus one; 0: nothing. */
  const table = new Uint32Array(slots)
  let count = 0

  /** Where it is, or the empty slot where it belongs. */
  const slotOf = (low: number, high: number): number => {
    for (let slot = low & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = ((table[slot] ?? 0) - 1) * WORDS
      if (at < 0 || (ids[at] === low && ids[at + 1] === high)) return slot
    }
  }
  const add = (low: number, high: number, place: number): void => {
    ids.set([low, high, place], count * WORDS)
    table[slotOf(low, high)] = ++count
  }
  for (let at = 0; at + 2 < saved.length; at += WORDS) add(saved[at] ?? 0, saved[at + 1] ?? 0, saved[at + 2] ?? 0)
  return {
    add,
    placeOf(low: number, high: number): number | undefined {
      const number = table[slotOf(low, high)] ?? 0
      return number === 0 ? undefined : ids[(number - 1) * WORDS + 2]
    },
    count: () => count,
    ids: () => ids.subarray(0, WORDS * count),
  }
}

/** Of the position’s text. */
function placeOf(position: Position): number {
  let place = EMPTY_HASH
  for (let at = 0; at < position.length; at++) place = hashOn(place, position.charCodeAt(at))
  return place >>> 0
}

const quote = 0x22
const openBrace = 0x7b
const colon = 0x3a
const dash = 0x2d
const logEvents = Buffer.from('"logEvents"')
const idName = Buffer.from('"id"')
const trustedName = Buffer.from('"extendedRequestId"')
const envelopeNames = /^(messageType|owner|logGroup|logStream|subscriptionFilters|logEvents|policyLevel)"/
/** Of those names: what most lines begin with is told apart without making a string of it. */
const envelopeLetters = new Set(Buffer.from('molsp'))

/** Writes the record's identity to `id`; false: it has none that can be relied upon. */
function identify(bytes: Buffer, id: Uint32Array): boolean {
  if (beginsAsEnvelope(bytes)) {
    const events = bytes.indexOf(logEvents)
    return events >= 0 && identifyEvents(bytes, events, id)
  }
  const named = bytes.indexOf(trustedName)
  if (named < 0) return false
  const value = stringAfter(bytes, named + trustedName.length)
  // The gateway writes a dash for what it does not have.
  if (value < 0 || bytes[value] === quote || (bytes[value] === dash && bytes[value + 1] === quote)) return false
  hash(bytes, 0, bytes.length, id, 0)
  return true
}

/** By its first member: further on in a line that the gateway wrote a client may have put anything. */
function beginsAsEnvelope(bytes: Buffer): boolean {
  const brace = skipSpace(bytes, 0, bytes.length)
  const name = skipSpace(bytes, brace + 1, bytes.length)
  if (bytes[brace] !== openBrace || bytes[name] !== quote || !envelopeLetters.has(bytes[name + 1] ?? 0)) return false
  return envelopeNames.test(bytes.toString('latin1', name + 1, name + 24))
}

/** `"id"` stands nowhere but at the events: within a message its quotes are escaped. */
function identifyEvents(bytes: Buffer, events: number, id: Uint32Array): boolean {
  const first = stringAfter(bytes, bytes.indexOf(idName, events) + idName.length)
  const last = stringAfter(bytes, bytes.lastIndexOf(idName) + idName.length)
  if (first < events || last < first) return false
  const firstEnd = bytes.indexOf(quote, first)
  const lastEnd = bytes.indexOf(quote, last)
  // A probe has an event without an id, and says the same each time.
  if (firstEnd <= first || lastEnd <= last) return false
  hash(bytes, first, firstEnd, id, last - first)
  hash(bytes, last, lastEnd, id, id[0] ?? 0)
  return true
}

/** Where the string begins that is the value of a name that ends here; -1: it is none. */
function stringAfter(bytes: Buffer, nameEnd: number): number {
  let at = skipSpace(bytes, nameEnd, bytes.length)
  if (bytes[at] !== colon) return -1
  at = skipSpace(bytes, at + 1, bytes.length)
  return bytes[at] === quote ? at + 1 : -1
}

/**
 * Two hashes of 32 bits side by side, made like MurmurHash3: among so many identities two different records are
 * taken for one about once in 10^14. `seed` tells what else belongs to the identity.
 */
function hash(bytes: Buffer, from: number, to: number, id: Uint32Array, seed: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let one = seed ^ 0x2f0b4a27
  let other = (seed + to - from) ^ 0x5d391c86
  let at = from
  for (; at + 4 <= to; at += 4) {
    const word = view.getInt32(at, true)
    one = Math.imul(turned(one, 13) ^ word, 0xcc9e2d51)
    other = Math.imul(turned(other, 17) + word, 0x85ebca6b)
  }
  for (; at < to; at++) {
    const byte = bytes[at] ?? 0
    one = Math.imul(turned(one, 13) ^ byte, 0x1b873593)
    other = Math.imul(turned(other, 17) + byte, 0xc2b2ae35)
  }
  id[0] = finish(one ^ (to - from))
  id[1] = finish(other)
}

const turned = (state: number, bits: number): number => (state << bits) | (state >>> (32 - bits))

function finish(state: number): number {
  const half = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  const whole = Math.imul(half ^ (half >>> 13), 0xc2b2ae35)
  return whole ^ (whole >>> 16)
}
