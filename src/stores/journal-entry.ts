/**
 * What the effect journal holds. Every entry is on disk before what it announces is done: an intent before it is
 * performed, `plan-changing` (with what the plan had) before the gateway is called, the outcome after. `plan-left` ends
 * what an earlier `plan-changing` began.
 */
import type { Effect, Outcome, PlanLimits } from '../core/incident/effect.ts'
import type { PlanStories } from '../core/incident/plan-story.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'

export type JournalEntry =
  | { readonly kind: 'intent'; readonly at: EpochMs; readonly effect: Effect }
  | {
      readonly kind: 'plan-changing'
      readonly at: EpochMs
      readonly effectId: string
      readonly keyId: ApiKeyId
      readonly planId: string
      /** What the plan has now; for the first change of an incident this is the original. null = no throttle set. */
      readonly before: PlanLimits | null
      readonly after: PlanLimits | null
    }
  | {
      /** The plan was seen with its original or with what somebody else set: from here on we owe it nothing. */
      readonly kind: 'plan-left'
      readonly at: EpochMs
      readonly effectId: string
      readonly keyId: ApiKeyId
      readonly planId: string
    }
  | { readonly kind: 'outcome'; readonly at: EpochMs; readonly effectId: string; readonly outcome: Outcome }

export interface EffectJournal {
  /** Resolves when all entries are safely on disk (fsync). Several are one write. */
  append(entries: readonly JournalEntry[]): Promise<void>
  /** All entries that were there when it was opened, oldest first. */
  readonly recovered: readonly JournalEntry[]
  /** What we did to whose plan, by all entries that are on disk by now. */
  stories(): PlanStories
  close(): Promise<void>
}
