/**
 * What we have taken, as the ways to take it share it: every step is on disk before the gateway hears of it, the stories
 * are as of the last step that was announced, and whoever watches over what is owed is told of it in between.
 */
import type { GiveBackWatch } from '../../core/incident/give-back.ts'
import { owedOf } from '../../core/incident/give-back.ts'
import {
  advanceStories,
  type LimitPlace,
  type LimitStories,
  type LimitStory,
  limitStories,
  placeName,
} from '../../core/incident/limit-story.ts'
import type { ApiKeyId } from '../../core/vocabulary.ts'
import type { EffectJournal, LimitEntry } from '../../stores/journal-entry.ts'

export interface Ledger {
  /** With all that was announced, also what is not on disk yet: whoever comes later finds it. */
  stories(): LimitStories
  /** All that is lowered for this key or tenant. */
  heldBy(keyId: ApiKeyId): readonly LimitStory[]
  /** Whether it is lowered for somebody else as well. */
  isHeldByOthers(keyId: ApiKeyId, place: LimitPlace): boolean
  /** Resolves when it is on disk, and told. */
  write(entry: LimitEntry): Promise<void>
}

/** Nobody watches: what is owed is in the journal, and given back by whoever reads it. */
const unwatched: GiveBackWatch = { owed: async () => {}, over: async () => {} }

export function createLedger(journal: EffectJournal, watch: GiveBackWatch = unwatched): Ledger {
  let stories = limitStories(journal.recovered)
  return {
    stories: () => stories,
    heldBy: keyId => [...stories.values()].filter(({ holders }) => holders.includes(keyId)),
    isHeldByOthers: (keyId, place) => stories.get(placeName(place))?.holders.some(holder => holder !== keyId) ?? false,
    async write(entry) {
      const name = placeName(entry)
      const was = stories.get(name)
      stories = advanceStories(stories, entry)
      const story = stories.get(name)
      await journal.append([entry])
      if (story === undefined) {
        if (was !== undefined) await watch.over(name)
        // That a change has arrived leaves less to compare with, and nothing else to give back.
      } else if (!entry.kind.endsWith('-set')) await watch.owed(owedOf(name, story))
    },
  }
}
