/**
 * Someone else has the key: beside the owner's calls come calls from a new place, in a rhythm of their own. They work for a
 * minute or two, at the usual rate (at least one call in two seconds), and pause for less. No single minute need be large.
 */
import type { Misbehaviour, Scene } from '../contract.ts'
import { addedPlay, arrivalsIn } from './added-calls.ts'
import { mannerOf } from './manner.ts'

const LEAST_PER_SECOND = 0.5
const WORKS_SECONDS = { least: 40, most: 120 }
const PAUSES_SECONDS = { least: 20, most: 60 }

export const leakedKey: Misbehaviour = {
  name: 'leaked-key',
  sentence: 'a second source uses the key beside its owner, in stretches of a minute or two',
  kind: 'new-place',
  namedWithinSeconds: 300,
  multiple: undefined,
  harms: false,
  seconds: 1_800,
  suits: () => true,
  start(scene) {
    const { random } = scene
    const manner = mannerOf(scene)
    // Of a network that is reserved for examples, so nobody's own.
    const source = `203.0.113.${1 + random.integer(254)}`
    const callsPerSecond = Math.max(scene.usualPerSecond, LEAST_PER_SECOND)
    const worksIn = workRhythm(scene)
    return addedPlay(scene, (second, index) =>
      worksIn(index) ? arrivalsIn(second, callsPerSecond, random).map(at => ({ ...manner.call(at), source })) : [],
    )
  },
}

/** Whether it works in this second. Asked in order; it begins with work. */
function workRhythm({ random }: Scene): (index: number) => boolean {
  const lengthOf = ({ least, most }: { readonly least: number; readonly most: number }) =>
    least + random.integer(most - least + 1)
  let isWorking = true
  let until = lengthOf(WORKS_SECONDS)
  return index => {
    if (index >= until) {
      isWorking = !isWorking
      until += lengthOf(isWorking ? WORKS_SECONDS : PAUSES_SECONDS)
    }
    return isWorking
  }
}
