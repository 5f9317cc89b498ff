/**
 * One clock that is ahead, in a backlog. What is read days later may be dated hours ahead of its neighbours and still before
 * its arrival, which is all that the core can hold against it: it would move time there, and whatever follows would be
 * late. So a call that jumps is believed only where the next one has not gone on as if it had not been; that is what
 * bare-log.ts asks of recorded files.
 *
 * A live stream is believed whatever it says, and so is the last call of what was read in one go, which nobody contradicts
 * yet: nothing waits for its successor. A call that is as young as a live one is what a host wrote just now, beside another
 * whose log comes late or was kept back for a time; and what is late even for what was shown before contradicts nobody.
 */
import type { EpochMs } from '../core/vocabulary.ts'
import { aheadMs, liveAheadMs } from './alignment.ts'

/** A partition up to what is to be judged now. */
export interface SoFar {
  /** Largest event time it has shown; -Infinity before its first call. */
  readonly frontier: EpochMs
  readonly arrivedAt: EpochMs
  /** Calls dated later are refused, and nobody is to wait for their time. */
  readonly latestTime: EpochMs
}

/** Less makes few calls late, and may be what hosts are apart by whose logs come at different times. */
const jumpMs = liveAheadMs

/** Indices of the times, of calls in the order in which they were read, at which a clock was wild. */
export function wildTimes(times: Float64Array, { frontier, arrivedAt, latestTime }: SoFar): readonly number[] {
  const wild: number[] = []
  const liveFrom = arrivedAt - aheadMs
  let reached = frontier
  for (let index = 0; index < times.length; index++) {
    const at = times[index] as EpochMs
    if (at <= reached || at > latestTime) continue
    if (at < liveFrom && isContradicted(times, index, { reached, liveFrom })) wild.push(index)
    else reached = at
  }
  return wild
}

/** Whether the call is a jump, and the next that is not late goes on as if it had not been. */
function isContradicted(
  times: Float64Array,
  index: number,
  { reached, liveFrom }: { readonly reached: EpochMs; readonly liveFrom: EpochMs },
): boolean {
  const at = times[index] as EpochMs
  if (at <= reached + jumpMs) return false
  let after = index + 1
  while (after < times.length && (times[after] as EpochMs) < reached - jumpMs) after++
  const next = times[after] ?? Number.POSITIVE_INFINITY
  // Nothing was shown before the first call: the one after it tells where the partition is.
  const before = reached === Number.NEGATIVE_INFINITY ? next : reached
  return next < liveFrom && at > before + jumpMs && next <= before + jumpMs
}
