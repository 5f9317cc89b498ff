import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addRow, clearGroups, createCallGroups, startGroups } from './call-groups.ts'

test('calls in groups are all calls, by keys as they turn up, each key’s in their order, stretch after stretch', () => {
  const stretch = fc.array(fc.nat(12), { maxLength: 40 })
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 6 }), fc.nat(5), (stretches, from) => {
      const groups = createCallGroups()
      const key = Int32Array.from([...new Array<number>(from).fill(0), ...stretches.flat()])
      startGroups(groups, { from, to: key.length, keys: 13 })
      let row = from
      for (const keys of stretches) {
        const expected = new Map<number, number[]>()
        for (const one of keys) {
          expected.set(one, [...(expected.get(one) ?? []), row])
          addRow(groups, one, row++)
        }
        const found = Array.from({ length: groups.length }, (_, group) => {
          const rows: number[] = []
          for (let at = groups.first[group]!; at >= 0; at = groups.next[at]!) rows.push(from + at)
          return [key[rows[0]!], rows]
        })
        expect(found).toEqual([...expected])
        clearGroups(groups, key)
      }
    }),
  )
})

test('room for a larger batch, or for more keys, is made between batches', () => {
  const groups = createCallGroups()
  for (const keys of [1, 500, 2]) {
    const key = Int32Array.from({ length: keys }, (_, number) => number)
    startGroups(groups, { from: 0, to: keys, keys })
    for (const number of key) addRow(groups, number, number)
    expect(groups.length).toBe(keys)
    clearGroups(groups, key)
    expect(groups.last.every(last => last === 0)).toBe(true)
  }
})
