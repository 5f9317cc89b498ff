/**
 * Demand that climbs so slowly that no minute looks unlike the one before: a leak of work, a queue that feeds itself. It
 * begins with its first call, long before anyone could be sure of it, so its delays are long by nature.
 */
import type { Misbehaviour } from '../contract.ts'
import { canMultiply } from './injected-rate.ts'
import { raisedDemand } from './raised-demand.ts'

const MULTIPLE = 10
/** At the top, before it ends. */
const STAYS_SECONDS = 300

const slowRamp = (minutes: number): Misbehaviour => ({
  name: `slow-ramp-${minutes}min`,
  sentence: `calls climb in a straight line to ${MULTIPLE} times the usual within ${minutes} minutes`,
  kind: 'surge',
  multiple: MULTIPLE,
  harms: true,
  harmsOnlyByDrowning: true,
  seconds: minutes * 60 + STAYS_SECONDS,
  suits: canMultiply(MULTIPLE),
  start: scene => raisedDemand(scene, { multiple: MULTIPLE, overSeconds: minutes * 60 }),
})

export const slowRamps: readonly Misbehaviour[] = [slowRamp(30), slowRamp(60)]
