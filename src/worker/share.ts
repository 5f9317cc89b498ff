/**
 * What was read of one partition in one go, decoded, with the record that each call came from: so that it can be counted
 * in parts, each of which ends with a record, and so at a position where reading may go on.
 */
import { type CallBatch, clearBatch } from '../core/call-batch.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { type EpochMs, type PartitionId, type Position, SECOND_MS } from '../core/vocabulary.ts'
import type { SourceBatch, SourceRecord } from '../sources/source.ts'

export interface Share {
  readonly partition: PartitionId
  readonly arrivedAt: EpochMs
  readonly batch: CallBatch
  /** Where reading goes on after each record: asked of the records until they are let go (`keepPositions`). */
  positions: readonly Position[] | undefined
  records: readonly SourceRecord[]
  readonly size: number
  /** Of all payloads. */
  readonly bytes: number
  /** Where reading goes on when all of it is counted, with what the source itself refused. */
  readonly end: Position | undefined
  /** Partitions whose position need not be kept any more when all of it is counted. */
  readonly over: readonly PartitionId[]
  /** Of each record: calls and rows of the batch up to its end, and the largest event time in it. */
  readonly callsTo: Int32Array
  readonly rowsTo: Int32Array
  readonly time: Float64Array
  /** First record that was not counted yet. */
  next: number
}

/** A part of a share that may be counted now. */
export interface SharePart {
  readonly from: number
  readonly to: number
  readonly panesFrom: number
  readonly panesTo: number
  readonly position: Position | undefined
}

/** `futureMs`: calls dated further than this past their arrival are refused. Decodes into `batch`, which the share keeps until all of it is counted. */
export function decodeShare(read: SourceBatch, decoder: Decoder, batch: CallBatch, futureMs: number): Share {
  const { partition, arrivedAt, records } = read
  // A call dated further ahead is refused, and nobody is to wait for its time.
  const latestTime = arrivedAt + futureMs
  const later = (one: EpochMs, other: EpochMs): EpochMs => (other > latestTime ? one : Math.max(one, other))
  const share = {
    ...{ partition, arrivedAt, batch, next: 0 },
    ...{ positions: undefined, records, size: records.length, bytes: 0 },
    end: records.at(-1)?.position ?? read.faults?.at(-1)?.position,
    over: read.over ?? [],
    callsTo: new Int32Array(records.length),
    rowsTo: new Int32Array(records.length),
    time: new Float64Array(records.length),
  }
  clearBatch(batch)
  let calls = 0
  let rows = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index]
    if (record === undefined) break
    const { payload } = record
    share.bytes += payload.length
    decoder.decode(payload, record.position, batch)
    let latest = Number.NEGATIVE_INFINITY
    for (; calls < batch.length; calls++) latest = later(latest, batch.time[calls] ?? latest)
    // A count row of a minute or more teaches only, and has no place in time; one of a second is a pane.
    for (; rows < batch.panes.length; rows++) {
      const row = batch.panes[rows]
      if (row !== undefined && row.seconds * SECOND_MS <= SECOND_MS) latest = later(latest, row.start)
    }
    share.callsTo[index] = calls
    share.rowsTo[index] = rows
    share.time[index] = latest
  }
  return share
}

/** For a share that waits: its calls are decoded, and what they were read from need not wait with them. */
export function keepPositions(share: Share): void {
  share.positions ??= share.records.map(({ position }) => position)
  share.records = []
}

/** Event time of the next record; undefined when all are counted. */
export const readyAt = (share: Share): EpochMs | undefined => share.time[share.next]

/** Takes all records up to the first that is beyond `limit`; undefined when that is the next one. */
export function takeUpTo(share: Share, limit: EpochMs): SharePart | undefined {
  const { callsTo, rowsTo, time, size } = share
  const begin = share.next
  while (share.next < size && (time[share.next] ?? 0) <= limit) share.next++
  if (share.next === begin) return undefined
  const last = share.next - 1
  return {
    from: begin === 0 ? 0 : (callsTo[begin - 1] ?? 0),
    to: callsTo[last] ?? 0,
    panesFrom: begin === 0 ? 0 : (rowsTo[begin - 1] ?? 0),
    panesTo: rowsTo[last] ?? 0,
    position: share.positions?.[last] ?? share.records[last]?.position,
  }
}
