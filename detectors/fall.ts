/**
 * Does this key still call, and far less than it does? A client half of whose machines are gone, a shard that is not read,
 * a release that no longer asks for what it used to: nobody is harmed by it but the client, who wants to hear of it. One
 * who does not call at all is not judged here: a pause may be a gap in what was delivered.
 *
 *     missing = usual − calls                          in five minutes, and in the last of them: it goes on
 *     score   = missing ÷ max( missingFloor, timesBand × (usual − lower end of the band), leastShare × usual )
 *
 * - *Far*: measured by how far down its own days go, since a tenant whose days differ is not known to a half.
 * - *Of many calls*: a few that do not come are chance, and not worth a word.
 * - *All along*: without a pause of a minute for five minutes at least, so that neither a gap nor who comes back from one is a fall.
 * - *Of a whole week*: weekends are falls to who has not seen one. Two days of the seven that went as low are in the band.
 *
 * No early look can tell what is missing: it may be still to come. And it is asked once in five minutes, since it takes
 * five to say anything: `restsAbove`.
 */
import { type Comparison, defineDetector, type Usual, type WindowCounts } from './contract.ts'
import { leastOf, perMinute } from './statistics.ts'

/** For so long it must have called without a pause of a minute. */
const WINDOW_SECONDS = 300

export const fall = defineDetector({
  name: 'fall',
  kind: 'fall',
  sees: 'far fewer calls than usual of a key that still calls, for five minutes and in the last of them',
  early: false,
  restsWhenCalm: false,
  opens: true,
  thresholds: {
    timesBand: {
      default: 3,
      min: 1,
      max: 100,
      unit: '×',
      sentence: 'more calls missing than this multiple of what lies between the usual and the lower end of the band',
    },
    leastShare: {
      default: 0.6,
      min: 0.05,
      max: 0.99,
      unit: 'share',
      sentence: 'and more than this share of the usual calls',
    },
    missingFloor: {
      default: 60,
      min: 1,
      max: 1_000_000,
      unit: 'calls a minute',
      sentence: 'and more than this',
    },
    daysFloor: {
      default: 6,
      min: 1,
      max: 7,
      unit: 'days',
      sentence: 'of the last seven that must be known: weekends are falls to who has not seen one',
    },
  },
  silence: 'it has paused within five minutes, or too few days of this time are known',
  restsAbove: ({ leastShare }, score) => Math.max(0, 1 - score * leastShare),
  evaluate({ at, last60s, last5min, steadySeconds, usual }, values) {
    if (usual === undefined || usual.days < values.daysFloor || steadySeconds < WINDOW_SECONDS) return undefined

    const comparisons = [missing(last5min, usual, values), missing(last60s, usual, values)]
    return {
      kind: 'fall',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: 'calls/min in 5 min', observed: perMinute(last5min), usual: usual.callsPerMinute },
        { measure: 'calls/min in the last minute', observed: perMinute(last60s), usual: usual.callsPerMinute },
      ],
      since: at - WINDOW_SECONDS * 1_000,
    }
  },
})

type Limits = Readonly<Record<'timesBand' | 'leastShare' | 'missingFloor', number>>

function missing(window: WindowCounts, usual: Usual, { timesBand, leastShare, missingFloor }: Limits): Comparison {
  const { callsPerMinute, lowerPerMinute } = usual
  const minutes = window.seconds / 60
  return {
    measure: `calls missing in ${window.seconds} s`,
    observed: Math.max(0, minutes * callsPerMinute - window.calls),
    limit: minutes * Math.max(missingFloor, timesBand * (callsPerMinute - lowerPerMinute), leastShare * callsPerMinute),
    formula: 'minutes × max(missingFloor, timesBand × (callsPerMinute - lowerPerMinute), leastShare × callsPerMinute)',
    parts: { minutes, callsPerMinute, lowerPerMinute },
  }
}
