/**
 * Of a shared stream each part keeps a journal of its own, and what was there before a limit was lowered is in that of the part that
 * lowered it. A second part must not lower the same plan, move the same key or write the same row: it would take our limit for
 * the original. So whoever takes something claims it first, with a mark that all parts see (stores/shared-marks.ts), and has the claim
 * until its journal owes nothing there any more.
 *
 *   claim ─► journal ─► schedule ─► gateway: lowered ─► … ─► gateway: restored ─► journal ─► claim gone
 *        ✝ the part's next life owes nothing here, and gives the claim back      ✝ as before
 */
import { createHash } from 'node:crypto'
import { type LimitStory, placeName, type StoryEntry } from '../../core/incident/limit-story.ts'
import type { PartitionId } from '../../core/vocabulary.ts'
import type { SharedMarks } from '../../stores/shared-marks.ts'

export interface Claims {
  /** undefined: it is ours; else whose it is. */
  take(thing: string): Promise<PartitionId | undefined>
  /** Gives back what is not needed, as asked for each when its turn comes. */
  giveBackAllBut(isNeeded: (thing: string) => boolean): Promise<void>
}

/** Of a stream that is not shared: there is nobody else. */
export const unshared: Claims = { take: async () => undefined, giveBackAllBut: async () => {} }

export function claimsBy(marks: SharedMarks): Claims {
  let last: Promise<unknown> = Promise.resolve()
  /** One after the other: what is needed again while it is given back is claimed anew after that. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work)
    last = done.catch(() => undefined)
    return done
  }
  return {
    take: thing => inTurn(async () => (await marks.take(markName(thing), thing))?.partition),
    giveBackAllBut: isNeeded =>
      inTurn(async () => {
        for (const { name, about } of await marks.ours()) if (!isNeeded(about)) await marks.giveBack(name)
      }),
  }
}

/** All that nobody else may have while a story is told: a penalty key too, since two rows with the same one share its limit. */
export function thingsOf(story: LimitStory | StoryEntry): readonly string[] {
  if (!('penaltyKey' in story)) return [placeName(story)]
  const at = story.gateway === undefined ? '' : `${story.gateway}/`
  return [placeName(story), `penalty key ${at}${story.penaltyKey}`]
}

/** Ids may hold what no file's name can. */
const markName = (thing: string): string => `limit-${createHash('sha256').update(thing).digest('hex').slice(0, 32)}`

export const claimedText = (thing: string, by: PartitionId): string =>
  `${thing} is lowered by another part of the stream already (${by}), which has its original and gives it back`
