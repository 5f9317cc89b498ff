/**
 * What we did to whose usage plan, told from the entries of the effect journal: which limit is the original, what was set
 * last, and what the plan may have if nobody else touched it. Pure, because the journal's compaction and the performer
 * must never disagree about which original is still owed.
 *
 *   changing(before O, after T) → {original O, may have O or T} → outcome → {may have T} → changing(T, H) → … → (…, O) → over
 *                                        └ seen with its original, or with what somebody else set: left ────────────────┘
 */

import type { ApiKeyId } from '../vocabulary.ts'
import type { Outcome, PlanLimits } from './effect.ts'

/** What a plan may have; null = no throttle set, as in the journal. */
export type LimitsOrNone = PlanLimits | null

export interface PlanChange {
  readonly effectId: string
  readonly keyId: ApiKeyId
  readonly planId: string
  readonly before: LimitsOrNone
  readonly after: LimitsOrNone
}

/** The part of a journal entry that a story is made of. */
export type StoryEntry =
  | { readonly kind: 'intent' }
  | ({ readonly kind: 'plan-changing' } & PlanChange)
  /** We saw that nothing of ours is in the plan any more. */
  | { readonly kind: 'plan-left'; readonly keyId: ApiKeyId; readonly planId: string }
  | { readonly kind: 'outcome'; readonly effectId: string; readonly outcome: Outcome }

/** What we did to the plan of one key since it last had its original. */
export interface PlanStory {
  readonly keyId: ApiKeyId
  readonly planId: string
  readonly original: LimitsOrNone
  /** What the last change was to set, and the effect it was made for. */
  readonly lastSet: LimitsOrNone
  readonly effectId: string
  /** Two values while it is unknown whether the last change arrived. */
  readonly mayHave: readonly LimitsOrNone[]
}

/** Only of plans that are not known to be back at their original. One a key that was ever throttled and not restored. */
export type PlanStories = ReadonlyMap<ApiKeyId, PlanStory>

/** Entries in the order they were written. */
export function planStories(entries: readonly StoryEntry[]): PlanStories {
  return entries.reduce<PlanStories>(advanceStories, new Map())
}

export function advanceStories(stories: PlanStories, entry: StoryEntry): PlanStories {
  switch (entry.kind) {
    case 'intent':
      return stories
    case 'plan-changing':
      return new Map(stories).set(entry.keyId, changing(stories.get(entry.keyId), entry))
    case 'plan-left': {
      if (stories.get(entry.keyId)?.planId !== entry.planId) return stories
      const next = new Map(stories)
      next.delete(entry.keyId)
      return next
    }
    case 'outcome':
      // A refusal leaves both values possible: an earlier try of the same change may have arrived.
      return entry.outcome.kind === 'refused' ? stories : settled(stories, entry.effectId)
    default:
      return entry satisfies never
  }
}

/**
 * Whether a change goes on from what we left. If not, somebody else set the plan in between: their value is the original
 * from there on, and ours is not put back over it.
 */
export function continuesStory(story: PlanStory | undefined, change: PlanChange): story is PlanStory {
  return story !== undefined && story.planId === change.planId && mayHave(story, change.before)
}

/**
 * Whether nothing is owed to a plan that has these limits: it has its original, or what somebody else set, and our old
 * original must never be put over that, not even when they come back to our value later.
 */
export function owesNothing(story: PlanStory, current: LimitsOrNone): boolean {
  return sameLimits(current, story.original) || !mayHave(story, current)
}

/** Whether the story's plan may have these limits without anybody else's doing. */
export function mayHave(story: PlanStory, limits: LimitsOrNone): boolean {
  return story.mayHave.some(possible => sameLimits(possible, limits))
}

export function sameLimits(one: LimitsOrNone, other: LimitsOrNone): boolean {
  if (one === null || other === null) return one === other
  return one.rateLimit === other.rateLimit && one.burstLimit === other.burstLimit
}

function changing(earlier: PlanStory | undefined, change: PlanChange): PlanStory {
  const { keyId, planId, before, after, effectId } = change
  const original = continuesStory(earlier, change) ? earlier.original : before
  return { keyId, planId, original, lastSet: after, effectId, mayHave: [before, after] }
}

function settled(stories: PlanStories, effectId: string): PlanStories {
  const story = [...stories.values()].find(one => one.effectId === effectId)
  if (story === undefined) return stories
  const next = new Map(stories)
  if (sameLimits(story.lastSet, story.original)) next.delete(story.keyId)
  else next.set(story.keyId, { ...story, mayHave: [story.lastSet] })
  return next
}
