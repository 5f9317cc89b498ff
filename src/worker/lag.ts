/** How far behind a worker is, in time, by what its source can tell. */
import type { EpochMs } from '../core/vocabulary.ts'
import type { Reading } from './telemetry.ts'

/** A source that counts records tells only whether it is behind; how long, the newest call's age tells. */
export function behindOf({ lag, eventTime }: Pick<Reading, 'lag' | 'eventTime'>, now: EpochMs): number {
  if (lag === undefined) return 0
  if ('ms' in lag) return lag.ms
  return lag.records > 0 ? now - (eventTime ?? now) : 0
}
