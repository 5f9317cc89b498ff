/**
 * The Common Log Format, as Apache, nginx and API Gateway's preset write it, the Combined one, and what is added to either:
 *
 *   host ident authuser [time] "request" status bytes "referer" "userAgent" more name=value "…"
 *
 * Fields have places: the names above, a number (1 is the host, 8 what follows the bytes), or the name of a `name=value`.
 * A client writes parts of such a line, so where a field stands is told by what a client cannot write:
 *
 * - The line is split at its first `] "`. Servers escape the quote, as `\"` (Apache) or `\x22` (nginx), so that neither a
 *   user's name with spaces and brackets nor a request can move what stands before or behind it.
 * - The first of a name counts, and a line is read up to where a quote is out of place. What a client writes must be
 *   quoted in the log format, and the key id stand before it where the server does not escape.
 * - On a 401 the user's name is what somebody claimed: such a call is nobody's.
 */
import { addCall, type CallNumbers } from './access-log.ts'
import { absent, empty, type FieldSlots, plain, put, putDecoded, type Spans } from './field-slots.ts'
import { endOfString } from './json-members.ts'
import type { TakeLine } from './text-lines.ts'

const places = 'host ident authuser time request status bytes referer userAgent'.split(' ')
const [authuserPlace, timePlace, requestPlace, statusPlace] = [2, 3, 4, 5]

const space = 0x20
const quote = 0x22
const dash = 0x2d
const equals = 0x3d
const backslash = 0x5c
const [openBracket, closeBracket] = [0x5b, 0x5d]
const noSlots: readonly number[] = []

export function createClfLine(fields: FieldSlots, spans: Spans, numbers: CallNumbers): TakeLine {
  const slotsOfPlace = placesOf(fields)
  const fill = (slots: readonly number[], bytes: Buffer, from: number, to: number): void => {
    for (const slot of slots) if (spans.kind[slot] === absent) put(spans, slot, bytes, from, to)
  }
  const fillPlace = (place: number, bytes: Buffer, from: number, to: number): void =>
    fill(slotsOfPlace[place] ?? noSlots, bytes, from, to)
  const fillQuoted = (slots: readonly number[], bytes: Buffer, from: number, to: number): void => {
    if (slots.length === 0) return
    const unread = slots.filter(slot => spans.kind[slot] === absent)
    if (bytes.subarray(from, to).includes(backslash))
      for (const slot of unread) putDecoded(spans, slot, unescaped(bytes.subarray(from, to)))
    else fill(unread, bytes, from, to)
  }

  const namedSlots = (bytes: Buffer, from: number, to: number): readonly number[] =>
    fields.byName.get(bytes.toString('latin1', from, to)) ?? noSlots
  const slotsOf = (place: number, named: readonly number[]): readonly number[] => {
    const placed = slotsOfPlace[place] ?? noSlots
    return named.length === 0 ? placed : [...placed, ...named]
  }

  /** Reads what follows the time, one after another, until a quote is out of place. */
  const readRest = (bytes: Buffer, start: number, to: number): void => {
    let at = start
    for (let place = requestPlace; at < to; place++) {
      while (at < to && bytes[at] === space) at++
      const nameEnd = place > statusPlace ? endOfName(bytes, at, to) : -1
      const slots = slotsOf(place, nameEnd < 0 ? noSlots : namedSlots(bytes, at, nameEnd))
      if (nameEnd >= 0) at = nameEnd + 1
      const isQuoted = bytes[at] === quote
      const end = isQuoted ? endOfString(bytes, at + 1, to) : endOfBare(bytes, at, to)
      if (end < 0) return
      if (isQuoted) fillQuoted(slots, bytes, at + 1, end)
      else fill(slots, bytes, at, end)
      at = isQuoted ? end + 1 : end
      if (at < to && bytes[at] !== space) return
    }
  }

  return (bytes, from, to, { batch, eventTime }) => {
    const split = endOfTime(bytes, from, to)
    const timeFrom = split < 0 ? -1 : afterLast(bytes, openBracket, from, split)
    const hostEnd = endOfBare(bytes, from, to)
    const identEnd = endOfBare(bytes, hostEnd + 1, to)
    const userEnd = timeFrom - 2
    if (timeFrom <= from || identEnd >= userEnd || bytes[userEnd] !== space) return 'unknown-format'

    spans.kind.fill(absent)
    fillPlace(0, bytes, from, hostEnd)
    fillPlace(1, bytes, hostEnd + 1, identEnd)
    fillPlace(authuserPlace, bytes, identEnd + 1, userEnd)
    fillPlace(timePlace, bytes, timeFrom, split)
    readRest(bytes, split + 2, to)
    if (saysNothing(bytes, identEnd + 1, userEnd) || isUnauthorized(bytes, fields, spans))
      for (const slot of slotsOfPlace[authuserPlace] ?? noSlots) spans.kind[slot] = empty
    return addCall(batch, bytes, fields, spans, numbers, eventTime)
  }
}

/** Dashes alone: where a virtual host stands before the host, what seems to be the user is more than one field. */
function saysNothing(bytes: Buffer, from: number, to: number): boolean {
  let at = from
  while (at < to && (bytes[at] === dash || bytes[at] === space)) at++
  return at === to
}

/** By place, the slots of the names and numbers that mean it. */
function placesOf({ byName }: FieldSlots): readonly (readonly number[])[] {
  const slots: (readonly number[])[] = []
  for (const [name, own] of byName) {
    const number = /^[1-9]\d?$/.test(name) ? Number(name) : places.indexOf(name) + 1
    if (number > 0) slots[number - 1] = [...(slots[number - 1] ?? []), ...own]
  }
  return slots
}

/** Just after the last such byte, or `from` where there is none. */
function afterLast(bytes: Buffer, byte: number, from: number, to: number): number {
  let at = to
  while (at > from && bytes[at - 1] !== byte) at--
  return at
}

/** The bracket of the first `] "`, or -1. */
function endOfTime(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at + 2 < to; at++)
    if (bytes[at] === closeBracket && bytes[at + 1] === space && bytes[at + 2] === quote) return at
  return -1
}

/** The equals sign of a `name=`, or -1. */
function endOfName(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && isNameByte(bytes[at] ?? 0)) at++
  return at > from && at < to && bytes[at] === equals ? at : -1
}

/** Letters, digits, `_`, `-`, `.` */
const isNameByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) ||
  ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) ||
  byte === 0x5f ||
  byte === 0x2d ||
  byte === 0x2e

function endOfBare(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && bytes[at] !== space) at++
  return at
}

/** 401, as the first status that is there says it. */
function isUnauthorized(bytes: Buffer, { roles }: FieldSlots, { kind, from, to }: Spans): boolean {
  for (const slot of roles.status) {
    if (kind[slot] !== plain) continue
    const at = from[slot] ?? 0
    return to[slot] === at + 3 && bytes[at] === 0x34 && bytes[at + 1] === 0x30 && bytes[at + 2] === 0x31
  }
  return false
}

/** `\"`, `\\` and `\x22`; any other escape is left as it stands. */
function unescaped(text: Buffer): Buffer {
  const out: number[] = []
  for (let at = 0; at < text.length; at++) {
    const [byte = 0, next = 0] = [text[at], text[at + 1]]
    const hex = byte === backslash && next === 0x78 ? text.toString('latin1', at + 2, at + 4) : ''
    if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
      out.push(Number.parseInt(hex, 16))
      at += 3
    } else if (byte === backslash && (next === backslash || next === quote)) {
      out.push(next)
      at++
    } else out.push(byte)
  }
  return Buffer.from(out)
}
