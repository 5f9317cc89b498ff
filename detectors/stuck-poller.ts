/**
 * Is a machine calling that nobody stopped? One route, at an interval, without a pause, where the key is not known to do so.
 *
 *     score = min( calls of that route in 5 min ÷ max( callsFloor, timesUsual × upper end of such calls, partOfUsual × usual calls ),
 *                  evenness of these calls ÷ evennessFloor )
 *
 * Evenness is of the quieter half of the thirty stretches of ten seconds: a machine sets a floor under each of them, whatever
 * is called beside it; people and their bursts leave some of them empty. Who polls by trade has a high upper end of such calls.
 * Evenness may fall when missing calls come, so it waits for final looks.
 */
import { type Comparison, defineDetector, type RoutesSeen, type RoutesUsual, type Usual } from './contract.ts'
import { leastOf } from './statistics.ts'

export const stuckPoller = defineDetector({
  name: 'stuck-poller',
  kind: 'stuck-poller',
  sees: 'one route called at an interval, as regular as a machine and without a pause, by a key that does not do so',
  early: false,
  restsWhenCalm: true,
  opens: true,
  needs: 'route',
  silence: 'ten minutes with routes must be known before there is anything usual about them',
  thresholds: {
    callsFloor: {
      default: 60,
      min: 30,
      max: 1_000_000,
      unit: 'calls in 5 min',
      sentence: 'more calls of one route than this, however few are usual',
    },
    timesUsual: {
      default: 1.5,
      min: 1,
      max: 1_000,
      unit: '×',
      sentence: 'more of them than this multiple of what it hardly exceeds when it polls by itself',
    },
    partOfUsual: {
      default: 0.8,
      min: 0,
      max: 100,
      unit: '×',
      sentence: 'more of them than this part of all its usual calls',
    },
    evennessFloor: {
      default: 8,
      min: 2,
      max: 1_000,
      unit: '× as even as chance',
      sentence: 'evener than this: by chance calls come so in five minutes of a few weeks',
    },
  },
  restsBelow: ({ callsFloor, partOfUsual, evennessFloor }, score) => ({
    oneRoute: { evenness: score * evennessFloor, calls: score * callsFloor, partOfUsual: score * partOfUsual },
  }),
  evaluate({ at, routes, usual }, values) {
    if (routes?.usual === undefined) return undefined
    const { calls } = routes.mostCalled
    const comparisons = comparisonsOf(routes.mostCalled, routes.usual, usual, values)
    return {
      kind: 'stuck-poller',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: 'calls of one route in 5 min', observed: calls, usual: routes.usual.upperEvenCalls },
        { measure: 'seconds between them', observed: 300 / Math.max(1, calls), usual: undefined },
        { measure: 'times as even as chance', observed: routes.mostCalled.evenness, usual: 1 },
      ],
      since: at - 300_000,
    }
  },
})

type Limits = Readonly<Record<'callsFloor' | 'timesUsual' | 'partOfUsual' | 'evennessFloor', number>>

function comparisonsOf(
  { calls, evenness }: RoutesSeen['mostCalled'],
  { upperEvenCalls }: RoutesUsual,
  usual: Usual | undefined,
  { callsFloor, timesUsual, partOfUsual, evennessFloor }: Limits,
): readonly Comparison[] {
  const usualCalls = 5 * (usual?.callsPerMinute ?? 0)
  return [
    {
      measure: 'calls of one route in 5 min',
      observed: calls,
      limit: Math.max(callsFloor, timesUsual * upperEvenCalls, partOfUsual * usualCalls),
      formula: 'max(callsFloor, timesUsual × upperEvenCalls, partOfUsual × usualCalls)',
      parts: { upperEvenCalls, usualCalls },
    },
    {
      measure: 'times as even as chance',
      observed: evenness,
      limit: evennessFloor,
      formula: 'evennessFloor',
      parts: {},
    },
  ]
}
