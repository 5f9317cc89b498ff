import { describe, expect, test } from 'vitest'
import type { LimitsOrNone } from '../incident/plan-story.ts'
import { type SeenPlan, sizePlans, totalsOf } from './plan-sizing.ts'
import type { Sizing, Suggestion } from './sizing.ts'

const limits = (rateLimit: number, burstLimit = 2 * rateLimit) => ({ rateLimit, burstLimit })
const sizing = (keyId: string, wanted: number | Suggestion): Sizing => ({
  ...{ keyId, basis: 'calls', calls: 1, knownDays: 7, upperPerMinute: undefined, latencyMs: undefined },
  busiest: { second: undefined, tenSeconds: undefined, minute: undefined },
  suggestion: typeof wanted === 'number' ? { kind: 'limits', limits: limits(wanted), refused: 0, leftOut: [] } : wanted,
})
const plan = (planId: string, present: LimitsOrNone | undefined, ...keyIds: string[]): SeenPlan => ({
  ...{ planId, present, keyIds, name: undefined, stages: ['api/prod'], isLowered: false },
})

function sizedPlans(
  plans: readonly SeenPlan[],
  sizings: readonly Sizing[],
  refused: Readonly<Record<string, number>> = {},
) {
  const known = { sizings: new Map(sizings.map(one => [one.keyId, one])), headroom: 1.5 }
  return sizePlans(plans, known, ({ keyId, basis }) => (basis === 'state' ? undefined : (refused[keyId] ?? 0)))
}
const verdict = (present: LimitsOrNone | undefined, wanted: readonly number[], refused = {}) => {
  const keyIds = wanted.map((_, index) => `key-${index}`)
  const sizings = wanted.map((rate, index) => sizing(`key-${index}`, rate))
  return sizedPlans([plan('plan-a', present, ...keyIds)], sizings, refused)[0]?.verdict
}

describe('a plan', () => {
  test('gets what the neediest of its keys needs', () => {
    expect(verdict(null, [3, 80, 12])).toEqual({ kind: 'no-limit', suggested: limits(80), times: undefined })
  })

  test('is too wide at many times what is suggested, and fits near it', () => {
    expect(verdict(limits(1_000), [25])).toEqual({ kind: 'too-wide', suggested: limits(25), times: 40 })
    expect(verdict(limits(40), [25])?.kind).toBe('fits')
    // Below what has room in it, and none of its calls were refused.
    expect(verdict(limits(20), [25])?.kind).toBe('fits')
  })

  test('is too tight where it refuses what its clients usually call', () => {
    expect(verdict(limits(20), [25], { 'key-0': 3 })).toEqual({ kind: 'too-tight', suggested: limits(25), times: 0.8 })
  })

  test('is too tight by a state where it lacks more than the headroom', () => {
    const known = { ...sizing('key-a', 30), basis: 'state' as const }
    const kindAt = (rate: number) => sizedPlans([plan('plan-a', limits(rate), 'key-a')], [known])[0]?.verdict.kind
    expect([kindAt(20), kindAt(19)]).toEqual(['fits', 'too-tight'])
  })

  test('of which nobody could say what it has gets a suggestion all the same', () => {
    expect(verdict(undefined, [25])?.kind).toBe('unknown')
  })

  test('gets none while a key of it is not known yet, and a key that never called stands in no way', () => {
    const young = sizing('young', { kind: 'none', because: 'too-young' })
    const [first] = sizedPlans([plan('plan-a', null, 'old', 'young')], [sizing('old', 5), young])
    expect(first?.verdict).toEqual({ kind: 'none', because: 'some-too-young', keyIds: ['young'] })
    const [second] = sizedPlans([plan('plan-a', null, 'old', 'idle')], [sizing('old', 5)])
    expect(second).toMatchObject({ verdict: { kind: 'no-limit' }, silent: ['idle'] })
    expect(sizedPlans([plan('plan-a', null, 'idle')], [])[0]?.verdict).toMatchObject({ because: 'nobody-known' })
  })

  test('says who would be better off in another one, or in one of its own', () => {
    const plans = [
      plan('shared', null, 'big', 'small'),
      plan('tight', null, 'other'),
      { ...plan('elsewhere', null, 'third'), stages: ['api/test'] },
    ]
    const sizings = [sizing('big', 100), sizing('small', 5), sizing('other', 8), sizing('third', 5)]
    const betterIn = (all: readonly SeenPlan[]) => sizedPlans(all, sizings)[0]?.keys.map(key => key.betterIn)
    expect(betterIn(plans)).toEqual([undefined, { kind: 'plan', planId: 'tight' }])
    expect(betterIn([plans[0]!, plans[2]!])).toEqual([undefined, { kind: 'own-plan' }])
  })
})

test('so many of the largest clients at their limits at once exhaust the account, or the pool', () => {
  const client = (rateLimit: number, latencyMs?: number) => ({ rateLimit, latencyMs })
  const all = [client(1_000, 2_000), client(4_000, 50), client(5_500, 100), client(600)]
  expect(totalsOf(all, 1_000)).toEqual({
    ...{ clients: 4, ratePerSecond: 11_100, account: { of: 10_000, clients: 3 } },
    // 2,000 executions at once.
    pool: { of: 1_000, clients: 1 },
  })
  expect(totalsOf(all.slice(0, 1), 5_000)).toMatchObject({
    account: { clients: undefined },
    pool: { clients: undefined },
  })
  expect(totalsOf([client(600)], 1_000).pool).toBeUndefined()
})
