/**
 * Which shards may be read, and from where: the family tree of a stream that splits and merges.
 *
 *   split: a ─┬─ b        merge: a ─┬─ c        a child begins when each of its parents has been read to its end,
 *             └─ c               b ─┘           and then with its own beginning, so that no call overtakes an older one
 *
 * A parent that the stream does not list any more is older than what it keeps, and nobody waits for it. The tree knows no
 * network: it is told what is listed and what has ended.
 */
import type { Shard } from '@aws-sdk/client-kinesis'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import type { Positions } from './source.ts'

/** Where a shard's next iterator begins. */
export type Start =
  | { readonly ShardIteratorType: 'AFTER_SEQUENCE_NUMBER'; readonly StartingSequenceNumber: string }
  | { readonly ShardIteratorType: 'AT_TIMESTAMP'; readonly Timestamp: Date }
  | { readonly ShardIteratorType: 'LATEST' | 'TRIM_HORIZON' }

/** Position of a shard that was read to its end. No sequence number has this form. */
export const SHARD_END: Position = 'SHARD_END'

export interface FoundShard {
  readonly id: string
  /** Of a split one, of a merge two; none that is known of the stream's first shards. */
  readonly parents: readonly string[]
  /** Nothing is written to it any more. */
  readonly isClosed: boolean
}

export interface ShardTree {
  /** Adds what was not known. The first list decides which shards are older than this reader. */
  add(shards: readonly FoundShard[]): void
  /** Shards that may begin now; each is named once. */
  begin(): readonly { readonly id: string; readonly start: Start }[]
  /** It has been read to its end, and the reader has taken all of it. */
  end(id: string): void
  /** Something of the shard was handed over: what else needs no position from now on. */
  positioned(id: string): readonly PartitionId[]
  hasChildren(id: string): boolean
  /** Shards with a position that were not in the first list: the rest of what they held is gone, unless they had ended. */
  forgotten(): readonly string[]
}

/**
 * `positions` are those of the checkpoint. Without any, all shards of the first list begin where `from` says; with some,
 * whatever has none came into being meanwhile, and is read from its beginning. So is what is found later.
 */
export function createShardTree(positions: Positions, from: Start): ShardTree {
  const shards = new Map<string, FoundShard>()
  const starts = new Map<string, Start>()
  const waiting = new Set<string>()
  const over = new Set<string>()
  /** Shards that the checkpoint has or will have a position of. */
  const known = new Set<string>(positions.keys())
  let isFirstList = true

  const childrenOf = (id: string): readonly FoundShard[] =>
    [...shards.values()].filter(({ parents }) => parents.includes(id))

  /** All that came before what was begun has been read to its end: else it would not have been begun. */
  const endAncestors = (id: string): void => {
    for (const parent of shards.get(id)?.parents ?? []) {
      if (positions.has(parent) || over.has(parent)) continue
      over.add(parent)
      endAncestors(parent)
    }
  }

  /** Of the first list. What is closed holds nothing that comes after now. */
  const startOfFirst = ({ id, isClosed, parents }: FoundShard): Start | undefined => {
    const position = positions.get(id as PartitionId)
    if (position !== undefined) return position === SHARD_END ? undefined : startAfter(position)
    // One without parents was there when the others began, and had not answered yet when we stopped.
    const isNobodysChild = parents.length === 0 && !isClosed
    if (positions.size > 0 && !isNobodysChild) return fromItsBeginning
    return from.ShardIteratorType === 'LATEST' && isClosed ? undefined : from
  }

  return {
    add(found) {
      const fresh = found.filter(({ id }) => !shards.has(id))
      for (const shard of fresh) shards.set(shard.id, shard)
      for (const shard of fresh) {
        const start = isFirstList ? startOfFirst(shard) : fromItsBeginning
        if (start === undefined) over.add(shard.id)
        else starts.set(shard.id, start)
      }
      if (isFirstList) for (const id of positions.keys()) endAncestors(id)
      for (const { id } of fresh) if (!over.has(id)) waiting.add(id)
      isFirstList = false
    },

    begin() {
      const ready = [...waiting].filter(id => {
        const parents = shards.get(id)?.parents ?? []
        return parents.every(parent => over.has(parent) || !shards.has(parent))
      })
      return ready.toSorted().flatMap(id => {
        waiting.delete(id)
        const start = starts.get(id)
        return start === undefined ? [] : [{ id, start }]
      })
    },

    end(id) {
      over.add(id)
    },

    positioned(id) {
      known.add(id)
      const needless = [...known].filter(each => {
        if (each === id || (shards.has(each) && !over.has(each))) return false
        const children = childrenOf(each)
        // Without children that are known, a listed shard's end is all that tells where the stream goes on.
        return children.every(child => known.has(child.id)) && (children.length > 0 || !shards.has(each))
      })
      for (const each of needless) known.delete(each)
      return needless.map(each => each as PartitionId)
    },

    hasChildren: id => childrenOf(id).length > 0,
    forgotten: () => [...positions].flatMap(([id, position]) => (shards.has(id) || position === SHARD_END ? [] : [id])),
  }
}

const fromItsBeginning: Start = { ShardIteratorType: 'TRIM_HORIZON' }

export function foundShard({
  ShardId: id = '',
  ParentShardId,
  AdjacentParentShardId,
  SequenceNumberRange,
}: Shard): FoundShard {
  const parents = [ParentShardId, AdjacentParentShardId].filter(parent => parent !== undefined)
  return { id, parents, isClosed: SequenceNumberRange?.EndingSequenceNumber !== undefined }
}

/** Where a shard goes on of which nothing was read yet: all that came since then. No sequence number has this form. */
export const sinceTime = (at: Date): Position => `since ${at.toISOString()}`

function startAfter(position: Position): Start {
  const [, since] = /^since (.+)$/.exec(position) ?? []
  if (since !== undefined) return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(since) }
  return { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: position }
}
