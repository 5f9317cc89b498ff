/** Who always calls and has stopped; and the night, the burst and the stranger of whom nobody can tell. */
import { expect, test } from 'vitest'
import { silence } from './silence.ts'
import { HALF_PAST, judge, repeat, type Second } from './testing-view.ts'

const after = (silentSeconds: number): readonly Second[] => [
  ...repeat(100, { status2xx: 10 }),
  ...repeat(silentSeconds, {}),
]

test('a tenant of ten calls a second that has been silent for two minutes is told with what is missing of it', () => {
  expect(judge(silence, { seconds: after(120) })).toMatchObject({
    kind: 'silence',
    score: 120 / 110,
    comparisons: [
      { measure: 'seconds of silence', observed: 120, limit: 110 },
      { measure: 'calls missing', observed: 1_000, limit: 60 },
      { measure: 'nats of evidence', observed: expect.closeTo(46.2, 1), limit: 40 },
    ],
    evidence: [
      { measure: 'seconds of silence', observed: 120, usual: undefined },
      { measure: 'calls missing', observed: 1_000, usual: 0 },
    ],
    since: HALF_PAST - 120_000,
  })
})

test('a minute is not long enough, however many calls it usually brings', () => {
  expect(judge(silence, { seconds: after(60) })?.score).toBeLessThan(1)
})

test('who calls a few times a minute, or in bursts, is silent by chance', () => {
  const few = { callsPerMinute: 10, lowerPerMinute: 5, upperPerMinute: 16 }
  expect(judge(silence, { usual: few, seconds: after(300) })?.score).toBeLessThan(1)
  expect(judge(silence, { usual: { dispersion: 1 }, seconds: after(300) })?.score).toBeLessThan(0.5)
  expect(judge(silence, { usual: { lowerPerMinute: 0 }, seconds: after(300) })?.score).toBe(0)
})

test('a sale or an outage is no silence: it calls', () => {
  for (const busy of [{ status2xx: 40 }, { status5xx: 10 }])
    expect(judge(silence, { seconds: repeat(60, busy) })?.score).toBe(0)
})

test('without a day behind it nobody can tell: neither a stranger nor who is known for an hour', () => {
  expect(judge(silence, { usual: undefined, seconds: after(300) })).toBeUndefined()
  expect(judge(silence, { usual: { days: 0 }, seconds: after(300) })).toBeUndefined()
})

test('who never pauses is missed after two minutes, who pauses for ten each day after a quarter of an hour', () => {
  const never = { longestPause: 20, slotLowerPerMinute: 60, dispersion: 1 }
  expect(judge(silence, { usual: never, seconds: after(115) })?.score).toBeGreaterThan(1)
  const daily = { longestPause: 600, slotLowerPerMinute: 60 }
  expect(judge(silence, { usual: daily, seconds: after(600) })?.score).toBeLessThan(1)
  expect(judge(silence, { usual: daily, seconds: after(910) })).toMatchObject({
    score: 910 / 900,
    evidence: [{ measure: 'seconds of silence', observed: 910, usual: 600 }, {}],
  })
})

test('the farther beyond its longest pause, the rarer it is by itself', () => {
  const usual = { longestPause: 60, slotLowerPerMinute: 60 }
  const timesAWeek = (seconds: number) => judge(silence, { usual, seconds: after(seconds) })?.timesAWeek
  expect(timesAWeek(50)).toBe(Number.POSITIVE_INFINITY)
  expect(timesAWeek(120)).toBeCloseTo(1 / 4)
  expect(timesAWeek(240)).toBeCloseTo(1 / 16)
})
