/**
 * The original design's first rule, word for word: the calls of a five-minute slot exceed three times the mean of that
 * slot on the observed days of the last seven. Real tenants do so many times a day, so it corroborates and does not open.
 */
import { defineDetector } from './contract.ts'
import { periodStart, SLOT_MS, timesLimit } from './statistics.ts'

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
  evaluate({ at, slotSoFar, plain: { slotMeanCalls } }, { timesUsual }) {
    if (slotMeanCalls === undefined) return undefined // under one observed day: nothing to exceed

    return {
      kind: 'surge',
      score: timesLimit({ calls: slotSoFar.calls, limit: timesUsual * slotMeanCalls }),
      evidence: [{ measure: 'calls in 5-min slot', observed: slotSoFar.calls, usual: slotMeanCalls }],
      since: periodStart({ at, lengthMs: SLOT_MS }),
    }
  },
})
