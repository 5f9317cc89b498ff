import { describe, expect, test } from 'vitest'
import { appliedLimits, begunWith, decideLimits, type LimitsEntry } from './applied.ts'

const limits = (rateLimit: number) => ({ rateLimit, burstLimit: 2 * rateLimit })
const begun: LimitsEntry = { kind: 'apply', id: 'apply-1', at: 1, by: 'alex', file: 'limits.yaml', digest: 'd1' }
const about = { id: 'apply-1', at: 2, planId: 'plan-a' }
const changing: LimitsEntry = { kind: 'changing', ...about, isUndo: false, before: null, after: limits(5) }
const changed: LimitsEntry = { kind: 'changed', ...about, isUndo: false }
const undoing: LimitsEntry = { kind: 'changing', ...about, isUndo: true, before: limits(5), after: null }
const undone: LimitsEntry = { kind: 'changed', ...about, isUndo: true }

const planOf = (...entries: readonly LimitsEntry[]) => appliedLimits([begun, ...entries])[0]?.plans.get('plan-a')

test('a plan keeps what it had before through all that is done to it', () => {
  const states = [
    [changing],
    [changing, changed],
    [changing, changed, undoing],
    [changing, changed, undoing, undone],
  ].map(entries => planOf(...entries))
  expect(states.map(plan => plan?.state)).toEqual(['changing', 'set', 'undoing', 'undone'])
  for (const plan of states) expect(plan).toMatchObject({ before: null, after: limits(5) })
  expect(planOf(changing, { kind: 'left', ...about, because: 'gone' })?.state).toBe('left')
})

test('plans of one id at two gateways are two', () => {
  const applied = appliedLimits([begun, changing, { ...changing, gateway: 'eu' }])
  expect([...(applied[0]?.plans.keys() ?? [])]).toEqual(['plan-a', 'eu/plan-a'])
})

test('what had its limits already, and what nobody has begun, is nobody’s to undo', () => {
  expect(planOf(changed)).toBeUndefined()
  expect(appliedLimits([changing, changed])).toEqual([])
})

test('the same patch goes on with what it has begun, and begins anew once that is undone', () => {
  expect(begunWith(appliedLimits([begun, changing]), 'd1')?.id).toBe('apply-1')
  expect(begunWith(appliedLimits([begun, changing]), 'd2')).toBeUndefined()
  expect(begunWith(appliedLimits([begun, changing, changed, undoing]), 'd1')).toBeUndefined()
})

describe('a plan', () => {
  const change = { before: null, after: limits(5) }
  test('that has what the file says it had is set', () => {
    expect(decideLimits(change, null)).toEqual({ kind: 'set', after: limits(5) })
  })
  test('that has what is wanted needs nothing', () => {
    expect(decideLimits(change, limits(5))).toEqual({ kind: 'already' })
  })
  test('that somebody has changed meanwhile is left to them', () => {
    expect(decideLimits(change, limits(6))).toEqual({ kind: 'left', because: 'changed-meanwhile' })
    expect(decideLimits(change, { ...limits(5), burstLimit: 11 })).toEqual({
      kind: 'left',
      because: 'changed-meanwhile',
    })
  })
})
