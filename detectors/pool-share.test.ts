/** What runs at once, of a pool of a hundred: who takes more than its part of it, and who does not. */
import { expect, test } from 'vitest'
import { poolShare } from './pool-share.ts'
import { HALF_PAST, judge, repeat } from './testing-view.ts'

const concurrency = 100
/** Ten calls a second, as usual, that run for so long each. */
const running = (eachMs: number) => repeat(10, { status2xx: 10, ranMs: 10 * eachMs })

test('a tenant whose calls run for six seconds each takes 60 of 100, which no count of calls shows', () => {
  expect(judge(poolShare, { concurrency, usual: { latencyMs: 200 }, seconds: running(6_000) })).toEqual({
    kind: 'pool-share',
    score: 2.4,
    comparisons: [
      {
        measure: 'concurrent executions',
        observed: 60,
        limit: 25,
        formula: 'max(partOfPool × concurrency, timesUsual × upperExecutions)',
        parts: { concurrency: 100, upperExecutions: expect.closeTo(7 / 3) },
      },
    ],
    evidence: [
      { measure: 'concurrent executions', observed: 60, usual: 2 },
      { measure: '% of the pool', observed: 60, usual: undefined },
    ],
    since: HALF_PAST - 10_000,
  })
})

test('a sale of four times the calls that run as long as ever takes too little to speak of', () => {
  const sale = repeat(10, { status2xx: 40, ranMs: 40 * 200 })

  expect(judge(poolShare, { concurrency, usual: { latencyMs: 200 }, seconds: sale })?.score).toBeCloseTo(8 / 25)
})

test('an outage that answers at once takes nothing, and what a limit refuses never ran', () => {
  expect(
    judge(poolShare, { concurrency, usual: { latencyMs: 200 }, seconds: repeat(10, { status5xx: 10, ranMs: 10 }) })
      ?.score,
  ).toBeLessThan(0.01)
  expect(
    judge(poolShare, { concurrency, usual: { latencyMs: 200 }, seconds: repeat(10, { status429: 5_000 }) })?.score,
  ).toBe(0)
})

test('who always fills half of the pool is not told of for it', () => {
  const large = { callsPerMinute: 600, upperPerMinute: 660, latencyMs: 5_000 }

  expect(judge(poolShare, { concurrency, usual: large, seconds: running(5_000) })?.score).toBeLessThan(0.4)
})

test('without history its part of the pool is all that counts; without a pool, or while a client’s latency is not known, it is silent', () => {
  const stranger = { usual: undefined, seconds: running(3_000) }

  expect(judge(poolShare, { concurrency, ...stranger })).toMatchObject({
    score: 30 / 25,
    evidence: [{ observed: 30, usual: undefined }, { observed: 30 }],
  })
  expect(judge(poolShare, stranger)).toBeUndefined()
  expect(judge(poolShare, { concurrency, seconds: running(3_000) })).toBeUndefined()
})
