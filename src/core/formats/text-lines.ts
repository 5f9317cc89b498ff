/**
 * Lines of text that are not JSON: found, handed one by one to whoever knows their format, and refused with their shape
 * where it says why. A subscription's envelope around such lines is told by its brace and the type behind it.
 */
import { type RejectionReason, reject } from '../call-batch.ts'
import { excerptOf } from './excerpt.ts'
import { isSpace, skipSpace } from './json-members.ts'
import type { LineReader, Origin } from './lines.ts'

/** Counts the line from `from` to `to`, its end left out; answers why not, where it was not. */
export type TakeLine = (bytes: Buffer, from: number, to: number, origin: Origin) => RejectionReason | undefined

const newline = 0x0a
const carriageReturn = 0x0d
const openBrace = 0x7b
const closeBrace = 0x7d
/** A string in an envelope must be unescaped before it is a line of text. */
const notRead = -1
/** No member's name is known in a line of text: everything in it is a value. */
const nothingKnown: ReadonlySet<string> = new Set()

export function createTextReader(takeLine: TakeLine): LineReader {
  return {
    readString: () => notRead,
    read(bytes, origin) {
      for (let at = 0; at < bytes.length; ) {
        const newlineAt = bytes.indexOf(newline, at)
        const end = newlineAt < 0 ? bytes.length : newlineAt
        const from = at
        const to = bytes[end - 1] === carriageReturn && end > from ? end - 1 : end
        at = end + 1
        if (skipSpace(bytes, from, to) === to) continue
        const reason = takeLine(bytes, from, to, origin)
        // Of the last line of a damaged record nothing is said if it cannot be read.
        if (reason === undefined || (origin.isCut && end === bytes.length)) continue
        const excerpt = (): string => excerptOf(bytes, from, to, nothingKnown)
        reject(origin.batch, { reason, position: origin.place(from), length: to - from, excerpt })
      }
    },
  }
}

/** CloudWatch Logs writes the type first. */
const withinHead = 1024
const typeName = '"messageType"'

/**
 * Reads text, and with `envelopes` what comes in one. Each line by itself: where a client's text stands first on a row, a row
 * that begins as an envelope does is still a row, and must not take the others with it. An envelope ends with its line,
 * unless it was cut off; only one that somebody printed over several lines, whose brace stands alone, is the whole record.
 */
export function orEnveloped(text: LineReader, envelopes: LineReader): LineReader {
  return {
    readString: () => notRead,
    read(bytes, origin) {
      if (!bytes.includes(typeName)) {
        text.read(bytes, origin)
        return
      }
      if (isPrinted(bytes)) {
        envelopes.read(bytes, origin)
        return
      }
      for (let from = 0; from < bytes.length; ) {
        const isEnvelope = isEnvelopeAt(bytes, from, origin.isCut)
        let to = from
        // Neighbours of one kind go on as one piece.
        while (to < bytes.length && isEnvelopeAt(bytes, to, origin.isCut) === isEnvelope) to = endOfLine(bytes, to) + 1
        const reader = isEnvelope ? envelopes : text
        reader.read(bytes.subarray(from, Math.min(to, bytes.length)), within(origin, from, to >= bytes.length))
        from = to
      }
    },
  }
}

/** Of a stretch that is followed by another nothing was cut off. */
function within(origin: Origin, offset: number, isLast: boolean): Origin {
  if (offset === 0 && isLast) return origin
  const { batch, eventTime, isCut, place } = origin
  return { batch, eventTime, isCut: isCut && isLast, place: at => place(at + offset) }
}

function endOfLine(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(newline, from)
  return end < 0 ? bytes.length : end
}

function isEnvelopeAt(bytes: Buffer, from: number, isCut: boolean): boolean {
  const to = endOfLine(bytes, from)
  const begin = skipSpace(bytes, from, to)
  if (bytes[begin] !== openBrace || !bytes.subarray(begin, Math.min(to, begin + withinHead)).includes(typeName))
    return false
  let last = to - 1
  while (last > begin && isSpace(bytes[last] ?? 0)) last--
  return bytes[last] === closeBrace || (isCut && to === bytes.length)
}

function isPrinted(bytes: Buffer): boolean {
  const begin = skipSpace(bytes, 0, bytes.length)
  const end = endOfLine(bytes, begin)
  return bytes[begin] === openBrace && skipSpace(bytes, begin + 1, end) === end
}
