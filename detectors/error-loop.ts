/**
 * Does this key go on making calls that can never succeed? A client with a wrong credential, a removed route or a body that
 * is not valid gets 4xx, tries again and gets 4xx again.
 *
 *     score = max over 60 s and 5 min of 4xx ÷ max( errorFloor, shareOfCalls × calls, usual 4xx + sigmas × their spread )
 *
 * The longer window is for small clients: who makes twenty calls a minute, all of which fail, never has forty in one. It wants a
 * fifth of the floor in the last minute too.
 *
 * Usual are as many as the key's own share of 4xx makes of the calls that came, so a sale is no error loop, nor a client
 * that lives with one 404 in twenty calls. Their spread is that of the key's calls, and a tenth at least: six
 * of it lets a share of 2 % go to 20 % (by `shareOfCalls`), one of 10 % to 29 %, one of 30 % to 87 %.
 *
 * A share falls when good calls arrive later, so this detector waits for panes to close. It harms little: an
 * error is answered quickly. People are told, and nobody is throttled.
 */
import { type Comparison, defineDetector, type Usual, type WindowCounts } from './contract.ts'
import { leastOf, spreadOf, steadySince } from './statistics.ts'

export const errorLoop = defineDetector({
  name: 'error-loop',
  kind: 'error-loop',
  sees: 'far more 4xx (but 429) than its share of 4xx makes of its calls: it goes on with what cannot succeed',
  early: false,
  restsWhenCalm: true,
  opens: true,
  needs: 'status',
  thresholds: {
    errorFloor: {
      default: 40,
      min: 1,
      max: 1_000_000,
      unit: '4xx',
      sentence: 'more errors than this in 60 s, or in 5 min, however few are usual',
    },
    shareOfCalls: {
      default: 0.2,
      min: 0,
      max: 1,
      unit: 'share',
      sentence: 'more errors than this share of the calls',
    },
    sigmas: {
      default: 6,
      min: 0,
      max: 100,
      unit: 'σ',
      sentence: 'more errors than the usual share plus so many standard deviations',
    },
  },
  restsBelow: ({ errorFloor, shareOfCalls }, score) => ({
    clientErrors: { count: score * errorFloor, share: score * shareOfCalls },
  }),
  silence: 'nothing usual is known of this key',
  evaluate({ at, last10s, last60s, last5min, usual }, limits) {
    if (usual === undefined) return undefined // a stranger's errors may be all it ever makes
    const minute = [comparisonOf(last60s, usual, limits)]
    // What is over by now is no loop any more, however much of it five minutes hold.
    const slot = [comparisonOf(last5min, usual, limits), stillErring(last60s, limits)]
    const isOfSlot = leastOf(slot) > leastOf(minute)
    const comparisons = isOfSlot ? slot : minute
    const { calls, seconds, status4xx } = isOfSlot ? last5min : last60s
    return {
      kind: 'error-loop',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: measureOf(seconds), observed: status4xx, usual: calls * usual.clientErrorShare },
        {
          measure: '4xx in 100 calls',
          observed: (100 * status4xx) / Math.max(1, calls),
          usual: 100 * usual.clientErrorShare,
        },
      ],
      since: steadySince({ at, seconds, count: status4xx, inLast10s: last10s.status4xx }),
    }
  },
})

const measureOf = (seconds: number): string => (seconds === 300 ? '4xx in 5 min' : '4xx in 60 s')

/** As many as the floor of five minutes makes of one. */
const stillErring = ({ status4xx }: WindowCounts, { errorFloor }: { readonly errorFloor: number }): Comparison => ({
  measure: measureOf(60),
  observed: status4xx,
  limit: 0.2 * errorFloor,
  formula: '0.2 × errorFloor',
  parts: {},
})

function comparisonOf(
  { calls, seconds, status4xx }: WindowCounts,
  { clientErrorShare, dispersion }: Usual,
  { errorFloor, shareOfCalls, sigmas }: Readonly<Record<'errorFloor' | 'shareOfCalls' | 'sigmas', number>>,
): Comparison {
  const usualErrors = calls * clientErrorShare
  const spread = spreadOf({ mean: usualErrors, dispersion })
  return {
    measure: measureOf(seconds),
    observed: status4xx,
    limit: Math.max(errorFloor, shareOfCalls * calls, usualErrors + sigmas * spread),
    formula: 'max(errorFloor, shareOfCalls × calls, usualErrors + sigmas × spread)',
    parts: { calls, usualErrors, spread },
  }
}
