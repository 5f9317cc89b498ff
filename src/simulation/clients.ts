/**
 * What clients do when a call fails, and what they bring that is out of the ordinary.
 *
 * Client A's bug, as told: any failure starts a loop that tries again ten times a second at once. Assumed, since nothing
 * less makes 500× out of 3 % in some twenty seconds: a loop does not end when a try succeeds, and each failed try starts
 * another loop. So the loops grow by the factor e every 1 / (10 × failed share) seconds, up to what the client's machines
 * can send. A refusal (429) counts as failed too. Fixing the bug ends all loops at once.
 */
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { Random } from './random.ts'

export interface RetryBug {
  readonly kind: 'retry-bug'
  readonly keyId: ApiKeyId
  /** The bug is there, and the network blip begins. */
  readonly startsAt: EpochMs
  readonly blipMs: number
  /** Share of the client's calls that fail in the blip. */
  readonly blipShare: number
  readonly fixedAt: EpochMs
  /** All that its machines can send, as a multiple of its normal rate. */
  readonly mostTimesNormal: number
}

/** More calls of the usual kind, with the usual errors. */
export interface Sale {
  readonly kind: 'sale'
  readonly keyId: ApiKeyId
  readonly startsAt: EpochMs
  readonly endsAt: EpochMs
  readonly timesNormal: number
}

export type Incident = RetryBug | Sale

/** The Friday as told: 3 % of Client A's calls fail for 45 seconds, and the retries reach 500 times its normal rate. */
export const fridayBug = (startsAt: EpochMs, changes: Partial<Omit<RetryBug, 'kind' | 'startsAt'>> = {}): RetryBug => ({
  kind: 'retry-bug',
  keyId: 'key_abc123',
  startsAt,
  blipMs: 45 * SECOND_MS,
  blipShare: 0.03,
  fixedAt: startsAt + 180 * SECOND_MS,
  mostTimesNormal: 500,
  ...changes,
})

export const TRIES_PER_SECOND = 10

export interface RetryLoops {
  readonly bug: RetryBug
  /** A call failed: one loop more, from the next step on. */
  failed(at: EpochMs): void
  /** Loops that try in the step at `at`; each tries once a step of a tenth of a second. */
  trying(at: EpochMs, normalCallsPerSecond: number): number
  isBlipped(at: EpochMs, random: Random): boolean
  /** While the bug is there, its loops take the place of ordinary retries. */
  isActive(at: EpochMs): boolean
}

export function createRetryLoops(bug: RetryBug): RetryLoops {
  let loops = 0
  const isActive = (at: EpochMs): boolean => at >= bug.startsAt && at < bug.fixedAt
  return {
    bug,
    isActive,
    failed(at) {
      if (isActive(at)) loops++
    },
    trying(at, normalCallsPerSecond) {
      const most = Math.floor(((bug.mostTimesNormal - 1) * normalCallsPerSecond) / TRIES_PER_SECOND)
      loops = isActive(at) ? Math.min(loops, most) : 0
      return loops
    },
    isBlipped: (at, random) => at >= bug.startsAt && at < bug.startsAt + bug.blipMs && random.uniform() < bug.blipShare,
  }
}

/** Everyone else tries a failed call once more, this long after the failure. */
export const ordinaryBackoffMs = (random: Random): number => 500 + random.uniform() * 1_000
