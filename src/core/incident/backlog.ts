/**
 * Whether what is being read is long past, and read because the worker was away: then what it says is history, and nobody is
 * woken for it. It is no matter of age alone. Where delivery takes ten minutes, or a gateway's clock is late, the newest that
 * there is is ten minutes old, and must be told; where the worker reads no faster than the world writes, it will never be
 * nearer to the present, and waiting until it is would silence it for good. So it is a backlog only while it shrinks.
 *
 *            behind by more than five minutes                  within a minute of now
 *     none ───────────────────────────────────► catching up ───────────────────────► none
 *                                                 │    ▲
 *                gained too little in a minute    ▼    │ gains again
 *                                               standing still
 *
 * Both bounds have the delivery lag of the settings on top. A bare log has none: there arrival is event time.
 */
import { type EpochMs, MINUTE_MS } from '../vocabulary.ts'

export type Backlog =
  | { readonly phase: 'none' }
  | {
      readonly phase: 'catching-up' | 'standing-still'
      /** Event time that had been reached when it began. */
      readonly from: EpochMs
      /** Arrival time at which its pace was looked at last, and how far behind it was then. */
      readonly pacedAt: EpochMs
      readonly behindMs: number
    }

export const NO_BACKLOG: Backlog = { phase: 'none' }

/** Five minutes: as old as what nobody's limit is lowered for any more (response.ts). */
const BEGINS_MS = 5 * MINUTE_MS
const ENDS_MS = MINUTE_MS
/** Shorter would not tell a reader from the bursts that it reads in. */
const PACE_OVER_MS = MINUTE_MS
/** A reader that gains a quarter of a second each second needs four hours for one: less is no catching up. */
const LEAST_GAIN = 0.25

export interface Reached {
  readonly now: EpochMs
  /** How far event time has come, and how far it had come before that. */
  readonly eventTime: EpochMs
  readonly before: EpochMs
  readonly deliveryMs: number
}

export function followBacklog(backlog: Backlog, { now, eventTime, before, deliveryMs }: Reached): Backlog {
  const behindMs = now - eventTime
  if (backlog.phase === 'none') {
    if (behindMs <= BEGINS_MS + deliveryMs) return backlog
    // Nothing is known of its pace yet. Whoever was away reads as fast as it can; in a minute it will have shown.
    return { phase: 'catching-up', from: before, pacedAt: now, behindMs }
  }
  if (behindMs <= ENDS_MS + deliveryMs) return NO_BACKLOG
  const passedMs = now - backlog.pacedAt
  if (passedMs < PACE_OVER_MS) return backlog
  const isGaining = backlog.behindMs - behindMs >= LEAST_GAIN * passedMs
  return { ...backlog, phase: isGaining ? 'catching-up' : 'standing-still', pacedAt: now, behindMs }
}
