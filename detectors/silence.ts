/**
 * Has a key that always calls stopped? Its deployment failed, its network is gone, its credential was withdrawn: it does not
 * know, and nobody complains while nothing is answered wrongly.
 *
 *     missing = calls of the lowest days at this time × minutes of silence
 *     score   = min( seconds of silence ÷ max( silentFloor, timesLongest × longest pause ), missing ÷ missingFloor,
 *                    nats ÷ natsThreshold )
 *
 * Real clients have holes of minutes, by chance and by habit, and each its own: so a silence is held against the longest pause that
 * the key has made by itself while it usually calls (src/core/state/own-silence.ts). Who never pauses is missed after two minutes,
 * who pauses for ten each day after a quarter of an hour.
 *
 * Chance brings no call at all where so many are usual with a probability of (1 + d × missing)^(-1/d), d being the dispersion of its
 * counts (the zero of a negative binomial); nats are minus its logarithm. Where the pauses of a key are not known yet
 * that alone has to do: `natsUnknown`, of the calls that even a slow minute brings. So who calls now and then or comes in bursts is never missed.
 *
 * A lack of calls can be told of closed panes only, and a gap in delivery is no silence: the core does not ask then. It harms nobody but
 * the client itself.
 */
import { type Comparison, defineDetector, type Usual } from './contract.ts'
import { leastOf } from './statistics.ts'

export const silence = defineDetector({
  name: 'silence',
  kind: 'silence',
  sees: 'no call of a key that calls all the time, for longer than it ever pauses, while others call',
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
    timesLongest: {
      default: 1.5,
      min: 1,
      max: 3,
      unit: '×',
      sentence: 'and for longer than this multiple of its longest pause of the last weeks',
    },
    missingFloor: {
      default: 60,
      min: 1,
      max: 1_000_000,
      unit: 'calls',
      sentence: 'more calls than this are missing of those that even its lowest days bring at this time',
    },
    natsUnknown: {
      default: 40,
      min: 3,
      max: 200,
      unit: 'nats',
      sentence:
        'where its longest pause is not known, how sure: chance keeps it silent for so long with a probability of e^-this',
    },
  },
  restsBelow: () => ({}),
  silence:
    'no day says what is usual of this key at this time, or it stopped calling longer ago than its calls are kept',
  evaluate({ at, silentSeconds, usual }, values) {
    if (usual === undefined || usual.days === 0 || silentSeconds === undefined) return undefined // an hour says nothing of whether it always calls
    const perMinute = usual.longestPause === undefined ? usual.lowerPerMinute : usual.slotLowerPerMinute
    const missing = (perMinute * silentSeconds) / 60
    const comparisons = [
      lasting(silentSeconds, usual, values),
      { measure: 'calls missing', observed: missing, limit: values.missingFloor, formula: 'missingFloor', parts: {} },
      ...(usual.longestPause === undefined ? [chance(missing, usual, values)] : []),
    ]
    const longest = usual.longestPause === undefined ? undefined : Math.max(LEAST_PAUSE, usual.longestPause)
    return {
      kind: 'silence',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: 'seconds of silence', observed: silentSeconds, usual: longest },
        { measure: 'calls missing', observed: missing, usual: 0 },
      ],
      since: at - silentSeconds * 1_000,
      timesAWeek: timesAWeek(silentSeconds, longest),
    }
  },
})

type Limits = Readonly<Record<'silentFloor' | 'timesLongest' | 'natsUnknown', number>>

function lasting(silentSeconds: number, { longestPause }: Usual, { silentFloor, timesLongest }: Limits): Comparison {
  const counted = { measure: 'seconds of silence', observed: silentSeconds }
  if (longestPause === undefined) return { ...counted, limit: silentFloor, formula: 'silentFloor', parts: {} }
  return {
    ...counted,
    limit: Math.max(silentFloor, timesLongest * longestPause),
    formula: 'max(silentFloor, timesLongest × longestPause)',
    parts: { longestPause },
  }
}

/** Seconds are burstier than the minutes that dispersion was learned from. */
const LEAST_DISPERSION = 0.1

function chance(missing: number, usual: Usual, { natsUnknown }: Limits): Comparison {
  const dispersion = Math.max(usual.dispersion, LEAST_DISPERSION)
  return {
    measure: 'nats of evidence',
    observed: Math.log(1 + dispersion * missing) / dispersion,
    limit: natsUnknown,
    formula: 'natsUnknown',
    parts: {},
  }
}

/** Pauses that were too short to be noted, seconds. */
const LEAST_PAUSE = 15

/**
 * How often a week a key would pause for so long by itself: r times its longest pause 1 / r² times a week. Undefined where that is
 * not known.
 */
function timesAWeek(silentSeconds: number, longest: number | undefined): number | undefined {
  if (longest === undefined) return undefined
  return silentSeconds <= longest ? Number.POSITIVE_INFINITY : (longest / silentSeconds) ** 2
}
