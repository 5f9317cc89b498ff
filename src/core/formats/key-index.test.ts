import { expect, test } from 'vitest'
import { createKeyIndex } from './key-index.ts'

const seed = 42
const numberIn = (index: ReturnType<typeof createKeyIndex>, id: Buffer) => index.numberOf(id, 0, id.length)

const known = (index: ReturnType<typeof createKeyIndex>, bytes: Buffer, from: number, to: number) =>
  index.known(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), from, to)

/** One step of the table's hash, to find two ids that it cannot tell apart. */
function mixed(hash: number, part: number): number {
  const product = Math.imul(hash ^ part, 0x9e3779b1)
  return product ^ (product >>> 16)
}

test('ids of one hash are two keys, and each is found again', () => {
  const first = mixed(seed ^ 8, 1)
  const second = mixed(seed ^ 8, 2)
  const [one, other] = [Buffer.alloc(8), Buffer.alloc(8)]
  one.writeInt32LE(1, 0)
  one.writeInt32LE(7, 4)
  other.writeInt32LE(2, 0)
  other.writeInt32LE(7 ^ first ^ second, 4)
  expect(mixed(second, other.readInt32LE(4))).toBe(mixed(first, one.readInt32LE(4)))

  const index = createKeyIndex(seed)
  expect([one, other, one, other].map(id => numberIn(index, id))).toEqual([0, 1, 0, 1])
  expect(known(index, other, 0, 8)).toBe(1)
})

test('ids of every length are told apart by any byte, wherever they stand', () => {
  const index = createKeyIndex(seed)
  const ids = Array.from({ length: 40 }, (_, length) => length).flatMap(length => [
    Buffer.alloc(length, 'a'),
    ...Array.from({ length }, (_, at) => Buffer.alloc(length, 'a').fill('b', at, at + 1)),
  ])
  expect(known(index, Buffer.from('a'), 0, 1)).toBe(-1)
  const numbers = ids.map(id => numberIn(index, id))
  expect(numbers).toEqual(ids.map((_, number) => number))
  for (const [number, id] of ids.entries()) {
    const beside = Buffer.concat([Buffer.from('xyz'), id, Buffer.from('"')])
    expect(known(index, beside, 3, 3 + id.length)).toBe(number)
  }
})

test('a seed changes where an id is kept, and not its number', () => {
  const ids = ['k1abcd2345', 'k2', 'k3abcd2345'].map(id => Buffer.from(id))
  const [one, other] = [createKeyIndex(1), createKeyIndex(2)]
  expect(ids.map(id => numberIn(one, id))).toEqual(ids.map(id => numberIn(other, id)))
})
