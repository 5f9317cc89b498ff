/**
 * What the effect journal holds. Every entry is on disk before what it announces is done: an intent before it is
 * performed, with what its decision leaves in the core's memory; `…-changing` (with what was there before) before the gateway
 * is called, the outcome after. `…-left` ends what an earlier `…-changing` began.
 */
import type { Effect, Outcome } from '../core/incident/effect.ts'
import type { LimitStories } from '../core/incident/limit-story.ts'
import type { Memo } from '../core/incident/memo.ts'
import type { Move, MovePlace } from '../core/incident/move-story.ts'
import type { PlanChange, PlanPlace } from '../core/incident/plan-story.ts'
import type { RowChange, RowPlace } from '../core/incident/row-story.ts'
import type { OperatorCommand } from '../core/operator.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'

export type JournalEntry =
  | { readonly kind: 'intent'; readonly at: EpochMs; readonly effect: Effect }
  | { readonly kind: 'outcome'; readonly at: EpochMs; readonly effectId: string; readonly outcome: Outcome }
  /** What a person has said: on disk before they are answered, so that a worker that begins anew hears of it. */
  | {
      readonly kind: 'commanded'
      readonly at: EpochMs
      readonly command: OperatorCommand
      readonly by: string
      /** Its number, where it was said to all that works on the state. */
      readonly word?: number | undefined
    }
  /** Of the intents beside it. */
  | { readonly kind: 'memos'; readonly at: EpochMs; readonly memos: readonly Memo[] }
  | LimitEntry

/** What is done to a limit, whichever way: the entries that stories are made of, with when and for which effect. */
export type LimitEntry = PlanEntry | MoveEntry | RowEntry

export type PlanEntry =
  /** `before`: what the plan has now; for the first change of an incident this is the original. null = no throttle set. */
  | ({ readonly kind: 'plan-changing'; readonly at: EpochMs } & PlanChange)
  /** The gateway has it. */
  | ({ readonly kind: 'plan-set' } & Note & PlanPlace)
  /** The plan is lowered already, and is low enough for this key too: it is not raised before both need it no longer. */
  | ({ readonly kind: 'plan-held' } & Held & PlanPlace)
  /** This key needs it lowered no longer; others still do. */
  | ({ readonly kind: 'plan-let-go' } & Note & PlanPlace)
  /** The plan was seen with its original or with what somebody else set, or is gone: from here on we owe it nothing. */
  | ({ readonly kind: 'plan-left' } & Note & PlanPlace)

export type MoveEntry =
  /** Before the first plan is left. */
  | ({ readonly kind: 'move-changing'; readonly at: EpochMs } & Move)
  | ({ readonly kind: 'move-set' } & Note & MovePlace)
  | ({ readonly kind: 'move-held' } & Held & MovePlace)
  | ({ readonly kind: 'move-let-go' } & Note & MovePlace)
  | ({ readonly kind: 'move-left' } & Note & MovePlace)

export type RowEntry =
  /** Before the row is written. */
  | ({ readonly kind: 'row-changing'; readonly at: EpochMs } & RowChange)
  | ({ readonly kind: 'row-set' } & Note & RowPlace)
  | ({ readonly kind: 'row-held' } & Held & RowPlace)
  | ({ readonly kind: 'row-let-go' } & Note & RowPlace)
  | ({ readonly kind: 'row-left' } & Note & RowPlace)

interface Note {
  readonly at: EpochMs
  readonly effectId: string
  readonly keyId: ApiKeyId
}

interface Held extends Note {
  readonly expiresAt?: EpochMs
}

export interface EffectJournal {
  /** Resolves when all entries are safely on disk (fsync). Several are one write. */
  append(entries: readonly JournalEntry[]): Promise<void>
  /** All entries that were there when it was opened, oldest first. */
  readonly recovered: readonly JournalEntry[]
  /** Of these, those that were appended after the journal was at `position`. */
  since(position: number): readonly JournalEntry[]
  /** How many entries have ever been put on disk: where a checkpoint says that it is, so that none it speaks of can be missing after a crash. */
  position(): number
  /** Throws CHECKPOINT_DAMAGED where it ended before `position`, which a checkpoint knows: entries are gone. */
  mustReach(position: number): void
  /** What we have taken and not given back, by all entries that are on disk by now. */
  stories(): LimitStories
  close(): Promise<void>
}
