import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ApiKeyId } from '../vocabulary.ts'
import { answersOf } from './answer-totals.ts'
import { beginBaseline, learnHistory, learnMinute, learnRow, unlearnMinute } from './baseline.ts'
import { addKey, createKnownKeys, type KnownKeys } from './known-keys.ts'
import type { MinuteSeen } from './minute-seen.ts'

/** Where a half of a week begins, as sums are halved. */
const HALF_WEEK_MINUTES = 3.5 * 1_440
const BEGIN = 5_000 * HALF_WEEK_MINUTES

const seen = (calls: number): MinuteSeen => ({
  ...{ calls, status4xx: 3 * calls, status429: calls + 1, status5xx: 1 },
  ...{ latencySumMs: 7 * calls, latencyCount: calls },
})

function knownKey(keys: KnownKeys, name = 'a'): number {
  const key = addKey(keys, name as ApiKeyId)
  beginBaseline(keys, key, BEGIN)
  return key
}

describe('how calls are usually answered', () => {
  test('counts every answer once in the half week it came in, and half as much with each that begins after it', () => {
    const keys = createKnownKeys()
    const key = knownKey(keys)
    learnMinute(keys, key, BEGIN, { ...seen(80), latencySumMs: 12.5 })
    learnMinute(keys, key, BEGIN + HALF_WEEK_MINUTES - 1, seen(8))
    const whole = { calls: 88, status4xx: 264, status429: 90, status5xx: 2, latencySumMs: 68.5, latencyCount: 88 }
    expect(answersOf(keys, key)).toEqual(whole)
    learnMinute(keys, key, BEGIN + HALF_WEEK_MINUTES, seen(0))
    expect(answersOf(keys, key)).toEqual({
      ...{ calls: 44, status4xx: 132, status429: 46, status5xx: 2, latencySumMs: 34.25, latencyCount: 44 },
    })
    learnMinute(keys, key, BEGIN + 60 * HALF_WEEK_MINUTES, seen(1))
    expect(answersOf(keys, key)).toEqual(seen(1))
  })

  test('is the same in whatever order rows of weeks come, to the last bit', () => {
    const row = fc.record({ minute: fc.nat(40_000), calls: fc.nat(1_000_000) })
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 2, maxLength: 12 }),
        fc.array(fc.nat(), { minLength: 12 }),
        (rows, order) => {
          const learned = (some: readonly { minute: number; calls: number }[]) => {
            const keys = createKnownKeys()
            const key = knownKey(keys)
            for (const { minute, calls } of some)
              learnRow(keys, key, { firstMinute: BEGIN + minute, minutes: 1, ...seen(calls) })
            return answersOf(keys, key)
          }
          const places = new Map(rows.map((row, index) => [row, order[index] ?? 0]))
          const shuffled = [...rows].sort((one, other) => places.get(one)! - places.get(other)!)
          expect(learned(shuffled)).toEqual(learned(rows))
        },
      ),
    )
  })

  test('forgets what is taken back, in the half week after it too', () => {
    const keys = createKnownKeys()
    const key = knownKey(keys)
    const last = BEGIN + HALF_WEEK_MINUTES - 1
    learnMinute(keys, key, last - 1, seen(1_001))
    learnMinute(keys, key, last, seen(77))
    learnMinute(keys, key, last + 1, seen(10))
    unlearnMinute(keys, key, last, seen(77))
    const without = createKnownKeys()
    const other = knownKey(without)
    learnMinute(without, other, last - 1, seen(1_001))
    learnMinute(without, other, last + 1, seen(10))
    expect(answersOf(keys, key)).toEqual(answersOf(without, other))
  })

  test('of a new key begins with that of those it takes after, as old as theirs is', () => {
    const keys = createKnownKeys()
    const [young, old, heir] = [knownKey(keys, 'young'), knownKey(keys, 'old'), knownKey(keys, 'heir')]
    learnMinute(keys, old, BEGIN + 10, seen(100))
    learnMinute(keys, young, BEGIN + HALF_WEEK_MINUTES + 10, seen(1_000))
    learnHistory(keys, heir, [
      { keys, key: young },
      { keys, key: old },
    ])
    expect(answersOf(keys, heir)).toMatchObject({ calls: 1_050, status4xx: 3_150, latencySumMs: 7_350 })
  })
})
