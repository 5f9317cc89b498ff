/**
 * Keeps partitions side by side while a backlog is read. Without it one fast partition runs hours ahead: the watermark
 * stays behind at the slowest, and every pane between them stays open and costs memory. A partition that is further
 * ahead of the slowest active one than `aheadMs` is held until the slowest has caught up.
 */
import { type EpochMs, MINUTE_MS, type PartitionId } from '../core/vocabulary.ts'

export interface Frontier {
  /** Largest event time it has shown. */
  readonly eventTime: EpochMs
  /** When it last brought something, on the worker's clock. */
  readonly seenAt: EpochMs
}

export interface AlignmentLimits {
  readonly aheadMs: number
  /** A partition silent for this long has nothing to bring, and nobody waits for it. */
  readonly idleAfterMs: number
}

/**
 * Well inside what panes may span while they are open (15 min), and far above what the delivery of a log differs by: a
 * partition whose log always comes some minutes late must not hold the others for ever.
 */
export const aheadMs = 10 * MINUTE_MS

/**
 * Which partitions to hold now. Those held already are silent because of us: they are held on for as long as someone
 * who still speaks is behind them, and freed when nobody does.
 */
export function partitionsToHold(
  frontiers: ReadonlyMap<PartitionId, Frontier>,
  held: readonly PartitionId[],
  now: EpochMs,
  { aheadMs, idleAfterMs }: AlignmentLimits,
): readonly PartitionId[] {
  let slowest = Number.POSITIVE_INFINITY
  for (const [partition, { eventTime, seenAt }] of frontiers)
    if (!held.includes(partition) && now - seenAt < idleAfterMs) slowest = Math.min(slowest, eventTime)

  const ahead: PartitionId[] = []
  for (const [partition, { eventTime }] of frontiers) if (eventTime - slowest > aheadMs) ahead.push(partition)
  return ahead
}
