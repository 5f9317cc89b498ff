/**
 * Records that the Kinesis Producer Library packed into one (github.com/awslabs/amazon-kinesis-producer,
 * aggregation-format.md):
 *
 *   F3 89 9A C2 | AggregatedRecord, a protobuf | MD5 of the protobuf, 16 bytes
 *   AggregatedRecord { 1: partition_key_table, 2: explicit_hash_key_table, 3: records { 1, 2: indexes, 3: data, 4: tags } }
 *
 * The format's fallback, to take a record whose checksum is wrong for a plain one, is not ours: no text begins with these
 * four bytes (they are no UTF-8), so nothing could be read in it. It is a rejection that says what it was.
 */
import { createHash } from 'node:crypto'

const magic = [0xf3, 0x89, 0x9a, 0xc2]
const digestBytes = 16
/** A record of 10 MiB, the largest there is, holds no more lines of a log than this. */
const mostRecords = 100_000

export const isKpl = (bytes: Uint8Array): boolean => magic.every((byte, index) => bytes[index] === byte)

/** The records within, in order; undefined where checksum or protobuf is broken, or there are too many. */
export function recordsOfKpl(payload: Buffer): readonly Buffer[] | undefined {
  const end = payload.length - digestBytes
  if (end < magic.length) return undefined
  const message = payload.subarray(magic.length, end)
  if (!createHash('md5').update(message).digest().equals(payload.subarray(end))) return undefined
  const records: Buffer[] = []
  const isWhole = eachField(message, (field, value) => {
    if (field !== 3) return true
    const data = dataOf(value)
    if (data === undefined || records.length === mostRecords) return false
    records.push(data)
    return true
  })
  return isWhole ? records : undefined
}

/** `data` is required; of several the last counts, as protobuf has it. */
function dataOf(record: Buffer | undefined): Buffer | undefined {
  let data: Buffer | undefined
  if (record === undefined) return undefined
  const isWhole = eachField(record, (field, value) => {
    if (field === 3) data = value
    return field !== 3 || value !== undefined
  })
  return isWhole ? data : undefined
}

/** Calls `take` with each field, and the bytes of those that have a length. False where it breaks off, or `take` says so. */
function eachField(message: Buffer, take: (field: number, value: Buffer | undefined) => boolean): boolean {
  const cursor = { at: 0 }
  while (cursor.at < message.length) {
    const tag = varint(message, cursor)
    if (tag === undefined || tag < 8) return false
    const field = Math.floor(tag / 8)
    const from = cursor.at
    const value = skipValue(message, cursor, tag % 8)
    if (cursor.at > message.length || cursor.at <= from || !take(field, value)) return false
  }
  return true
}

/** Moves behind a value; past the end of the message, or not at all, where there is none. */
function skipValue(message: Buffer, cursor: { at: number }, wireType: number): Buffer | undefined {
  switch (wireType) {
    case 0:
      if (varint(message, cursor) === undefined) cursor.at = Number.POSITIVE_INFINITY
      return undefined
    case 1:
      cursor.at += 8
      return undefined
    case 2: {
      const length = varint(message, cursor)
      if (length === undefined) {
        cursor.at = Number.POSITIVE_INFINITY
        return undefined
      }
      const from = cursor.at
      cursor.at += length
      return message.subarray(from, cursor.at)
    }
    case 5:
      cursor.at += 4
      return undefined
    default:
      cursor.at = Number.POSITIVE_INFINITY
      return undefined
  }
}

function varint(message: Buffer, cursor: { at: number }): number | undefined {
  let value = 0
  for (let index = 0; index < 10; index++) {
    const byte = message[cursor.at++]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return value
  }
  return undefined
}
