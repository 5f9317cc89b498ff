/** Which incidents are told as history, and how an engine knows that it reads what is long past (backlog.ts). */
import type { Engine } from '../engine-state.ts'
import type { Owner } from '../state/owner.ts'
import type { EpochMs } from '../vocabulary.ts'
import { followBacklog } from './backlog.ts'
import { eventTimeOf } from './event-time.ts'

/** Whether what is decided now is decided long after the fact, and news to nobody. */
export const isPast = ({ backlog }: Owner): boolean => backlog.phase === 'catching-up'

/** To be called whenever event time has moved, and as time passes. `before`: how far it had come. */
export function noteBacklog(engine: Engine, owner: Owner, before: EpochMs): void {
  const { state, settings } = engine
  const eventTime = Math.max(owner.time.highest, eventTimeOf(engine, owner))
  // Where nothing was known, the worker was away since the first that it reads.
  const from = Number.isFinite(before) ? before : eventTime
  const deliveryMs = settings.config.time.delivery
  owner.backlog = followBacklog(owner.backlog, { now: state.now, eventTime, before: from, deliveryMs })
}
