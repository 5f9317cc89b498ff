/**
 * How kafkajs reads the answer to a fetch, replaced. Its own way decodes every record at once, in several objects each,
 * inflates without a bound, and fails the whole fetch for one batch that it cannot read: asked again for ever, that batch
 * stops all partitions of its broker. Here an answer is only cut into batches, as views into what came. kafkajs takes
 * each batch for one message, which is right for all it does with them: it compares offsets, and leaves out aborted
 * transactions and their marks, none of which ever ends inside of a batch.
 *
 * kafkajs is no longer developed, and its version is fixed. Fetches of other versions than 11 (brokers before Kafka 2.3)
 * and message sets of before 0.11 are still read by kafkajs itself.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import type { KafkaMessage } from 'kafkajs'
import { holdsRecordBatches, type RecordBatch, splitBatches } from './kafka-batch.ts'

/** The batch that kafkajs handles as `message`; undefined when it has decoded that message itself. */
export const batchOf = (message: KafkaMessage): RecordBatch | undefined => batches.get(message)

const batches = new WeakMap<object, RecordBatch>()

type Decode = (payload: Buffer) => Promise<unknown>

let isInstalled = false

/** For all kafkajs consumers of this process. Does nothing the second time. */
export function readFetchesInBatches(): void {
  if (isInstalled) return
  const response: unknown = createRequire(import.meta.url)('kafkajs/src/protocol/requests/fetch/v11/response.js')
  assert(isResponse(response), 'kafkajs decodes fetches in another place than it did')
  const original = response.decode
  response.decode = async payload => decodeFetch(payload) ?? original(payload)
  isInstalled = true
}

function isResponse(value: unknown): value is { decode: Decode } {
  return typeof value === 'object' && value !== null && 'decode' in value && typeof value.decode === 'function'
}

/** `undefined` when there are message sets in it. */
function decodeFetch(payload: Buffer): object | undefined {
  const reader = { bytes: payload, at: 0 }
  const clientSideThrottleTime = int32(reader)
  const errorCode = int16(reader)
  const sessionId = int32(reader)
  const responses = []
  for (let topics = int32(reader); topics > 0; topics--) {
    const topicName = text(reader)
    const partitions = []
    for (let count = int32(reader); count > 0; count--) {
      const partition = decodePartition(reader)
      if (partition === undefined) return undefined
      partitions.push(partition)
    }
    responses.push({ topicName, partitions })
  }
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses }
}

function decodePartition(reader: Reader): object | undefined {
  const partition = int32(reader)
  const errorCode = int16(reader)
  const highWatermark = int64(reader).toString()
  const lastStableOffset = int64(reader).toString()
  const lastStartOffset = int64(reader).toString()
  const abortedTransactions = []
  for (let count = int32(reader); count > 0; count--)
    abortedTransactions.push({ producerId: int64(reader).toString(), firstOffset: int64(reader).toString() })
  const preferredReadReplica = int32(reader)
  const size = Math.max(0, int32(reader))
  const records = reader.bytes.subarray(reader.at, reader.at + size)
  reader.at += size
  if (records.length > 0 && !holdsRecordBatches(records)) return undefined
  return {
    ...{ partition, errorCode, highWatermark, lastStableOffset, lastStartOffset },
    ...{ abortedTransactions, preferredReadReplica },
    messages: splitBatches(records).map(asMessage),
  }
}

/** What kafkajs looks at: the key tells the mark of an aborted transaction from that of a committed one. */
function asMessage(batch: RecordBatch): object {
  const message = {
    offset: batch.lastOffset.toString(),
    key: batch.isControl ? controlKey(batch) : undefined,
    value: undefined,
    isControlRecord: batch.isControl,
    batchContext: { producerId: batch.producerId.toString(), inTransaction: batch.isTransactional },
  }
  batches.set(message, batch)
  return message
}

/** A mark is one record, never compressed: six one-byte fields (its length may take two), then a key of four bytes. */
function controlKey({ body }: RecordBatch): Buffer {
  let at = 0
  // length, attributes, timestamp delta, offset delta, length of the key
  for (const field of ['varint', 'byte', 'varint', 'varint', 'varint'] as const) {
    if (field === 'varint') while ((body[at] ?? 0) >= 0x80) at++
    at++
  }
  return body.subarray(at, at + 4)
}

interface Reader {
  readonly bytes: Buffer
  at: number
}

function int16(reader: Reader): number {
  reader.at += 2
  return reader.bytes.readInt16BE(reader.at - 2)
}

function int32(reader: Reader): number {
  reader.at += 4
  return reader.bytes.readInt32BE(reader.at - 4)
}

function int64(reader: Reader): bigint {
  reader.at += 8
  return reader.bytes.readBigInt64BE(reader.at - 8)
}

function text(reader: Reader): string {
  const length = Math.max(0, int16(reader))
  reader.at += length
  return reader.bytes.toString('utf8', reader.at - length, reader.at)
}
