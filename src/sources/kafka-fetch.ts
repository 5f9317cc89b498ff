/**
 * How kafkajs reads the answer to a fetch, replaced. Its own way decodes every record at once, in several objects each,
 * inflates without a bound, and fails the whole fetch for one batch that it cannot read: asked again for ever, that batch
 * stops all partitions of its broker. Here an answer is only cut into batches, as views into what came. kafkajs takes
 * each batch for one message, which is right for all it does with them: it compares offsets, and leaves out what we mark as
 * no records: the batches of aborted transactions, and the marks that end transactions. None ends inside of a batch.
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
  const transactions: AbortedTransaction[] = []
  for (let count = int32(reader); count > 0; count--)
    transactions.push({ producerId: int64(reader), firstOffset: int64(reader) })
  const preferredReadReplica = int32(reader)
  const size = Math.max(0, int32(reader))
  const records = reader.bytes.subarray(reader.at, reader.at + size)
  reader.at += size
  if (records.length > 0 && !holdsRecordBatches(records)) return undefined
  const split = splitBatches(records)
  const aborted = abortedBatches(split, transactions)
  return {
    ...{ partition, errorCode, highWatermark, lastStableOffset, lastStartOffset },
    // Nothing is left for kafkajs to find: it takes one transaction a message, and the broker gives them in the order of their ends.
    ...{ abortedTransactions: [], preferredReadReplica },
    messages: split.map(batch => asMessage(batch, aborted.has(batch))),
  }
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

/** The batches that belong to one of these transactions: from its first offset to the mark that ends it. */
export function abortedBatches(
  batches: readonly RecordBatch[],
  transactions: readonly AbortedTransaction[],
): ReadonlySet<RecordBatch> {
  const aborted = new Set<RecordBatch>()
  const open = new Set<bigint>()
  const begin = [...transactions].sort((one, other) => (one.firstOffset < other.firstOffset ? -1 : 1))
  for (const batch of batches) {
    for (let first = begin[0]; first !== undefined && first.firstOffset <= batch.lastOffset; first = begin[0]) {
      open.add(first.producerId)
      begin.shift()
    }
    if (batch.isControl) open.delete(batch.producerId)
    else if (batch.isTransactional && open.has(batch.producerId)) aborted.add(batch)
  }
  return aborted
}

/** What kafkajs looks at: it drops what is a control record, and moves its offset past it. */
function asMessage(batch: RecordBatch, isAborted: boolean): object {
  const message = {
    offset: batch.lastOffset.toString(),
    key: undefined,
    value: undefined,
    isControlRecord: batch.isControl || isAborted,
    batchContext: { producerId: batch.producerId.toString(), inTransaction: batch.isTransactional },
  }
  batches.set(message, batch)
  return message
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
