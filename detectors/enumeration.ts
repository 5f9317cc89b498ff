/**
 * Is somebody taking all there is? A client calls a few routes again and again; who reads the whole catalogue, or tries out
 * which ids exist, calls hundreds that it has never called before, each of them once. At a rate that hurts nobody it is seen by
 * nothing else.
 *
 *     score = min( distinct routes of the last 60 s ÷ max( routesFloor, timesUsual × upper end of a usual minute's routes × growth ),
 *                  distinct routes of the last 5 min ÷ routesIn5min )
 *
 *     growth = max( 1, calls of the last 60 s ÷ max( 20, upper end of a usual minute's calls ) )
 *
 * Where ids are in the paths, a busy client has many routes: a sale brings four times the calls and so four times the routes. So
 * routes must grow beyond what calls did; and since calls that are missing would raise that limit, it waits for final looks.
 * Who crawls by trade has a high upper end, and is left alone.
 */
import { type Comparison, defineDetector, type RoutesSeen, type RoutesUsual, type TenantView } from './contract.ts'
import { leastOf } from './statistics.ts'

export const enumeration = defineDetector({
  name: 'enumeration',
  kind: 'enumeration',
  sees: 'far more distinct routes than it usually calls, beyond what its calls grew by: it takes, or tries, all there is',
  early: false,
  restsWhenCalm: true,
  opens: true,
  needs: 'route',
  silence: 'ten minutes with routes must be known before there is anything usual about them',
  thresholds: {
    routesFloor: {
      default: 60,
      min: 5,
      max: 3_000,
      unit: 'distinct routes in 60 s',
      sentence: 'more routes than this, however few are usual',
    },
    timesUsual: {
      default: 3,
      min: 1,
      max: 1_000,
      unit: '×',
      sentence: 'more routes than this multiple of what a minute hardly exceeds',
    },
    routesIn5min: {
      default: 150,
      min: 5,
      max: 3_000,
      unit: 'distinct routes in 5 min',
      sentence: 'and more than this in five minutes: who opens a page once is nobody who takes everything',
    },
  },
  restsBelow: ({ routesFloor }, score) => ({ routes: score * routesFloor }),
  evaluate(view, values) {
    const { at, routes } = view
    if (routes?.usual === undefined) return undefined
    const comparisons = comparisonsOf(view, { ...routes, usual: routes.usual }, values)
    return {
      kind: 'enumeration',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: 'distinct routes in 60 s', observed: routes.last60s, usual: routes.usual.perMinute },
        { measure: 'distinct routes in 5 min', observed: routes.last5min, usual: undefined },
      ],
      since: at - 60_000,
    }
  },
})

/** Of who calls less, a few calls tell nothing of how its routes grow with them. */
const LEAST_CALLS = 20

type Limits = Readonly<Record<'routesFloor' | 'timesUsual' | 'routesIn5min', number>>

function comparisonsOf(
  { last60s, usual }: TenantView,
  routes: RoutesSeen & { readonly usual: RoutesUsual },
  { routesFloor, timesUsual, routesIn5min }: Limits,
): readonly Comparison[] {
  const growth = usual === undefined ? 1 : Math.max(1, last60s.calls / Math.max(LEAST_CALLS, usual.upperPerMinute))
  const upperRoutes = routes.usual.upperPerMinute
  return [
    {
      measure: 'distinct routes in 60 s',
      observed: routes.last60s,
      limit: Math.max(routesFloor, timesUsual * upperRoutes * growth),
      formula: 'max(routesFloor, timesUsual × upperRoutes × growth)',
      parts: { upperRoutes, growth },
    },
    {
      measure: 'distinct routes in 5 min',
      observed: routes.last5min,
      limit: routesIn5min,
      formula: 'routesIn5min',
      parts: {},
    },
  ]
}
