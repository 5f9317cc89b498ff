/**
 * Does this key keep calling into its own limit? The gateway refuses it (429), and it calls on at the same pace.
 *
 *     score = 429s of the last 60 s ÷ max( refusedFloor, shareOfUsual × upper end of a usual minute,
 *                                          usual 429s + sigmas × their spread )
 *
 * What is refused never ran, so it harms nobody but the client itself, whose limit does its work: people are told, and
 * nobody is throttled. Only counts are compared, so early looks may be judged; and since the gateway may leave out
 * log lines of excessive 429s, what was counted is a lower bound, which misses some and invents none.
 *
 * Usual are as many as the key's share of 429s makes of a busy minute of its own. Where many clients are refused at once it
 * is the account's limit and not theirs: that is not for one key to see, and told as the platform's (src/core/incident/fleet.ts).
 * Without history only very many count.
 */
import { type Comparison, defineDetector, type Usual } from './contract.ts'
import { leastOf, spreadOf, steadySince } from './statistics.ts'

export const limitPressure = defineDetector({
  name: 'limit-pressure',
  kind: 'limit-pressure',
  sees: 'calls that its own limit refuses (429), far more than usual: it does not slow down',
  early: true,
  restsWhenCalm: true,
  opens: true,
  needs: 'status',
  thresholds: {
    refusedFloor: {
      default: 30,
      min: 1,
      max: 1_000_000,
      unit: '429 in 60 s',
      sentence: 'more refusals than this, however few are usual',
    },
    shareOfUsual: {
      default: 0.2,
      min: 0,
      max: 100,
      unit: '×',
      sentence: 'more refusals than this multiple of the upper end of a usual minute’s calls',
    },
    sigmas: {
      default: 6,
      min: 0,
      max: 100,
      unit: 'σ',
      sentence: 'more refusals than the usual ones plus so many standard deviations',
    },
    refusedUnknown: {
      default: 300,
      min: 1,
      max: 1_000_000,
      unit: '429 in 60 s',
      sentence: 'more refusals than this where no history says what is usual',
    },
  },
  restsBelow: ({ refusedFloor, refusedUnknown }, score) => ({
    refused: score * Math.min(refusedFloor, refusedUnknown),
  }),
  evaluate({ at, last10s, last60s, usual }, values) {
    const { calls, status429 } = last60s
    const comparisons = [comparisonOf(status429, usual, values)]
    return {
      kind: 'limit-pressure',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: '429s in 60 s', observed: status429, usual: usual && usual.callsPerMinute * usual.refusedShare },
        {
          measure: 'accepted calls in 60 s',
          observed: calls - status429,
          usual: usual && usual.callsPerMinute * (1 - usual.refusedShare),
        },
      ],
      since: steadySince({ at, seconds: last60s.seconds, count: status429, inLast10s: last10s.status429 }),
    }
  },
})

type Limits = Readonly<Record<'refusedFloor' | 'shareOfUsual' | 'sigmas' | 'refusedUnknown', number>>

function comparisonOf(
  status429: number,
  usual: Usual | undefined,
  { refusedFloor, shareOfUsual, sigmas, refusedUnknown }: Limits,
): Comparison {
  const counted = { measure: '429s in 60 s', observed: status429 }
  if (usual === undefined) return { ...counted, limit: refusedUnknown, formula: 'refusedUnknown', parts: {} }
  const { upperPerMinute, refusedShare, dispersion } = usual
  const usualRefused = upperPerMinute * refusedShare
  const spread = spreadOf({ mean: usualRefused, dispersion })
  return {
    ...counted,
    limit: Math.max(refusedFloor, shareOfUsual * upperPerMinute, usualRefused + sigmas * spread),
    formula: 'max(refusedFloor, shareOfUsual × upperPerMinute, usualRefused + sigmas × spread)',
    parts: { upperPerMinute, usualRefused, spread },
  }
}
