/** A fall: sustained, far beyond how far the tenant's own days go down, of one that still calls; and everything that is none. */
import { expect, test } from 'vitest'
import { fall } from './fall.ts'
import { HALF_PAST, judge, repeat } from './testing-view.ts'

const calls = (perSecond: number, seconds = 300) => repeat(seconds, { status2xx: perSecond })

test('a tenant of ten calls a second that makes one has fallen', () => {
  expect(judge(fall, { seconds: calls(1) })).toEqual({
    kind: 'fall',
    score: 540 / 360,
    comparisons: [300, 60].map(seconds => ({
      measure: `calls missing in ${seconds} s`,
      observed: seconds * 9,
      limit: seconds * 6,
      formula:
        'minutes × max(missingFloor, timesBand × (callsPerMinute - lowerPerMinute), leastShare × callsPerMinute)',
      parts: { minutes: seconds / 60, callsPerMinute: 600, lowerPerMinute: 500 },
    })),
    evidence: [
      { measure: 'calls/min in 5 min', observed: 60, usual: 600 },
      { measure: 'calls/min in the last minute', observed: 60, usual: 600 },
    ],
    since: HALF_PAST - 300_000,
  })
})

test('a quiet five minutes of a tenant whose days go as low are no fall', () => {
  const usual = { callsPerMinute: 600, lowerPerMinute: 100 }

  expect(judge(fall, { usual, seconds: calls(1) })?.score).toBe(540 / 1_500)
})

test('four of ten calls left are no fall of a steady tenant, three are', () => {
  expect(judge(fall, { seconds: calls(4) })?.score).toBe(1)
  expect(judge(fall, { seconds: calls(3) })?.score).toBeGreaterThan(1)
})

test('a fall that is over is none: the last minute is as usual', () => {
  expect(judge(fall, { seconds: [...calls(1, 240), ...calls(10, 60)] })?.score).toBe(0)
})

test('a lull of a minute is no fall yet', () => {
  expect(judge(fall, { seconds: [...calls(10, 240), ...calls(1, 60)] })?.score).toBeLessThan(1)
})

test('a tiny tenant may stop calling in peace', () => {
  const tiny = { callsPerMinute: 50, lowerPerMinute: 45 }

  expect(judge(fall, { usual: tiny, seconds: repeat(300, {}) })?.score).toBeLessThan(1)
})

test('a storm, a sale and an outage are no fall', () => {
  for (const seconds of [calls(5_000), calls(40), repeat(300, { status5xx: 10 })])
    expect(judge(fall, { seconds })?.score).toBe(0)
})

test('who comes back from a pause, or was not there five minutes ago, is not judged', () => {
  expect(judge(fall, { seconds: calls(1), steadySeconds: 299 })).toBeUndefined()
})

test('without history it says nothing, and neither while it has not seen a weekend', () => {
  expect(judge(fall, { usual: undefined, seconds: calls(1) })).toBeUndefined()
  expect(judge(fall, { usual: { days: 5 }, seconds: calls(1) })).toBeUndefined()
  expect(judge(fall, { usual: { days: 6 }, seconds: calls(1) })?.score).toBe(1.5)
})
