/**
 * The least rise that would be seen in so many seconds: what Weir promises of a key, and what it does not. A tenant that
 * calls once a minute cannot be seen at three times that; this says from which rate on it can.
 *
 * `sequential-surge` opens when three things are exceeded; for a steady rate each can be solved for it:
 *
 *     evidence   seconds · (x · perCall − perSecond) > natsThreshold                    for one multiple of the bank
 *     excess     seconds · (x − usual) > excessFloor
 *     window     x · min(seconds, length) + usual · rest of the window > its limit      for one window
 */
import type { Usual } from '../../../detectors/contract.ts'
import { reachLimit } from '../../../detectors/statistics.ts'
import { type SequentialModel, sequentialModel } from '../state/accumulator.ts'

export interface Detectable {
  /** From the first call of the rise to the look that sees it. */
  readonly seconds: number
  readonly callsPerMinute: number
  /** Of what a minute usually brings in the middle; undefined where that is nothing. */
  readonly multiple: number | undefined
}

export interface SurgeLimits {
  readonly natsThreshold: number
  readonly excessFloor: number
  readonly perWeekAllowed: number
  readonly timesBusiest: number
}

export const detectableIn = [5, 15, 60] as const

/** By chance fewer calls come than the rate says: by more than two standard deviations in one of forty cases. */
const SURELY_SIGMAS = 2

export function detectable(usual: Usual, limits: SurgeLimits, seconds: number): Detectable {
  const model = sequentialModel(usual)
  const usually = usual.callsPerMinute / 60
  const perSecond = Math.max(
    byEvidence(model, limits, seconds),
    model.usualPerSecond + limits.excessFloor / seconds,
    byWindow(usual, limits, seconds),
  )
  const calls = perSecond * seconds
  const callsPerMinute = (60 * (calls + SURELY_SIGMAS * Math.sqrt(calls))) / seconds
  return { seconds, callsPerMinute, multiple: usually === 0 ? undefined : callsPerMinute / usual.callsPerMinute }
}

const byEvidence = ({ perCall, perSecond }: SequentialModel, { natsThreshold }: SurgeLimits, seconds: number): number =>
  Math.min(...perCall.map((nats, index) => (natsThreshold / seconds + (perSecond[index] ?? 0)) / nats))

function byWindow({ reaches, callsPerMinute }: Usual, limits: SurgeLimits, seconds: number): number {
  const { excessFloor, perWeekAllowed, timesBusiest } = limits
  return Math.min(
    ...reaches.map(reach => {
      const limit = Math.max(excessFloor, reachLimit(reach, { perWeek: perWeekAllowed, timesBusiest }))
      const before = (callsPerMinute / 60) * Math.max(0, reach.seconds - seconds)
      return (limit - before) / Math.min(seconds, reach.seconds)
    }),
  )
}
