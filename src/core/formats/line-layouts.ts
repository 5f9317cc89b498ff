/**
 * The fast reader. A log writes the same names in the same order on every line, so the bytes between the values are
 * learned from a line that `readMembers` understood, and on the next line only compared: no name is looked up, no string
 * made. A line is read to where its call is settled and no further. Whatever is not exactly as learned (an
 * escape, a literal, a control character, another name) is a miss, and the line goes to `readMembers`: a miss costs
 * time, never meaning. Mutable on purpose.
 */
import { absent, type FieldSlots, plain, put, type Spans } from './field-slots.ts'
import type { Members } from './json-members.ts'

/** What is known of the bytes between the values: `,"status":` before one, `}` after the last. */
interface Layout {
  readonly hash: number
  /** By member: the length of what stands before its value, and the slot of its role or -1. */
  readonly lengths: Int32Array
  readonly slots: Int32Array
  /**
   * The same bytes as words of four, compared four times as fast: by member up to `wordEnds`, each with its offset in what
   * stands before the value. The last word of a member overlaps the one before it.
   */
  readonly words: Int32Array
  readonly offsets: Int32Array
  readonly wordEnds: Int32Array
  /** What stands after the last value. */
  readonly tail: Uint8Array
}

export interface LineLayouts {
  /**
   * Reads the line that begins at `at` into the spans and returns where the next one begins, or -1: a miss. There must be a
   * newline at or after `at`; `view` shows the same bytes.
   */
  match(bytes: Buffer, view: DataView, at: number): number
  /** Takes over the shape of a line from `from` to `to` that was read whole. */
  learn(bytes: Buffer, from: number, to: number, members: Members): void
}

/** A log has one shape, or one with and one without what is not always there. The least recently matched goes. */
const mostLayouts = 4
const newline = 0x0a
const carriageReturn = 0x0d
const quote = 0x22
const closeBrace = 0x7d

/** What may stand within a string that is taken as it is: all but the quote, the backslash and control characters. */
const isStringByte = new Uint8Array(256).fill(1, 0x20)
isStringByte[quote] = 0
isStringByte[0x5c] = 0

export function createLineLayouts(fields: FieldSlots, spans: Spans): LineLayouts {
  let layouts: readonly Layout[] = []
  return {
    match(bytes, view, at) {
      for (let index = 0; index < layouts.length; index++) {
        const layout = layouts[index]
        const next = layout === undefined ? -1 : matchLayout(layout, bytes, view, at, fields, spans)
        if (next < 0 || layout === undefined) continue
        if (index > 0) layouts = [layout, ...layouts.filter(other => other !== layout)]
        return next
      }
      return -1
    },
    learn(bytes, from, to, members) {
      const hash = shapeHash(bytes, from, to, members)
      // A line that missed for its values, not for its shape, has nothing to teach. (Were two shapes to share a hash, the
      // second would always be read thoroughly.)
      if (layouts.some(known => known.hash === hash)) return
      const layout = layoutOf(bytes, from, to, members, fields, hash)
      if (layout !== undefined) layouts = [layout, ...layouts].slice(0, mostLayouts)
    },
  }
}

function matchLayout(
  layout: Layout,
  bytes: Buffer,
  view: DataView,
  start: number,
  fields: FieldSlots,
  spans: Spans,
): number {
  const { lengths, slots, words, offsets, wordEnds, tail } = layout
  const { settles, allSettled } = fields
  const { kind } = spans
  const stringBytes = isStringByte
  for (let slot = 0; slot < kind.length; slot++) kind[slot] = absent

  // A newline is neither in what was learned nor a string byte nor a digit, so nothing here runs past the line's end.
  let at = start
  let word = 0
  let settled = 0
  for (let member = 0; member < slots.length; member++) {
    const length = lengths[member] ?? 0
    if (at + length > bytes.length) return -1
    const wordEnd = wordEnds[member] ?? 0
    for (; word < wordEnd; word++) if (view.getInt32(at + (offsets[word] ?? 0), true) !== words[word]) return -1
    at += length

    let from = at
    let to = at
    if (bytes[at] === quote) {
      from = ++at
      while (stringBytes[bytes[at] ?? 0] === 1) at++
      if (bytes[at] !== quote) return -1
      to = at++
    } else {
      while (isDigit(bytes[at] ?? 0)) at++
      // Also refuses 1.5, 1e3 and -1, which are for the other reader.
      if (at === from || !endsNumber(bytes[at] ?? 0)) return -1
      to = at
    }

    const slot = slots[member] ?? -1
    if (slot < 0) continue
    put(spans, slot, bytes, from, to)
    if (kind[slot] === plain) {
      settled |= settles[slot] ?? 0
      if (settled === allSettled) {
        const end = bytes.indexOf(newline, at)
        const last = bytes[end - 1] === carriageReturn ? end - 2 : end - 1
        // A line that was cut off is for the reader that says so.
        return bytes[last] === closeBrace ? end + 1 : -1
      }
    }
  }
  for (let index = 0; index < tail.length; index++) if (bytes[at++] !== tail[index]) return -1
  if (bytes[at] === carriageReturn) at++
  return bytes[at] === newline ? at + 1 : -1
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
/** Comma, closing brace, space. */
const endsNumber = (byte: number): boolean => byte === 0x2c || byte === 0x7d || byte === 0x20

/** FNV-1a of all that is not a value. */
function shapeHash(bytes: Buffer, from: number, to: number, { valueFrom, valueTo }: Members): number {
  let hash = 0x811c9dc5
  let at = from
  for (let member = 0; member <= valueFrom.length; member++) {
    const end = valueFrom[member] ?? to
    for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
    at = valueTo[member] ?? to
    hash = Math.imul(hash ^ newline, 0x01000193)
  }
  return hash
}

function layoutOf(
  bytes: Buffer,
  from: number,
  to: number,
  { valueFrom, valueTo, slots, isFlat }: Members,
  fields: FieldSlots,
  hash: number,
): Layout | undefined {
  if (!isFlat || valueFrom.length === 0) return undefined
  const roleSlots = slots.map(named => named.filter(slot => slot < fields.roleSlots))
  const wanted = roleSlots.flat()
  // A field that plays two roles, or stands twice, is for the reader that knows which counts.
  if (roleSlots.some(named => named.length > 1) || new Set(wanted).size < wanted.length) return undefined

  const begins = valueFrom.map((_, member) => (member === 0 ? from : (valueTo[member - 1] ?? from)))
  const lengths = valueFrom.map((end, member) => end - (begins[member] ?? 0))
  // Before a value stand at least a brace or comma, two quotes and a colon: a word.
  const offsets = lengths.map(length => [...Array.from({ length: length >> 2 }, (_, index) => index * 4), length - 4])
  const words = offsets.map((own, member) => own.map(offset => bytes.readInt32LE((begins[member] ?? 0) + offset)))
  let count = 0
  return {
    hash,
    lengths: Int32Array.from(lengths),
    slots: Int32Array.from(roleSlots, named => named[0] ?? -1),
    words: Int32Array.from(words.flat()),
    offsets: Int32Array.from(offsets.flat()),
    wordEnds: Int32Array.from(offsets, own => (count += own.length)),
    tail: Uint8Array.from(bytes.subarray(valueTo.at(-1), to)),
  }
}
