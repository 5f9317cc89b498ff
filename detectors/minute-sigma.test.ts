/** The original second rule: exact at its threshold, on the clock’s minutes, upper side only. */
import { expect, test } from 'vitest'
import { minuteSigma } from './minute-sigma.ts'
import { judge, repeat } from './testing-view.ts'

test('mean plus two standard deviations is not exceeded by as many calls, and is by one more', () => {
  const plain = { slotMinuteMean: 100, slotMinuteStdDev: 25 }
  const seconds = repeat(30, { status2xx: 5 })

  expect(judge(minuteSigma, { plain, seconds })).toEqual({
    kind: 'surge',
    score: 1,
    comparisons: [
      {
        measure: 'calls in this minute so far',
        observed: 150,
        limit: 150,
        formula: 'slotMinuteMean + sigmas × slotMinuteStdDev',
        parts: { slotMinuteMean: 100, slotMinuteStdDev: 25 },
      },
    ],
    evidence: [{ measure: 'calls this minute so far', observed: 150, usual: 100 }],
    since: Date.parse('2026-11-20T10:07:00Z'),
  })
  expect(judge(minuteSigma, { plain, seconds: [...repeat(29, { status2xx: 5 }), { status2xx: 6 }] })?.score).toBe(
    151 / 150,
  )
})

test('only the upper side counts: a minute far below the mean is far below the threshold', () => {
  expect(judge(minuteSigma, { plain: { slotMinuteMean: 100, slotMinuteStdDev: 1 } })?.score).toBe(0)
})

test('minutes that never differed leave no room: one call more than always exceeds', () => {
  const plain = { slotMinuteMean: 1, slotMinuteStdDev: 0 }

  expect(judge(minuteSigma, { plain, seconds: [{ status2xx: 1 }] })?.score).toBe(1)
  expect(judge(minuteSigma, { plain, seconds: [{ status2xx: 2 }] })?.score).toBe(2)
})

test('the minute is the clock’s: at its stroke the one that ended, a second later the new one', () => {
  const seconds = repeat(60, { status2xx: 10 })
  const observedAt = (time: string) =>
    judge(minuteSigma, { at: Date.parse(`2026-11-20T${time}Z`), seconds })?.evidence[0]?.observed

  expect([observedAt('10:08:00'), observedAt('10:08:01')]).toEqual([600, 10])
})

test('under one observed day it is silent, whatever comes', () => {
  const seconds = repeat(60, { status2xx: 10_000 })

  expect(judge(minuteSigma, { plain: { slotMinuteMean: undefined }, seconds })).toBeUndefined()
  expect(judge(minuteSigma, { plain: { slotMinuteStdDev: undefined }, seconds })).toBeUndefined()
})
