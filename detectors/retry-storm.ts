/**
 * Is this key answering failures with more calls? Harm and surprise at once: failures far beyond the usual *while* demand
 * multiplies.
 *
 *     score = min( 5xx of the last 10 s ÷ max( failureFloor, timesUsualFailures × usual 5xx in 10 s ),
 *                  calls of the last 10 s ÷ ( timesUsual × upper end of what is usual in 10 s ) )
 *
 * An outage alone raises only the first (everything fails, but nobody calls more often), a sale only the second. Only
 * counts are compared, never the share of calls that fail: that share falls when good calls arrive later, and this
 * detector judges early looks. A 429 is no failure: an account-wide limit gives every victim 429s.
 *
 * Which it is called, a storm or a surge, says the share that fails: of a sale at 500 × the usual few failures multiply too.
 *
 * Without history nothing is known of the usual, and only very many failures count, whatever the demand.
 */
import { type Comparison, defineDetector, type Usual, type WindowCounts } from './contract.ts'
import { leastOf, perMinute, rarestTimesAWeek } from './statistics.ts'

export const retryStorm = defineDetector({
  name: 'retry-storm',
  kind: 'retry-storm',
  sees: 'failures (5xx, never 429) far beyond the usual while demand multiplies: it retries what fails',
  early: true,
  restsWhenCalm: true,
  opens: true,
  needs: 'status',
  thresholds: {
    failureFloor: {
      default: 20,
      min: 1,
      max: 1_000_000,
      unit: '5xx in 10 s',
      sentence: 'more failures than this, however few are usual',
    },
    timesUsualFailures: {
      default: 10,
      min: 1,
      max: 10_000,
      unit: '×',
      sentence: 'more failures than this multiple of the usual ones',
    },
    timesUsual: {
      default: 3,
      min: 1,
      max: 1_000,
      unit: '×',
      sentence: 'more calls than this multiple of the upper end of what is usual',
    },
    failingShare: {
      default: 0.02,
      min: 0,
      max: 1,
      unit: 'share',
      sentence:
        'called a retry storm where of its calls beyond the usual more than this and the usual share fail; else a surge',
    },
    failuresUnknown: {
      default: 300,
      min: 1,
      max: 1_000_000,
      unit: '5xx in 10 s',
      sentence: 'more failures than this where no history says what is usual',
    },
  },
  restsBelow: ({ failureFloor, failuresUnknown }, score) => ({
    nats: Number.POSITIVE_INFINITY,
    failures: score * Math.min(failureFloor, failuresUnknown),
  }),
  evaluate(view, values) {
    const { at, last10s, usual, plannedTimes = 1 } = view
    const usually = usual && usualIn(last10s.seconds, usual, plannedTimes)
    const comparisons = comparisonsOf(last10s, usually, values)
    return {
      kind: isFailing(last10s, usually, values) ? 'retry-storm' : 'surge',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: '5xx in 10 s', observed: last10s.status5xx, usual: usually?.failures },
        { measure: 'calls/min, last 10 s', observed: perMinute(last10s), usual: usual?.callsPerMinute },
        ...(usually ? [extraCallsPerFailure(last10s, usually.calls)] : []),
      ],
      since: at - last10s.seconds * 1_000,
      timesAWeek: rarestTimesAWeek(view),
    }
  },
})

/**
 * Of a surge the usual few failures multiply too: so the share is that of the calls beyond the usual, and beyond the usual share
 * and what chance adds to it. Of a key with few calls so far that share is hardly known: one failure in twenty calls stands before
 * its own. It may fall when good calls come in: it names, and opens nothing.
 */
function isFailing(
  { calls, status5xx }: WindowCounts,
  usually: ReturnType<typeof usualIn> | undefined,
  { failingShare }: Limits,
): boolean {
  const more = calls - (usually?.calls ?? 0)
  const moreFailures = status5xx - (usually?.failures ?? 0)
  const { failureShare, answered } = usually ?? NEVER_ANSWERED
  const surely = (failureShare * answered + BELIEVED.failures) / (answered + BELIEVED.calls)
  const byItself = surely * more
  return moreFailures >= Math.min(more, failingShare * more + byItself + CHANCE_SIGMAS * Math.sqrt(byItself))
}

const NEVER_ANSWERED = { failureShare: 0, answered: 0 }
const BELIEVED = { failures: 1, calls: 20 }
/** Each second asks anew: what chance brings once in thousands of times is soon seen. */
const CHANCE_SIGMAS = 4

type Limits = Readonly<
  Record<'failureFloor' | 'timesUsualFailures' | 'timesUsual' | 'failingShare' | 'failuresUnknown', number>
>

/** A planned sale fails as often as ever, and so brings as many times the failures: those of the plan are no harm. */
function usualIn(seconds: number, usual: Usual, plannedTimes: number) {
  const minutes = seconds / 60
  const calls = usual.callsPerMinute * minutes
  const { upperPerMinute, failureShare, answered } = usual
  const failures = calls * failureShare * plannedTimes
  return { calls, upperCalls: upperPerMinute * minutes, failures, failureShare, answered }
}

function comparisonsOf(
  { calls, status5xx }: WindowCounts,
  usually: ReturnType<typeof usualIn> | undefined,
  { failureFloor, timesUsualFailures, timesUsual, failuresUnknown }: Limits,
): readonly Comparison[] {
  const measure = '5xx in 10 s'
  if (usually === undefined)
    return [{ measure, observed: status5xx, limit: failuresUnknown, formula: 'failuresUnknown', parts: {} }]
  const { failures: usualFailures, upperCalls } = usually
  return [
    {
      measure,
      observed: status5xx,
      limit: Math.max(failureFloor, timesUsualFailures * usualFailures),
      formula: 'max(failureFloor, timesUsualFailures × usualFailures)',
      parts: { usualFailures },
    },
    {
      measure: 'calls in 10 s',
      observed: calls,
      limit: timesUsual * upperCalls,
      formula: 'timesUsual × upperCalls',
      parts: { upperCalls },
    },
  ]
}

/** How hard it retries: calls beyond the usual ones for each failure. Usually none. */
function extraCallsPerFailure({ calls, status5xx }: WindowCounts, usualCalls: number) {
  return {
    measure: 'extra calls per 5xx',
    observed: Math.max(0, calls - usualCalls) / Math.max(1, status5xx),
    usual: 0,
  }
}
