/** Performs effects in the world. What came of one is a value; only what a person must mend is thrown. */
import type { Effect, Outcome } from '../core/incident/effect.ts'
import type { QueueStanding } from '../core/incident/waiting.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'

export interface Performer<E extends Effect = Effect> {
  /**
   * Resolves when the effect is done, was done already, or will not be done; retries what may pass by itself, for as
   * long as `signal` lets it. Performing the same effect twice does no harm. Rejects only when `signal` aborts.
   */
  perform(effect: E, signal: AbortSignal): Promise<Outcome>
  /** How an effect stands that is being performed; undefined where nothing is known of it. */
  progress?(effectId: string): QueueStanding | undefined
  /**
   * What is lowered for this key is wanted until later than it was lowered for. Whatever would give it back without us, or ends by
   * itself, is told. Rejects only when `signal` aborts.
   */
  prolong?(keyId: ApiKeyId, until: EpochMs, signal: AbortSignal): Promise<void>
}
