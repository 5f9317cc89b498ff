import { describe, expect, test } from 'vitest'
import type { PlanLimits, RestoreEffect, ThrottleEffect } from '../../core/incident/effect.ts'
import type { LimitsOrNone, MethodLimits, PlanStory } from '../../core/incident/plan-story.ts'
import { decidePlan as decide, patchTo } from './own-plan-decision.ts'

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

/** Of a plan whose methods have no limits of their own: what it is to have. */
function decidePlan(effect: ThrottleEffect | RestoreEffect, limits: LimitsOrNone, told: PlanStory | undefined) {
  const decision = decide(effect, { limits, methods: [] }, told)
  return decision.kind === 'set' ? set(decision.change.after) : decision
}

const set = (after: LimitsOrNone) => ({ kind: 'set', after })
const already = (after?: PlanLimits) => ({ kind: 'answer', outcome: { kind: 'already', after } })
const changedMeanwhile = {
  kind: 'answer',
  outcome: { kind: 'refused', because: expect.stringContaining('set by somebody else meanwhile') },
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

describe('methods with limits of their own', () => {
  const method = (name: string, of: PlanLimits): MethodLimits => ({ apiStage: 'api:live', method: name, limits: of })
  const change = (name: string, before: PlanLimits, after: PlanLimits) => ({
    ...{ apiStage: 'api:live', method: name, before, after },
  })
  const all = limits(100, 200)
  const low = limits(5, 10)
  const [pets, orders, slow] = [limits(50, 80), limits(20, 5), limits(2, 2)]

  test('are lowered with the plan where they are above its new limits, number by number', () => {
    const methods = [method('/pets/GET', pets), method('/orders/POST', orders), method('/slow/GET', slow)]
    expect(decide(throttle(low), { limits: all, methods }, undefined)).toEqual({
      kind: 'set',
      change: {
        ...{ before: all, after: low },
        methods: [change('/pets/GET', pets, low), change('/orders/POST', orders, limits(5, 5))],
      },
    })
  })

  test('are lowered alone where the plan is low enough', () => {
    const current = { limits: low, methods: [method('/pets/GET', pets)] }
    expect(decide(throttle(low), current, undefined)).toMatchObject({
      change: { before: low, after: low, methods: [change('/pets/GET', pets, low)] },
    })
  })

  const told: PlanStory = {
    ...story(all, low),
    methods: [
      { apiStage: 'api:live', method: '/pets/GET', original: pets, lastSet: low, mayHave: [low] },
      {
        apiStage: 'api:live',
        method: '/orders/POST',
        original: orders,
        lastSet: limits(5, 5),
        mayHave: [limits(5, 5)],
      },
    ],
  }
  const lowered = [method('/pets/GET', low), method('/orders/POST', limits(5, 5))]

  test('come back with it, each by half in proportion and then to what it had', () => {
    const half = decide(restore('half'), { limits: low, methods: lowered }, told)
    expect(half).toMatchObject({
      change: {
        methods: [change('/pets/GET', low, limits(16, 28)), change('/orders/POST', limits(5, 5), limits(10, 5))],
      },
    })
    expect(decide(restore('full'), { limits: low, methods: lowered }, told)).toMatchObject({
      change: { after: all, methods: [change('/pets/GET', low, pets), change('/orders/POST', limits(5, 5), orders)] },
    })
  })

  test('that somebody else changed or took away stay so, and the others come back', () => {
    const pet = change('/pets/GET', low, pets)
    for (const others of [[method('/orders/POST', limits(7, 7))], []])
      expect(decide(restore('full'), { limits: low, methods: [method('/pets/GET', low), ...others] }, told)).toEqual({
        kind: 'set',
        change: { before: low, after: all, methods: [pet] },
        left: '/orders/POST of api:live: changed meanwhile by someone else; left as it is',
      })
  })

  test('come back also where the plan’s own limits are somebody else’s', () => {
    const now = limits(60, 70)
    expect(decide(restore('full'), { limits: now, methods: lowered }, told)).toMatchObject({
      change: { before: now, after: now, methods: [{ after: pets }, { after: orders }] },
      left: expect.stringContaining('set by somebody else meanwhile'),
    })
  })
})

describe('a patch', () => {
  const patch = (before: LimitsOrNone, after: LimitsOrNone) => patchTo({ before, after, methods: [] }, 'raw')

  test('has both numbers as text, or takes the throttle away', () => {
    expect(patch(null, limits(0.1, 200))).toEqual([
      { op: 'replace', path: '/throttle/rateLimit', value: '0.1' },
      { op: 'replace', path: '/throttle/burstLimit', value: '200' },
    ])
    expect(patch(limits(1, 1), null)).toEqual([{ op: 'remove', path: '/throttle' }])
  })

  test('has those of methods too, with their slashes as they are or escaped, and nothing of a plan that stays', () => {
    const place = { apiStage: 'a1:live', method: '/pets/{id}~x/GET' }
    const methods = [{ ...place, before: limits(9, 9), after: limits(1, 2) }]
    const paths = (form: 'raw' | 'escaped') =>
      patchTo({ before: limits(1, 2), after: limits(1, 2), methods }, form).map(({ path, value }) => [path, value])
    expect(paths('raw')).toEqual([
      ['/apiStages/a1:live/throttle//pets/{id}~x/GET/rateLimit', '1'],
      ['/apiStages/a1:live/throttle//pets/{id}~x/GET/burstLimit', '2'],
    ])
    expect(paths('escaped')[0]).toEqual(['/apiStages/a1:live/throttle/~1pets~1{id}~0x/GET/rateLimit', '1'])
  })
})
