/**
 * Reads the members of one JSON object of whatever shape into slots: the reader that understands everything, beside the
 * one in `line-layouts.ts` that is fast. What it promises (and what `JSON.parse` would not):
 *
 * - The first member of a name counts. A client that gets quotes through into its `userAgent`, which stands last,
 *   could otherwise write another tenant's key id behind it.
 * - What stands before a break has been read. Where every field of a call is settled, nothing after it matters.
 * - Strings and numbers are values; `null`, `true`, `false`, objects and arrays are as if absent. So is a bare `-`,
 *   which is what a log format without quotes writes for a missing number.
 * - Control characters within strings are let pass.
 */
import { absent, decoded, empty, type FieldSlots, plain, put, type Spans } from './field-slots.ts'

export interface Members {
  /** Just after the object's closing brace; undefined where the object breaks off. */
  readonly end: number | undefined
  /** Whether a value of every field of a call was had. */
  readonly isSettled: boolean
  /** Where each value stands, quotes included, and the slots of its name: what a layout is learned from. */
  readonly valueFrom: readonly number[]
  readonly valueTo: readonly number[]
  readonly slots: readonly (readonly number[])[]
  /** Whether a layout can describe it: no member is an object or an array. */
  readonly isFlat: boolean
}

const quote = 0x22
const backslash = 0x5c
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]
const [comma, colon] = [0x2c, 0x3a]
const noSlots: readonly number[] = []

/** `bytes[from]` is the opening brace; nothing at or after `to` is looked at. */
export function readMembers(bytes: Buffer, from: number, to: number, fields: FieldSlots, spans: Spans): Members {
  spans.kind.fill(absent)
  const [valueFrom, valueTo, slots]: [number[], number[], (readonly number[])[]] = [[], [], []]
  let [settled, isFlat] = [0, true]
  const isSettled = (): boolean => fields.allSettled !== 0 && settled === fields.allSettled
  const result = (end: number | undefined): Members => ({
    end,
    isSettled: isSettled(),
    valueFrom,
    valueTo,
    slots,
    isFlat,
  })

  let at = skipSpace(bytes, from + 1, to)
  if (at < to && bytes[at] === closeBrace) return result(at + 1)
  for (;;) {
    if (at >= to || bytes[at] !== quote) return result(undefined)
    const nameEnd = endOfString(bytes, at + 1, to)
    if (nameEnd < 0) return result(undefined)
    const named = fields.byName.get(textOf(bytes, at + 1, nameEnd)) ?? noSlots

    at = skipSpace(bytes, nameEnd + 1, to)
    if (at >= to || bytes[at] !== colon) return result(undefined)
    at = skipSpace(bytes, at + 1, to)
    const end = endOfValue(bytes, at, to)
    if (end < 0) return result(undefined)

    if (bytes[at] === openBrace || bytes[at] === openBracket) isFlat = false
    if (!isSettled()) {
      for (const slot of named) {
        if (spans.kind[slot] !== absent) continue
        putValue(bytes, at, end, slot, spans)
        if ((spans.kind[slot] ?? absent) >= plain) settled |= fields.settles[slot] ?? 0
      }
    }
    valueFrom.push(at)
    valueTo.push(end)
    slots.push(named)

    at = skipSpace(bytes, end, to)
    if (at < to && bytes[at] === closeBrace) return result(at + 1)
    if (at >= to || bytes[at] !== comma) return result(undefined)
    at = skipSpace(bytes, at + 1, to)
  }
}

/** Just after the value that begins at `from`, or -1. Depth is counted, not recursed into: nesting costs no stack. */
export function endOfValue(bytes: Buffer, from: number, to: number): number {
  if (from >= to) return -1
  const first = bytes[from]
  if (first === quote) {
    const end = endOfString(bytes, from + 1, to)
    return end < 0 ? -1 : end + 1
  }
  if (first !== openBrace && first !== openBracket) return endOfBare(bytes, from, to)

  let depth = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at]
    if (byte === quote) {
      at = endOfString(bytes, at + 1, to)
      if (at < 0) return -1
    } else if (byte === openBrace || byte === openBracket) depth++
    else if ((byte === closeBrace || byte === closeBracket) && --depth === 0) return at + 1
  }
  return -1
}

/** The closing quote, or -1. */
function endOfString(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    if (bytes[at] === quote) return at
    if (bytes[at] === backslash) at++
  }
  return -1
}

/** A number, a literal or a lone `-`, and what ends it: a number that the end of the line cuts may go on. */
function endOfBare(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && isBare(bytes[at] ?? 0)) at++
  if (at === to) return -1
  const text = bytes.toString('latin1', from, at)
  return /^(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null|-)$/.test(text) ? at : -1
}

/** Letters, digits, `+`, `-`, `.` */
const isBare = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) ||
  (byte >= 0x61 && byte <= 0x7a) ||
  byte === 0x45 ||
  byte === 0x2b ||
  byte === 0x2d ||
  byte === 0x2e

export function skipSpace(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && isSpace(bytes[at] ?? 0)) at++
  return at
}

export const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a

function putValue(bytes: Buffer, from: number, to: number, slot: number, spans: Spans): void {
  const first = bytes[from] ?? 0
  if (first === quote) {
    if (!hasEscape(bytes, from + 1, to - 1)) {
      put(spans, slot, bytes, from + 1, to - 1)
      return
    }
    const text = Buffer.from(textOf(bytes, from + 1, to - 1))
    put(spans, slot, text, 0, text.length)
    if (spans.kind[slot] === plain) spans.kind[slot] = decoded
    spans.decoded[slot] = text
    return
  }
  const isNumber = first === 0x2d || (first >= 0x30 && first <= 0x39)
  if (isNumber) put(spans, slot, bytes, from, to)
  else spans.kind[slot] = empty
}

function hasEscape(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === backslash) return true
  return false
}

/** Text of a string without its quotes. An escape that JSON does not know is left as it stands. */
function textOf(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('utf8', from, to)
  if (!text.includes('\\')) return text
  try {
    return String(JSON.parse(`"${text}"`))
  } catch {
    return text
  }
}
