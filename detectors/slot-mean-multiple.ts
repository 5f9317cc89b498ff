/**
 * The original design's first rule, word for word: the calls of a five-minute slot exceed three times the mean of that
 * slot on the observed days of the last seven. Real tenants do so many times a day, so it corroborates and does not open.
 */
import { defineDetector } from './contract.ts'
import { leastOf, periodStart, SLOT_MS } from './statistics.ts'

export const slotMeanMultiple = defineDetector({
  name: 'slot-mean-multiple',
  kind: 'surge',
  sees: 'more calls in a five-minute slot than a multiple of what the slot had on average in the last 7 days',
  early: true,
  restsWhenCalm: false,
  opens: false,
  thresholds: {
    timesUsual: {
      default: 3,
      min: 1,
      max: 1_000,
      unit: '×',
      sentence: 'exceeded above this multiple of the slot’s mean',
    },
  },
  silence: 'no mean of this slot is known: it takes a day, and this slot on one',
  evaluate({ at, slotSoFar, plain: { slotMeanCalls } }, { timesUsual }) {
    if (slotMeanCalls === undefined) return undefined // under one observed day: nothing to exceed

    const comparisons = [
      {
        measure: 'calls in this five-minute slot so far',
        observed: slotSoFar.calls,
        limit: timesUsual * slotMeanCalls,
        formula: 'timesUsual × slotMeanCalls',
        parts: { slotMeanCalls },
      },
    ]
    return {
      kind: 'surge',
      score: leastOf(comparisons),
      comparisons,
      evidence: [{ measure: 'calls in 5-min slot', observed: slotSoFar.calls, usual: slotMeanCalls }],
      since: periodStart({ at, lengthMs: SLOT_MS }),
    }
  },
})
