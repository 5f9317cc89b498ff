/**
 * Reads lines of JSON, whatever each of them is: a call, a pane row, an envelope of more lines, or nothing that can be
 * read. The fast reader is tried first and knows calls only; a line that it does not know is read by the thorough one,
 * which then teaches it. Objects written one after another without a newline (as Firehose does) count as lines.
 */
import { type CallBatch, type RejectionReason, reject } from '../call-batch.ts'
import type { EpochMs, Position } from '../vocabulary.ts'
import { addCall, hasCallField, isSalvageable } from './access-log.ts'
import { type Envelope, eventsBeforeBreak, type LogEvent, parseEnvelope } from './envelope.ts'
import { afterEnvelope, walkEnvelope } from './envelope-events.ts'
import { excerptOf } from './excerpt.ts'
import { absent, createSpans, type FieldSlots } from './field-slots.ts'
import { endOfString, endOfValue, isSpace, readMembers, skipSpace } from './json-members.ts'
import type { KeyNames } from './key-names.ts'
import { createLineLayouts, type LineLayouts, type Lines } from './line-layouts.ts'
import { slackBytes } from './line-match.ts'
import { looksLikePane, paneOf } from './panes.ts'
import type { Places } from './places.ts'

/** Where lines go, and where they came from. */
export interface Origin {
  readonly batch: CallBatch
  /** Names the place of what begins at this byte. */
  readonly place: (offset: number) => Position
  /** The time of a line that has none of its own. */
  readonly eventTime: EpochMs | undefined
  /** The bytes end where a damaged record broke: of their last line nothing is said if it cannot be read. */
  readonly isCut: boolean
}

export interface LineReader {
  read(bytes: Buffer, origin: Origin): void
  /**
   * Counts a line that stands as a string in an envelope, from `at` on, if it has a shape that is known, and returns where
   * the quote stands that ends it; else -1, and nothing was counted. `origin` is asked only for what is to be told.
   */
  readString(lines: Lines, at: number, batch: CallBatch, eventTime: EpochMs, origin: () => Origin): number
}

export interface LineReaderOptions {
  readonly fields: FieldSlots
  readonly names: KeyNames
  readonly places?: Places | undefined
  /** Field names that an excerpt may show. */
  readonly known: ReadonlySet<string>
  /** Reads the messages of envelopes, where envelopes are looked for. */
  readonly messages: LineReader | undefined
}

const newline = 0x0a
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** A record without a newline at its end, as streams carry them, is copied to get one, if it is not longer than this. */
const longestCopied = 4 * 1024 * 1024
const usuallyCopied = 64 * 1024
/** One as short as this always is: it costs less than to look at it where it is. */
const alwaysCopied = 4 * 1024

/** `layouts` is the fast reader; whatever it is, the same is read, and only a test has reason to give another. */
export function createLineReader(
  { fields, names, places, known, messages }: LineReaderOptions,
  layouts: LineLayouts = createLineLayouts(fields, names, { places }),
): LineReader {
  const spans = createSpans(fields)
  /** Learned from the messages of envelopes, for those that follow. */
  const strings =
    fields.envelope === undefined ? createLineLayouts(fields, names, { isEscaped: true, places }) : undefined
  let copy = createScratch(usuallyCopied)
  const onlyPanes = fields.roleSlots === 0 && fields.pane !== undefined
  const onlyEnvelopes = fields.roleSlots === 0 && fields.envelope !== undefined

  /** Of the line that was looked through last, where any was. */
  let lineEnd = 0
  /** Looked for once a line: of objects one after another there may be a million on it. */
  const findLineEnd = (bytes: Buffer, at: number, length: number): void => {
    if (at >= lineEnd) lineEnd = endOfLine(bytes, at, length)
  }

  /** A stretch of the bytes at hand, `length` long in all: one line, or as much of one as is spoken of. */
  type Stretch = { readonly bytes: Buffer; readonly from: number; readonly to: number; readonly length: number }

  const refuse = (reason: RejectionReason, { bytes, from, to, length }: Stretch, origin: Origin): void => {
    if (origin.isCut && to >= length) return
    const excerpt = (): string => excerptOf(bytes, from, to, known)
    reject(origin.batch, { reason, position: origin.place(from), length: to - from, excerpt })
  }

  const readEvents = (events: readonly LogEvent[], stretch: Stretch, origin: Origin): void => {
    const place = origin.place(stretch.from)
    for (const [index, { message, timestamp }] of events.entries()) {
      if (message === undefined) refuse('bad-envelope', stretch, origin)
      else {
        const inner = { batch: origin.batch, place: () => `${place}.${index}`, eventTime: timestamp, isCut: false }
        messages?.read(Buffer.from(`${message}\n`), inner)
      }
    }
  }

  const takeEnvelope = (envelope: Envelope, stretch: Stretch, origin: Origin): RejectionReason | undefined => {
    if (envelope.kind === 'bad') {
      readEvents(eventsBeforeBreak(stretch.bytes, stretch.from, stretch.to), stretch, origin)
      return 'bad-envelope'
    }
    if (envelope.kind === 'data') readEvents(envelope.events, stretch, origin)
    else origin.batch.controlMessages++
    return undefined
  }

  const looksLikeEnvelope = (isWhole: boolean): boolean => {
    if (onlyEnvelopes) return true
    if (fields.envelope === undefined) return false
    const { messageType, logEvents } = fields.envelope
    return spans.kind[messageType] !== absent && (spans.kind[logEvents] !== absent || !isWhole)
  }

  /** What a line is, whose members are in the spans. Nothing can be both: what is settled first is a call. */
  const contentOf = (isWhole: boolean, isSettled: boolean): 'call' | 'pane' | 'envelope' | 'broken' | 'unknown' => {
    if (isSettled) return 'call'
    if (looksLikeEnvelope(isWhole)) return 'envelope'
    if (onlyPanes || looksLikePane(fields, spans)) return isWhole ? 'pane' : 'broken'
    if (!isWhole) return isSalvageable(fields, spans) ? 'call' : 'broken'
    // Where only access logs were asked for, a line without any of their fields is one that lacks its time.
    return fields.pane === undefined || hasCallField(fields, spans) ? 'call' : 'unknown'
  }

  /** Counts what the spans hold; answers why not, where it was not. */
  const take = (
    content: ReturnType<typeof contentOf>,
    stretch: Stretch,
    origin: Origin,
  ): RejectionReason | undefined => {
    switch (content) {
      case 'call':
        return addCall(origin.batch, stretch.bytes, fields, spans, { names, places }, origin.eventTime)
      case 'pane':
        return takePane(stretch, origin)
      case 'envelope':
        return takeEnvelope(parseEnvelope(stretch.bytes.toString('utf8', stretch.from, stretch.to)), stretch, origin)
      case 'broken':
        return 'broken-json'
      case 'unknown':
        return 'unknown-format'
      default:
        return content satisfies never
    }
  }

  /** A call that was had from a line that was cut off counts, and is told all the same: the next cut may be earlier. */
  const noted = (
    reason: RejectionReason | undefined,
    content: ReturnType<typeof contentOf>,
    { bytes, from, to }: Stretch,
  ): RejectionReason | undefined => {
    const lostNothing = content === 'call' && (reason === undefined || reason === 'no-key')
    return lostNothing && !endsInBrace(bytes, from, to) ? 'broken-json' : reason
  }

  const takePane = (stretch: Stretch, origin: Origin): RejectionReason | undefined => {
    const pane = paneOf(stretch.bytes, fields, spans, names)
    if (pane === undefined) return 'bad-pane'
    origin.batch.panes.push(pane)
    return undefined
  }

  /** Reads what begins at `at` thoroughly, and returns where to go on. */
  const readThoroughly = (bytes: Buffer, at: number, length: number, origin: Origin): number => {
    findLineEnd(bytes, at, length)
    const from = skipSpace(bytes, at, lineEnd)
    if (from === lineEnd) return lineEnd + 1
    const line: Stretch = { bytes, from, to: lineEnd, length }
    if (bytes[from] === openBracket && bytes[skipSpace(bytes, from + 1, lineEnd)] === openBrace)
      return readArray(line, origin)
    if (bytes[from] !== openBrace) {
      refuse(isJson(bytes, from, lineEnd) ? 'not-an-object' : 'unknown-format', line, origin)
      return lineEnd + 1
    }

    const members = readMembers(bytes, from, lineEnd, fields, spans)
    const rest = members.end === undefined ? lineEnd : skipSpace(bytes, members.end, lineEnd)
    const isFollowed = rest < lineEnd && rest === members.end && bytes[rest] === openBrace
    const isWhole = members.end !== undefined && (rest === lineEnd || isFollowed)
    const stretch = isFollowed ? { ...line, to: rest } : line
    const content = contentOf(isWhole, members.isSettled)
    const reason = noted(take(content, stretch, origin), content, stretch)
    if (reason !== undefined) refuse(reason, stretch, origin)
    const teaches = content === 'call' || content === 'pane'
    if (teaches && isWhole && !isFollowed && members.isFlat && isUsual(reason)) {
      layouts.learn(bytes, from, endOfText(bytes, lineEnd), members, content === 'pane')
      strings?.learn(bytes, from, endOfText(bytes, lineEnd), members, content === 'pane')
    }
    return isFollowed ? rest : lineEnd + 1
  }

  /** An array of objects on one line, as gateways send a batch: each is as a line. Returns where to go on. */
  const readArray = ({ bytes, from, to, length }: Stretch, origin: Origin): number => {
    let at = skipSpace(bytes, from + 1, to)
    while (at < to && bytes[at] === openBrace) {
      const members = readMembers(bytes, at, to, fields, spans)
      const end = members.end ?? endOfValue(bytes, at, to)
      const stretch: Stretch = { bytes, from: at, to: end < 0 ? to : end, length }
      const content = contentOf(members.end !== undefined, members.isSettled)
      const reason = noted(take(content, stretch, origin), content, stretch)
      if (reason !== undefined) refuse(reason, stretch, origin)
      if (end < 0) return to + 1
      const next = skipSpace(bytes, end, to)
      at = bytes[next] === comma ? skipSpace(bytes, next + 1, to) : next
    }
    if (at < to && bytes[at] === closeBracket) {
      const next = skipSpace(bytes, at + 1, to)
      return next === to ? to + 1 : next
    }
    refuse('broken-json', { bytes, from: at < to ? at : from, to, length }, origin)
    return to + 1
  }

  /** An envelope that somebody printed over several lines is read if the record begins with it. Returns where it ends, or 0. */
  const readPrintedEnvelope = (bytes: Buffer, length: number, origin: Origin): number => {
    const from = skipSpace(bytes, 0, length)
    if (bytes[from] !== openBrace || !isSpace(bytes[from + 1] ?? 0)) return 0
    const isBraceAlone = skipSpace(bytes, from + 1, length) > endOfLine(bytes, from, length)
    const to = isBraceAlone ? endOfValue(bytes, from, length) : -1
    if (to < 0) return 0
    const envelope = parseEnvelope(bytes.toString('utf8', from, to))
    if (envelope.kind === 'bad') return 0
    takeEnvelope(envelope, { bytes, from, to, length }, origin)
    return to
  }

  /**
   * The envelope at `at`, where it is as CloudWatch Logs writes them: its messages are read where they stand. Returns where to
   * go on; -1: nothing was read.
   */
  const readEnvelope = (lines: Lines, at: number, lastSafe: number, length: number, origin: Origin): number => {
    const { bytes } = lines
    const { batch } = origin
    if (messages === undefined || bytes[at + 2] !== firstOfEnvelope || at > lastSafe) return -1
    const before = marked(batch)
    findLineEnd(bytes, at, length)
    const place = lazily(() => origin.place(at))
    let current = { index: 0, timestamp: 0 }
    const innerOrigin = (): Origin => {
      const { index, timestamp } = current
      return { batch, place: () => `${place()}.${index}`, eventTime: timestamp, isCut: false }
    }
    const end = walkEnvelope(bytes, at, lineEnd, (from, timestamp, index) => {
      current = { index, timestamp }
      const read = messages.readString(lines, from, batch, timestamp, innerOrigin)
      if (read >= 0) return read
      const to = endOfString(bytes, from, lineEnd)
      const text = to < 0 ? undefined : parsedString(bytes, from, to)
      if (text === undefined) return -1
      messages.read(Buffer.from(`${text}\n`), innerOrigin())
      return to
    })
    const next = end < 0 ? -1 : afterEnvelope(bytes, end, lineEnd)
    if (next < 0) resetTo(batch, before)
    return next
  }

  /** The record's bytes with what the fast reader needs behind them: in a copy, where they lack it. */
  const linesOf = (record: Buffer): Lines => {
    const { length } = record
    if (length > alwaysCopied && (length > longestCopied || record[length - 1] === newline))
      return { bytes: record, view: viewFrom(record) }
    if (length > copy.longest) copy = createScratch(2 * length)
    record.copy(copy.bytes)
    copy.bytes[length] = newline
    return copy
  }

  return {
    readString(lines, at, batch, eventTime, origin) {
      const end = strings === undefined ? -1 : strings.read(lines, at, batch, eventTime)
      if (end < 0 || !strings?.wasKeyless()) return end
      const bytes = Buffer.from(parsedString(lines.bytes, at, end) ?? '')
      const { length } = bytes
      refuse('no-key', { bytes, from: 0, to: endOfLine(bytes, 0, length), length }, origin())
      return end
    },
    read(record, origin) {
      const { length } = record
      const lines = linesOf(record)
      const { bytes, view } = lines
      const lastFast = lines === copy ? length : bytes.lastIndexOf(newline, view.byteLength - slackBytes)
      lineEnd = 0
      let at = fields.envelope === undefined ? 0 : readPrintedEnvelope(bytes, length, origin)
      while (at < length) {
        const next = at > lastFast ? -1 : layouts.read(lines, at, origin.batch, origin.eventTime)
        if (next < 0) {
          const after = readEnvelope(lines, at, lastFast, length, origin)
          at = after < 0 ? readThoroughly(bytes, at, length, origin) : after
        } else {
          if (layouts.wasKeyless()) refuse('no-key', { bytes, from: at, to: next - 1, length }, origin)
          at = next
        }
      }
    },
  }
}

/** `mes`, of `{"messageType"`. */
const firstOfEnvelope = 0x6d

function createScratch(longest: number): Lines & { readonly longest: number } {
  const bytes = Buffer.allocUnsafeSlow(longest + 1 + slackBytes)
  return { bytes, view: viewFrom(bytes), longest }
}

/** What a string says whose text stands from `from` to `to`; undefined where JSON does not know it. */
function parsedString(bytes: Buffer, from: number, to: number): string | undefined {
  try {
    const text: unknown = JSON.parse(bytes.toString('utf8', from - 1, to + 1))
    return typeof text === 'string' ? text : undefined
  } catch {
    return undefined
  }
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** How much a batch holds, so that what came after can be taken back. */
const marked = ({ length, panes, rejected, samples }: CallBatch) => ({
  length,
  panes: panes.length,
  rejected: [...rejected],
  samples: samples.length,
})

function resetTo(batch: CallBatch, before: ReturnType<typeof marked>): void {
  batch.length = before.length
  batch.panes.length = before.panes
  batch.samples.length = before.samples
  batch.rejected.clear()
  for (const [reason, count] of before.rejected) batch.rejected.set(reason, count)
}

/** The bytes, and whatever stands behind them. */
const viewFrom = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset)

/** A line that was counted, though it may lack its key, teaches what lines look like. */
const isUsual = (reason: RejectionReason | undefined): boolean => reason === undefined || reason === 'no-key'

function endOfLine(bytes: Buffer, from: number, length: number): number {
  const end = bytes.indexOf(newline, from)
  return end < 0 || end > length ? length : end
}

/** Before the carriage return, where there is one. */
const endOfText = (bytes: Buffer, lineEnd: number): number => (bytes[lineEnd - 1] === 0x0d ? lineEnd - 1 : lineEnd)

/** Whether the line's last byte that is no space is a closing brace. */
function endsInBrace(bytes: Buffer, from: number, to: number): boolean {
  let last = to - 1
  while (last > from && isSpace(bytes[last] ?? 0)) last--
  return bytes[last] === closeBrace
}

function isJson(bytes: Buffer, from: number, to: number): boolean {
  if (to - from > usuallyCopied) return false
  try {
    JSON.parse(bytes.toString('utf8', from, to))
    return true
  } catch {
    return false
  }
}
