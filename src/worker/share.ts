/**
 * What was read of one partition in one go, decoded, with the record that each call came from: so that it can be counted
 * in parts, each of which ends with a record, and so at a position where reading may go on.
 */
import { type CallBatch, clearBatch, removeCalls } from '../core/call-batch.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { type EpochMs, type PartitionId, type Position, SECOND_MS } from '../core/vocabulary.ts'
import type { SourceBatch, SourceRecord } from '../sources/source.ts'
import { wildTimes } from './wild-clock.ts'

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

interface DecodeSettings {
  readonly decoder: Decoder
  /** Decoded into; the share keeps it until all of it is counted. */
  readonly batch: CallBatch
  /** Calls dated further than this past their arrival are refused. */
  readonly futureMs: number
  /** Largest event time that the partition has shown; -Infinity before its first call. */
  readonly frontier: EpochMs
}

export function decodeShare(read: SourceBatch, { decoder, batch, futureMs, frontier }: DecodeSettings): Share {
  const { partition, arrivedAt, records } = read
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
  for (let index = 0; index < records.length; index++) {
    const record = records[index]
    if (record === undefined) break
    const { payload } = record
    share.bytes += payload.length
    decoder.decode(payload, record.position, batch)
    share.callsTo[index] = batch.length
    share.rowsTo[index] = batch.panes.length
  }
  // A call dated further ahead is refused, and nobody is to wait for its time.
  const latestTime = arrivedAt + futureMs
  const wild = wildTimes(batch.time.subarray(0, batch.length), { frontier, arrivedAt, latestTime })
  if (wild.length > 0) refuseWild(share, wild)
  noteTimes(share, latestTime)
  return share
}

/** Counted as dated in the future, which in a log that is read where it was written they would have been. */
function refuseWild({ batch, callsTo }: Share, rows: readonly number[]): void {
  removeCalls(batch, rows)
  batch.rejected.set('future', (batch.rejected.get('future') ?? 0) + rows.length)
  let before = 0
  for (let index = 0; index < callsTo.length; index++) {
    const to = callsTo[index] as number
    while (before < rows.length && (rows[before] as number) < to) before++
    callsTo[index] = to - before
  }
}

function noteTimes({ batch, callsTo, rowsTo, time }: Share, latestTime: EpochMs): void {
  const later = (one: EpochMs, other: EpochMs): EpochMs => (other > latestTime ? one : Math.max(one, other))
  let calls = 0
  let rows = 0
  for (let index = 0; index < time.length; index++) {
    let latest = Number.NEGATIVE_INFINITY
    for (; calls < (callsTo[index] as number); calls++) latest = later(latest, batch.time[calls] ?? latest)
    // A count row of a minute or more teaches only, and has no place in time; one of a second is a pane.
    for (; rows < (rowsTo[index] as number); rows++) {
      const row = batch.panes[rows]
      if (row !== undefined && row.seconds * SECOND_MS <= SECOND_MS) latest = later(latest, row.start)
    }
    time[index] = latest
  }
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
