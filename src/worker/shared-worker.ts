/**
 * Several workers on one keyed stream. Each partition is a worker's life of its own (`worker.ts`), with checkpoint, journal and
 * incidents in a directory that all workers share; the consumer group says who has it. When it goes to another worker the
 * life here ends as any does, with a last checkpoint, and goes on there.
 *
 *   group: yours ──► hold ──► its directory is free? ──► life begins where the checkpoint is ──► read
 *                              └ not yet: its last owner finishes, or is silent for too long (checkpoint-lock.ts)
 *   group: another's ──► life stops: effects get a moment, checkpoint, commit, the directory is given free
 *
 * A worker that was frozen and only thinks that it is alive finds its directory taken: what it would announce is refused
 * (effect-journal.ts), its life ends, and nothing is changed by it.
 */
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import type { PartitionId } from '../core/vocabulary.ts'
import { createHandoff, type Handoff } from '../sources/handoff.ts'
import type { SharedSource, Source, SourceBatch } from '../sources/source.ts'
import type { Telemetry } from './telemetry.ts'

export interface SharedWorkerSettings {
  readonly source: SharedSource
  readonly clock: Clock
  readonly telemetry: Telemetry
  /**
   * One life of a partition, until `signal` aborts: opens what is kept of it, reads `source`, and closes it. Rejects with
   * STATE_HELD while another worker has its directory, or has taken it over.
   */
  readonly live: (partition: PartitionId, source: Source, signal: AbortSignal) => Promise<void>
}

const lookAgainMs = 250
const slowMs = 100
/** What a person has to mend is tried again, so that it goes on once it is mended; the other partitions go on meanwhile. */
const tryAgainMs = 10_000

interface Ours {
  readonly stop: AbortController
  readonly over: Promise<void>
}

/** Until `signal` aborts. Throws what ended the source. */
export async function runShared(settings: SharedWorkerSettings, signal: AbortSignal): Promise<void> {
  const { source, clock, telemetry } = settings
  const ours = new Map<PartitionId, Ours>()
  /** Of those that are read now: where what comes of them goes. */
  const readers = new Map<PartitionId, Handoff<SourceBatch>>()
  /** Lives that end: the next one of the same partition waits for them. */
  const ending = new Map<PartitionId, Promise<void>>()
  const slow = new Set<PartitionId>()
  let assigned: readonly PartitionId[] = []

  source.onAssigned(now => {
    assigned = now
    for (const [partition, { stop, over }] of ours) {
      if (now.includes(partition)) continue
      stop.abort()
      ours.delete(partition)
      ending.set(partition, over)
    }
    for (const partition of now) if (!ours.has(partition) && !signal.aborted) begin(partition)
    holdUnread()
  })

  function holdUnread(): void {
    source.hold?.(assigned.filter(partition => !readers.has(partition) || slow.has(partition)))
  }

  /** A partition that is slow to take what comes (its disk is) must not keep the others from theirs. */
  async function takenOrHeld(partition: PartitionId, taken: Promise<void>): Promise<void> {
    const over = new AbortController()
    const isTaken = await Promise.race([taken.then(() => true), clock.sleep(slowMs, over.signal).then(() => false)])
    over.abort()
    if (isTaken) return
    slow.add(partition)
    holdUnread()
    void taken.then(() => {
      slow.delete(partition)
      holdUnread()
    })
  }

  function begin(partition: PartitionId): void {
    const stop = new AbortController()
    const before = ending.get(partition) ?? Promise.resolve()
    ours.set(partition, { stop, over: before.then(() => liveOn(partition, stop.signal)) })
  }

  /** One life after the other, as long as the partition is ours. */
  async function liveOn(partition: PartitionId, until: AbortSignal): Promise<void> {
    let isAwaited = false
    while (!until.aborted) {
      try {
        await settings.live(partition, partOf(partition), until)
        return
      } catch (cause) {
        if (cause instanceof StreamError && cause.code === 'STATE_HELD') {
          if (!isAwaited) telemetry({ name: 'partitionAwaited', partition })
          isAwaited = true
          await clock.sleep(lookAgainMs, until)
          continue
        }
        isAwaited = false
        telemetry({ name: 'partitionTroubled', partition, because: messageOf(cause) })
        await clock.sleep(tryAgainMs, until)
      }
    }
  }

  /** The partition as a source of its own. */
  function partOf(partition: PartitionId): Source {
    return {
      description: `${source.description}, ${partition}`,
      keyed: true,
      async *read(positions, until) {
        const handoff = createHandoff<SourceBatch>()
        source.goOn(partition, positions.get(partition))
        readers.set(partition, handoff)
        holdUnread()
        try {
          for (;;) {
            const batch = await handoff.take(until)
            if (batch === undefined) return
            yield batch
          }
        } finally {
          handoff.end()
          readers.delete(partition)
          holdUnread()
        }
      },
      partitions: () => [partition],
      ...(source.heardAt && { heardAt: () => source.heardAt?.() }),
      ...(source.retainedMs && { retainedMs: () => source.retainedMs?.() ?? Promise.resolve(undefined) }),
      commit: positions => source.commit(positions),
      close: async () => undefined,
    }
  }

  try {
    for await (const batch of source.read(new Map(), signal)) {
      // Undefined: not read any more. It stands where its checkpoint is, and goes on from there.
      const offer = readers.get(batch.partition)?.offer(() => batch)
      if (offer !== undefined) await takenOrHeld(batch.partition, offer.settled)
    }
  } finally {
    assigned = []
    for (const { stop } of ours.values()) stop.abort()
    await Promise.all([...[...ours.values()].map(({ over }) => over), ...ending.values()])
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
