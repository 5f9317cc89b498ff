/** Which incidents are told as history, and how an engine knows that it reads what is long past (backlog.ts). */
import { type Engine, watching } from '../engine-state.ts'
import type { Owner } from '../state/owner.ts'
import type { EpochMs } from '../vocabulary.ts'
import { followBacklog } from './backlog.ts'
import { eventTimeOf } from './event-time.ts'

/**
 * Whether what is decided of this incident is decided long after the fact, and news to nobody: not if people were alerted of
 * it by the life before, which saw it as it happened and was killed before it could keep that.
 */
export const isPast = ({ state }: Engine, { backlog }: Owner, incidentId: string): boolean =>
  backlog.phase === 'catching-up' && !state.alertedBefore.has(incidentId)

/** To be called whenever event time has moved, and as time passes. `before`: how far it had come. */
export function noteBacklog(engine: Engine, owner: Owner, before: EpochMs): void {
  const { state, settings } = engine
  const eventTime = Math.max(owner.time.highest, eventTimeOf(engine, owner))
  const deliveryMs = settings.config.time.delivery
  // Where nothing was known, the worker was away since the first that it reads.
  const from = Number.isFinite(before) ? before : eventTime
  const after = followBacklog(owner.backlog, { now: state.now, eventTime, before: from, deliveryMs })
  const hasCaughtUp = owner.backlog.phase !== 'none' && after.phase === 'none'
  owner.backlog = after
  if (hasCaughtUp && ![...watching(state)].some(({ backlog }) => backlog.phase !== 'none')) state.alertedBefore.clear()
}
