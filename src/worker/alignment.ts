/**
 * Keeps partitions side by side while a backlog is read. After a stop they are as far apart as they were, and one fetch
 * may hold an hour of a quiet partition: what comes 15 minutes behind the fastest is late, and counted as such. So what
 * was read waits, decoded, until no partition that still has something to bring is far behind it; it is a merge by
 * event time that lets each run `aheadMs` ahead.
 *
 * A stream that is read live waits for nobody: a partition whose log always comes some minutes late must not delay the
 * others. Only beyond `liveAheadMs` it does, since more would not fit between open panes.
 */
import { type EpochMs, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'

/** What is known of a partition. */
export interface Progress {
  /** Event time of the next it has ready; undefined when nothing of it waits. -Infinity: what it has ready is no call. */
  readonly ready: EpochMs | undefined
  /** Largest event time it has shown; undefined before its first call. */
  readonly frontier: EpochMs | undefined
  /** Whether there was more behind what it brought last; undefined: it has brought nothing yet. */
  readonly hasMore: boolean | undefined
  /** When it last brought something, or was given to us. */
  readonly seenAt: EpochMs
}

export interface AlignmentNow {
  readonly now: EpochMs
  /** Calls before it are late already, and nobody waits for them. */
  readonly watermark: EpochMs | undefined
  /** A partition silent for this long brings nothing, whatever it said of more. */
  readonly idleAfterMs: number
}

export const aheadMs = 2 * MINUTE_MS
/** Well inside what panes may span while they are open (15 min). */
export const liveAheadMs = 10 * MINUTE_MS
/** The first answer of a partition that has something comes within a second or so; brokers may have much to send. */
export const unheardMs = 10 * SECOND_MS

/** Up to which event time what begins at `ready` may be counted; it is the largest of its own when nothing holds it. */
export function limitOf(ready: EpochMs, partitions: Iterable<Progress>, now: AlignmentNow): EpochMs {
  const isLive = ready >= now.now - aheadMs
  let slowest = Number.POSITIVE_INFINITY
  for (const progress of partitions) slowest = Math.min(slowest, awaited(progress, now, isLive))
  return slowest + (isLive ? liveAheadMs : aheadMs)
}

/** The earliest event time that a partition may still bring, as far as it is worth waiting for. */
function awaited({ ready, frontier, hasMore, seenAt }: Progress, at: AlignmentNow, byLive: boolean): EpochMs {
  const nothing = Number.POSITIVE_INFINITY
  if (ready !== undefined) return ready
  if (hasMore === false) return nothing
  const silentMs = at.now - seenAt
  if (silentMs >= (hasMore === undefined ? Math.min(unheardMs, at.idleAfterMs) : at.idleAfterMs)) return nothing
  if (frontier === undefined) return byLive ? nothing : Number.NEGATIVE_INFINITY
  return at.watermark !== undefined && frontier < at.watermark ? nothing : frontier
}
