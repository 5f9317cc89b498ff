/**
 * From the bytes of a key id to its number in the key table, without making a string: an open-addressing hash over the
 * bytes, which are kept once each in an arena. On the hot path, one look-up a call; mutable on purpose.
 */
import type { KeyTable } from '../call-batch.ts'
import type { ApiKeyId } from '../vocabulary.ts'

export interface KeyIndex extends KeyTable {
  /** The number of the key id that stands at `from` to `to`, new or known; undefined when the table is full. */
  numberOf(bytes: Buffer, from: number, to: number): number | undefined
}

/**
 * A little more than are known by default (`state.maxKeys`), and as much as fits arrays that grow by doubling. A worker
 * whose table is full goes on with an empty one (keeper.ts); a replay's further keys are anonymous.
 */
export const mostKeys = 1_048_576

export function createKeyIndex(): KeyIndex {
  const ids: ApiKeyId[] = []
  // Power of two, at most half full; holds number + 1, and 0 where free.
  let slots = new Int32Array(2048)
  let hashes = new Int32Array(1024)
  // Bytes of key n stand in the arena from `ends[n]` to `ends[n + 1]`.
  let ends = new Int32Array(1025)
  let arena = Buffer.alloc(32 * 1024)

  const isKey = (number: number, bytes: Buffer, from: number, to: number): boolean => {
    let at = ends[number] ?? 0
    if ((ends[number + 1] ?? 0) - at !== to - from) return false
    for (let other = from; other < to; other++, at++) if (arena[at] !== bytes[other]) return false
    return true
  }

  const add = (hash: number, bytes: Buffer, from: number, to: number): number | undefined => {
    const number = ids.length
    if (number === mostKeys) return undefined
    if (number === hashes.length) {
      hashes = enlarged(hashes, number * 2)
      ends = enlarged(ends, number * 2 + 1)
      slots = rehashed(hashes, number)
    }
    const start = ends[number] ?? 0
    const end = start + to - from
    if (end > arena.length) arena = Buffer.concat([arena], Math.max(arena.length * 2, end))
    bytes.copy(arena, start, from, to)
    ends[number + 1] = end
    hashes[number] = hash
    slots[freeSlot(slots, hash)] = number + 1
    ids.push(bytes.toString('utf8', from, to) as ApiKeyId)
    return number
  }

  return {
    ids,
    numberOf(bytes, from, to) {
      // FNV-1a.
      let hash = 0x811c9dc5
      for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
      const mask = slots.length - 1
      for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
        const taken = slots[slot] ?? 0
        if (taken === 0) return add(hash, bytes, from, to)
        if (hashes[taken - 1] === hash && isKey(taken - 1, bytes, from, to)) return taken - 1
      }
    },
  }
}

/** FNV's low bits depend on low bits only; the high ones are folded in. */
const spread = (hash: number): number => hash ^ (hash >>> 15)

function freeSlot(slots: Int32Array, hash: number): number {
  const mask = slots.length - 1
  let slot = spread(hash) & mask
  while (slots[slot] !== 0) slot = (slot + 1) & mask
  return slot
}

function rehashed(hashes: Int32Array, count: number): Int32Array<ArrayBuffer> {
  const slots = new Int32Array(count * 4)
  for (let number = 0; number < count; number++) slots[freeSlot(slots, hashes[number] ?? 0)] = number + 1
  return slots
}

function enlarged(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length)
  to.set(from)
  return to
}
