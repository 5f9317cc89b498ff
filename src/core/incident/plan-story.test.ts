import { expect, test } from 'vitest'
import { limitStories, type StoryEntry } from './limit-story.ts'
import { owesNothing, type PlanStory } from './plan-story.ts'

const limits = (rateLimit: number, burstLimit = rateLimit) => ({ rateLimit, burstLimit })

const changing = (
  effectId: string,
  before: ReturnType<typeof limits> | null,
  after: ReturnType<typeof limits> | null,
): StoryEntry => ({ kind: 'plan-changing', effectId, keyId: 'key-a', planId: 'plan-a', before, after })

const set: StoryEntry = { kind: 'plan-set', planId: 'plan-a' }

test('the original is what the plan had before the first of all changes, through half and relapse', () => {
  const entries = [
    ...[changing('throttle-1', limits(100.5), limits(5)), set],
    ...[changing('half-1', limits(5), limits(53)), set],
    ...[changing('throttle-2', limits(53), limits(4)), set],
  ]
  expect([...limitStories(entries).values()]).toEqual([
    {
      kind: 'plan',
      holders: ['key-a'],
      planId: 'plan-a',
      original: limits(100.5),
      lastSet: limits(4),
      effectId: 'throttle-2',
      mayHave: [limits(4)],
      methods: [],
    },
  ])
})

test('a restore ends the story only when it is known to have arrived', () => {
  const throttled = [changing('throttle-1', null, limits(5)), set]
  const restoring = [...throttled, changing('full-1', limits(5), null)]
  expect(limitStories(restoring).get('plan-a')).toMatchObject({ original: null, mayHave: [limits(5), null] })
  expect(limitStories([...restoring, set]).size).toBe(0)
})

test('what a person set in between is the original from then on', () => {
  const entries = [changing('throttle-1', limits(100), limits(5)), set]
  const relapse = changing('throttle-2', limits(40), limits(5))
  expect(limitStories([...entries, relapse]).get('plan-a')).toMatchObject({ original: limits(40) })
})

test('a plan that was seen to be left owes nothing, and a later change has its own original', () => {
  const left: StoryEntry = { kind: 'plan-left', planId: 'plan-a' }
  const entries = [changing('throttle-1', limits(100), limits(5)), set, left]
  expect(limitStories(entries).size).toBe(0)
  const later = limitStories([...entries, changing('throttle-2', limits(5), limits(2))])
  expect(later.get('plan-a')).toMatchObject({ original: limits(5) })
})

test('that the plan a key was in before is left says nothing of the one it is in', () => {
  const left: StoryEntry = { kind: 'plan-left', planId: 'plan-before' }
  expect(limitStories([changing('throttle-1', limits(100), limits(5)), left]).has('plan-a')).toBe(true)
})

test('a plan is owed nothing with its original or a value of somebody else, and what we took with ours', () => {
  const story = limitStories([changing('throttle-1', limits(100), limits(5)), set]).get('plan-a') as PlanStory
  const has = (current: ReturnType<typeof limits> | null) => owesNothing(story, { limits: current, methods: [] })
  expect([limits(100), limits(60), null, limits(5)].map(has)).toEqual([true, true, true, false])
})
