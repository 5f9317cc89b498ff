import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import { createShardTree, type FoundShard, SHARD_END, type Start } from './kinesis-shards.ts'

const fromOldest: Start = { ShardIteratorType: 'TRIM_HORIZON' }
const fromNewest: Start = { ShardIteratorType: 'LATEST' }
const shard = (id: string, parents: readonly string[] = [], isClosed = false): FoundShard => ({ id, parents, isClosed })
const begun = (tree: ReturnType<typeof createShardTree>): readonly string[] => tree.begin().map(({ id }) => id)

test('a child of two begins when both have ended, from its own beginning whatever the configuration says', () => {
  const tree = createShardTree(new Map(), fromNewest)
  tree.add([shard('a'), shard('b')])
  expect(tree.begin()).toEqual([
    { id: 'a', start: fromNewest },
    { id: 'b', start: fromNewest },
  ])
  tree.add([shard('c', ['a', 'b'])])
  tree.end('a')
  expect(begun(tree)).toEqual([])
  tree.end('b')
  expect(tree.begin()).toEqual([{ id: 'c', start: fromOldest }])
  expect(begun(tree)).toEqual([])
})

test('what came into being while nobody read is read from its beginning', () => {
  const tree = createShardTree(new Map([['a', '17']]), fromNewest)
  tree.add([shard('a'), shard('unrelated', ['long gone'])])
  expect(tree.begin()).toEqual([
    { id: 'a', start: { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: '17' } },
    { id: 'unrelated', start: fromOldest },
  ])
})

test('a shard that was there when the others began, and had not answered when we stopped, begins where they did', () => {
  const tree = createShardTree(new Map([['a', '17']]), fromNewest)
  tree.add([shard('a'), shard('silent'), shard('closed meanwhile', [], true)])
  expect(tree.begin()).toEqual([
    { id: 'a', start: { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: '17' } },
    { id: 'closed meanwhile', start: fromOldest },
    { id: 'silent', start: fromNewest },
  ])
})

test('a position that is the only trace of where the stream goes on is kept until its children are known', () => {
  const tree = createShardTree(
    new Map([
      ['a', SHARD_END],
      ['z', '17'],
    ]),
    fromNewest,
  )
  tree.add([shard('a', [], true), shard('z')])
  expect(tree.positioned('z')).toEqual([])
  tree.add([shard('b', ['a'])])
  expect(tree.positioned('z')).toEqual([])
  expect(tree.positioned('b')).toEqual(['a'])
})

test('however a stream splits and merges, and wherever it is begun anew, every record is read once and after its elders', () => {
  const change = fc.record({ merge: fc.boolean(), which: fc.nat(), records: fc.nat({ max: 3 }) })
  const step = fc.record({ which: fc.nat(), restarts: fc.boolean(), forgets: fc.boolean() })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), fc.array(step, { maxLength: 80 }), (changes, steps) => {
      const stream = streamOf(changes)
      const positions = new Map<PartitionId, Position>()
      const listed = new Set(stream.keys())
      const seen: string[] = []
      let tree = createShardTree(positions, fromOldest)
      let open = new Map<string, number>()
      const begin = () => {
        for (const { id, start } of tree.begin()) {
          for (const parent of stream.get(id)?.parents ?? []) expect(seen).toContain(`${parent} ended`)
          open.set(id, start.ShardIteratorType === 'AFTER_SEQUENCE_NUMBER' ? Number(start.StartingSequenceNumber) : 0)
        }
      }
      const start = () => {
        tree = createShardTree(new Map(positions), fromOldest)
        open = new Map()
        tree.add([...stream.values()].filter(({ id }) => listed.has(id)))
        begin()
      }
      const note = (id: string, position: Position) => {
        positions.set(id as PartitionId, position)
        for (const each of tree.positioned(id)) positions.delete(each)
      }
      start()
      const endless = Array.from({ length: 200 }, () => ({ which: 0, restarts: false, forgets: false }))
      for (const { which, restarts, forgets } of [...steps, ...endless]) {
        // The stream forgets what is old: here whatever has ended and is no open shard's position.
        if (forgets) for (const id of listed) if (seen.includes(`${id} ended`)) listed.delete(id)
        if (restarts) start()
        const id = [...open.keys()][which % open.size]
        if (id === undefined) break
        const next = (open.get(id) ?? 0) + 1
        if (next <= (stream.get(id)?.records ?? 0)) {
          open.set(id, next)
          seen.push(`${id} ${next}`)
          note(id, String(next))
        } else {
          note(id, SHARD_END)
          seen.push(`${id} ended`)
          tree.end(id)
          open.delete(id)
          begin()
        }
      }
      const all = [...stream.values()].flatMap(({ id, records }) => [
        ...Array.from({ length: records }, (_, index) => `${id} ${index + 1}`),
        `${id} ended`,
      ])
      expect(seen.toSorted()).toEqual(all.toSorted())
    }),
    { numRuns: 300 },
  )
})

interface Change {
  readonly merge: boolean
  readonly which: number
  readonly records: number
}

/** What becomes of two shards. */
function streamOf(changes: readonly Change[]): ReadonlyMap<string, FoundShard & { readonly records: number }> {
  const shards = new Map(['s00', 's01'].map(id => [id, { ...shard(id, [], true), records: 2 }]))
  let leaves = [...shards.keys()]
  const add = (parents: readonly string[], records: number) => {
    const id = `s${String(shards.size).padStart(2, '0')}`
    shards.set(id, { ...shard(id, parents, true), records })
    leaves = [...leaves.filter(leaf => !parents.includes(leaf)), id]
  }
  for (const { merge, which, records } of changes) {
    const [one = '', other = ''] = [leaves[which % leaves.length], leaves[(which + 1) % leaves.length]]
    if (merge && one !== other) add([one, other], records)
    else for (const more of [records, records + 1]) add([one], more)
  }
  return shards
}
