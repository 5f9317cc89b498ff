/** Refusals beyond the usual ones: what calling into a limit is, and the sale, outage and brief burst that are none. */
import { expect, test } from 'vitest'
import { limitPressure } from './limit-pressure.ts'
import { HALF_PAST, judge, repeat } from './testing-view.ts'

test('a tenant of whose calls two in three are refused is told with what was refused and what went through', () => {
  expect(judge(limitPressure, { seconds: repeat(60, { status2xx: 14, status429: 28 }) })).toEqual({
    kind: 'limit-pressure',
    score: 12,
    comparisons: [
      {
        measure: '429s in 60 s',
        observed: 1_680,
        limit: 140,
        formula: 'max(refusedFloor, shareOfUsual × upperPerMinute, usualRefused + sigmas × spread)',
        parts: { upperPerMinute: 700, usualRefused: 0, spread: 0 },
      },
    ],
    evidence: [
      { measure: '429s in 60 s', observed: 1_680, usual: 0 },
      { measure: 'accepted calls in 60 s', observed: 840, usual: 600 },
    ],
    since: HALF_PAST - 60_000,
  })
})

test('a sale that nobody refuses is none, nor is an outage, nor a client that gets its own calls wrong', () => {
  for (const busy of [{ status2xx: 40 }, { status5xx: 10 }, { status4xx: 40 }])
    expect(judge(limitPressure, { seconds: repeat(60, busy) })?.score).toBe(0)
})

test('a burst that a limit cuts off once is none, of a tenant of any size', () => {
  expect(judge(limitPressure, { seconds: [{ status2xx: 200, status429: 100 }] })?.score).toBeLessThan(1)
  const tiny = { callsPerMinute: 1, upperPerMinute: 3 }
  expect(judge(limitPressure, { usual: tiny, seconds: [{ status2xx: 5, status429: 30 }] })?.score).toBe(1)
})

test('who is always refused a little is measured by that', () => {
  const atItsLimit = { refusedShare: 0.1, dispersion: 0.1 }

  expect(
    judge(limitPressure, { usual: atItsLimit, seconds: repeat(60, { status2xx: 9, status429: 3 }) })?.score,
  ).toBeLessThan(1)
  expect(
    judge(limitPressure, { usual: atItsLimit, seconds: repeat(60, { status2xx: 9, status429: 5 }) })?.score,
  ).toBeGreaterThan(1)
})

test('without history only very many refusals count, and the finding does not pretend to know the usual', () => {
  expect(judge(limitPressure, { usual: undefined, seconds: repeat(60, { status2xx: 1, status429: 5 }) })).toMatchObject(
    {
      score: 1,
      comparisons: [{ observed: 300, limit: 300, formula: 'refusedUnknown' }],
      evidence: [
        { measure: '429s in 60 s', observed: 300, usual: undefined },
        { measure: 'accepted calls in 60 s', observed: 60, usual: undefined },
      ],
    },
  )
})
