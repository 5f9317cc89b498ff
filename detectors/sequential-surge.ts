/**
 * Does this key call more often than it does, in a way that is sure, that is many calls, and that is out of its range?
 *
 *     score = min( max over the bank of min( nats ÷ natsThreshold, calls beyond usual ÷ excessFloor ),
 *                  calls of the last 60 s ÷ max( excessFloor, timesUpper × upper end of the usual minute ) )
 *
 * - *Sure*: the bank adds up evidence pane by pane, so a 500× storm is beyond doubt within a second and a small shift
 *   within minutes. A CUSUM of log-likelihood ratios that fires at h nats does so by chance at most once in e^h panes on
 *   average (Lorden 1971). e^19 s is 5.7 years of a key: for each accumulator of the bank one alarm a week in a fleet of
 *   300, as far as the tenants behave as the fitted model says.
 * - *Many*: a handful of calls from a tenant who makes none can be sure too, and nobody wants to hear of it; nor of a few
 *   dozen that took an hour to gather: so many must have come in the last minute.
 * - *Out of range*: real tenants leave the model. On average 26 always-on ServeGen clients left the upper end of their band 31
 *   times in a week, 1.5 × that end 5 times, twice it 2 times and 3 × it once (their ten-minute windows). Twice keeps most
 *   of that quiet and still sees a threefold rise of a steady tenant. The band is one of whole minutes and so
 *   it is compared with a minute: bursts that are usual inside a minute are in the band already.
 *
 * The minute is a trailing one, not the stretch since onset: a missing call can move the onset back and lower the rate
 * since then, but it never lowers the calls of a fixed window, and this detector judges early looks. The price is a
 * delay for what is small. Against a band that ends at 1.5 × usual: 500× in 1 s, 10× in 14 s, 4× in 41 s; at 1.2 × usual: 3× in 43 s.
 */
import { defineDetector, type SequentialEvidence } from './contract.ts'
import { leastOf, perMinute } from './statistics.ts'

export const sequentialSurge = defineDetector({
  name: 'sequential-surge',
  kind: 'surge',
  sees: 'so many calls beyond what is usual at this time of day that chance is ruled out',
  early: true,
  restsWhenCalm: true,
  opens: true,
  thresholds: {
    natsThreshold: {
      default: 19,
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
      sentence: 'more calls than this beyond the usual since it began, and more than this in the last 60 s',
    },
    timesUpper: {
      default: 2,
      min: 1,
      max: 1_000,
      unit: '×',
      sentence: 'more calls in the last 60 s than this multiple of the upper end of a usual minute',
    },
  },
  restsBelow: ({ natsThreshold }, score) => ({ nats: score * natsThreshold, failures: Number.POSITIVE_INFINITY }),
  silence: 'nothing usual is known of this key',
  evaluate({ at, last60s, usual, sequential }, { natsThreshold, excessFloor, timesUpper }) {
    const surely = (evidence: SequentialEvidence) =>
      Math.min(evidence.nats / natsThreshold, (evidence.calls - evidence.usualCalls) / excessFloor)
    let surest: SequentialEvidence | undefined
    for (const evidence of sequential) if (surest === undefined || surely(evidence) > surely(surest)) surest = evidence
    if (usual === undefined || surest === undefined) return undefined // no history: nothing to exceed

    const { upperPerMinute } = usual
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
      {
        measure: 'calls in 60 s',
        observed: last60s.calls,
        limit: Math.max(excessFloor, timesUpper * upperPerMinute),
        formula: 'max(excessFloor, timesUpper × upperPerMinute)',
        parts: { upperPerMinute },
      },
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
    }
  },
})
