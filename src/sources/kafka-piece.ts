/**
 * What kafkajs hands over in one go, in pieces that fit in memory: batches are inflated as they are asked for, and one
 * that cannot be read is passed over as a fault, so that the partition goes on behind it.
 */
import type { KafkaMessage } from 'kafkajs'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import { type RecordBatch, type RecordVisitor, readRecords } from './kafka-batch.ts'
import { CodecMissing, TooLarge } from './kafka-codecs.ts'
import { batchOf } from './kafka-fetch.ts'
import type { SourceFault, SourceRecord } from './source.ts'

export interface Piece {
  readonly records: readonly KafkaRecord[]
  /** Batches that were passed over; they lie before all of `records`. */
  readonly faults: readonly BatchFault[]
  /** Offset of the last message of it, as kafkajs knows it. */
  readonly last: string
  /** Index of the first message behind it. */
  readonly end: number
}

export interface BatchFault {
  readonly from: number
  readonly to: number
  readonly reason: SourceFault['reason']
  readonly because: string
  /** As it was fetched, bytes. */
  readonly length: number
}

/** A piece holds at least one batch, and no further one begins beyond this: two are in memory at a time. */
const pieceBytes = 4 * 1024 * 1024
/** Of one batch: topics allow a megabyte compressed, and logs shrink to a twentieth at most. */
const maxBatchBytes = 64 * 1024 * 1024

/**
 * The piece of `partition` that begins with message `begin`; records before offset `from` are left out, and so are batches that end
 * before it. Throws CodecMissing, which is not for the next batch to mend.
 */
export async function readPiece(
  messages: readonly KafkaMessage[],
  { begin, from, partition }: { readonly begin: number; readonly from: number; readonly partition: PartitionId },
): Promise<Piece> {
  const records: KafkaRecord[] = []
  const faults: BatchFault[] = []
  let bytes = 0
  let end = begin
  let last = ''
  const visit = (offset: number, value: Uint8Array, at: number, to: number) => {
    if (offset >= from) records.push(new KafkaRecord(partition, { offset, bytes: value, from: at, to }))
    bytes += to - at
  }
  for (; end < messages.length && bytes < pieceBytes; end++) {
    const message = messages[end]
    if (message === undefined) break
    if (Number(message.offset) >= from) {
      const before = records.length
      const fault = await readMessage(message, visit)
      if (fault !== undefined) {
        records.length = before
        // Positions move with the last record, so what is passed over must not stand behind one.
        if (before > 0) break
        faults.push(fault)
      }
    }
    last = message.offset
  }
  return { records, faults, last, end }
}

interface Place {
  readonly offset: number
  readonly bytes: Uint8Array
  /** -1: a tombstone. */
  readonly from: number
  readonly to: number
}

/**
 * Makes the view of its value when it is asked for, and keeps none: a million of them at a time are what a collector of
 * garbage is slow with. A tombstone is a record of no bytes: it holds no call, and moves the position all the same.
 */
export class KafkaRecord implements SourceRecord {
  readonly partition: PartitionId
  readonly offset: number
  readonly #bytes: Uint8Array
  readonly #from: number
  readonly #to: number

  constructor(partition: PartitionId, { offset, bytes, from, to }: Place) {
    this.partition = partition
    this.offset = offset
    this.#bytes = bytes
    this.#from = from
    this.#to = to
  }

  get position(): Position {
    return String(this.offset + 1) as Position
  }

  get payload(): Uint8Array {
    return this.#from < 0 ? noBytes : this.#bytes.subarray(this.#from, this.#to)
  }
}

const noBytes = new Uint8Array()

async function readMessage(message: KafkaMessage, visit: RecordVisitor): Promise<BatchFault | undefined> {
  const batch = batchOf(message)
  if (batch === undefined) {
    visit(Number(message.offset), message.value ?? Buffer.alloc(0), 0, message.value?.length ?? 0)
    return undefined
  }
  try {
    await readRecords(batch, maxBatchBytes, visit)
    return undefined
  } catch (error) {
    if (error instanceof CodecMissing) throw error
    return faultOf(batch, error)
  }
}

function faultOf({ baseOffset, lastOffset, length }: RecordBatch, error: unknown): BatchFault {
  return {
    ...{ from: baseOffset, to: lastOffset, length },
    reason: error instanceof TooLarge ? 'too-large' : 'bad-batch',
    because: error instanceof Error ? error.message : String(error),
  }
}
