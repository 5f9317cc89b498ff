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
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'
import { endHistory, followHistory, noHistory, noteChange } from './history-summary.ts'
import { behindMs } from './meter.ts'
import { followNotices, type NoticeRules, quietNotices } from './notices.ts'
import type { Reading, Telemetry, TelemetryEvent } from './telemetry.ts'

export interface Noticing {
  /** The same telemetry, listened to. */
  readonly telemetry: Telemetry
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

/** A source that is well says nothing of trouble for so long; it is told once a minute at most. */
const troubledForMs = 90 * SECOND_MS
/** What was read within this is what the source has now. */
const freshMs = 10 * SECOND_MS
const graceMs = 3 * SECOND_MS

export function createNoticing(settings: NoticingSettings): Noticing {
  const { clock, telemetry, send } = settings
  const startedAt = clock.now()
  let who = { source: 'none yet', mode: 'unknown' }
  let awaySince: EpochMs | undefined
  let state = quietNotices
  let history = noHistory
  let checkpointedAt = startedAt
  let undelivered = 0
  let readAt = startedAt
  let troubledAt = Number.NEGATIVE_INFINITY
  const sending = new Map<string, { readonly stop: AbortController; readonly work: Promise<unknown> }>()

  function hear(event: TelemetryEvent): void {
    const at = clock.now()
    switch (event.name) {
      case 'workerStarted':
        who = { source: event.source, mode: event.mode }
        awaySince = event.resumedFrom
        break
      case 'batchesRead':
        step(event, at)
        break
      case 'minuteSummarised':
        undelivered = event.undelivered
        break
      case 'checkpointWritten':
        checkpointedAt = at
        break
      case 'incidentChanged':
        history = noteChange(history, event.explanation)
        break
      case 'sourceReported':
        if (event.level === 'warn') troubledAt = at
        break
      case 'workerStopping':
        for (const notice of endHistory(history, { at, awaySince })) tell(notice)
        history = noHistory
        break
      default:
    }
  }

  function step(reading: Reading, at: EpochMs): void {
    if (reading.records > 0) readAt = at
    const blindMs = blindFor(reading, at)
    const [next, notices] = followNotices(
      state,
      { at, behindMs: blindMs, readTo: reading.eventTime, checkpointedAt, undelivered },
      settings,
    )
    state = next
    const [told, summary] = followHistory(history, { at, from: reading.catchingUpFrom, awaySince })
    history = told
    for (const notice of [...notices, ...summary]) tell(notice)
  }

  /**
   * By what the source says of its lag; by the age of what it brings, which is all that there is of files; and while it brings
   * nothing and is in trouble, by how long that has been.
   */
  function blindFor(reading: Reading, at: EpochMs): number {
    const isFresh = at - readAt < freshMs && reading.eventTime !== undefined
    const age = isFresh && reading.eventTime !== undefined ? at - reading.eventTime : 0
    const silent = at - troubledAt < troubledForMs ? at - readAt : 0
    return Math.max(behindMs(reading, at), age, silent)
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
    telemetry(event) {
      telemetry(event)
      hear(event)
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

const subjects: Readonly<Record<Notice['kind'], string>> = {
  behind: 'lag',
  'caught-up': 'lag',
  'checkpoint-failing': 'checkpoints',
  'checkpoint-working': 'checkpoints',
  'alerts-undelivered': 'alerts',
  history: 'history',
}
