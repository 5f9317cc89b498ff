/**
 * What we did to which usage plan, told from the entries of the effect journal: for whom it is lowered, which limit is the
 * original, what was set last, and what the plan may have if nobody else touched it. Pure, because the journal's
 * compaction and the performer must never disagree about which original is still owed.
 *
 *   changing(before O, after T) → {original O, may have O or T} → set → {may have T} → changing(T, H) → … → set(O) → over
 *                                        └ seen with its original, with what somebody else set, or gone: left ──────┘
 *
 * A plan may be lowered for several keys of its tenant at once: they all hold it, and it is raised for the last of them.
 */
import type { ApiKeyId } from '../vocabulary.ts'
import type { PlanLimits } from './effect.ts'

/** What a plan may have; null = no throttle set, as in the journal. */
export type LimitsOrNone = PlanLimits | null

/** Where a plan is: ids are unique in an account and region. */
export interface PlanPlace {
  /** Name in `gateways`; undefined: `gateway`. */
  readonly gateway?: string | undefined
  readonly planId: string
}

export const placeName = ({ gateway, planId }: PlanPlace): string =>
  gateway === undefined ? planId : `${gateway}/${planId}`

export interface PlanChange extends PlanPlace {
  readonly effectId: string
  /** For whom: the key, or the tenant, that the incident is about. */
  readonly keyId: ApiKeyId
  readonly before: LimitsOrNone
  readonly after: LimitsOrNone
}

/** The part of a journal entry that a story is made of. */
export type StoryEntry =
  | { readonly kind: 'intent' }
  | { readonly kind: 'outcome' }
  | { readonly kind: 'memos' }
  | ({ readonly kind: 'plan-changing' } & PlanChange)
  /** The change is known to have arrived. */
  | ({ readonly kind: 'plan-set' } & PlanPlace)
  /** It is low enough for one key more. */
  | ({ readonly kind: 'plan-held'; readonly keyId: ApiKeyId } & PlanPlace)
  /** One key needs it no longer, and others still do. */
  | ({ readonly kind: 'plan-let-go'; readonly keyId: ApiKeyId } & PlanPlace)
  /** We saw that nothing of ours is in the plan any more, or that there is no such plan. */
  | ({ readonly kind: 'plan-left' } & PlanPlace)

/** What we did to a plan since it last had its original. */
export interface PlanStory extends PlanPlace {
  /** For whom it is lowered, in the order they came. */
  readonly holders: readonly ApiKeyId[]
  readonly original: LimitsOrNone
  /** What the last change was to set, and the effect it was made for. */
  readonly lastSet: LimitsOrNone
  readonly effectId: string
  /** Two values while it is unknown whether the last change arrived. */
  readonly mayHave: readonly LimitsOrNone[]
}

/** By `placeName`. Only of plans that are not known to be back at their original. */
export type PlanStories = ReadonlyMap<string, PlanStory>

/** Entries in the order they were written. */
export function planStories(entries: readonly StoryEntry[]): PlanStories {
  return entries.reduce<PlanStories>(advanceStories, new Map())
}

export function advanceStories(stories: PlanStories, entry: StoryEntry): PlanStories {
  if (entry.kind === 'intent' || entry.kind === 'outcome' || entry.kind === 'memos') return stories
  const name = placeName(entry)
  const story = stories.get(name)
  if (entry.kind === 'plan-changing') return new Map(stories).set(name, changing(story, entry))
  if (story === undefined) return stories
  switch (entry.kind) {
    case 'plan-set':
      return sameLimits(story.lastSet, story.original)
        ? without(stories, name)
        : new Map(stories).set(name, { ...story, mayHave: [story.lastSet] })
    case 'plan-held':
      return new Map(stories).set(name, { ...story, holders: withHolder(story, entry.keyId) })
    case 'plan-let-go': {
      const holders = story.holders.filter(keyId => keyId !== entry.keyId)
      return new Map(stories).set(name, { ...story, holders })
    }
    case 'plan-left':
      return without(stories, name)
    default:
      return entry satisfies never
  }
}

/**
 * Whether a change goes on from what we left. If not, somebody else set the plan in between: their value is the original
 * from there on, and ours is not put back over it.
 */
export function continuesStory(story: PlanStory | undefined, change: PlanChange): story is PlanStory {
  return story !== undefined && mayHave(story, change.before)
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
  const { keyId, gateway, planId, before, after, effectId } = change
  const goesOn = continuesStory(earlier, change) ? earlier : undefined
  return {
    ...(gateway !== undefined && { gateway }),
    planId,
    holders: goesOn ? withHolder(goesOn, keyId) : [keyId],
    original: goesOn ? goesOn.original : before,
    lastSet: after,
    effectId,
    mayHave: [before, after],
  }
}

const withHolder = ({ holders }: PlanStory, keyId: ApiKeyId): readonly ApiKeyId[] =>
  holders.includes(keyId) ? holders : [...holders, keyId]

function without(stories: PlanStories, name: string): PlanStories {
  const next = new Map(stories)
  next.delete(name)
  return next
}
