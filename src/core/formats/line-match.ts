/**
 * Reads one line of a known shape: compares what stands between the values and takes what they say, straight from bytes
 * into columns. All in one file, and nothing in a closure, because the compiler knows the constants of a file by value
 * and those of another by reference; this is where a replay spends its time. `npm run bench` tells. Mutable on purpose.
 *
 * Four bytes are looked at in one step: subtracting n from each byte of a word borrows into its highest bit where the byte
 * is less than n, adding does the same from above. (Sean Eron Anderson, "Bit Twiddling Hacks", haszero and hasless: of
 * several hits the lowest is exact, and only that one is looked at.)
 */
import type { CallBatch } from '../call-batch.ts'
import { parseNumber, parseTime } from './field-text.ts'
import type { Found } from './found.ts'
import { readPath, readSourceHash, sourceHash } from './place-hash.ts'

/** So much may be read after the newline at which a line ends: the longest text between two values, and a word. */
export const slackBytes = 512

/**
 * A shape as a program. A member takes `headLength` integers:
 *
 *     part, form, bit that a value settles, length of what stands before it, where that is in `texts`, how many of these
 */
export interface Shape {
  readonly code: Int32Array
  /**
   * What stands before the values, eight bytes a number: its last eight first, then from its beginning on. As doubles,
   * because no other eight bytes are compared in one step; ASCII is never NaN or 0, so equal numbers are equal bytes.
   * Where it is shorter than eight (no steps), its first and its last four bytes, as integers.
   */
  readonly texts: Float64Array
  /** What stands after the last value. */
  readonly tail: Uint8Array
  /** All bits that there are to settle; 0 where the line is always read to its end. */
  readonly allSettled: number
  /** Its quotes are escaped, and a quote ends it. */
  readonly isEscaped: boolean
}

export const headLength = 6

/** What part a value plays. From `amountPart` on it is an amount of a count row. */
export const nothingPart = 0
export const timePart = 1
export const statusPart = 2
export const keyIdPart = 3
export const apiKeyPart = 4
export const latencyPart = 5
export const bytesPart = 6
export const tailPart = 7
export const routePart = 8
export const sourcePart = 9
export const amountPart = 10
/** The one amount that a row must have, though it may be 0. */
export const callsPart = 11

/**
 * Bits of a form: the value stands without quotes; where there is none, another field would have to be asked; its quotes
 * are escaped, since the line is a string in an envelope.
 */
export const bareForm = 1
export const strictForm = 2
export const escapedForm = 4

const noStatus = 0
const unmeasured = -1
/** Of a value: it says that there is nothing; it is neither that nor what it should be. */
const nothing = -1
const miss = -2

/**
 * Reads the line that begins at `start` into the columns' row after the last (there must be room for it, and it is not
 * counted yet), and returns where the next line begins, or -1: it is not of this shape, or nothing that can be read so.
 * Of an escaped line it returns where the quote stands that ends it. There must be a newline at or after `start`, and `slackBytes` behind it.
 */
export function matchLine(
  { code, texts, tail, allSettled, isEscaped }: Shape,
  bytes: Buffer,
  view: DataView,
  start: number,
  batch: CallBatch,
  found: Found,
): number {
  const row = batch.length
  batch.status[row] = noStatus
  batch.latencyMs[row] = unmeasured
  batch.bytes[row] = unmeasured
  found.hasTime = false
  found.keyFrom = -1
  found.secretFrom = -1
  found.route = 0
  found.routeFrom = -1
  found.sourceFrom = -1

  let settled = 0
  let at = start
  for (let member = 0; ; ) {
    const part = code[member] as number
    if (part === tailPart) return afterTail(tail, isEscaped, view, at)
    // A newline is neither in what was learned nor in a value, so nothing here runs past the line's end.
    const from = (at + (code[member + 3] as number)) | 0
    const text = code[member + 4] as number
    const steps = code[member + 5] as number
    // Most names need three steps at most. Written out, since a loop would cost as much again.
    if (steps === 0) {
      if (view.getInt32(at, true) !== texts[text] || view.getInt32(from - 4, true) !== texts[text + 1]) return -1
    } else if (view.getFloat64(from - 8, true) !== texts[text]) return -1
    if (steps > 1 && view.getFloat64(at, true) !== texts[text + 1]) return -1
    if (steps > 2 && view.getFloat64(at + 8, true) !== texts[text + 2]) return -1
    for (let step = 3; step < steps; step++)
      if (view.getFloat64(at + 8 * (step - 1), true) !== texts[text + step]) return -1

    const form = code[member + 1] as number
    if (part === nothingPart) {
      at =
        form === 0
          ? endOfText(view, from)
          : (form & bareForm) === 0
            ? endOfPlainText(view, from)
            : afterBare(view, from)
      if (at < 0) return -1
      member = (member + headLength) | 0
      continue
    }
    found.at = from
    const outcome = readPart(part, form, bytes, view, batch, row, found)
    if (outcome >= 0) settled |= code[member + 2] as number
    else if (outcome === miss || (form & strictForm) !== 0) return -1
    at = found.at
    if (settled === allSettled && allSettled !== 0) return isEscaped ? endOfEscapedLine(view, at) : afterLine(view, at)
    member = (member + headLength) | 0
  }
}

/** The value at `found.at`, which is left after it. Answers `nothing`, `miss`, or something from 0. */
function readPart(
  part: number,
  form: number,
  bytes: Buffer,
  view: DataView,
  batch: CallBatch,
  row: number,
  found: Found,
): number {
  if (part === timePart) return readTime(form, bytes, view, batch.time, row, found)
  if (part === keyIdPart || part === apiKeyPart) return readName(part, form, view, found)
  if (part === routePart) return readRoute(form, view, found)
  if (part === sourcePart) return readSource(form, view, found)

  const number = readNumber(form, bytes, view, found)
  if (number === miss) return miss
  if (part === statusPart) {
    if (number === nothing) return nothing
    if (number !== noStatus && !(number >= 100 && number <= 599 && Number.isInteger(number))) return miss
    batch.status[row] = number
  } else if (part === latencyPart) batch.latencyMs[row] = number
  else if (part === bytesPart) batch.bytes[row] = number
  else {
    found.amounts[part - amountPart] = number === nothing && part !== callsPart ? 0 : number
  }
  return number < 0 ? nothing : 0
}

/** Thirteen digits are an epoch in ms; within these it is a time that `parseTime` takes as it stands. */
const earliest = Date.UTC(2001, 8, 10)
const latest = Date.UTC(2100, 0, 1)

function readTime(form: number, bytes: Buffer, view: DataView, times: Float64Array, row: number, found: Found): number {
  const { at } = found
  const head = view.getInt32(at, true)
  const neck = view.getInt32(at + 4, true)
  if (head !== found.timeHead || neck !== found.timeNeck) {
    const [high, low] = [fourDigits(head), fourDigits(neck)]
    if (high < 0 || low < 0) return readOddTime(form, bytes, view, times, row, found)
    found.timeBase = (high * 10_000 + low) * 100_000
    found.timeHead = head
    found.timeNeck = neck
  }
  const low = fourDigits(view.getInt32(at + 8, true))
  const last = view.getUint8(at + 12) - zero
  const time = found.timeBase + low * 10 + last
  const isPlain = low >= 0 && last >= 0 && last <= 9 && ends(view.getUint8(at + 13), form)
  if (!isPlain || time < earliest || time >= latest) return readOddTime(form, bytes, view, times, row, found)
  times[row] = time
  found.hasTime = true
  found.at = at + 13
  return 0
}

/** A time in any spelling. */
function readOddTime(form: number, bytes: Buffer, view: DataView, times: Float64Array, row: number, found: Found) {
  const from = found.at
  const to = endOfValue(form, view, found)
  if (to < 0) return miss
  if (isNothing(form, view, from, to)) return nothing
  const time = parseTime(bytes, from, to)
  if (Number.isNaN(time)) return miss
  times[row] = time
  found.hasTime = true
  return 0
}

function readName(part: number, form: number, view: DataView, found: Found): number {
  const from = found.at
  const to = endOfValue(form, view, found)
  if (to < 0) return miss
  if (isNothing(form, view, from, to)) return nothing
  if (part === keyIdPart) {
    found.keyFrom = from
    found.keyTo = to
  } else {
    found.secretFrom = from
    found.secretTo = to
  }
  return 0
}

/** A path is known by its hash, which is made as its end is looked for. */
function readRoute(form: number, view: DataView, found: Found): number {
  const from = found.at
  if ((form & bareForm) !== 0 || view.getUint8(from) !== slash) return readOddRoute(form, view, found)
  const route = readPath(view, found)
  const end = view.getUint8(found.at) === question ? endOfPlainText(view, found.at) : found.at
  if (route === 0 || !ends(view.getUint8(end), form)) {
    found.at = from
    return readOddRoute(form, view, found)
  }
  found.route = route
  found.at = end
  return 0
}

/** One with a method before it, or with escapes: some writers escape each slash. Whether they are such is for who makes a number of it. */
function readOddRoute(form: number, view: DataView, found: Found): number {
  const from = found.at
  const plainTo = endOfValue(form, view, found)
  const isEscaped = plainTo < 0 && (form & (bareForm | escapedForm)) === 0
  const to = isEscaped ? endOfText(view, from) : plainTo
  if (to < 0) return miss
  found.at = to
  if (isNothing(form, view, from, to)) return nothing
  found.routeFrom = from
  found.routeTo = to
  found.isRouteEscaped = isEscaped
  return 0
}

function readSource(form: number, view: DataView, found: Found): number {
  const from = found.at
  const hash = (form & bareForm) === 0 ? readSourceHash(view, found) : 0
  // A number, or a text with a space or an exclamation mark in it.
  const isOdd = (form & bareForm) !== 0 || !ends(view.getUint8(found.at), form)
  if (isOdd) {
    found.at = from
    if (endOfValue(form, view, found) < 0) return miss
  }
  const to = found.at
  if (isNothing(form, view, from, to)) return nothing
  found.sourceHash = isOdd ? sourceHash(found.sourceSeed, view, from, to) : hash
  found.sourceFrom = from
  found.sourceTo = to
  return 0
}

/** An amount; `nothing` and `miss` are less than any. */
function readNumber(form: number, bytes: Buffer, view: DataView, found: Found): number {
  const { at } = found
  const word = view.getInt32(at, true) ^ zeros
  const odd = oddBytes(word)
  if (odd !== 0) {
    const digits = lowest(odd)
    if (digits > 0 && ends(view.getUint8(at + digits), form)) {
      found.at = at + digits
      return ofFourDigits(word << (32 - 8 * digits))
    }
  } else {
    const more = view.getInt32(at + 4, true) ^ zeros
    const oddMore = oddBytes(more)
    const digits = lowest(oddMore)
    if (oddMore !== 0 && ends(view.getUint8(at + 4 + digits), form)) {
      found.at = at + 4 + digits
      if (digits === 0) return ofFourDigits(word)
      const scale = digits === 1 ? 10 : digits === 2 ? 100 : 1000
      return ofFourDigits(word) * scale + ofFourDigits(more << (32 - 8 * digits))
    }
  }
  return readOddNumber(form, bytes, view, found)
}

/** A number in any spelling, or of more than seven digits. */
function readOddNumber(form: number, bytes: Buffer, view: DataView, found: Found): number {
  const from = found.at
  const to = endOfValue(form, view, found)
  if (to < 0) return miss
  if (isNothing(form, view, from, to)) return nothing
  const number = parseNumber(bytes, from, to)
  return Number.isNaN(number) ? miss : number
}

/** The end of the value at `found.at`, which is left there; -1 where it is none that can be told. */
function endOfValue(form: number, view: DataView, found: Found): number {
  const end = (form & bareForm) === 0 ? endOfPlainText(view, found.at) : afterBare(view, found.at)
  if (end < 0 || !ends(view.getUint8(end), form)) return -1
  found.at = end
  return end
}

function ends(byte: number, form: number): boolean {
  if ((form & bareForm) !== 0) return endsBare(byte)
  return byte === ((form & escapedForm) === 0 ? quote : backslash)
}

/** Whether a value from `from` to `to` says that there is none: empty, a lone dash, a literal. */
function isNothing(form: number, view: DataView, from: number, to: number): boolean {
  const first = view.getUint8(from)
  if (to - from <= 1) return to === from || first === dash
  return (form & bareForm) !== 0 && first >= 0x61
}

/** Where the next line begins, or where the quote stands that ends an escaped one; -1 for neither. */
function afterTail(tail: Uint8Array, isEscaped: boolean, view: DataView, from: number): number {
  let at = from
  for (const byte of tail) if (view.getUint8(at++) !== byte) return -1
  if (isEscaped) return endOfString(view, at)
  if (view.getUint8(at) === carriageReturn) at++
  return view.getUint8(at) === newline ? at + 1 : -1
}

/** The quote that ends a string at `at`, where nothing or a newline stands before it; else -1. */
function endOfString(view: DataView, at: number): number {
  if (view.getUint8(at) === quote) return at
  return view.getUint16(at, true) === escapedNewline && view.getUint8(at + 2) === quote ? at + 2 : -1
}

const escapedNewline = 0x6e5c

const quote = 0x22
const slash = 0x2f
const question = 0x3f
const backslash = 0x5c
const dash = 0x2d
const zero = 0x30
const newline = 0x0a
const carriageReturn = 0x0d
const openBrace = 0x7b
const closeBrace = 0x7d
const space = 0x20
const exclamation = 0x21

const highBits = 0x80808080 | 0
const ones = 0x01010101
const belowHash = 0x23232323
const backslashes = 0x5c5c5c5c
const belowVerticalTab = 0x0b0b0b0b
const fromOpenBrace = 0x05050505

/** Offset of the lowest byte whose highest bit is set. */
const lowest = (hits: number): number => (31 - Math.clz32(hits & -hits)) >> 3

/**
 * The quote that ends a string whose text begins at `from`, or -1. Escapes in it do not matter where nobody asks what it
 * says: the first quote with no backslash before it is the end, whatever the others stand for.
 */
function endOfText(view: DataView, from: number): number {
  for (let at = from; ; ) {
    let word = view.getInt32(at, true)
    let hits = (word - belowHash) & ~word & highBits
    if (hits === 0) {
      word = view.getInt32(at + 4, true)
      hits = (word - belowHash) & ~word & highBits
      at = (at + 4) | 0
      if (hits === 0) {
        at = (at + 4) | 0
        continue
      }
    }
    at = (at + lowest(hits)) | 0
    const byte = view.getUint8(at)
    if (byte === quote) return view.getUint8(at - 1) === backslash ? -1 : at
    // Two printable characters come before the quote: they cost a step, and are rare in what is skipped.
    if (byte !== space && byte !== exclamation) return -1
    at = (at + 1) | 0
  }
}

/** The first quote, backslash or control character at or after `from`: where a string's plain text ends. */
function endOfPlainText(view: DataView, from: number): number {
  for (let at = from; ; ) {
    const word = view.getInt32(at, true)
    const slashed = word ^ backslashes
    const hits = (((word - belowHash) & ~word) | ((slashed - ones) & ~slashed)) & highBits
    if (hits === 0) {
      at = (at + 4) | 0
      continue
    }
    at = (at + lowest(hits)) | 0
    const byte = view.getUint8(at)
    if (byte !== space && byte !== exclamation) return at
    at = (at + 1) | 0
  }
}

/** Just after the newline of a line that ends in a brace, or -1: it does not, or another object follows a brace in it. */
function afterLine(view: DataView, from: number): number {
  for (let at = from; ; at++) {
    let word = view.getInt32(at, true)
    let hits = (((word - belowVerticalTab) & ~word) | (word + fromOpenBrace)) & highBits
    while (hits === 0) {
      at = (at + 4) | 0
      word = view.getInt32(at, true)
      hits = (((word - belowVerticalTab) & ~word) | (word + fromOpenBrace)) & highBits
    }
    at = (at + lowest(hits)) | 0
    const byte = view.getUint8(at)
    if (byte === newline) return -1
    if (byte !== closeBrace) continue
    const next = view.getUint8(at + 1)
    if (next === newline) return at + 2
    if (next === carriageReturn && view.getUint8(at + 2) === newline) return at + 3
    if (next === openBrace) return -1
  }
}

/**
 * The quote that ends an escaped line which ends in a brace, or -1: it does not, another object follows a brace in it, or it
 * holds an escape that is no quote.
 */
function endOfEscapedLine(view: DataView, from: number): number {
  for (let at = from; ; ) {
    const word = view.getInt32(at, true)
    const slashed = word ^ backslashes
    const hits = (((word - belowHash) & ~word) | ((slashed - ones) & ~slashed) | (word + fromOpenBrace)) & highBits
    if (hits === 0) {
      at = (at + 4) | 0
      continue
    }
    at = (at + lowest(hits)) | 0
    const byte = view.getUint8(at)
    if (byte === backslash) {
      if (view.getUint8(at + 1) !== quote) return view.getUint8(at - 1) === closeBrace ? endOfString(view, at) : -1
      at = (at + 2) | 0
      continue
    }
    if (byte === quote) return view.getUint8(at - 1) === closeBrace ? at : -1
    if (byte < space || (byte === closeBrace && view.getUint8(at + 1) === openBrace)) return -1
    at = (at + 1) | 0
  }
}

const zeros = 0x30303030
/** Lifts what is more than nine into the highest bit. */
const aboveNine = 0x76767676

/** The word's bytes that are no digits, each by its highest bit, where `word` is text already without its zeros. */
const oddBytes = (word: number): number => ((word + aboveNine) | word) & highBits

/** What four digits say, the first of them in the lowest byte. */
function ofFourDigits(word: number): number {
  const pairs = (Math.imul(word, 10) + (word >>> 8)) & 0x00ff00ff
  return Math.imul(pairs & 0xff, 100) + (pairs >>> 16)
}

/** What a word of four digits says, or -1. */
function fourDigits(text: number): number {
  const word = text ^ zeros
  return oddBytes(word) === 0 ? ofFourDigits(word) : -1
}

/**
 * Just after a bare value that says nothing but a plain number or a literal, or -1. What the thorough reader takes for
 * one value is one here: a letter, a digit, a point or a sign behind it makes it another.
 */
function afterBare(view: DataView, from: number): number {
  let at = from
  const first = view.getUint8(at)
  if (first === 0x74 && view.getInt32(at, true) === literalTrue) at += 4
  else if (first === 0x6e && view.getInt32(at, true) === literalNull) at += 4
  else if (first === 0x66 && view.getInt32(at + 1, true) === literalAlse) at += 5
  else {
    if (first === 0x2d) at++
    const whole = at
    while (isDigit(view.getUint8(at))) at++
    if (at > whole && view.getUint8(at) === 0x2e) {
      const fraction = ++at
      while (isDigit(view.getUint8(at))) at++
      if (at === fraction) return -1
    }
    if (at === from) return -1
  }
  return endsBare(view.getUint8(at)) ? at : -1
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
/** Comma, closing brace or bracket, space. */
const endsBare = (byte: number): boolean => byte === 0x2c || byte === closeBrace || byte === 0x5d || byte === space

/** Four letters as the word that little-endian reading makes of them. */
const wordOf = (text: string): number => Buffer.from(text).readInt32LE(0)
const literalTrue = wordOf('true')
const literalNull = wordOf('null')
const literalAlse = wordOf('alse')
