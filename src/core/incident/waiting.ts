/**
 * How long a throttle may be under way: a gateway takes one change of a usage plan in twenty seconds, the most dangerous
 * tenant's first, and one that does not answer is asked on and on. People are to hear of it. With the alert that
 * opens the incident, as far as the throttles that are under way say; and once more when it takes longer than that.
 */
import { type EpochMs, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'
import type { ByHand } from './give-back.ts'

/** AWS: one UpdateUsagePlan in 20 seconds an account, which cannot be raised. */
export const CHANGE_EVERY_MS = 20 * SECOND_MS

/** Where a throttle, or a limit that is given back, stands in its gateway's queue. */
export interface QueueStanding {
  /** Changes that go before it, and about how long it takes until it is made. */
  readonly ahead: number
  readonly waitMs: number
  /** Why the last try came to nothing, for people. */
  readonly because?: string | undefined
  /** Of a limit that is to be given back: how a person does it. */
  readonly byHand?: readonly ByHand[]
}

export interface Waiting extends QueueStanding {
  /** Arrival clock: since when, and as of when the rest is so. */
  readonly askedAt: EpochMs
  readonly asOf: EpochMs
  /** It takes longer than was told. */
  readonly isLate?: true
}

/** Beyond what was told. Without trouble a change is made within seconds of its turn. */
export const PATIENCE_MS = MINUTE_MS

/** When people are to hear that it is not carried out yet. */
export const lateAt = (askedAt: EpochMs, told: QueueStanding | undefined): EpochMs =>
  askedAt + (told?.waitMs ?? 0) + PATIENCE_MS
