/**
 * Does this key call more often than it does, in a way that is sure, that is many calls, and that is more than it does by itself?
 *
 *     score = min( max over the bank of min( nats ÷ natsThreshold, calls beyond usual ÷ excessFloor ),
 *                  max over 10 s, 60 s and 5 min of calls ÷ max( excessFloor, limit of the window ) )
 *
 *     limit = min( timesBusiest × the busiest such window of the last weeks + what chance adds,
 *                  timesUpper × upper end of the window ),   timesUpper = ( perWeek ÷ perWeekAllowed ) ^ ( 1 ÷ tail )
 *
 * - *Sure*: the bank adds up evidence pane by pane, so a 500× storm is beyond doubt within a second and a small shift
 *   within minutes. A CUSUM of log-likelihood ratios that fires at h nats does so by chance at most once in e^h panes on
 *   average (Lorden 1971), as far as the tenants behave as the fitted model says.
 * - *Many*: a handful of calls from a tenant who makes none can be sure too, and nobody wants to hear of it; nor of a few
 *   dozen that took an hour to gather: so many must have come in the window.
 * - *More than by itself*: real tenants leave the model. Each key's own past says how often it goes how far beyond its
 *   band (`OwnReach`): told is what it would do by itself less than `perWeekAllowed` times a week, or what is far
 *   beyond its busiest window. Of a bursty tenant the record knows better, of a regular one the time of day.
 *
 * Windows are trailing ones of fixed length, not the stretch since onset: a missing call can move the onset back and lower
 * the rate since then, but it never lowers the calls of a fixed window, and this detector judges early looks.
 */
import { type Comparison, defineDetector, type OwnReach, type SequentialEvidence, type TenantView } from './contract.ts'
import { callsIn, leastOf, perMinute, rarestTimesAWeek, reachLimit, recordChance, timesUpper } from './statistics.ts'

export const sequentialSurge = defineDetector({
  name: 'sequential-surge',
  kind: 'surge',
  sees: 'so many calls beyond what is usual at this time of day that chance is ruled out',
  early: true,
  restsWhenCalm: true,
  opens: true,
  thresholds: {
    natsThreshold: {
      default: 13,
      min: 3,
      max: 200,
      unit: 'nats',
      sentence: 'how sure: by chance a key gets there at most about once in e^this seconds',
    },
    excessFloor: {
      default: 20,
      min: 1,
      max: 1_000_000,
      unit: 'calls',
      sentence: 'more calls than this beyond the usual since it began, and more than this in the window',
    },
    perWeekAllowed: {
      default: 2,
      min: 0.001,
      max: 100,
      unit: 'a week',
      sentence: 'a window is out of range where the key goes so far by itself less often than this',
    },
    timesBusiest: {
      default: 1.5,
      min: 1,
      max: 1_000,
      unit: '×',
      sentence: 'or where it has more calls than this multiple of the busiest such window of the last weeks',
    },
  },
  restsBelow: ({ natsThreshold }, score) => ({ nats: score * natsThreshold, failures: Number.POSITIVE_INFINITY }),
  silence: 'nothing usual is known of this key',
  evaluate(view, values) {
    const { at, usual, sequential } = view
    const { natsThreshold, excessFloor } = values
    const surely = (evidence: SequentialEvidence) =>
      Math.min(evidence.nats / natsThreshold, (evidence.calls - evidence.usualCalls) / excessFloor)
    let surest: SequentialEvidence | undefined
    for (const evidence of sequential) if (surest === undefined || surely(evidence) > surely(surest)) surest = evidence
    if (usual === undefined || surest === undefined) return undefined // no history: nothing to exceed

    const comparisons = [
      {
        measure: 'nats of evidence',
        observed: surest.nats,
        limit: natsThreshold,
        formula: 'natsThreshold',
        parts: {},
      },
      {
        measure: 'calls beyond the usual since it began',
        observed: surest.calls - surest.usualCalls,
        limit: excessFloor,
        formula: 'excessFloor',
        parts: {},
      },
      farthest(view, usual.reaches, values),
    ]
    const seconds = Math.max(1, (at - surest.since) / 1_000) // with no evidence yet it begins now
    return {
      kind: 'surge',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        {
          measure: 'calls/min since it began',
          observed: perMinute({ calls: surest.calls, seconds }),
          usual: usual.callsPerMinute,
        },
        { measure: 'evidence in nats', observed: surest.nats, usual: undefined },
      ],
      since: surest.since,
      timesAWeek: rarestTimesAWeek(view),
    }
  },
})

type Limits = Readonly<Record<'excessFloor' | 'perWeekAllowed' | 'timesBusiest', number>>

/** The window that is the most times its limit. */
function farthest(view: TenantView, reaches: readonly OwnReach[], limits: Limits): Comparison {
  let most = beyond(view, reaches[0] as OwnReach, limits)
  for (const reach of reaches.slice(1)) {
    const other = beyond(view, reach, limits)
    if (other.observed * most.limit > most.observed * other.limit) most = other
  }
  return most
}

function beyond(view: TenantView, reach: OwnReach, { excessFloor, perWeekAllowed, timesBusiest }: Limits): Comparison {
  const { seconds, upperCalls, busiestCalls } = reach
  const byPeaks = 'upperCalls × timesUpper'
  const isKnown = busiestCalls !== undefined
  return {
    measure: `calls in ${seconds} s`,
    observed: callsIn(view, reach),
    limit: Math.max(excessFloor, reachLimit(reach, { perWeek: perWeekAllowed, timesBusiest })),
    formula: `max(excessFloor, ${isKnown ? `min(timesBusiest × busiestCalls + chance, ${byPeaks})` : byPeaks})`,
    parts: {
      ...{ upperCalls, timesUpper: timesUpper(reach, perWeekAllowed) },
      ...(isKnown && { busiestCalls, chance: recordChance(busiestCalls) }),
    },
  }
}
