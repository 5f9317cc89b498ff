/**
 * Has a key that always calls stopped? Its deployment failed, its network is gone, its credential was withdrawn: it does not
 * know, and nobody complains while nothing is answered wrongly.
 *
 *     missing = lower end of a usual minute × minutes of silence
 *     score   = min( seconds of silence ÷ silentFloor, missing ÷ missingFloor, nats ÷ natsThreshold )
 *
 * Chance brings no call at all where so many are usual with a probability of (1 + d × missing)^(-1/d), d being the dispersion of its
 * counts (the zero of a negative binomial); nats are minus its logarithm. So who calls ten times a second is missed after two minutes, and
 * who calls now and then or comes in bursts never. Real clients have holes of minutes all the same: of 20 ServeGen clients one was
 * told of in a day, where half as many nats told of two. A lack of calls can be told of closed panes only, and a gap in delivery is no silence:
 * the core does not ask then. It harms nobody but the client itself.
 */
import { defineDetector } from './contract.ts'
import { leastOf } from './statistics.ts'

export const silence = defineDetector({
  name: 'silence',
  kind: 'silence',
  sees: 'no call of a key that calls all the time, for longer than chance explains, while others call',
  early: false,
  restsWhenCalm: true,
  opens: true,
  thresholds: {
    silentFloor: {
      default: 110,
      min: 1,
      max: 300,
      unit: 's',
      sentence: 'silent for longer than this',
    },
    missingFloor: {
      default: 60,
      min: 1,
      max: 1_000_000,
      unit: 'calls',
      sentence: 'more calls than this are missing of those that even a slow minute brings',
    },
    natsThreshold: {
      default: 40,
      min: 3,
      max: 200,
      unit: 'nats',
      sentence: 'how sure: chance keeps it silent for so long with a probability of e^-this',
    },
  },
  restsBelow: () => ({}),
  silence: 'no day says what is usual of this key at this time',
  evaluate({ at, silentSeconds, usual }, { silentFloor, missingFloor, natsThreshold }) {
    if (usual === undefined || usual.days === 0) return undefined // an hour says nothing of whether it always calls
    const missing = (usual.lowerPerMinute * silentSeconds) / 60
    const dispersion = Math.max(usual.dispersion, LEAST_DISPERSION)
    const comparisons = [
      { measure: 'seconds of silence', observed: silentSeconds, limit: silentFloor, formula: 'silentFloor', parts: {} },
      { measure: 'calls missing', observed: missing, limit: missingFloor, formula: 'missingFloor', parts: {} },
      {
        measure: 'nats of evidence',
        observed: Math.log(1 + dispersion * missing) / dispersion,
        limit: natsThreshold,
        formula: 'natsThreshold',
        parts: {},
      },
    ]
    return {
      kind: 'silence',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: 'seconds of silence', observed: silentSeconds, usual: undefined },
        { measure: 'calls missing', observed: missing, usual: 0 },
      ],
      since: at - silentSeconds * 1_000,
    }
  },
})

/** Seconds are burstier than the minutes that dispersion was learned from. */
const LEAST_DISPERSION = 0.1
