/**
 * From the bytes of a key id to its number in the key table, without making a string: an open-addressing hash over the
 * bytes, which are kept once each in an arena. On the hot path, one look-up a call; mutable on purpose.
 */
import type { KeyTable } from '../call-batch.ts'
import type { ApiKeyId } from '../vocabulary.ts'

export interface KeyIndex extends KeyTable {
  /** The number of the key id that stands at `from` to `to`, new or known; undefined when the table is full. */
  numberOf(bytes: Buffer, from: number, to: number): number | undefined
  /** The number of a key id whose bytes are in the table already; -1 of one that is not. */
  known(bytes: DataView, from: number, to: number): number
}

/**
 * A little more than are known by default (`state.maxKeys`), and as much as fits arrays that grow by doubling. A worker
 * whose table is full goes on with an empty one (keeper.ts); a replay's further keys are anonymous.
 */
export const mostKeys = 1_048_576

/** `seed`: so that nobody who chooses ids can choose such as would all be looked for in one place. Changes no number. */
export function createKeyIndex(seed: number): KeyIndex {
  const ids: ApiKeyId[] = []
  // Power of two, at most half full; holds number + 1, and 0 where free.
  let slots = new Int32Array(2048)
  let hashes = new Int32Array(1024)
  // Bytes of key n stand in the arena from `ends[n]` to `ends[n + 1]`.
  let ends = new Int32Array(1025)
  let arena = Buffer.alloc(32 * 1024)
  let arenaView = viewOf(arena)
  // Many ids of a piece are looked up one after another, and a view costs as much as a look-up.
  let viewed: Buffer = arena
  let view = arenaView

  const find = (hash: number, bytes: DataView, from: number, to: number): number => {
    const mask = slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = (slots[slot] ?? 0) - 1
      if (number < 0) return -1
      if (hashes[number] !== hash) continue
      const start = ends[number] ?? 0
      if ((ends[number + 1] ?? 0) - start === to - from && isSame(arenaView, start, bytes, from, to)) return number
    }
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
    if (end > arena.length) {
      arena = Buffer.concat([arena], Math.max(arena.length * 2, end))
      arenaView = viewOf(arena)
    }
    bytes.copy(arena, start, from, to)
    ends[number + 1] = end
    hashes[number] = hash
    slots[freeSlot(slots, hash)] = number + 1
    ids.push(bytes.toString('utf8', from, to) as ApiKeyId)
    return number
  }

  return {
    ids,
    known: (bytes, from, to) => find(hashOf(seed, bytes, from, to), bytes, from, to),
    numberOf(bytes, from, to) {
      if (viewed !== bytes) {
        viewed = bytes
        view = viewOf(bytes)
      }
      const hash = hashOf(seed, view, from, to)
      const number = find(hash, view, from, to)
      return number < 0 ? add(hash, bytes, from, to) : number
    },
  }
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** Four bytes at a time, the last four once more: a key id is ten bytes, and three steps are less than ten. */
function hashOf(seed: number, bytes: DataView, from: number, to: number): number {
  let hash = seed ^ (to - from)
  if (to - from < 4) for (let at = from; at < to; at++) hash = mixed(hash, bytes.getUint8(at))
  else {
    for (let at = from; at < to - 4; at += 4) hash = mixed(hash, bytes.getInt32(at, true))
    hash = mixed(hash, bytes.getInt32(to - 4, true))
  }
  return hash ^ (hash >>> 15)
}

/** Whether what stands at `start` in the arena is what stands from `from` to `to`. */
function isSame(arena: DataView, start: number, bytes: DataView, from: number, to: number): boolean {
  const offset = start - from
  if (to - from < 4) {
    for (let at = from; at < to; at++) if (arena.getUint8(at + offset) !== bytes.getUint8(at)) return false
    return true
  }
  for (let at = from; at < to - 4; at += 4) if (arena.getInt32(at + offset) !== bytes.getInt32(at)) return false
  return arena.getInt32(to - 4 + offset) === bytes.getInt32(to - 4)
}

/** A multiplication carries upwards only, so what it brought to the top is folded back in. */
function mixed(hash: number, part: number): number {
  const product = Math.imul(hash ^ part, 0x9e3779b1)
  return product ^ (product >>> 16)
}

function freeSlot(slots: Int32Array, hash: number): number {
  const mask = slots.length - 1
  let slot = hash & mask
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
