/**
 * Reads the members of one JSON object of whatever shape into slots: the reader that understands everything, beside the
 * one in `line-layouts.ts` that is fast. What it promises (and what `JSON.parse` would not):
 *
 * - The first member of a name counts, and of an object's name too, whatever it holds. A client that gets quotes through
 *   into its `userAgent`, which stands last, could otherwise write another tenant's key id behind it.
 * - What stands before a break has been read. Where every field of a call is settled, nothing after it matters but its
 *   route and source.
 * - Strings and numbers are values; `null`, `true`, `false`, objects and arrays are as if absent. So is a bare `-`,
 *   which is what a log format without quotes writes for a missing number.
 * - Objects are looked into for the names that lead there, arrays never.
 * - Control characters within strings are let pass.
 */
import {
  absent,
  empty,
  type FieldSlots,
  longName,
  type NameNode,
  plain,
  put,
  putDecoded,
  type Spans,
} from './field-slots.ts'

export interface Members {
  /** Just after the object's closing brace; undefined where the object breaks off. */
  readonly end: number | undefined
  /** Whether a value of every field of a call was had. */
  readonly isSettled: boolean
  /** Where each value stands, those within objects too, quotes included, and the slots of its name: what a layout is learned from. */
  readonly valueFrom: readonly number[]
  readonly valueTo: readonly number[]
  readonly slots: readonly (readonly number[])[]
  /** Whether a layout can describe it: it holds no array, and objects not too deep and not where values are asked for. What was gathered counts only then. */
  readonly isFlat: boolean
}

// Named in each file that reads bytes: V8 loads an imported constant anew at every byte, which nearly doubles a loop's time.
const quote = 0x22
const backslash = 0x5c
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]
const [comma, colon] = [0x2c, 0x3a]
const noSlots: readonly number[] = []
/** Objects are looked into so far down. Deeper than any log goes, and a bound on how often a byte is looked at. */
const deepest = 8

/** A line as far as it is read. */
interface Reading {
  readonly bytes: Buffer
  readonly to: number
  readonly fields: FieldSlots
  readonly spans: Spans
  settled: number
  isFlat: boolean
  readonly valueFrom: number[]
  readonly valueTo: number[]
  readonly slots: (readonly number[])[]
  /** Objects whose name was met, whatever stood there. */
  readonly met: NameNode[]
}

/** `bytes[from]` is the opening brace; nothing at or after `to` is looked at. */
export function readMembers(bytes: Buffer, from: number, to: number, fields: FieldSlots, spans: Spans): Members {
  spans.kind.fill(absent)
  const line: Reading = {
    bytes,
    to,
    fields,
    spans,
    settled: 0,
    isFlat: true,
    valueFrom: [],
    valueTo: [],
    slots: [],
    met: [],
  }
  const end = readObject(line, from, fields.root, 0)
  const { isFlat, valueFrom, valueTo, slots } = line
  return { end: end < 0 ? undefined : end, isSettled: isSettled(line), valueFrom, valueTo, slots, isFlat }
}

const isSettled = ({ fields: { allSettled }, settled }: Reading): boolean =>
  allSettled !== 0 && (settled & allSettled) === allSettled

/** Just after the object that begins at `from`, or -1 where it breaks off. Without `names` only values are gathered. */
function readObject(line: Reading, from: number, names: NameNode | undefined, depth: number): number {
  const { bytes, to } = line
  let at = skipSpace(bytes, from + 1, to)
  if (at < to && bytes[at] === closeBrace) return at + 1
  for (;;) {
    if (at >= to || bytes[at] !== quote) return -1
    const nameEnd = endOfString(bytes, at + 1, to)
    if (nameEnd < 0) return -1
    const isAsked = names !== undefined && mayBeOf(names, bytes, at + 1, nameEnd)
    const name = isAsked ? textOf(bytes, at + 1, nameEnd) : ''
    const named = isAsked ? (names.values.get(name) ?? noSlots) : noSlots
    const within = isAsked ? unmet(line, names.objects.get(name)) : undefined

    at = skipSpace(bytes, nameEnd + 1, to)
    if (at >= to || bytes[at] !== colon) return -1
    at = skipSpace(bytes, at + 1, to)
    const end = bytes[at] === openBrace ? readInner(line, at, within, depth) : endOfValue(bytes, at, to)
    if (end < 0) return -1
    if (named.length > 0) putFirst(line, named, at, end)
    // An object under a name that is asked for is in the way of a value under that name, and would not be seen there.
    if (bytes[at] === openBracket || (bytes[at] === openBrace && named.length > 0)) line.isFlat = false
    if (line.isFlat && bytes[at] !== openBrace) {
      line.valueFrom.push(at)
      line.valueTo.push(end)
      line.slots.push(named)
    }

    at = skipSpace(bytes, end, to)
    if (at < to && bytes[at] === closeBrace) return at + 1
    if (at >= to || bytes[at] !== comma) return -1
    at = skipSpace(bytes, at + 1, to)
  }
}

/** Whether the name that is written there can be one of these. An escape may stand for any of its letters. */
const mayBeOf = ({ lengths }: NameNode, bytes: Buffer, from: number, to: number): boolean =>
  lengths[Math.min(to - from, longName)] === 1 || hasEscape(bytes, from, to)

/** `node`, the first time its name is met. */
function unmet({ met }: Reading, node: NameNode | undefined): NameNode | undefined {
  if (node === undefined || met.includes(node)) return undefined
  met.push(node)
  return node
}

/** An object within the line. One that breaks its rules somewhere ends where its braces do, as those that nobody asks for. */
function readInner(line: Reading, at: number, names: NameNode | undefined, depth: number): number {
  const isLookedInto = (names !== undefined || line.isFlat) && depth < deepest
  const end = isLookedInto ? readObject(line, at, names, depth + 1) : -1
  if (end >= 0) return end
  line.isFlat = false
  return endOfValue(line.bytes, at, line.to)
}

function putFirst(line: Reading, named: readonly number[], at: number, end: number): void {
  const { spans, fields } = line
  const isComplete = isSettled(line)
  for (const slot of named) {
    if (spans.kind[slot] !== absent || (isComplete && !isPlace(fields, slot))) continue
    putValue(line.bytes, at, end, slot, spans)
    if ((spans.kind[slot] ?? absent) >= plain) line.settled |= fields.settles[slot] ?? 0
  }
}

const isPlace = ({ placeSlots, roleSlots }: FieldSlots, slot: number): boolean => slot >= placeSlots && slot < roleSlots

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

/** The quote that ends the string whose text begins at `from`, or -1. */
export function endOfString(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    if (bytes[at] === quote) return at
    if (bytes[at] === backslash) at++
  }
  return -1
}

/** A number, a literal or a lone `-`, and what ends it: a number that the end of the line cuts may go on. */
function endOfBare(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && isDigit(bytes[at] ?? 0)) at++
  if (at > from && at < to && !isBare(bytes[at] ?? 0)) return at
  while (at < to && isBare(bytes[at] ?? 0)) at++
  if (at === to) return -1
  const text = bytes.toString('latin1', from, at)
  return /^(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null|-)$/.test(text) ? at : -1
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

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
    putDecoded(spans, slot, Buffer.from(textOf(bytes, from + 1, to - 1)))
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
