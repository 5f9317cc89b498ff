/**
 * From bytes to columns. A decoder is made once for a stream and keeps its key table; it never throws: what cannot be
 * read is a counted rejection in the batch, and the good lines around it are all counted.
 *
 * payload → gzip? inflate → lines → access log | pane | envelope → its messages' lines
 */
import { type CallBatch, type KeyTable, type RejectionReason, reject } from '../call-batch.ts'
import type { FieldMapping, FormatName } from '../config/config.ts'
import type { Position } from '../vocabulary.ts'
import { excerptOf } from './excerpt.ts'
import { createFieldSlots, type LookedFor, paneFields } from './field-slots.ts'
import { inflate, isGzip } from './gzip.ts'
import { createKeyNames } from './key-names.ts'
import { createLineReader, type LineReader } from './lines.ts'
import type { Repeats } from './repeats.ts'

export interface Decoder {
  readonly keys: KeyTable
  /**
   * Appends what `payload` holds to `batch`, which must have been made with this decoder's `keys`. A rejection's position
   * is `position`, `#`, and the byte at which what was refused begins in the payload (inflated); within an
   * envelope also `.` and the number of the event, from 0.
   */
  decode(payload: Uint8Array, position: Position, batch: CallBatch): void
}

/** What a record may be, as it came or inflated: a guard against gzip bombs. */
export const maxRecordBytes = 32 * 1024 * 1024

export interface DecoderOptions {
  readonly format: FormatName
  readonly fields: FieldMapping
  /** Keys the HMAC-SHA256 that a raw key value becomes (`hash:` + 16 hex digits). The raw value goes no further. */
  readonly hashSecret: string
  /** A record larger than this, as it came or inflated, is refused (`maxRecordBytes`, where nothing speaks for another). */
  readonly maxRecordBytes: number
  /** Knows again what the stream may bring twice; without it everything counts. */
  readonly repeats?: Repeats | undefined
}

/** What a record may hold, and what an envelope's messages may. `auto` looks at each line anew. */
const lookedFor: Readonly<Record<FormatName, LookedFor>> = {
  auto: { calls: true, panes: true, envelopes: true },
  'access-log': { calls: true, panes: false, envelopes: false },
  'cloudwatch-logs': { calls: false, panes: false, envelopes: true },
  panes: { calls: false, panes: true, envelopes: false },
}
const lookedForInMessages: LookedFor = { calls: true, panes: true, envelopes: false }

export function createDecoder({
  format,
  fields: mapping,
  hashSecret,
  maxRecordBytes,
  repeats,
}: DecoderOptions): Decoder {
  const names = createKeyNames(hashSecret)
  const known = knownNames(mapping)
  const readerOf = (wanted: LookedFor, messages: LineReader | undefined): LineReader =>
    createLineReader({ fields: createFieldSlots(mapping, wanted), names, known, messages })
  const reader = readerOf(
    lookedFor[format],
    lookedFor[format].envelopes ? readerOf(lookedForInMessages, undefined) : undefined,
  )

  return {
    keys: names.table,
    decode(payload, position, batch) {
      const refuse = (reason: RejectionReason, shown: Buffer): void => {
        const excerpt = (): string => excerptOf(shown, 0, shown.length, known)
        reject(batch, { reason, position: `${position}#0`, length: payload.length, excerpt })
      }
      const record = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
      if (record.length > maxRecordBytes) {
        refuse('too-large', isGzip(record) ? Buffer.alloc(0) : record)
        return
      }
      const { bytes, fault } = isGzip(record) ? inflate(record, maxRecordBytes) : { bytes: record, fault: undefined }
      if (fault !== undefined) refuse(fault, bytes)
      // What was cut off has no end to be known by.
      if (fault === undefined && repeats?.isRepeat(bytes, position)) {
        refuse('duplicate', bytes)
        return
      }
      const marked = byteOrderMarkOf(bytes)
      const place = (offset: number): Position => `${position}#${offset + marked}`
      reader.read(bytes.subarray(marked), { batch, place, eventTime: undefined, isCut: fault === 'bad-gzip' })
    },
  }
}

/** Length of the UTF-8 byte order mark that some tools put first. */
const byteOrderMarkOf = (bytes: Buffer): number => (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)

/** Names that the world knows, and those that the user gave us: they may be shown. */
function knownNames(mapping: FieldMapping): ReadonlySet<string> {
  return new Set([...Object.values(mapping).flat(), ...paneFields, ...envelopeFields, ...recommendedFields])
}

const envelopeFields = [
  'messageType',
  'owner',
  'logGroup',
  'logStream',
  'subscriptionFilters',
  'logEvents',
  'id',
  'timestamp',
  'message',
]

/** The log format that the README recommends, in its order. */
const recommendedFields = [
  'requestId',
  'extendedRequestId',
  'requestTimeEpoch',
  'apiId',
  'stage',
  'apiKeyId',
  'principalId',
  'sourceIp',
  'httpMethod',
  'resourcePath',
  'status',
  'responseLatency',
  'responseLength',
  'integrationStatus',
  'integrationLatency',
  'errorResponseType',
  'wafStatus',
  'userAgent',
]
