/** What the worker is asked when somebody looks, beside what it tells by itself. */
import type { RejectionReason } from '../core/call-batch.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import type { EffectWait } from '../worker/performing.ts'

export interface WorkerStatus {
  /** Begun, and without an outcome yet. Empty before the worker has its state. */
  readonly effectWaits: readonly EffectWait[]
  readonly rejected: ReadonlyMap<RejectionReason, number>
  /** untold: a source that cannot know. Else when the other side last answered, if it did. */
  readonly heardAt: EpochMs | 'untold' | undefined
  readonly partitions: number
}

/** Longest wait by kind of effect, ms. */
export function longestWaits(waits: readonly EffectWait[], now: EpochMs): ReadonlyMap<EffectWait['kind'], number> {
  const longest = new Map<EffectWait['kind'], number>()
  for (const { kind, beganAt } of waits) longest.set(kind, Math.max(longest.get(kind) ?? 0, now - beganAt))
  return longest
}
