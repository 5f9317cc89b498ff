/**
 * Has somebody else got the key? It is called from a network where it was never used before, and not by mistake: call after call.
 *
 *     score = min( calls of the last 5 min from new places ÷ callsFloor,
 *                  new places of the last 24 h ÷ max( placesFloor, timesUsual × new places that are usual in a day ) )
 *
 * A key's first three days teach where it is at home. One that goes from network to network by itself (phones, functions in a
 * cloud) has new places every day, or more than are kept, and is left alone. Nobody can tell a thief from an owner who has moved:
 * it is told, for people to find out.
 */
import { defineDetector } from './contract.ts'
import { leastOf } from './statistics.ts'

export const newPlace = defineDetector({
  name: 'new-place',
  kind: 'new-place',
  sees: 'calls from a network where the key was never used before: it may have been leaked, or its owner has moved',
  early: true,
  restsWhenCalm: true,
  opens: true,
  needs: 'source',
  silence: 'three days must be known of where the key is used, and that it is used from no more than twelve networks',
  thresholds: {
    callsFloor: {
      default: 20,
      min: 1,
      max: 1_000_000,
      unit: 'calls in 5 min',
      sentence: 'more calls from new places than this',
    },
    placesFloor: {
      default: 0.5,
      min: 0.5,
      max: 12,
      unit: 'places in 24 h',
      sentence: 'more new places than this, however few are usual',
    },
    timesUsual: {
      default: 3,
      min: 1,
      max: 100,
      unit: '×',
      sentence: 'more new places in 24 h than this multiple of those of a usual day',
    },
  },
  restsBelow: ({ callsFloor }, score) => ({ callsFromNew: score * callsFloor }),
  evaluate({ at, places }, { callsFloor, placesFloor, timesUsual }) {
    if (places === undefined) return undefined
    const { callsFromNew, newToday, newPerDay, known } = places
    const comparisons = [
      {
        measure: 'calls from new places in 5 min',
        observed: callsFromNew,
        limit: callsFloor,
        formula: 'callsFloor',
        parts: {},
      },
      {
        measure: 'new places in 24 h',
        observed: newToday,
        limit: Math.max(placesFloor, timesUsual * newPerDay),
        formula: 'max(placesFloor, timesUsual × newPerDay)',
        parts: { newPerDay },
      },
    ]
    return {
      kind: 'new-place',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        { measure: 'calls from new places in 5 min', observed: callsFromNew, usual: 0 },
        { measure: 'new places in 24 h', observed: newToday, usual: newPerDay },
        { measure: 'places known', observed: known, usual: undefined },
      ],
      since: at - 300_000,
    }
  },
})
