/** Counts what is read between two tellings. One for the second, one for the minute; it grows with nothing. */
import type { EngineStatus } from '../core/engine.ts'
import { type EpochMs, type PartitionId, SECOND_MS } from '../core/vocabulary.ts'
import type { SourceBatch } from '../sources/source.ts'
import type { Lag, Reading } from './telemetry.ts'

export interface Meter {
  /** `bytes`: of all payloads. */
  count(batch: SourceBatch, read: { readonly bytes: number; readonly calls: number; readonly rejected: number }): void
  /** What was read since the last time this was asked. `partitions`: those that are read now; no other has a lag. */
  read(now: EpochMs, status: EngineStatus, partitions: readonly PartitionId[]): Reading
}

export function createMeter(startedAt: EpochMs): Meter {
  let since = startedAt
  let records = 0
  let bytes = 0
  let calls = 0
  let rejected = 0
  const lags = new Map<PartitionId, Lag>()
  return {
    count(batch, read) {
      records += batch.records.length
      bytes += read.bytes
      calls += read.calls
      rejected += read.rejected
      if (batch.lag) lags.set(batch.partition, batch.lag)
    },
    read(now, status, partitions) {
      for (const partition of lags.keys()) if (!partitions.includes(partition)) lags.delete(partition)
      const { eventTime, watermark, keys, activeKeys, late, openIncidents, throttled, halted } = status
      const { history, catchingUpFrom, rejected: untimely } = status
      const told = { openIncidents, throttled, isHalted: halted !== undefined, history, catchingUpFrom }
      const engine = { eventTime, watermark, keys, activeKeys, late, future: untimely.future, ...told }
      const reading = {
        overMs: now - since,
        records,
        bytes,
        calls,
        rejected,
        lag: worst(lags),
        totalCalls: status.calls,
      }
      since = now
      records = bytes = calls = rejected = 0
      return { ...reading, ...engine }
    },
  }
}

/** A source that counts records tells only whether it is behind; how long, the newest call's age tells. */
export function behindMs({ lag, eventTime }: Pick<Reading, 'lag' | 'eventTime'>, now: EpochMs): number {
  if (lag === undefined) return 0
  if ('ms' in lag) return lag.ms
  return lag.records > 0 ? now - (eventTime ?? now) : 0
}

/** When something was read, first and last, and the newest time of a call that counted. */
export interface Seen {
  readonly firstReadAt: EpochMs | undefined
  readonly readAt: EpochMs | undefined
  readonly eventTime: EpochMs | undefined
}

export const nothingSeen: Seen = { firstReadAt: undefined, readAt: undefined, eventTime: undefined }

export const seenWith = (
  seen: Seen,
  { records, eventTime }: Pick<Reading, 'records' | 'eventTime'>,
  at: EpochMs,
): Seen =>
  records > 0
    ? { firstReadAt: seen.firstReadAt ?? at, readAt: at, eventTime: eventTime ?? seen.eventTime }
    : { ...seen, eventTime: eventTime ?? seen.eventTime }

/** What was read within this is what the source has now. */
const freshMs = 10 * SECOND_MS

/**
 * How old the newest call is, while the source brings any: all that there is to go by of files, and of a stream whose records
 * come late or with a clock so wrong that none of them counts. Undefined while it brings nothing: a quiet stream is no blind one.
 */
export function newestAgeMs({ firstReadAt, readAt, eventTime }: Seen, now: EpochMs): number | undefined {
  if (readAt === undefined || now - readAt >= freshMs) return undefined
  return Math.max(0, now - (eventTime ?? firstReadAt ?? now))
}

/** Records add up over partitions; of times the longest counts. */
function worst(lags: ReadonlyMap<PartitionId, Lag>): Lag | undefined {
  let total: Lag | undefined
  for (const lag of lags.values()) {
    if (total === undefined) total = lag
    else if ('records' in lag && 'records' in total) total = { records: lag.records + total.records }
    else if ('ms' in lag && 'ms' in total) total = { ms: Math.max(lag.ms, total.ms) }
  }
  return total
}
