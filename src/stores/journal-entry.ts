/**
 * What the effect journal holds. Every entry is on disk before what it announces is done: an intent before it is
 * performed, with what its decision leaves in the core's memory; `plan-changing` (with what the plan had) before the gateway
 * is called, the outcome after. `plan-left` ends what an earlier `plan-changing` began.
 */
import type { Effect, Outcome } from '../core/incident/effect.ts'
import type { Memo } from '../core/incident/memo.ts'
import type { PlanChange, PlanPlace, PlanStories } from '../core/incident/plan-story.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'

export type JournalEntry =
  | { readonly kind: 'intent'; readonly at: EpochMs; readonly effect: Effect }
  | { readonly kind: 'outcome'; readonly at: EpochMs; readonly effectId: string; readonly outcome: Outcome }
  /** Of the intents beside it. */
  | { readonly kind: 'memos'; readonly at: EpochMs; readonly memos: readonly Memo[] }
  | PlanEntry

export type PlanEntry =
  /** `before`: what the plan has now; for the first change of an incident this is the original. null = no throttle set. */
  | ({ readonly kind: 'plan-changing'; readonly at: EpochMs } & PlanChange)
  /** The gateway has it. */
  | ({ readonly kind: 'plan-set' } & PlanNote)
  /** The plan is lowered already, and is low enough for this key too: it is not raised before both need it no longer. */
  | ({ readonly kind: 'plan-held' } & PlanNote)
  /** This key needs it lowered no longer; others still do. */
  | ({ readonly kind: 'plan-let-go' } & PlanNote)
  /** The plan was seen with its original or with what somebody else set, or is gone: from here on we owe it nothing. */
  | ({ readonly kind: 'plan-left' } & PlanNote)

interface PlanNote extends PlanPlace {
  readonly at: EpochMs
  readonly effectId: string
  readonly keyId: ApiKeyId
}

export interface EffectJournal {
  /** Resolves when all entries are safely on disk (fsync). Several are one write. */
  append(entries: readonly JournalEntry[]): Promise<void>
  /** All entries that were there when it was opened, oldest first. */
  readonly recovered: readonly JournalEntry[]
  /** Of these, those that were appended after the journal was at `position`. */
  since(position: number): readonly JournalEntry[]
  /** How many entries have ever been appended, those asked for and not on disk yet too: where a checkpoint says that it is. */
  position(): number
  /** From a position on that a checkpoint knows, where this journal is younger than it: the one before is gone. */
  goOnFrom(position: number): void
  /** What we did to which plan, by all entries that are on disk by now. */
  stories(): PlanStories
  close(): Promise<void>
}
