/** The original first rule: exact at its threshold, on the clock’s five minutes, down to an observed zero. */
import { expect, test } from 'vitest'
import { slotMeanMultiple } from './slot-mean-multiple.ts'
import { judge, repeat, viewOf } from './testing-view.ts'

test('three times the slot’s mean is not exceeded by as many calls, and is by one more', () => {
  const calm = { plain: { slotMeanCalls: 1_000 }, seconds: repeat(100, { status2xx: 30 }) }

  expect(judge(slotMeanMultiple, calm)).toEqual({
    kind: 'surge',
    score: 1,
    comparisons: [
      {
        measure: 'calls in this five-minute slot so far',
        observed: 3_000,
        limit: 3_000,
        formula: 'timesUsual × slotMeanCalls',
        parts: { slotMeanCalls: 1_000 },
      },
    ],
    evidence: [{ measure: 'calls in 5-min slot', observed: 3_000, usual: 1_000 }],
    since: Date.parse('2026-11-20T10:05:00Z'),
  })
  expect(judge(slotMeanMultiple, { ...calm, seconds: [...calm.seconds, { status429: 1 }] })?.score).toBe(3_001 / 3_000)
})

test('what came before the slot began does not count in it', () => {
  const at = Date.parse('2026-11-20T10:05:10Z')
  const seconds = [...repeat(200, { status2xx: 1_000 }), ...repeat(10, { status2xx: 3 })]

  expect(judge(slotMeanMultiple, { at, seconds })?.evidence[0]?.observed).toBe(30)
})

test('a slot that was empty all week is exceeded by its first call, and not by silence', () => {
  const plain = { slotMeanCalls: 0 }

  expect(judge(slotMeanMultiple, { plain, seconds: [{ status2xx: 1 }] })?.score).toBe(2)
  expect(judge(slotMeanMultiple, { plain })?.score).toBe(0)
})

test('under one observed day it is silent, whatever comes', () => {
  const storm = repeat(60, { status2xx: 10_000 })

  expect(judge(slotMeanMultiple, { plain: { slotMeanCalls: undefined }, seconds: storm })).toBeUndefined()
})

test('a user who sets another multiple gets it', () => {
  const view = viewOf({ plain: { slotMeanCalls: 10 }, seconds: [{ status2xx: 40 }] })

  expect(slotMeanMultiple.evaluate(view, { timesUsual: 8 })?.score).toBe(0.5)
})
