/**
 * Makes notices of what telemetry tells, and has them sent. It hears what everybody hears and touches nothing else: the engine
 * and its keeper know nothing of it.
 *
 *     telemetry ─► once a second: reading ─► notices.ts, history-summary.ts ─► telemetry (a line), SNS (a message)
 *
 * A notice that waits for SNS gives way to a newer one of its subject, so no more than a handful ever wait. They are not kept: a
 * worker that starts again finds out anew how it stands.
 */
import type { Clock } from '../clock.ts'
import type { Notice, NoticeSource } from '../core/explanation/notice.ts'
import { type EpochMs, type PartitionId, SECOND_MS } from '../core/vocabulary.ts'
import { endHistory, followHistory, noHistory, noteChange } from './history-summary.ts'
import { behindMs, newestAgeMs, nothingSeen, type Seen, seenWith } from './meter.ts'
import { followNotices, type NoticeRules, quietNotices } from './notices.ts'
import type { Reading, Telemetry, TelemetryEvent } from './telemetry.ts'

export interface Noticing {
  /** The same telemetry, listened to: what the whole worker tells, or the life of one partition of a shared stream. */
  hearing(telemetry: Telemetry, partition?: PartitionId): Telemetry
  /** Gives what is on its way a moment. */
  finish(): Promise<void>
}

export interface NoticingSettings extends NoticeRules {
  readonly clock: Clock
  readonly telemetry: Telemetry
  /** Undefined: there is nobody to tell but the log. */
  readonly send:
    | ((notice: Notice, who: NoticeSource, signal: AbortSignal) => Promise<{ readonly kind: 'applied' | 'refused' }>)
    | undefined
}

interface Kept {
  readonly checkpointedAt: EpochMs
  readonly undelivered: number
}

/** A source that is well says nothing of trouble for so long; it is told once a minute at most. */
const troubledForMs = 90 * SECOND_MS
const graceMs = 3 * SECOND_MS

export function createNoticing(settings: NoticingSettings): Noticing {
  const { clock, telemetry, send } = settings
  let who = { source: 'none yet', mode: 'unknown' }
  let awaySince: EpochMs | undefined
  let state = quietNotices
  let history = noHistory
  const parts = new Map<PartitionId | undefined, Kept>()
  const startedAt = clock.now()
  let seen: Seen = nothingSeen
  let troubledAt = Number.NEGATIVE_INFINITY
  const sending = new Map<string, { readonly stop: AbortController; readonly work: Promise<unknown> }>()

  /** What the life of a partition has read is heard with that of the others, as the worker's. */
  function hear(event: TelemetryEvent, partition: PartitionId | undefined): void {
    const at = clock.now()
    switch (event.name) {
      case 'workerStarted':
        who = { source: event.source, mode: event.mode }
        awaySince = least(awaySince, event.resumedFrom)
        parts.set(partition, { checkpointedAt: at, undelivered: 0 })
        break
      case 'batchesRead':
        if (partition === undefined) step(event, at)
        break
      case 'minuteSummarised':
        parts.set(partition, { ...keptOf(partition, at), undelivered: event.undelivered })
        break
      case 'checkpointWritten':
        parts.set(partition, { ...keptOf(partition, at), checkpointedAt: at })
        break
      case 'incidentChanged':
        history = noteChange(history, event.explanation)
        break
      case 'sourceReported':
        if (event.level === 'warn') troubledAt = at
        break
      case 'workerStopping':
        parts.delete(partition)
        // Of a shared stream the last of them: what others had to tell is told by who has their partitions now.
        if (parts.size > 0) break
        for (const notice of endHistory(history, { at, awaySince })) tell(notice)
        history = noHistory
        break
      default:
    }
  }

  const keptOf = (partition: PartitionId | undefined, at: EpochMs): Kept =>
    parts.get(partition) ?? { checkpointedAt: at, undelivered: 0 }

  function step(reading: Reading, at: EpochMs): void {
    seen = seenWith(seen, reading, at)
    const blindMs = blindFor(reading, at)
    const [next, notices] = followNotices(
      state,
      { at, behindMs: blindMs, readTo: reading.eventTime, ...keptOfAll(at) },
      settings,
    )
    state = next
    const [told, summary] = followHistory(history, { at, from: reading.catchingUpFrom, awaySince })
    history = told
    for (const notice of [...notices, ...summary]) tell(notice)
  }

  /** The oldest checkpoint counts, and whatever anybody did not get. */
  function keptOfAll(at: EpochMs): Kept {
    const kept = [...parts.values()]
    return {
      checkpointedAt: kept.reduce((oldest, part) => Math.min(oldest, part.checkpointedAt), at),
      undelivered: kept.reduce((sum, part) => sum + part.undelivered, 0),
    }
  }

  /**
   * By what the source says of its lag; by the age of what it brings, which is all that there is of files; and while it brings
   * nothing and is in trouble, by how long that has been.
   */
  function blindFor(reading: Reading, at: EpochMs): number {
    const silent = at - troubledAt < troubledForMs ? at - (seen.readAt ?? startedAt) : 0
    return Math.max(behindMs(reading, at), newestAgeMs(seen, at) ?? 0, silent)
  }

  function tell(notice: Notice): void {
    telemetry({ name: 'noticeTold', notice })
    if (send === undefined) return
    const subject = subjects[notice.kind]
    sending.get(subject)?.stop.abort()
    const stop = new AbortController()
    const work = send(notice, who, stop.signal)
      .then(({ kind }) => {
        if (kind === 'refused') telemetry({ name: 'noticeRefused', notice })
      })
      // Given way to a newer one, or to the end.
      .catch(() => undefined)
      .finally(() => {
        if (sending.get(subject)?.stop === stop) sending.delete(subject)
      })
    sending.set(subject, { stop, work })
  }

  return {
    hearing: (tellOn, partition) => event => {
      tellOn(event)
      hear(event, partition)
    },
    async finish() {
      const patience = new AbortController()
      const all = Promise.all([...sending.values()].map(({ work }) => work))
      await Promise.race([all, clock.sleep(graceMs, patience.signal)])
      patience.abort()
      for (const { stop } of sending.values()) stop.abort()
      await all
    },
  }
}

const least = (one: EpochMs | undefined, other: EpochMs | undefined): EpochMs | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)

const subjects: Readonly<Record<Notice['kind'], string>> = {
  behind: 'lag',
  'caught-up': 'lag',
  'checkpoint-failing': 'checkpoints',
  'checkpoint-working': 'checkpoints',
  'alerts-undelivered': 'alerts',
  history: 'history',
}
