/**
 * All that we have taken and not given back, told from the entries of the effect journal, whichever way it was taken: a plan
 * that was lowered, a key that was moved, a row in an authorizer's table. Each is a story of its own under a name of its own.
 */
import { advanceMove, type MovePlace, type MoveStory, type MoveStoryEntry } from './move-story.ts'
import { advancePlan, beginsAnew, type PlanPlace, type PlanStory, type PlanStoryEntry } from './plan-story.ts'
import { advanceRow, type RowPlace, type RowStory, type RowStoryEntry } from './row-story.ts'

export type LimitPlace = PlanPlace | MovePlace | RowPlace
export type LimitStory = PlanStory | MoveStory | RowStory
/** The entries that stories are made of. */
export type StoryEntry = PlanStoryEntry | MoveStoryEntry | RowStoryEntry
/** Whatever else a journal holds tells no story. */
type AnyEntry = StoryEntry | { readonly kind: string }

/** By `placeName`. Only of what is not known to be back. */
export type LimitStories = ReadonlyMap<string, LimitStory>

/** Names of plans are as they have always been. No plan has a blank in its id. */
export function placeName(place: LimitPlace): string {
  const at = place.gateway === undefined ? '' : `${place.gateway}/`
  if ('planId' in place) return `${at}${place.planId}`
  return 'movedKey' in place ? `key ${at}${place.movedKey}` : `row ${at}${place.row}`
}

/** Entries in the order they were written. */
export function limitStories(entries: readonly AnyEntry[]): LimitStories {
  return entries.reduce<LimitStories>(advanceStories, new Map())
}

export function advanceStories(stories: LimitStories, entry: AnyEntry): LimitStories {
  if (!tellsStory(entry)) return stories
  const name = placeName(entry)
  const story = advance(stories.get(name), entry)
  const next = new Map(stories)
  if (story === undefined) next.delete(name)
  else next.set(name, story)
  return next
}

/** By its kind, which each family begins with its own word. */
export const tellsStory = <Entry extends { readonly kind: string }>(
  entry: Entry,
): entry is Extract<Entry, StoryEntry> & StoryEntry => /^(plan|move|row)-/.test(entry.kind)

/** Whether nothing that was written of this place before has to be kept. */
export function beginsStory(stories: LimitStories, entry: StoryEntry): boolean {
  const story = stories.get(placeName(entry))
  if (entry.kind !== 'plan-changing') return story === undefined
  return beginsAnew(story?.kind === 'plan' ? story : undefined, entry)
}

/** By its name a place has entries of its own family only. */
function advance(story: LimitStory | undefined, entry: StoryEntry): LimitStory | undefined {
  if ('planId' in entry) return advancePlan(story?.kind === 'plan' ? story : undefined, entry)
  if ('movedKey' in entry) return advanceMove(story?.kind === 'move' ? story : undefined, entry)
  return advanceRow(story?.kind === 'row' ? story : undefined, entry)
}
