/**
 * Does this key go on making calls that can never succeed? A client with a wrong credential, a removed route or a body that
 * is not valid gets 4xx, tries again and gets 4xx again.
 *
 *     score = 4xx of the last 60 s ÷ max( errorFloor, shareOfCalls × calls, usual 4xx + sigmas × their spread )
 *
 * Usual are as many as the key's own share of 4xx makes of the calls that came, so a sale is no error loop, nor a client
 * that lives with one 404 in twenty calls. Their spread is that of the key's calls, and a tenth at least: six
 * of it lets a share of 2 % go to 20 % (by `shareOfCalls`), one of 10 % to 29 %, one of 30 % to 87 %.
 *
 * A share falls when good calls arrive later, so this detector waits for panes to close. It harms little: an
 * error is answered quickly. People are told, and nobody is throttled.
 */
import { defineDetector } from './contract.ts'
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
      unit: '4xx in 60 s',
      sentence: 'more errors than this, however few are usual',
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
  evaluate({ at, last10s, last60s, usual }, { errorFloor, shareOfCalls, sigmas }) {
    if (usual === undefined) return undefined // a stranger's errors may be all it ever makes
    const { calls, status4xx } = last60s
    const usualErrors = calls * usual.clientErrorShare
    const spread = spreadOf({ mean: usualErrors, dispersion: usual.dispersion })
    const comparisons = [
      {
        measure: '4xx in 60 s',
        observed: status4xx,
        limit: Math.max(errorFloor, shareOfCalls * calls, usualErrors + sigmas * spread),
        formula: 'max(errorFloor, shareOfCalls × calls, usualErrors + sigmas × spread)',
        parts: { calls, usualErrors, spread },
      },
    ]
    return {
      kind: 'error-loop',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: '4xx in 60 s', observed: status4xx, usual: usualErrors },
        {
          measure: '4xx in 100 calls',
          observed: (100 * status4xx) / Math.max(1, calls),
          usual: 100 * usual.clientErrorShare,
        },
      ],
      since: steadySince({ at, seconds: last60s.seconds, count: status4xx, inLast10s: last10s.status4xx }),
    }
  },
})
