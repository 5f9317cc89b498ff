/**
 * What we wrote into an authorizer's table, told from the entries of the effect journal: which row tells it that a key is to
 * be answered with less, and which penalty key it names. A row ends by itself at `expiresAt`, so what is lost here is late,
 * and never owed for good.
 */
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'
import { latest, withHolder } from './plan-story.ts'

/** A row of a gateway's table: by the id under which the authorizer knows the key. */
export interface RowPlace {
  /** Name in `gateways`; undefined: `gateway`. */
  readonly gateway?: string | undefined
  readonly row: string
}

export interface RowChange extends RowPlace {
  readonly effectId: string
  /** For whom: the key, or the tenant, that the incident is about. */
  readonly keyId: ApiKeyId
  /** Id of the penalty key that the authorizer is to answer with. */
  readonly penaltyKey: string
  /** Of the row as we write it: what has another one by then was written by somebody else. */
  readonly version: string
  readonly expiresAt: EpochMs
}

export type RowStoryEntry =
  | ({ readonly kind: 'row-changing' } & RowChange)
  | ({ readonly kind: 'row-set' } & RowPlace)
  | ({ readonly kind: 'row-held'; readonly keyId: ApiKeyId; readonly expiresAt?: EpochMs } & RowPlace)
  | ({ readonly kind: 'row-let-go'; readonly keyId: ApiKeyId } & RowPlace)
  | ({ readonly kind: 'row-left' } & RowPlace)

export interface RowStory extends RowPlace, Pick<RowChange, 'penaltyKey' | 'effectId' | 'expiresAt'> {
  readonly kind: 'row'
  readonly holders: readonly ApiKeyId[]
  /** Several while it is unknown whether the last changes arrived, the newest last. */
  readonly versions: readonly string[]
  /** Whether it is known that the last change arrived. */
  readonly isSet: boolean
}

/** Of changes that nobody knows to have arrived: more than a storm's relapses within a table's outage. */
const maxVersions = 20

export function advanceRow(story: RowStory | undefined, entry: RowStoryEntry): RowStory | undefined {
  if (entry.kind === 'row-changing') return changing(story, entry)
  if (story === undefined) return undefined
  switch (entry.kind) {
    case 'row-set':
      return { ...story, versions: story.versions.slice(-1), isSet: true }
    case 'row-held':
      return { ...story, holders: withHolder(story.holders, entry.keyId), expiresAt: later(story, entry) }
    case 'row-let-go':
      return { ...story, holders: story.holders.filter(keyId => keyId !== entry.keyId) }
    case 'row-left':
      return undefined
    default:
      return entry satisfies never
  }
}

function changing(earlier: RowStory | undefined, change: RowChange): RowStory {
  const { gateway, row, keyId, effectId, penaltyKey, version } = change
  return {
    kind: 'row',
    ...(gateway !== undefined && { gateway }),
    row,
    holders: earlier ? withHolder(earlier.holders, keyId) : [keyId],
    penaltyKey,
    effectId,
    expiresAt: later(earlier, change),
    versions: [...(earlier?.versions ?? []).filter(other => other !== version), version].slice(-maxVersions),
    isSet: false,
  }
}

const later = (story: RowStory | undefined, { expiresAt }: { readonly expiresAt?: EpochMs }): EpochMs =>
  latest(story, expiresAt === undefined ? {} : { expiresAt }).expiresAt ?? 0
