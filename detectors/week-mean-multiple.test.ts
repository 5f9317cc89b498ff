/** The original third rule: exact at its threshold, blind to the time of day. */
import { expect, test } from 'vitest'
import { judge, repeat } from './testing-view.ts'
import { weekMeanMultiple } from './week-mean-multiple.ts'

test('five times the week’s mean minute is not exceeded by as many calls, and is by one more', () => {
  const plain = { weekMinuteMean: 30 }
  const seconds = repeat(30, { status2xx: 5 })

  expect(judge(weekMeanMultiple, { plain, seconds })).toEqual({
    kind: 'surge',
    score: 1,
    comparisons: [
      {
        measure: 'calls in this minute so far',
        observed: 150,
        limit: 150,
        formula: 'timesUsual × weekMinuteMean',
        parts: { weekMinuteMean: 30 },
      },
    ],
    evidence: [{ measure: 'calls this minute so far, against the week’s mean', observed: 150, usual: 30 }],
    since: Date.parse('2026-11-20T10:07:00Z'),
  })
  expect(judge(weekMeanMultiple, { plain, seconds: [...seconds, { status5xx: 6 }] })?.score).toBe(151 / 150)
})

test('it knows no time of day: a slot that is always busy exceeds it all the same', () => {
  const seconds = repeat(30, { status2xx: 100 })

  expect(judge(weekMeanMultiple, { plain: { weekMinuteMean: 400, slotMinuteMean: 6_000 }, seconds })?.score).toBe(1.5)
})

test('the first call after a week of silence exceeds it', () => {
  expect(judge(weekMeanMultiple, { plain: { weekMinuteMean: 0 }, seconds: [{ status2xx: 1 }] })?.score).toBe(2)
})

test('under one observed day it is silent, whatever comes', () => {
  const seconds = repeat(60, { status2xx: 10_000 })

  expect(judge(weekMeanMultiple, { plain: { weekMinuteMean: undefined }, seconds })).toBeUndefined()
})
