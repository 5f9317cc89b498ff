/**
 * What the telemetry says of one of the worker's lives (lives.ts): in which part of it it is, when it was last heard of, what
 * it last read. Followed event by event; a plain value, so that health and metrics are functions of it.
 */
import type { EpochMs } from '../core/vocabulary.ts'
import { behindMs, nothingSeen, type Seen, seenWith } from '../worker/meter.ts'
import type { Reading, TelemetryEvent } from '../worker/telemetry.ts'

/** starting: reading its own state; learning: being taught its history. Nothing is watched before `running`. */
export type LifePhase = 'starting' | 'learning' | 'running' | 'stopping'

export interface Pulse {
  phase: LifePhase
  /** When the phase began. */
  since: EpochMs
  /** The last turn that the clock asked for, which it does each second. */
  tickedAt: EpochMs | undefined
  reading: Reading | undefined
  /** What was read, and when. */
  seen: Seen
  /** When the newest checkpoint was begun: it holds what there was then. */
  checkpointedAt: EpochMs | undefined
  /** When reading had come up with the stream for the first time. */
  caughtUpAt: EpochMs | undefined
  /** Partitions that wait until the others have caught up. */
  held: number
  /** Detectors that see nothing. */
  blind: number
  /** Alerts that nobody got; undefined until the first minute is over. */
  undelivered: number | undefined
  /** The input is over, and the worker stays for limits that are still to be given back. */
  hasEnded: boolean
}

export const createPulse = (now: EpochMs): Pulse => ({
  ...{ phase: 'starting', since: now, tickedAt: undefined, reading: undefined, seen: nothingSeen },
  ...{ checkpointedAt: undefined, caughtUpAt: undefined, held: 0, blind: 0, undelivered: undefined, hasEnded: false },
})

export interface PulseRules {
  /** Reading has come up with the stream when it is no further behind. */
  readonly readyLagMs: number
}

export function follow(pulse: Pulse, event: TelemetryEvent, now: EpochMs, { readyLagMs }: PulseRules): void {
  switch (event.name) {
    case 'historyBegun':
      enter(pulse, 'learning', now)
      break
    case 'workerStarted':
      enter(pulse, 'running', now)
      break
    case 'workerStopping':
    case 'workerStopped':
      enter(pulse, 'stopping', now)
      break
    case 'sourceEnded':
      pulse.hasEnded = true
      break
    case 'checkpointWritten':
      pulse.checkpointedAt = now - event.tookMs
      break
    case 'partitionsHeld':
      pulse.held = event.partitions.length
      break
    case 'detectorsBlind':
      pulse.blind = new Set(event.blind.flatMap(({ detectors }) => detectors)).size
      break
    case 'minuteSummarised':
      pulse.undelivered = event.undelivered
      break
    case 'batchesRead':
      pulse.tickedAt = now
      pulse.reading = event
      pulse.seen = seenWith(pulse.seen, event, now)
      if (event.lag !== undefined && behindMs(event, now) <= readyLagMs) pulse.caughtUpAt ??= now
      break
    default:
  }
}

/** Since then nothing has turned. */
export const turnedAt = ({ since, tickedAt }: Pulse): EpochMs => Math.max(since, tickedAt ?? since)

/** A life that stops does not come back. */
function enter(pulse: Pulse, phase: LifePhase, now: EpochMs): void {
  if (pulse.phase === phase || pulse.phase === 'stopping') return
  pulse.phase = phase
  pulse.since = now
}
