import { describe, expect, test } from 'vitest'
import type { PlanLimits, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import type { LimitsOrNone, PlanStory } from '../core/incident/plan-story.ts'
import { decidePlan, patchTo } from './usage-plan-decision.ts'

const limits = (rateLimit: number, burstLimit: number): PlanLimits => ({ rateLimit, burstLimit })
const base = { incidentId: 'key-a#1', keyId: 'key-a', decidedAt: 1 }
const throttle = (wanted: PlanLimits): ThrottleEffect => ({
  ...base,
  ...{ kind: 'throttle', id: 'throttle-1', limits: wanted, expiresAt: 600_001, urgency: 1, siblings: [] },
  keys: [{ keyId: 'key-a', limits: wanted }],
})
const restore = (step: 'half' | 'full'): RestoreEffect => ({ ...base, kind: 'restore', id: step, step })

function story(original: LimitsOrNone, lastSet: LimitsOrNone, effectId = 'throttle-1'): PlanStory {
  const about = { kind: 'plan', holders: ['key-a'], planId: 'plan-a', methods: [] } as const
  return { ...about, original, lastSet, effectId, mayHave: [lastSet] }
}

const set = (after: LimitsOrNone) => ({ kind: 'set', after })
const already = (after?: PlanLimits) => ({ kind: 'answer', outcome: { kind: 'already', after } })
const changedMeanwhile = {
  kind: 'answer',
  outcome: { kind: 'refused', because: 'changed meanwhile by someone else; left as it is' },
}

describe('a throttle', () => {
  test.each([
    ['lowers both numbers', limits(100.5, 200), limits(5, 10), set(limits(5, 10))],
    ['never raises the one that is lower', limits(100.5, 3), limits(5, 10), set(limits(5, 3))],
    ['leaves a plan that is lower anyway', limits(4, 3), limits(5, 10), already(limits(4, 3))],
    ['sets what a plan without throttle lacked', null, limits(5, 10), set(limits(5, 10))],
    ['keeps a fraction of a rate', limits(1, 10), limits(0.25, 10), set(limits(0.25, 10))],
    ['has no fraction of a burst, and no burst of 0', limits(9, 9), limits(0.5, 0.9), set(limits(0.5, 1))],
    ['does not raise a burst of 0', limits(9, 0), limits(0.5, 1), set(limits(0.5, 0))],
  ] as const)('%s', (_, current, wanted, decision) => {
    expect(decidePlan(throttle(wanted), current, undefined)).toEqual(decision)
  })
})

describe('a restore', () => {
  test.each([
    ['full', limits(100.25, 200), limits(5, 10), set(limits(100.25, 200))],
    ['full', null, limits(5, 10), set(null)],
    ['half', limits(100, 200), limits(5, 11), set(limits(22, 47))],
    ['half', null, limits(5, 10), set(limits(10, 20))],
    ['half', limits(0.8, 200), limits(0.5, 200), set(limits(0.8, 200))],
    ['half', limits(1.4, 200), limits(1, 200), already(limits(1, 200))],
  ] as const)('%s from an original of %j', (step, original, throttled, decision) => {
    expect(decidePlan(restore(step), throttled, story(original, throttled))).toEqual(decision)
  })

  test('leaves what somebody else set', () => {
    for (const step of ['half', 'full'] as const) {
      const ours = story(limits(100, 200), limits(5, 10))
      expect(decidePlan(restore(step), limits(50, 60), ours)).toEqual(changedMeanwhile)
      expect(decidePlan(restore(step), null, ours)).toEqual(changedMeanwhile)
    }
  })

  test('of a plan that somebody gave its original back is done already', () => {
    expect(decidePlan(restore('full'), limits(100, 200), story(limits(100, 200), limits(5, 10)))).toEqual(
      already(limits(100, 200)),
    )
  })

  test('of a plan that we never touched is done already', () => {
    expect(decidePlan(restore('full'), null, undefined)).toEqual(already())
  })

  test('half, cut short and tried again, goes to the same half and not to half of the rest', () => {
    const cutShort = { ...story(limits(100, 200), limits(22, 45), 'half'), mayHave: [limits(5, 10), limits(22, 45)] }
    expect(decidePlan(restore('half'), limits(5, 10), cutShort)).toEqual(set(limits(22, 45)))
    expect(decidePlan(restore('half'), limits(22, 45), cutShort)).toEqual(already(limits(22, 45)))
  })
})

test('a patch has both numbers as text, or takes the throttle away', () => {
  expect(patchTo(limits(0.1, 200))).toEqual([
    { op: 'replace', path: '/throttle/rateLimit', value: '0.1' },
    { op: 'replace', path: '/throttle/burstLimit', value: '200' },
  ])
  expect(patchTo(null)).toEqual([{ op: 'remove', path: '/throttle' }])
})
