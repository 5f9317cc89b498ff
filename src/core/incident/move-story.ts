/**
 * Where we took an API key to, told from the entries of the effect journal: a key that shares its plan with others is
 * lowered by taking it into a penalty plan. Between leaving one plan and entering the other it is in none and all its calls
 * are refused, so what was begun is on disk before the first plan is left, and whoever reads it goes on from what the
 * gateway says of the key.
 *
 *   away: leaving `from` for `to` ──► set: in `to` ──► back: leaving `to` for `from` ──► left: as it was, or another's
 */
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'
import { latest, withHolder } from './plan-story.ts'

/** A key that is moved: ids are unique in an account and region. */
export interface MovePlace {
  /** Name in `gateways`; undefined: `gateway`. */
  readonly gateway?: string | undefined
  readonly movedKey: ApiKeyId
}

export interface Move extends MovePlace {
  readonly effectId: string
  /** For whom: the key, or the tenant, that the incident is about. */
  readonly keyId: ApiKeyId
  readonly towards: 'away' | 'back'
  /** The plans that it was in: one for each stage, so there may be several. */
  readonly from: readonly string[]
  /** The penalty plan. */
  readonly to: string
  /** `apiId/stage` of all stages that these plans are for: in another plan of one of them somebody else has put it. */
  readonly stages: readonly string[]
  /** When it was begun. */
  readonly since: EpochMs
  readonly expiresAt?: EpochMs
}

export type MoveStoryEntry =
  | ({ readonly kind: 'move-changing' } & Move)
  /** It is known to be in the penalty plan. */
  | ({ readonly kind: 'move-set' } & MovePlace)
  | ({ readonly kind: 'move-held'; readonly keyId: ApiKeyId; readonly expiresAt?: EpochMs } & MovePlace)
  | ({ readonly kind: 'move-let-go'; readonly keyId: ApiKeyId } & MovePlace)
  /** It is back where it was, or where somebody else wants it, or there is no such key. */
  | ({ readonly kind: 'move-left' } & MovePlace)

export interface MoveStory extends MovePlace, Pick<Move, 'from' | 'to' | 'stages' | 'since' | 'effectId'> {
  readonly kind: 'move'
  readonly holders: readonly ApiKeyId[]
  readonly expiresAt?: EpochMs
  /** On its way, unless it is known to be in the penalty plan. */
  readonly state: 'away' | 'there' | 'back'
}

export function advanceMove(story: MoveStory | undefined, entry: MoveStoryEntry): MoveStory | undefined {
  if (entry.kind === 'move-changing') return moving(story, entry)
  if (story === undefined) return undefined
  switch (entry.kind) {
    case 'move-set':
      return { ...story, state: 'there' }
    case 'move-held':
      return { ...story, holders: withHolder(story.holders, entry.keyId), ...latest(story, entry) }
    case 'move-let-go':
      return { ...story, holders: story.holders.filter(keyId => keyId !== entry.keyId) }
    case 'move-left':
      return undefined
    default:
      return entry satisfies never
  }
}

/** Where it came from is what it came from at first: a move that is turned round on its way has not changed that. */
function moving(earlier: MoveStory | undefined, move: Move): MoveStory {
  const { gateway, movedKey, keyId, effectId, from, to, stages, since, towards } = move
  return {
    kind: 'move',
    ...(gateway !== undefined && { gateway }),
    movedKey,
    holders: earlier ? withHolder(earlier.holders, keyId) : [keyId],
    from: earlier?.from ?? from,
    to: earlier?.to ?? to,
    stages: earlier?.stages ?? stages,
    since,
    effectId,
    ...latest(earlier, move),
    state: towards,
  }
}
