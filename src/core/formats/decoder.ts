/**
 * From bytes to columns. A decoder is made once for a stream and keeps its key table; it never throws: what cannot be
 * read is a counted rejection in the batch, and the good lines around it are all counted.
 *
 * payload → KPL? its records → gzip, zstd? inflate → lines → access log | pane | envelope → its messages' lines
 */
import { type CallBatch, type KeyTable, type RejectionReason, reject, wantPlaces } from '../call-batch.ts'
import type { Position } from '../vocabulary.ts'
import type { CallNumbers } from './access-log.ts'
import { createClfLine } from './clf.ts'
import { createCsvLine } from './csv.ts'
import { excerptOf } from './excerpt.ts'
import { type FieldNames, type FieldSettings, type FormatName, fieldNamesOf, recommendedFields } from './field-names.ts'
import { createFieldSlots, createSpans, type LookedFor, paneFields } from './field-slots.ts'
import { type Inflated, inflate, isGzip } from './gzip.ts'
import { createKeyNames } from './key-names.ts'
import { isKpl, recordsOfKpl } from './kpl.ts'
import { createLineReader, type LineReader } from './lines.ts'
import { createPlaces } from './places.ts'
import type { Repeats } from './repeats.ts'
import { createTextReader, orEnveloped } from './text-lines.ts'
import { inflateZstd, isZstd } from './zstd.ts'

export interface Decoder {
  readonly keys: KeyTable
  /**
   * Appends what `payload` holds to `batch`, which must have been made with this decoder's `keys`. A rejection's position
   * is `position`, `#`, and the byte at which what was refused begins in the payload (inflated); within an
   * envelope also `.` and the number of the event, from 0. Before the `#` stands, of a record that was packed with others
   * (KPL), `:` and its number, from 0.
   */
  decode(payload: Uint8Array, position: Position, batch: CallBatch): void
}

/** What a record may be, as it came or inflated: a guard against bombs. */
export const maxRecordBytes = 32 * 1024 * 1024

export interface DecoderOptions {
  readonly format: FormatName
  readonly fields: FieldSettings
  /** Keys the HMAC-SHA256 that a raw key value becomes (`hash:` + 16 hex digits). The raw value goes no further. */
  readonly hashSecret: string
  /**
   * A record larger than this, as it came or inflated, is refused, and so is what would be more than this of all that was
   * packed into one (`maxRecordBytes`, where nothing speaks for another).
   */
  readonly maxRecordBytes: number
  /** Knows again what the stream may bring twice; without it everything counts. */
  readonly repeats?: Repeats | undefined
  /** Which of these somebody reads; nothing is done for the others. */
  readonly reads?: ReadPlaces | undefined
}

/** Whether anybody asks what was called, and from where. */
export interface ReadPlaces {
  readonly route: boolean
  readonly source: boolean
}

/** What a record may hold, and what an envelope's messages may. `auto` looks at each line anew. */
const anything: LookedFor = { calls: true, panes: true, envelopes: true }
const callsOrEnvelopes: LookedFor = { calls: true, panes: false, envelopes: true }
const onlyCalls: LookedFor = { calls: true, panes: false, envelopes: false }
const onlyEnvelopes: LookedFor = { calls: false, panes: false, envelopes: true }
const lookedFor: Readonly<Record<FormatName, LookedFor>> = {
  auto: anything,
  'access-log': onlyCalls,
  'cloudwatch-logs': onlyEnvelopes,
  panes: { calls: false, panes: true, envelopes: false },
  clf: onlyEnvelopes,
  csv: onlyEnvelopes,
  kong: callsOrEnvelopes,
  envoy: callsOrEnvelopes,
  nginx: callsOrEnvelopes,
  apisix: callsOrEnvelopes,
}
const lookedForInMessages = (format: FormatName): LookedFor =>
  format === 'auto' || format === 'cloudwatch-logs' ? { ...anything, envelopes: false } : onlyCalls

export function createDecoder({
  format,
  fields: settings,
  hashSecret,
  maxRecordBytes,
  repeats,
  reads,
}: DecoderOptions): Decoder {
  const names = createKeyNames(hashSecret)
  const fieldNames = onlyRead(fieldNamesOf(format, settings), reads)
  const places = fieldNames.route.length + fieldNames.source.length > 0 ? createPlaces(hashSecret) : undefined
  const known = knownNames(fieldNames)
  const jsonReader = (wanted: LookedFor, messages: LineReader | undefined): LineReader =>
    createLineReader({ fields: createFieldSlots(fieldNames, wanted), names, places, known, messages })
  const text = textReader(format, fieldNames, settings.header, { names, places })
  const messages = (): LineReader => text ?? jsonReader(lookedForInMessages(format), undefined)
  const json = jsonReader(lookedFor[format], lookedFor[format].envelopes ? messages() : undefined)
  const reader = text === undefined ? json : orEnveloped(text, json)

  /** Reads a record, or one of several packed into it; returns how many bytes it was, inflated. */
  const take = (record: Buffer, position: Position, batch: CallBatch, maxBytes: number): number => {
    const refuse = (reason: RejectionReason, shown: Buffer): void => {
      const excerpt = (): string => excerptOf(shown, 0, shown.length, known)
      reject(batch, { reason, position: `${position}#0`, length: record.length, excerpt })
    }
    const isPacked = isGzip(record) || isZstd(record)
    if (record.length > maxBytes) {
      refuse('too-large', isPacked ? Buffer.alloc(0) : record)
      return 0
    }
    const { bytes, fault } = inflated(record, maxBytes)
    if (fault !== undefined) refuse(fault, bytes)
    // What was cut off has no end to be known by.
    if (fault === undefined && repeats?.isRepeat(bytes, position)) {
      refuse('duplicate', bytes)
      return bytes.length
    }
    const marked = byteOrderMarkOf(bytes)
    const place = (offset: number): Position => `${position}#${offset + marked}`
    const isCut = fault === 'bad-gzip' || fault === 'bad-zstd'
    const before = batch.length
    reader.read(bytes.subarray(marked), { batch, place, eventTime: undefined, isCut })
    if (fieldNames.latencyUnitMs !== 1) toMilliseconds(batch, before, fieldNames.latencyUnitMs)
    // What was too large costs all that was left, so that no second one is inflated in vain.
    return fault === 'too-large' ? maxBytes : bytes.length
  }

  const refuseKpl = ({ length }: Buffer, position: Position, batch: CallBatch): void =>
    reject(batch, { reason: 'bad-kpl', position: `${position}#0`, length, excerpt: () => '' })

  return {
    keys: names.table,
    decode(payload, position, batch) {
      if (places !== undefined) wantPlaces(batch)
      const record = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
      if (!isKpl(record) || record.length > maxRecordBytes) {
        take(record, position, batch, maxRecordBytes)
        return
      }
      const packed = recordsOfKpl(record)
      if (packed === undefined) refuseKpl(record, position, batch)
      let left = maxRecordBytes
      for (const [index, inner] of (packed ?? []).entries()) {
        const place = `${position}:${index}`
        // The library packs records, never what it packed.
        if (isKpl(inner)) refuseKpl(inner, place, batch)
        else left -= take(inner, place, batch, left)
      }
    },
  }
}

const onlyRead = (names: FieldNames, reads: ReadPlaces | undefined): FieldNames => ({
  ...names,
  route: reads?.route === true ? names.route : [],
  source: reads?.source === true ? names.source : [],
})

function textReader(
  format: FormatName,
  fieldNames: FieldNames,
  header: string | undefined,
  numbers: CallNumbers,
): LineReader | undefined {
  if (format !== 'clf' && format !== 'csv') return undefined
  const fields = createFieldSlots(fieldNames, onlyCalls)
  const spans = createSpans(fields)
  return createTextReader(
    format === 'clf' ? createClfLine(fields, spans, numbers) : createCsvLine(fields, spans, numbers, header),
  )
}

function inflated(record: Buffer, maxBytes: number): Inflated {
  if (isGzip(record)) return inflate(record, maxBytes)
  return isZstd(record) ? inflateZstd(record, maxBytes) : { bytes: record, fault: undefined }
}

/** All calls of a log have their latency in one unit. Readers put it in as it stands; those without one have -1. */
function toMilliseconds({ latencyMs, length }: CallBatch, from: number, unitMs: number): void {
  for (let row = from; row < length; row++) {
    const value = latencyMs[row] ?? -1
    // To the nanosecond: 1.001 s in binary is a little less, and would become 1000.9999999999999 ms.
    if (value > 0) latencyMs[row] = Math.round(value * unitMs * 1e6) / 1e6
  }
}

/** Length of the UTF-8 byte order mark that some tools put first. */
const byteOrderMarkOf = (bytes: Buffer): number => (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)

/** Names that the world knows, and those that the user gave us: they may be shown. */
function knownNames(fieldNames: FieldNames): ReadonlySet<string> {
  const { latencyUnitMs: _, ...names } = fieldNames
  const named = Object.values(names).flat()
  const parts = named.flatMap(name => name.split('.'))
  return new Set([...named, ...parts, ...paneFields, ...envelopeFields, ...recommendedFields])
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
