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
import { type Claims, claimedText, thingsOf, unshared } from './claims.ts'

/** The oldest goes: weeks of throttles without a pause, as many as the journal keeps outcomes of. */
const keptThrottles = 20_000

export interface Ledger {
  /** With all that was announced, also what is not on disk yet: whoever comes later finds it. */
  stories(): LimitStories
  /** All that is lowered for this key or tenant. */
  heldBy(keyId: ApiKeyId): readonly LimitStory[]
  /** Whether the journal knows what came of this throttle: where it lowers nothing any more, that was given back. */
  knowsThrottle(effectId: string): boolean
  /** It was carried out by now. */
  noteThrottle(effectId: string): void
  /** Whether it is lowered for somebody else as well. */
  isHeldByOthers(keyId: ApiKeyId, place: LimitPlace): boolean
  /**
   * Resolves when it is on disk, and told: with the reason where more was to be taken and must not be. What was to be the first
   * change of its story is forgotten again then; what another part of the stream has taken is not even written.
   */
  write(entry: LimitEntry): Promise<string | undefined>
  /** Once, at the start: what an earlier life has claimed and does not owe is given back. */
  resume(): Promise<void>
}

/** Nobody watches: what is owed is in the journal, and given back by whoever reads it. */
const unwatched: GiveBackWatch = { owed: async () => undefined, over: async () => {} }

export function createLedger(
  journal: EffectJournal,
  watch: GiveBackWatch = unwatched,
  claims: Claims = unshared,
): Ledger {
  let stories = limitStories(journal.recovered)
  const answered = new Set(journal.recovered.flatMap(entry => (entry.kind === 'outcome' ? entry.effectId : [])))
  const isOwed = (thing: string): boolean =>
    [...stories.values()].some(story => thingsOf(story).some(other => other === thing))
  return {
    stories: () => stories,
    heldBy: keyId => [...stories.values()].filter(({ holders }) => holders.includes(keyId)),
    knowsThrottle: effectId => answered.has(effectId),
    noteThrottle(effectId) {
      answered.add(effectId)
      const [oldest] = answered
      if (answered.size > keptThrottles && oldest !== undefined) answered.delete(oldest)
    },
    isHeldByOthers: (keyId, place) => stories.get(placeName(place))?.holders.some(holder => holder !== keyId) ?? false,
    write,
    async resume() {
      for (const story of stories.values()) for (const thing of thingsOf(story)) await claims.take(thing)
      await claims.giveBackAllBut(isOwed)
    },
  }

  async function write(entry: LimitEntry): Promise<string | undefined> {
    const name = placeName(entry)
    const was = stories.get(name)
    stories = advanceStories(stories, entry)
    const story = stories.get(name)
    const claimed = takes(entry) ? await claim(entry) : undefined
    if (claimed !== undefined) {
      forget(name)
      await tidy()
      return claimed
    }
    await journal.append([entry])
    if (story === undefined) {
      if (was !== undefined) await watch.over(name)
      await tidy()
      return undefined
    }
    // That a change has arrived leaves less to compare with, and nothing else to give back.
    if (entry.kind.endsWith('-set')) return undefined
    const unwatchable = await watch.owed(owedOf(name, story))
    if (unwatchable === undefined || !takes(entry)) return undefined
    if (was === undefined) await write(leaving(entry))
    return unwatchable
  }

  async function claim(entry: Taking): Promise<string | undefined> {
    for (const thing of thingsOf(entry)) {
      const by = await claims.take(thing)
      if (by !== undefined) return claimedText(thing, by)
    }
    return undefined
  }

  /** What is left over the part's next life gives back. */
  function tidy(): Promise<void> {
    return claims.giveBackAllBut(isOwed).catch(() => undefined)
  }

  /** What was announced and not written. */
  function forget(name: string): void {
    const kept = journal.stories().get(name)
    const without = new Map(stories)
    if (kept === undefined) without.delete(name)
    else without.set(name, kept)
    stories = without
  }
}

type Taking = Extract<LimitEntry, { readonly kind: 'plan-changing' | 'move-changing' | 'row-changing' }>

/** Of a plan only what lowers it says until when. */
const takes = (entry: LimitEntry): entry is Taking =>
  (entry.kind === 'plan-changing' && entry.expiresAt !== undefined) ||
  (entry.kind === 'move-changing' && entry.towards === 'away') ||
  entry.kind === 'row-changing'

function leaving({ at, effectId, keyId, gateway, ...entry }: Taking): LimitEntry {
  const note = { at, effectId, keyId, ...(gateway !== undefined && { gateway }) }
  switch (entry.kind) {
    case 'plan-changing':
      return { kind: 'plan-left', ...note, planId: entry.planId }
    case 'move-changing':
      return { kind: 'move-left', ...note, movedKey: entry.movedKey }
    case 'row-changing':
      return { kind: 'row-left', ...note, row: entry.row }
    default:
      return entry satisfies never
  }
}
