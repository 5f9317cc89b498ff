/**
 * What kafkajs hands over in one go, in pieces that fit in memory: batches are inflated as they are asked for, and one
 * that cannot be read is passed over as a fault, so that the partition goes on behind it.
 */
import type { KafkaMessage } from 'kafkajs'
import { type BatchRecord, type RecordBatch, readRecords } from './kafka-batch.ts'
import { CodecMissing, TooLarge } from './kafka-codecs.ts'
import { batchOf } from './kafka-fetch.ts'
import type { SourceFault } from './source.ts'

export interface Piece {
  readonly records: readonly BatchRecord[]
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
 * The piece that begins with message `begin`; records before offset `from` are left out, and so are batches that end
 * before it. Throws CodecMissing, which is not for the next batch to mend.
 */
export async function readPiece(messages: readonly KafkaMessage[], begin: number, from: number): Promise<Piece> {
  const records: BatchRecord[] = []
  const faults: BatchFault[] = []
  let bytes = 0
  let end = begin
  let last = ''
  for (; end < messages.length && bytes < pieceBytes; end++) {
    const message = messages[end]
    if (message === undefined) break
    if (Number(message.offset) >= from) {
      const read = await readMessage(message)
      // Positions move with the last record, so what is passed over must not stand behind one.
      if ('reason' in read && records.length > 0) break
      if ('reason' in read) faults.push(read)
      else for (const record of read) if (record.offset >= from) records.push(record)
      if (!('reason' in read)) for (const { value } of read) bytes += value?.length ?? 0
    }
    last = message.offset
  }
  return { records, faults, last, end }
}

async function readMessage(message: KafkaMessage): Promise<readonly BatchRecord[] | BatchFault> {
  const batch = batchOf(message)
  if (batch === undefined) return [{ offset: Number(message.offset), value: message.value ?? undefined }]
  try {
    return await readRecords(batch, maxBatchBytes)
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
