/** Failures and demand together, neither alone: what a storm is, and the outage, sale and limit that are none. */
import { expect, test } from 'vitest'
import { retryStorm } from './retry-storm.ts'
import { HALF_PAST, judge, repeat } from './testing-view.ts'

test('a tenant that answers each failure with ten calls more is told with its failures, its demand and its retries', () => {
  expect(judge(retryStorm, { seconds: repeat(10, { status2xx: 80, status5xx: 10 }) })).toEqual({
    kind: 'retry-storm',
    score: 900 / 350, // demand is what is nearer its threshold: 3 × 700 a minute
    comparisons: [
      {
        measure: '5xx in 10 s',
        observed: 100,
        limit: 20,
        formula: 'max(failureFloor, timesUsualFailures × usualFailures)',
        parts: { usualFailures: 0.1 },
      },
      {
        measure: 'calls in 10 s',
        observed: 900,
        limit: 350,
        formula: 'timesUsual × upperCalls',
        parts: { upperCalls: expect.closeTo(350 / 3) },
      },
    ],
    evidence: [
      { measure: '5xx in 10 s', observed: 100, usual: 0.1 },
      { measure: 'calls/min, last 10 s', observed: 5_400, usual: 600 },
      { measure: 'extra calls per 5xx', observed: 8, usual: 0 },
    ],
    since: HALF_PAST - 10_000,
    timesAWeek: expect.closeTo(0.233, 3),
  })
})

test('a sale at many times the usual is a surge, though the usual few failures multiply with it', () => {
  const sale = repeat(10, { status2xx: 5_000, status5xx: 25 })

  expect(judge(retryStorm, { seconds: sale })).toMatchObject({ kind: 'surge' })
  expect(judge(retryStorm, { seconds: sale })?.score).toBeGreaterThan(1)
})

test('who fails now and then by itself is no retry storm for failing so when it surges, by chance a little more often', () => {
  const sale = {
    usual: { failureShare: 0.024, callsPerMinute: 0, upperPerMinute: 0 },
    seconds: [{ status2xx: 441, status5xx: 21 }],
  }

  expect(judge(retryStorm, sale)).toMatchObject({ kind: 'surge', score: 1.05 })
  expect(judge(retryStorm, { ...sale, seconds: [{ status2xx: 420, status5xx: 42 }] })).toMatchObject({
    kind: 'retry-storm',
  })
})

test('how often somebody fails who has hardly ever called is not taken to be never', () => {
  const seconds = [{ status2xx: 970, status5xx: 30 }]
  const never = { failureShare: 0, callsPerMinute: 0, upperPerMinute: 0 }

  expect(judge(retryStorm, { usual: { ...never, answered: 20 }, seconds })).toMatchObject({ kind: 'surge' })
  expect(judge(retryStorm, { usual: { ...never, answered: 20_000 }, seconds })).toMatchObject({ kind: 'retry-storm' })
})

test('an outage is no retry storm: everything fails, but nobody calls more often', () => {
  expect(judge(retryStorm, { seconds: repeat(10, { status5xx: 10 }) })?.score).toBeLessThan(1)
})

test('a sale is no retry storm: four times the calls with the usual failures', () => {
  const sale = [...repeat(9, { status2xx: 40 }), { status2xx: 39, status5xx: 1 }]

  expect(judge(retryStorm, { seconds: sale })?.score).toBe(1 / 20)
})

test('refusals by a limit are no failures: every victim of an account-wide limit gets 429s', () => {
  expect(judge(retryStorm, { seconds: repeat(10, { status2xx: 10, status429: 5_000 }) })?.score).toBe(0)
})

test('twenty failures in ten seconds are not too many for a tiny tenant, twenty-one are', () => {
  const tiny = { callsPerMinute: 1, upperPerMinute: 3 }

  expect(judge(retryStorm, { usual: tiny, seconds: [{ status5xx: 20 }] })?.score).toBe(1)
  expect(judge(retryStorm, { usual: tiny, seconds: [{ status5xx: 21 }] })?.score).toBe(1.05)
})

test('who usually fails a lot is measured by that: ten times the usual failures, not twenty', () => {
  const failing = { callsPerMinute: 600, upperPerMinute: 700, failureShare: 0.3 }

  expect(judge(retryStorm, { usual: failing, seconds: repeat(10, { status2xx: 30, status5xx: 15 }) })?.score).toBe(0.5)
})

test('without history only very many failures count, and the finding does not pretend to know the usual', () => {
  expect(judge(retryStorm, { usual: undefined, seconds: repeat(10, { status2xx: 5_000, status5xx: 30 }) })?.score).toBe(
    1,
  )
  expect(judge(retryStorm, { usual: undefined, seconds: repeat(10, { status5xx: 45 }) })).toEqual({
    kind: 'retry-storm',
    score: 1.5,
    comparisons: [{ measure: '5xx in 10 s', observed: 450, limit: 300, formula: 'failuresUnknown', parts: {} }],
    evidence: [
      { measure: '5xx in 10 s', observed: 450, usual: undefined },
      { measure: 'calls/min, last 10 s', observed: 2_700, usual: undefined },
    ],
    since: HALF_PAST - 10_000,
  })
})

test('under a plan too who fails far oftener than usual is a retry storm, and who fails as often as ever is none', () => {
  const planned = (status2xx: number, status5xx: number) =>
    judge(retryStorm, { seconds: repeat(10, { status2xx, status5xx }), plannedTimes: 50 })

  expect(planned(120, 180)).toMatchObject({ kind: 'retry-storm', score: 3_000 / 350 })
  expect(planned(4_990, 10)).toMatchObject({ kind: 'surge' })
})

test('a planned sale of thirty times the calls may bring thirty times the failures; beyond those it is a storm as ever', () => {
  const score = (status5xx: number, plannedTimes: number) =>
    judge(retryStorm, { seconds: repeat(10, { status2xx: 300, status5xx }), plannedTimes })?.score

  expect(score(3, 1)).toBe(30 / 20)
  expect(score(3, 30)).toBe(30 / (10 * 30 * 0.1))
  expect(score(30, 30)).toBeGreaterThan(1)
})
