/** Errors beyond the key's own share of them: what a loop is, and the sale, outage and careless client that are none. */
import { expect, test } from 'vitest'
import { errorLoop } from './error-loop.ts'
import { HALF_PAST, judge, repeat } from './testing-view.ts'

test('a tenant that makes as many calls again which cannot succeed is told with its errors and what they usually are', () => {
  expect(judge(errorLoop, { seconds: repeat(60, { status2xx: 10, status4xx: 10 }) })).toEqual({
    kind: 'error-loop',
    score: 2.5, // a fifth of 1,200 calls is further than 24 usual ones and six times their spread
    comparisons: [
      {
        measure: '4xx in 60 s',
        observed: 600,
        limit: 240,
        formula: 'max(errorFloor, shareOfCalls × calls, usualErrors + sigmas × spread)',
        parts: { calls: 1_200, usualErrors: 24, spread: expect.closeTo(9.03) },
      },
    ],
    evidence: [
      { measure: '4xx in 60 s', observed: 600, usual: 24 },
      { measure: '4xx in 100 calls', observed: 50, usual: 2 },
    ],
    since: HALF_PAST - 60_000,
  })
})

test('a sale is no error loop, however large: its errors are the usual share of its calls', () => {
  const sale = repeat(60, { status2xx: 2_450, status4xx: 50 })

  expect(judge(errorLoop, { seconds: sale })?.score).toBeLessThan(0.15)
})

test('an outage is no error loop, nor is a limit: only what the client itself gets wrong counts', () => {
  expect(judge(errorLoop, { seconds: repeat(60, { status5xx: 10 }) })?.score).toBe(0)
  expect(judge(errorLoop, { seconds: repeat(60, { status2xx: 10, status429: 500 }) })?.score).toBe(0)
})

test('who lives with errors is measured by them: a client that looks up what is often not there', () => {
  const careless = { clientErrorShare: 0.3, dispersion: 0.1 }

  expect(
    judge(errorLoop, { usual: careless, seconds: repeat(60, { status2xx: 5, status4xx: 5 }) })?.score,
  ).toBeLessThan(0.6)
  expect(judge(errorLoop, { usual: careless, seconds: repeat(60, { status4xx: 10 }) })?.score).toBeGreaterThan(1)
})

test('forty errors are not too many for a tiny tenant, forty-one are', () => {
  const tiny = { callsPerMinute: 1, upperPerMinute: 3, clientErrorShare: 0 }

  expect(judge(errorLoop, { usual: tiny, seconds: [{ status4xx: 40 }] })?.score).toBe(1)
  expect(judge(errorLoop, { usual: tiny, seconds: [{ status4xx: 41 }] })?.score).toBe(41 / 40)
})

test('a small tenant that does nothing but err is told within minutes, and no longer when it is over', () => {
  const small = { callsPerMinute: 20, upperPerMinute: 30, clientErrorShare: 0.02 }
  const erring = Array.from({ length: 180 }, (_, second) => (second % 3 === 0 ? { status4xx: 1 } : {}))

  expect(judge(errorLoop, { usual: small, seconds: erring })).toMatchObject({
    score: 60 / 40,
    comparisons: [
      { measure: '4xx in 5 min', observed: 60, limit: 40 },
      { measure: '4xx in 60 s', observed: 20, limit: 8 },
    ],
    evidence: [{ measure: '4xx in 5 min', observed: 60, usual: expect.closeTo(1.2) }, { observed: 100 }],
  })
  expect(judge(errorLoop, { usual: small, seconds: [...erring, ...repeat(60, { status2xx: 1 })] })?.score).toBe(0)
})

test('without history it is silent: errors may be all that the client ever makes', () => {
  expect(judge(errorLoop, { usual: undefined, seconds: repeat(60, { status4xx: 100 }) })).toBeUndefined()
})
