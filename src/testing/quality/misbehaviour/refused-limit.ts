/**
 * A client that runs into its limit and does not slow down: five times the usual demand against a limit that lets a third of
 * it through, so that of its calls, those of its own included, two in three are refused. The limit does its work, so no
 * further throttle is right.
 */
import { SECOND_MS } from '../../../core/vocabulary.ts'
import type { MadeCall, Misbehaviour, Play, Scene } from '../contract.ts'
import { canMultiply, demandAt } from './injected-rate.ts'
import { raisedDemand } from './raised-demand.ts'

const MULTIPLE = 5
const LET_THROUGH = 1 / 3

export const refusedLimit: Misbehaviour = {
  name: 'refused-limit',
  sentence: `demand at ${MULTIPLE} times the usual runs into a limit at a third of it; the 429s do not slow it`,
  kind: 'limit-pressure',
  multiple: undefined,
  harms: false,
  seconds: 600,
  suits: canMultiply(MULTIPLE),
  start(scene): Play {
    const demand = raisedDemand(scene, { multiple: MULTIPLE, overSeconds: 0 })
    const isLetThrough = tokenBucket(demandAt(MULTIPLE, scene) * LET_THROUGH, scene)
    return {
      second: (index, own) => demand.second(index, own).map(call => (isLetThrough(call) ? call : refused(call, scene))),
      onsetAt: demand.onsetAt,
    }
  },
}

/** Holds one second's worth, and one call at least. Asked in the order of time. */
function tokenBucket(callsPerSecond: number, { from }: Scene): (call: MadeCall) => boolean {
  const size = Math.max(1, callsPerSecond)
  let tokens = size
  let last = from
  return ({ at }) => {
    tokens = Math.min(size, tokens + ((at - last) / SECOND_MS) * callsPerSecond)
    last = at
    if (tokens < 1) return false
    tokens--
    return true
  }
}

/** By the gateway itself, so at once. */
const refused = (call: MadeCall, { random }: Scene): MadeCall => ({
  ...call,
  status: 429,
  latencyMs: 1 + random.integer(3),
})
