import { expect, test } from 'vitest'
import { readPatch } from './patch.ts'

const plan = { plan: 'plan-a', present: null, suggested: { rateLimit: 5, burstLimit: 10 } }
const patch = (...plans: readonly object[]) => readPatch({ schema: 'weir.limits/1', plans })
const because = (...plans: readonly object[]) => {
  const read = patch(...plans)
  return read.kind === 'bad' ? read.because : undefined
}

test('a patch says of each plan what it has and what it is to have; all else is for people', () => {
  expect(patch({ ...plan, gateway: 'eu', name: 'Silver', reason: 'has no limit', keys: [{ key: 'key-a' }] })).toEqual({
    kind: 'good',
    plans: [{ planId: 'plan-a', gateway: 'eu', present: null, suggested: plan.suggested, reason: 'has no limit' }],
  })
})

test.each([
  [{ ...plan, suggested: { rateLimit: 0, burstLimit: 10 } }, /suggested\.rateLimit/],
  [{ ...plan, suggested: { rateLimit: 5, burstLimit: 1.5 } }, /suggested\.burstLimit/],
  [{ ...plan, suggested: undefined }, /suggested/],
  [{ ...plan, present: undefined }, /present/],
  [{ ...plan, sugested: {} }, /sugested/],
])('what a slip has left in it is refused: %j', (wrong, says) => {
  expect(because(wrong)).toMatch(says)
})

test('a plan twice, no plan at all, and another kind of file are refused', () => {
  expect(because(plan, plan)).toBe('plan plan-a is in it twice')
  expect(because()).toMatch(/plans/)
  expect(readPatch('limits').kind).toBe('bad')
  expect(readPatch({ schema: 'weir.limits/2', plans: [plan] }).kind).toBe('bad')
})
