/**
 * The original design's third rule, word for word: the calls of a minute exceed five times the mean calls a minute over
 * all observed time of the last seven days. It knows no time of day, so a tenant with office hours exceeds it each
 * morning: it corroborates and does not open.
 */
import { defineDetector } from './contract.ts'
import { leastOf, MINUTE_MS, periodStart } from './statistics.ts'

export const weekMeanMultiple = defineDetector({
  name: 'week-mean-multiple',
  kind: 'surge',
  sees: 'more calls in a minute than a multiple of the mean minute of the last 7 days',
  early: true,
  restsWhenCalm: false,
  opens: false,
  thresholds: {
    timesUsual: {
      default: 5,
      min: 1,
      max: 1_000,
      unit: '×',
      sentence: 'exceeded above this multiple of the mean minute',
    },
  },
  silence: 'no mean is known: it takes a day',
  evaluate({ at, minuteSoFar, plain: { weekMinuteMean } }, { timesUsual }) {
    if (weekMinuteMean === undefined) return undefined // under one observed day: nothing to exceed

    const comparisons = [
      {
        measure: 'calls in this minute so far',
        observed: minuteSoFar.calls,
        limit: timesUsual * weekMinuteMean,
        formula: 'timesUsual × weekMinuteMean',
        parts: { weekMinuteMean },
      },
    ]
    return {
      kind: 'surge',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        {
          measure: 'calls this minute so far, against the week’s mean',
          observed: minuteSoFar.calls,
          usual: weekMinuteMean,
        },
      ],
      since: periodStart({ at, lengthMs: MINUTE_MS }),
    }
  },
})
