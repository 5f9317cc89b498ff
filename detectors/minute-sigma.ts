/**
 * The original design's second rule, word for word: the calls of a minute exceed the mean of that slot's minutes by two
 * standard deviations. Were counts Gaussian it would fire in one minute of 44, and they are burstier: it corroborates only.
 */
import { defineDetector } from './contract.ts'
import { leastOf, MINUTE_MS, periodStart } from './statistics.ts'

export const minuteSigma = defineDetector({
  name: 'minute-sigma',
  kind: 'surge',
  sees: 'more calls in a minute than the mean of this slot’s minutes in the last 7 days plus some standard deviations',
  early: true,
  restsWhenCalm: false,
  opens: false,
  thresholds: {
    sigmas: {
      default: 2,
      min: 0,
      max: 100,
      unit: 'σ',
      sentence: 'exceeded above the mean plus so many standard deviations',
    },
  },
  silence: 'nothing is known of this slot’s minutes: it takes a day, and this slot on one',
  evaluate({ at, minuteSoFar, plain: { slotMinuteMean, slotMinuteStdDev } }, { sigmas }) {
    if (slotMinuteMean === undefined || slotMinuteStdDev === undefined) return undefined // under one observed day

    const comparisons = [
      {
        measure: 'calls in this minute so far',
        observed: minuteSoFar.calls,
        limit: slotMinuteMean + sigmas * slotMinuteStdDev,
        formula: 'slotMinuteMean + sigmas × slotMinuteStdDev',
        parts: { slotMinuteMean, slotMinuteStdDev },
      },
    ]
    return {
      kind: 'surge',
      score: leastOf(comparisons),
      comparisons,
      evidence: [{ measure: 'calls this minute so far', observed: minuteSoFar.calls, usual: slotMinuteMean }],
      since: periodStart({ at, lengthMs: MINUTE_MS }),
    }
  },
})
