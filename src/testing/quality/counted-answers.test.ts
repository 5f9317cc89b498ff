import { expect, test } from 'vitest'
import { createRandom } from '../../simulation/random.ts'
import { answering, sharesOf } from './counted-answers.ts'

const shares = { status4xx: 0.02, status429: 0, status5xx: 0.005, latencyMs: 80 }

test('counted calls fail as often as the tenant’s calls do, whether they come one by one or by the thousand', () => {
  for (const calls of [1, 7, 1_000]) {
    const answer = answering(shares, createRandom(1, `${calls}`))
    const sum = { calls: 0, status2xx: 0, status4xx: 0, status429: 0, status5xx: 0 }
    while (sum.calls < 200_000) {
      const some = answer(calls)
      for (const name of ['calls', 'status2xx', 'status4xx', 'status429', 'status5xx'] as const) sum[name] += some[name]
    }
    expect(sum.status2xx + sum.status4xx + sum.status429 + sum.status5xx).toBe(sum.calls)
    expect(Math.abs(sum.status5xx / sum.calls - 0.005)).toBeLessThan(0.0007)
    expect(sum.status4xx / sum.calls).toBeCloseTo(0.02, 2)
    expect(sum.status429).toBe(0)
  }
})

test('who never called has no shares', () => {
  expect(sharesOf([])).toEqual({ status4xx: 0, status429: 0, status5xx: 0, latencyMs: 0 })
})

test('who always fails always fails', () => {
  const answer = answering({ ...shares, status5xx: 1 }, createRandom(1))
  expect(answer(5)).toMatchObject({ calls: 5, status5xx: 5, status2xx: 0 })
})
