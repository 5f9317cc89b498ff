/**
 * Lines of text that are not JSON: found, handed one by one to whoever knows their format, and refused with their shape
 * where it says why. A subscription's envelope around such lines is told by its brace and the type behind it.
 */
import { type RejectionReason, reject } from '../call-batch.ts'
import { excerptOf } from './excerpt.ts'
import { skipSpace } from './json-members.ts'
import type { LineReader, Origin } from './lines.ts'

/** Counts the line from `from` to `to`, its end left out; answers why not, where it was not. */
export type TakeLine = (bytes: Buffer, from: number, to: number, origin: Origin) => RejectionReason | undefined

const newline = 0x0a
const carriageReturn = 0x0d
const openBrace = 0x7b
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

/** Reads text, and what comes in an envelope with `envelopes`. */
export function orEnveloped(text: LineReader, envelopes: LineReader): LineReader {
  return {
    readString: () => notRead,
    read(bytes, origin) {
      const hasBrace = bytes[skipSpace(bytes, 0, bytes.length)] === openBrace
      const isEnvelope = hasBrace && bytes.subarray(0, withinHead).includes('"messageType"')
      const reader = isEnvelope ? envelopes : text
      reader.read(bytes, origin)
    },
  }
}
