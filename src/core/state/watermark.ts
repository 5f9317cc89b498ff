/**
 * How far event time has come. A partition's frontier is the largest event time it has shown; the watermark is the
 * lowest frontier of the active partitions less the delivery lag, and everything before it is believed to have come.
 *
 * Bounds: a partition that brings nothing for `idleAfterMs` of arrival time holds nobody back; one that lags more than
 * `OPEN_SPAN_MS` behind the fastest does not either (its calls are then late): open panes never span more.
 */
import { type EpochMs, MINUTE_MS, type PartitionId } from '../vocabulary.ts'

export const OPEN_SPAN_MS = 15 * MINUTE_MS

interface PartitionTime {
  /** Largest event time shown; -Infinity before the first call. */
  frontier: EpochMs
  /** Arrival time of its last batch, or of when it was first heard of. */
  lastArrival: EpochMs
}

export interface EventTime {
  readonly partitions: Map<PartitionId, PartitionTime>
  /** Highest frontier of all, also of partitions that have left; -Infinity before the first call. */
  highest: EpochMs
}

export const createEventTime = (): EventTime => ({ partitions: new Map(), highest: Number.NEGATIVE_INFINITY })

export function partitionTime(time: EventTime, partition: PartitionId, arrivedAt: EpochMs): PartitionTime {
  let known = time.partitions.get(partition)
  if (known === undefined) {
    known = { frontier: Number.NEGATIVE_INFINITY, lastArrival: arrivedAt }
    time.partitions.set(partition, known)
  }
  return known
}

/** Exactly these partitions from now on. */
export function setPartitions(time: EventTime, partitions: readonly PartitionId[], at: EpochMs): void {
  const wanted = new Set(partitions)
  for (const partition of time.partitions.keys()) if (!wanted.has(partition)) time.partitions.delete(partition)
  for (const partition of partitions) {
    // After a restart they were all silent for as long as the worker was down: that is no idleness of theirs.
    const known = partitionTime(time, partition, at)
    known.lastArrival = Math.max(known.lastArrival, at)
  }
}

/**
 * Event time before which all calls are believed to have come. With every partition idle that is all that was seen,
 * and no more: what the source still holds back must not be late when it comes.
 */
export function watermark(
  time: EventTime,
  {
    now,
    deliveryMs,
    idleAfterMs,
  }: { readonly now: EpochMs; readonly deliveryMs: number; readonly idleAfterMs: number },
): EpochMs {
  let lowest = Number.POSITIVE_INFINITY
  for (const { frontier, lastArrival } of time.partitions.values()) {
    if (now - lastArrival < idleAfterMs && frontier < lowest) lowest = frontier
  }
  if (lowest === Number.POSITIVE_INFINITY) return time.highest + 1_000
  return Math.max(lowest - deliveryMs, time.highest - OPEN_SPAN_MS)
}
