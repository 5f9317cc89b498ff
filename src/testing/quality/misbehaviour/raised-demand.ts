/**
 * More calls of the usual kind, answered as usual: demand rises in a straight line to a multiple of usual, and stays. What a
 * buggy loop, a slow ramp, a sale and a launch have in common, so that nothing but their pace and meaning sets them apart.
 * What is added is (multiple − 1) × usual, whatever the tenant makes of its own accord meanwhile: where that is nothing at all,
 * demand stays that much below the multiple.
 */
import type { Play, Scene } from '../contract.ts'
import { addedPlay, arrivalsIn } from './added-calls.ts'
import { demandAt } from './injected-rate.ts'
import { mannerOf } from './manner.ts'

export interface Rise {
  /** Demand at the top, times usual. */
  readonly multiple: number
  /** From the first call to the top; 0 is a step. */
  readonly overSeconds: number
}

export function raisedDemand(scene: Scene, { multiple, overSeconds }: Rise): Play {
  const manner = mannerOf(scene)
  const addedAtTop = demandAt(multiple, scene) - scene.usualPerSecond
  return addedPlay(scene, (second, index) => {
    const risen = overSeconds === 0 ? 1 : Math.min(1, (index + 1) / overSeconds)
    return arrivalsIn(second, addedAtTop * risen, scene.random).map(manner.call)
  })
}
