/** A key's baseline and id as plain values, whatever cells they stand in: what tests compare. Only tests import this file. */
import { answersOf } from './answer-totals.ts'
import { RING, slotSumsOf } from './baseline.ts'
import {
  FIRST_MINUTE,
  findKey,
  type KnownKeys,
  RING_CALLS,
  read,
  SLOT,
  SLOT_CALLS,
  SLOT_SQUARES,
} from './known-keys.ts'

export type PlainKey = ReturnType<typeof baselineOf>

export function baselineOf(keys: KnownKeys, key: number) {
  const slot = read(keys, key, SLOT)
  const slots: (readonly [slot: number, calls: number, squares: number])[] = []
  for (let old = slot - RING; old < slot; old++) {
    const { calls, squares } = slotSumsOf(keys, key, old)
    if (calls !== 0) slots.push([old, calls, squares])
  }
  return {
    firstMinute: read(keys, key, FIRST_MINUTE),
    slot,
    slotCalls: read(keys, key, SLOT_CALLS),
    slotSquares: read(keys, key, SLOT_SQUARES),
    ringCalls: read(keys, key, RING_CALLS),
    /** Of the ring and the slot before the one being learned: those with calls. */
    slots,
    answers: answersOf(keys, key),
    excluded: [...(keys.excluded.get(key) ?? [])].sort(([one], [other]) => one - other),
  }
}

/** Fails if the key is not known. */
export function numberOf(keys: KnownKeys, keyId: string): number {
  const key = findKey(keys, keyId as Parameters<typeof findKey>[1])
  if (key === undefined) throw new Error(`${keyId} is not known`)
  return key
}

/** What the slots of the ring sum up to, and what the key's record says that they do. */
export function ringOf(keys: KnownKeys, key: number) {
  const slot = read(keys, key, SLOT)
  let summed = 0
  for (let old = slot - RING; old < slot - 1; old++) summed += slotSumsOf(keys, key, old).calls
  return { summed, said: read(keys, key, RING_CALLS) }
}
