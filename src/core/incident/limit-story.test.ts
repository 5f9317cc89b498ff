import { describe, expect, test } from 'vitest'
import { giveBackOf } from './give-back.ts'
import { beginsStory, limitStories, placeName, type StoryEntry } from './limit-story.ts'
import type { MethodChange, PlanChange } from './plan-story.ts'

const limits = (rateLimit: number) => ({ rateLimit, burstLimit: 2 * rateLimit })
const onPlan = { planId: 'plan-a', keyId: 'key-a' }
const pets = { apiStage: 'api:live', method: '/pets/GET' }
const orders = { apiStage: 'api:live', method: '/orders/POST' }

const changing = (before: number, after: number, methods: readonly MethodChange[] = []): StoryEntry & PlanChange => ({
  ...{ kind: 'plan-changing', ...onPlan, effectId: `to ${after}` },
  ...{ before: limits(before), after: limits(after), methods },
})
const set: StoryEntry = { kind: 'plan-set', planId: 'plan-a' }
const story = (entries: readonly StoryEntry[]) => limitStories(entries).get('plan-a')

describe('the methods that a plan gives limits of their own', () => {
  const lowered = [
    changing(100, 5, [
      { ...pets, before: limits(50), after: limits(5) },
      { ...orders, before: limits(20), after: limits(5) },
    ]),
    set,
  ]

  test('are each owed what they had before the first change', () => {
    const half = changing(5, 22, [{ ...pets, before: limits(5), after: limits(16) }])
    expect(story([...lowered, half])).toMatchObject({
      original: limits(100),
      methods: [
        { ...orders, original: limits(20), mayHave: [limits(5)] },
        { ...pets, original: limits(50), mayHave: [limits(5), limits(16)] },
      ],
    })
  })

  test('are owed it still when the plan’s own limits are another’s by now', () => {
    const relapse = changing(60, 5)
    expect(story([...lowered, relapse])).toMatchObject({
      original: limits(60),
      methods: [{ original: limits(50) }, { original: limits(20) }],
    })
    expect(beginsStory(limitStories(lowered), relapse)).toBe(false)
  })

  test('are over one by one, and with the last of them the plan’s story', () => {
    const first = changing(5, 100, [{ ...pets, before: limits(5), after: limits(50) }])
    expect(story([...lowered, first, set])).toMatchObject({ methods: [{ ...orders, original: limits(20) }] })
    const second = changing(100, 100, [{ ...orders, before: limits(5), after: limits(20) }])
    expect(story([...lowered, first, set, second, set])).toBeUndefined()
  })
})

describe('how to give back', () => {
  test('a plan: what to compare with, what to set, of its methods too', () => {
    const entry = changing(100, 5, [{ ...pets, before: limits(50), after: limits(5) }])
    const inEurope = Object.assign(entry, { gateway: 'eu', expiresAt: 9 })
    const told = limitStories([inEurope]).get('eu/plan-a')!
    expect(told.expiresAt).toBe(9)
    expect(giveBackOf(told)).toEqual({
      ...{ kind: 'plan', gateway: 'eu', planId: 'plan-a', original: limits(100), mayHave: [limits(100), limits(5)] },
      methods: [{ ...pets, original: limits(50), mayHave: [limits(50), limits(5)] }],
    })
  })

  test('a moved key: where it came from, also when it is on its way back', () => {
    const move = { movedKey: 'key-a', keyId: 'key-a', from: ['plan-a', 'plan-b'], to: 'plan-p', stages: ['api/live'] }
    const away: StoryEntry = {
      kind: 'move-changing',
      ...move,
      effectId: 'away',
      towards: 'away',
      since: 1,
      expiresAt: 9,
    }
    const back: StoryEntry = { ...away, effectId: 'back', towards: 'back', from: [], since: 5 }
    const told = limitStories([away, { kind: 'move-set', movedKey: 'key-a' }, back]).get(placeName(move))!
    expect(told).toMatchObject({ state: 'back', since: 5, expiresAt: 9 })
    expect(giveBackOf(told)).toEqual({
      ...{ kind: 'move', movedKey: 'key-a', from: ['plan-a', 'plan-b'], to: 'plan-p', stages: ['api/live'] },
    })
    expect(limitStories([away, back, { kind: 'move-left', movedKey: 'key-a' }]).size).toBe(0)
  })

  test('a row: nothing, it ends by itself', () => {
    const row = { row: 'client-a', keyId: 'key-a', effectId: 'e', penaltyKey: 'slow-1', version: 'v1', expiresAt: 9 }
    const told = limitStories([{ kind: 'row-changing', ...row }]).get('row client-a')!
    expect(told).toMatchObject({ versions: ['v1'], holders: ['key-a'] })
    expect(giveBackOf(told)).toEqual({ kind: 'row', row: 'client-a', expiresAt: 9 })
  })
})

test('a plan, a key and a row of one id are three stories, and what else a journal holds is none', () => {
  const places = [{ planId: 'x' }, { movedKey: 'x' }, { row: 'x' }]
  expect(new Set(places.map(placeName)).size).toBe(3)
  expect(limitStories([{ kind: 'intent' }, { kind: 'memos' }]).size).toBe(0)
})
