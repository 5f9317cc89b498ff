import { describe, expect, test } from 'vitest'
import type { ApiKeyId } from '../vocabulary.ts'
import { beginBaseline, learnRow } from './baseline.ts'
import { addKey, createKnownKeys, type KnownKeys } from './known-keys.ts'
import { noteReach, SLOT_LONG } from './own-reach.ts'
import { lentBy, type Plans, peersFor, peersOf } from './peers.ts'

const HOUR = 60
const counted = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0 }

const BEGIN = Date.UTC(2026, 0, 5) / 60_000

/** Each key with so many calls a minute for so many days, and a busiest five minutes of ten times that. */
function fleetOf(rates: Readonly<Record<string, number>>, days = 3): { keys: KnownKeys; slot: number } {
  const keys = createKnownKeys()
  const slot = BEGIN / 5 + days * 288
  for (const [id, perMinute] of Object.entries(rates)) {
    const key = addKey(keys, id as ApiKeyId)
    beginBaseline(keys, key, BEGIN)
    const lastHour = BEGIN + days * 1_440 - HOUR
    learnRow(keys, key, { ...counted, firstMinute: lastHour, minutes: HOUR, calls: days * 1_440 * perMinute })
    noteReach(keys, key, { length: SLOT_LONG, slot, calls: 50 * perMinute, upperPerMinute: Number.POSITIVE_INFINITY })
  }
  return { keys, slot }
}

const noPlans: Plans = new Map()
const numbered = (count: number, rate: (index: number) => number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, rate(index)]))

describe('what is known of a key’s peers', () => {
  test('is what half of the keys reach, and what one of twenty goes beyond', () => {
    const { keys, slot } = fleetOf(numbered(21, index => 10 + index))
    const { all } = peersOf(keys, noPlans, slot)
    expect(all).toMatchObject({ keys: 21, plan: undefined, callsPerMinute: expect.closeTo(20, -1) })
    expect(all?.typical[2]).toBe(50 * 20)
    expect(all?.most[2]).toBe(50 * 29)
  })

  test('is its plan’s, where that has five keys, and all keys’ where it has not', () => {
    const gold = numbered(6, () => 1_000)
    const { keys, slot } = fleetOf({ ...gold, free1: 1, free2: 1, free3: 1, free4: 1 })
    const plans: Plans = new Map([
      ...Object.keys(gold).map(id => [id as ApiKeyId, { usagePlan: 'gold' }] as const),
      ['newGold' as ApiKeyId, { usagePlan: 'gold' }],
      ['free1' as ApiKeyId, { usagePlan: 'free' }],
    ])
    const peers = peersOf(keys, plans, slot)
    expect(peersFor(peers, plans, 'newGold' as ApiKeyId)).toMatchObject({ keys: 6, plan: 'gold' })
    expect(peersFor(peers, plans, 'free1' as ApiKeyId)).toMatchObject({ keys: 10, plan: undefined })
    expect(peersFor(peers, plans, 'stranger' as ApiKeyId)).toMatchObject({ keys: 10, plan: undefined })
  })

  test('is nothing where four keys are known, or none for two days', () => {
    const few = fleetOf(numbered(4, () => 10))
    expect(peersOf(few.keys, noPlans, few.slot).all).toBeUndefined()
    const young = fleetOf(
      numbered(10, () => 10),
      1,
    )
    expect(peersOf(young.keys, noPlans, young.slot).all).toBeUndefined()
  })

  test('is nothing where one of four keys is new: those that are known may be few of all', () => {
    const { keys, slot } = fleetOf(numbered(9, () => 10))
    for (const id of ['new1', 'new2', 'new3']) beginBaseline(keys, addKey(keys, id as ApiKeyId), slot * 5 - HOUR)
    expect(peersOf(keys, noPlans, slot).all).toBeUndefined()
  })

  test('is the same in whatever order the keys came, also of more than are looked at', () => {
    const rates = numbered(21_000, index => 1 + (index % 100))
    const one = fleetOf(rates, 2)
    const other = fleetOf(Object.fromEntries(Object.entries(rates).reverse()), 2)
    const [peers, same] = [one, other].map(({ keys, slot }) => peersOf(keys, noPlans, slot).all)
    expect(peers).toEqual(same)
    expect(peers?.keys).toBeLessThan(20_000)
    expect(peers?.typical[2]).toBeCloseTo(50 * 50, -3)
  })
})

test('a stranger may bring what the busiest bring, and one that is known for an hour what is typical', () => {
  const { keys, slot } = fleetOf(numbered(21, index => 10 + index))
  const peers = peersOf(keys, noPlans, slot).all
  if (peers === undefined) throw new Error('21 keys are enough')
  const stranger = lentBy(peers, undefined)
  expect(stranger).toMatchObject({
    days: 0,
    peers: { keys: 21, plan: undefined },
    slotUpperPerMinute: (peers.most[2] ?? 0) / 5,
  })
  const known = lentBy(peers, { ...stranger, upperPerMinute: 3, slotUpperPerMinute: 3, reaches: [] })
  expect(known.slotUpperPerMinute).toBe((peers.typical[2] ?? 0) / 5)
})
