/**
 * A record batch as it lies in the log and comes over the wire (Kafka's documentation, "Message Format", version 2).
 * Only what Weir needs is read of a record: its offset and its value.
 *
 *     0 base offset   8 length   12 leader epoch   16 magic   17 crc   21 attributes   23 last offset delta
 *     27 first, 35 max timestamp   43 producer id   51 producer epoch   53 base sequence   57 count   61 records
 */
import { codecOf, inflate, TooLarge } from './kafka-codecs.ts'

const headerBytes = 61
const magicAt = 16
const transactionalFlag = 16
const controlFlag = 32

/** One batch with its header read: nothing of it is inflated yet. */
export interface RecordBatch {
  readonly baseOffset: number
  /** Of the last record that it was written with; compaction may have taken that record since. */
  readonly lastOffset: number
  readonly attributes: number
  readonly producerId: bigint
  readonly isTransactional: boolean
  /** Marks where a transaction ends, and holds no record of anybody. */
  readonly isControl: boolean
  readonly count: number
  /** Its records, compressed as the attributes say. */
  readonly body: Buffer
  /** The whole of it, bytes. */
  readonly length: number
}

/** Told of a record: its offset, and where its value lies in what was fetched or inflated. `from` -1: a tombstone. */
export type RecordVisitor = (offset: number, bytes: Buffer, from: number, to: number) => void

/** The batches in a partition's share of a fetch; the last one may be cut off, and is left for the next fetch. */
export function splitBatches(bytes: Buffer): readonly RecordBatch[] {
  const batches: RecordBatch[] = []
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const length = 12 + bytes.readInt32BE(at + 8)
    if (length < headerBytes || at + length > bytes.length) break
    batches.push(readHeader(bytes.subarray(at, at + length)))
    at += length
  }
  return batches
}

/** Whether a share of a fetch begins with a batch as above, and not with the message sets of before Kafka 0.11. */
export const holdsRecordBatches = (bytes: Buffer): boolean => bytes.length > magicAt && bytes.readInt8(magicAt) === 2

function readHeader(bytes: Buffer): RecordBatch {
  const baseOffset = Number(bytes.readBigInt64BE(0))
  const attributes = bytes.readInt16BE(21)
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(23),
    attributes,
    producerId: bytes.readBigInt64BE(43),
    isTransactional: (attributes & transactionalFlag) !== 0,
    isControl: (attributes & controlFlag) !== 0,
    count: bytes.readInt32BE(57),
    body: bytes.subarray(headerBytes),
    length: bytes.length,
  }
}

/** No log has so many in one batch, and as many empty records as fit in a batch would take ten times its bytes. */
const maxRecords = 500_000

/**
 * Visits each record in its order. Throws what `inflate` throws, and an error that says what is broken in the records
 * themselves: those before it have been visited then.
 */
export async function readRecords(batch: RecordBatch, maxBytes: number, visit: RecordVisitor): Promise<void> {
  const codec = codecOf(batch.attributes)
  if (codec === undefined) throw new Error(`compressed in a way that Kafka does not know (${batch.attributes & 7})`)
  if (batch.count > maxRecords) throw new TooLarge(`it holds more than ${maxRecords} records`)
  const bytes = await inflate(codec, batch.body, maxBytes)
  const reader = { bytes, at: 0 }
  for (let index = 0; index < batch.count; index++) readRecord(reader, batch.baseOffset, visit)
  if (reader.at !== bytes.length) throw new Error('its records end before it does')
}

interface Reader {
  readonly bytes: Buffer
  at: number
}

/** length, attributes, timestamp delta, offset delta, key, value, headers: all lengths and deltas zigzag varints. */
function readRecord(reader: Reader, baseOffset: number, visit: RecordVisitor): void {
  const length = readVarint(reader)
  const end = reader.at + length
  if (length < 0 || end > reader.bytes.length) throw new Error('a record is cut off')
  reader.at++
  skipVarint(reader)
  const offset = baseOffset + readVarint(reader)
  const keyBytes = readVarint(reader)
  if (keyBytes > 0) reader.at += keyBytes
  const valueBytes = readVarint(reader)
  const valueAt = reader.at
  if (valueAt + Math.max(0, valueBytes) > end) throw new Error('a value is cut off')
  reader.at = end
  visit(offset, reader.bytes, valueBytes < 0 ? -1 : valueAt, valueAt + valueBytes)
}

/** Up to 32 bits, as lengths and offset deltas are. */
function readVarint(reader: Reader): number {
  const { bytes } = reader
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[reader.at++]
    if (byte === undefined) break
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
  }
  throw new Error('a number is cut off')
}

/** Timestamps have up to 64 bits, and nobody here wants them. */
function skipVarint(reader: Reader): void {
  const { bytes } = reader
  while ((bytes[reader.at] ?? 0) >= 0x80) reader.at++
  reader.at++
}
