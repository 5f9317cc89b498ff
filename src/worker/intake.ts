/**
 * What comes in: read, decoded, and counted as soon as no slower partition has to come before it. While a worker catches up,
 * one fetch may hold an hour of a quiet partition and seconds of a busy one; what is ahead waits here, decoded, and its
 * partition is held. Positions move with what was counted, so that what waits is read again after a crash.
 */
import type { Clock } from '../clock.ts'
import { type CallBatch, createBatch, type RejectionReason } from '../core/call-batch.ts'
import { type Engine, engineStatus } from '../core/engine.ts'
import type { EngineInput } from '../core/engine-input.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { mostKeys } from '../core/formats/key-index.ts'
import type { EpochMs, PartitionId, Position } from '../core/vocabulary.ts'
import type { Source, SourceBatch } from '../sources/source.ts'
import type { Rejects } from '../stores/rejects.ts'
import { limitOf, type Progress } from './alignment.ts'
import type { Meter } from './meter.ts'
import { decodeShare, keepPositions, readyAt, type Share, type SharePart, takeUpTo } from './share.ts'
import type { Telemetry } from './telemetry.ts'

export interface Intake {
  /** Counts what was read, or keeps it for later. */
  take(from: SourceBatch): Promise<void>
  /** Time has passed: partitions come and go, and nobody is waited for for ever. */
  moveOn(at: EpochMs): Promise<void>
  /** The stream is over: all that waits is counted. */
  countAll(): Promise<void>
}

export interface IntakeSettings {
  readonly source: Source
  readonly decoder: Decoder
  /** A new one, for when the present one's key table is full. */
  readonly nextDecoder?: (() => Decoder) | undefined
  readonly clock: Clock
  readonly rejects: Rejects
  readonly telemetry: Telemetry
  readonly meters: readonly Meter[]
  readonly idleAfterMs: number
  readonly futureMs: number
  readonly engine: Engine
  /** Where reading goes on: moved here as calls are counted. */
  readonly positions: Map<PartitionId, Position>
  /** Feeds the engine, and carries out what it decides. */
  readonly feed: (input: EngineInput) => Promise<void>
  /** Told of the calls of each record batch before they are counted. */
  readonly beginStream: (batch: CallBatch) => void
}

export function createIntake(settings: IntakeSettings): Intake {
  const { source, clock, rejects, telemetry, meters, idleAfterMs, futureMs, engine, positions, feed, beginStream } =
    settings
  const { nextDecoder } = settings
  let { decoder } = settings
  const startedAt = clock.now()
  /** When each partition that we have last brought something, whether there was more behind it, and the largest event time of all. */
  const seen = new Map<PartitionId, Pick<Progress, 'seenAt' | 'hasMore'> & { readonly shown: EpochMs }>()
  /** What was read and not counted yet, of each partition in its order. A partition in it is held. */
  const waiting = new Map<PartitionId, Share[]>()
  const spareBatches: CallBatch[] = []
  let held: readonly PartitionId[] = []
  let partitions: readonly PartitionId[] = [...positions.keys()]

  async function take(from: SourceBatch): Promise<void> {
    const { partition, lag, faults = [] } = from
    await notePartitions(from.arrivedAt)
    // While something waits, further ids count as anonymous: two tables in turn would make a recording begin anew each time.
    if (nextDecoder !== undefined && decoder.keys.ids.length >= mostKeys && waiting.size === 0) {
      decoder = nextDecoder()
      spareBatches.length = 0
    }
    const frontier = seen.get(partition)?.shown ?? Number.NEGATIVE_INFINITY
    const batch = spareBatches.pop() ?? createBatch(decoder.keys)
    const share = decodeShare(from, { decoder, batch, futureMs, frontier })
    if (share.batch.length > 0) beginStream(share.batch)
    const rejectedFrom = { partition, at: from.arrivedAt }
    rejects.noteBatch(share.batch, rejectedFrom)
    rejects.noteFaults(faults, rejectedFrom)
    const rejected = [...share.batch.rejected.values()].reduce((sum, count) => sum + count, faults.length)
    const read = { bytes: share.bytes, calls: share.batch.length, rejected }
    for (const meter of meters) meter.count(from, read)
    const shown = share.time.reduce((latest, time) => Math.max(latest, time), frontier)
    seen.set(partition, { seenAt: clock.now(), hasMore: lag === undefined || Object.values(lag)[0] > 0, shown })
    waiting.set(partition, [...(waiting.get(partition) ?? []), share])
    await countWaiting()
    if (readyAt(share) !== undefined) keepPositions(share)
  }

  /** Counts what waits for no slower partition, and holds those of which something is left. */
  async function countWaiting(limit?: EpochMs): Promise<void> {
    for (let hasMoved = true; hasMoved; ) {
      hasMoved = false
      const limits = limit === undefined ? limitsNow() : undefined
      for (const [partition, [share]] of waiting) {
        if (share === undefined) continue
        const part = takeUpTo(share, limit ?? limits?.(readyAt(share)) ?? Number.POSITIVE_INFINITY)
        if (part !== undefined) await count(share, part)
        if (readyAt(share) === undefined) forgetFirst(partition)
        hasMoved ||= part !== undefined
      }
    }
    hold()
  }

  async function count(share: Share, { position, ...part }: SharePart): Promise<void> {
    const { partition, arrivedAt, batch } = share
    const rejectedBefore = { ...engine.state.rejected }
    await feed({ kind: 'batch', partition, batch, ...part, arrivedAt })
    rejects.noteBatch({ rejected: untimely(rejectedBefore), samples: [] }, { partition, at: arrivedAt })
    if (position !== undefined) positions.set(partition, position)
  }

  /** The first of a partition's shares is counted whole. */
  function forgetFirst(partition: PartitionId): void {
    const [share, ...others] = waiting.get(partition) ?? []
    if (share === undefined) return
    if (share.end !== undefined) positions.set(partition, share.end)
    // Not of one that is over but for what still waits here.
    for (const over of share.over) if (!waiting.has(over)) positions.delete(over)
    if (share.batch.keys === decoder.keys) spareBatches.push(share.batch)
    if (others.length > 0) waiting.set(partition, others)
    else waiting.delete(partition)
  }

  /** On a keyed stream each partition has its own event time, and none is ahead of another. */
  function limitsNow(): ((ready: EpochMs | undefined) => EpochMs) | undefined {
    if (source.hold === undefined || source.keyed) return undefined
    const { frontiers, watermark } = engineStatus(engine)
    const progress = partitions.map((partition): Progress => {
      const [share] = waiting.get(partition) ?? []
      const frontier = frontiers.get(partition)
      return {
        ready: share && readyAt(share),
        frontier: frontier === Number.NEGATIVE_INFINITY ? undefined : frontier,
        ...(seen.get(partition) ?? { seenAt: startedAt, hasMore: undefined }),
      }
    })
    const now = { now: clock.now(), watermark, idleAfterMs: idleAfterMs }
    return ready => (ready === undefined ? Number.POSITIVE_INFINITY : limitOf(ready, progress, now))
  }

  /** What only the engine can refuse: calls of another time. */
  function untimely(before: Engine['state']['rejected']): Map<RejectionReason, number> {
    const { future, tooOld } = engine.state.rejected
    const counts: readonly (readonly [RejectionReason, number])[] = [
      ['future', future - before.future],
      ['too-old', tooOld - before.tooOld],
    ]
    return new Map(counts.filter(([, count]) => count > 0))
  }

  /** The engine must know of a partition before another overtakes it. */
  async function notePartitions(at: EpochMs): Promise<void> {
    const now = source.partitions()
    // None yet: the source has not been given its share, which says nothing about those of the checkpoint.
    if (now.length === 0) return
    const departed = source.departed?.() ?? []
    const isSame = now.length === partitions.length && now.every((partition, index) => partition === partitions[index])
    if (isSame && departed.length === 0) return
    partitions = [...now]
    // What was read of a partition that is another's, or was in between, is read by them: our positions stand before it.
    for (const partition of [...waiting.keys(), ...seen.keys()]) {
      if (now.includes(partition) && !departed.includes(partition)) continue
      waiting.delete(partition)
      seen.delete(partition)
    }
    for (const partition of now) {
      if (!seen.has(partition)) seen.set(partition, { seenAt: at, hasMore: undefined, shown: Number.NEGATIVE_INFINITY })
    }
    hold()
    telemetry({ name: 'partitionsChanged', partitions })
    await feed({ kind: 'partitions', partitions, at })
  }

  function hold(): void {
    const next = [...waiting.keys()]
    if (next.length === held.length && next.every(partition => held.includes(partition))) return
    held = next
    telemetry({ name: 'partitionsHeld', partitions: held })
    source.hold?.(held)
  }

  return {
    take,
    async moveOn(at) {
      await notePartitions(at)
      if (waiting.size > 0) await countWaiting()
      // What waits here has come, though the engine has not seen it: to close panes over it would make it late.
      if (waiting.size > 0) await feed({ kind: 'partitions', partitions, at })
    },
    countAll: () => countWaiting(Number.POSITIVE_INFINITY),
  }
}
