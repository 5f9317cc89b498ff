/** A bug that calls far too often, from one second to the next, and gets its answers: a loop without a pause, a job started a hundred times. */
import type { Misbehaviour } from '../contract.ts'
import { canMultiply } from './injected-rate.ts'
import { raisedDemand } from './raised-demand.ts'

const surge = (multiple: number, seconds: number): Misbehaviour => ({
  name: `surge-${multiple}x`,
  sentence: `a bug makes ${multiple} times the usual calls from one second to the next; they are answered as usual`,
  kind: 'surge',
  multiple,
  harms: true,
  harmsOnlyByDrowning: true,
  seconds,
  suits: canMultiply(multiple),
  start: scene => raisedDemand(scene, { multiple, overSeconds: 0 }),
})

/** What is small takes longer to be sure of. */
export const surges: readonly Misbehaviour[] = [surge(500, 120), surge(50, 120), surge(10, 180), surge(3, 300)]
