import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ApiKeyId } from '../vocabulary.ts'
import { beginBaseline, learnMinute } from './baseline.ts'
import {
  addKey,
  beIdle,
  createKnownKeys,
  findKey,
  idOf,
  type KnownKeys,
  keepKnownKeys,
  longestIdle,
  moveKey,
  notIdle,
  removeKey,
  restoreKnownKeys,
} from './known-keys.ts'
import { baselineOf, numberOf } from './testing-baseline.ts'

const MINUTE = Date.UTC(2026, 2, 2) / 60_000
const id = (text: string) => text as ApiKeyId
const ids = fc.oneof(
  fc.stringMatching(/^[a-z0-9]{1,3}$/),
  fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
  fc.integer({ min: 0, max: 50 }).map(number => `long-${'x'.repeat(60)}-${number}`),
)

/** Something different of each key, on so many days. */
function teach(keys: KnownKeys, key: number, calls: number, days: number): void {
  beginBaseline(keys, key, MINUTE)
  for (let day = 0; day < days; day++) {
    const answers = { status4xx: day, status429: 2 * day, status5xx: 3 * day }
    const seen = { calls: calls + day, ...answers, latencySumMs: calls, latencyCount: 1 }
    for (let slot = 0; slot < 3; slot++) learnMinute(keys, key, MINUTE + day * 1_440 + slot * 5, seen)
  }
}

describe('known keys', () => {
  test('are found by their ids, and what each was taught stays its own, whoever comes and goes', () => {
    const step = fc.record({ keyId: ids, goes: fc.boolean(), days: fc.integer({ min: 1, max: 7 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), steps => {
        const keys = createKnownKeys()
        const expected = new Map<string, ReturnType<typeof baselineOf>>()
        for (const [index, { keyId, goes, days }] of steps.entries()) {
          const known = findKey(keys, id(keyId))
          expect(known !== undefined).toBe(expected.has(keyId))
          if (known === undefined) {
            const key = addKey(keys, id(keyId))
            teach(keys, key, index + 1, days)
            expected.set(keyId, baselineOf(keys, key))
          } else if (goes) {
            removeKey(keys, known)
            expected.delete(keyId)
          }
        }
        const restored = restoreKnownKeys(structuredClone(keepKnownKeys(keys)), keys)
        for (const all of [keys, restored]) {
          expect(all.size).toBe(expected.size)
          for (const [keyId, baseline] of expected) {
            const key = numberOf(all, keyId)
            expect(idOf(all, key)).toBe(keyId)
            expect(baselineOf(all, key)).toEqual(baseline)
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  test('give back the rows of those that are forgotten', () => {
    const keys = createKnownKeys()
    for (let key = 0; key < 1_000; key++) teach(keys, addKey(keys, id(`k${key}`)), 10, 7)
    expect(keys.rows.cells).toBe(7_000)
    for (let key = 0; key < 990; key++) removeKey(keys, numberOf(keys, `k${key}`))
    expect(keys.rows.cells).toBe(70)
    expect(keys.rows.chunks.length).toBeLessThanOrEqual(3)
    for (let key = 0; key < 990; key++) addKey(keys, id(`n${key}`))
    expect(keys.records.cells).toBe(1_000)
  })

  test('that are idle stand in a list, longest idle first, and leave it from anywhere', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ key: fc.nat({ max: 9 }), idle: fc.boolean() }), { maxLength: 60 }), steps => {
        const keys = createKnownKeys()
        const numbers = Array.from({ length: 10 }, (_, index) => addKey(keys, id(`k${index}`)))
        let plain: number[] = []
        for (const [minute, { key, idle }] of steps.entries()) {
          const number = numbers[key]!
          plain = plain.filter(one => one !== number)
          if (idle) plain.push(number)
          if (idle) beIdle(keys, number, minute + 1)
          else notIdle(keys, number)
        }
        const order: number[] = []
        for (let longest = longestIdle(keys); longest; longest = longestIdle(keys)) {
          order.push(longest.key)
          notIdle(keys, longest.key)
        }
        expect(order).toEqual(plain)
      }),
    )
  })

  test('move to another owner with all that is known of them', () => {
    const from = createKnownKeys()
    const to = createKnownKeys()
    const names = ['a', 'b', 'c', `long-${'x'.repeat(80)}`]
    for (const [index, name] of names.entries()) teach(from, addKey(from, id(name)), 10 * index + 1, 1 + index)
    const before = names.map(name => baselineOf(from, numberOf(from, name)))
    for (const name of ['b', names[3]!]) moveKey(from, numberOf(from, name), to)
    const now = names.map(name => (findKey(from, id(name)) === undefined ? to : from))
    expect(now.map(keys => keys === to)).toEqual([false, true, false, true])
    expect(names.map((name, index) => baselineOf(now[index]!, numberOf(now[index]!, name)))).toEqual(before)
    expect([from.size, to.size, from.rows.cells + to.rows.cells]).toEqual([2, 2, 1 + 2 + 3 + 4])
  })
})
