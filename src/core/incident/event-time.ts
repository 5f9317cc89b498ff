/** How far what an owner knows reaches: closed panes, and beyond them what an idle source lets one believe. */
import type { Engine } from '../engine-state.ts'
import type { Owner } from '../state/owner.ts'
import { type EpochMs, SECOND_MS } from '../vocabulary.ts'

/** How far closed panes go; with an idle source also as far as its ticks say that nothing more has come. */
export function eventTimeOf({ state, settings }: Engine, owner: Owner): EpochMs {
  const closed = owner.closedToSecond * SECOND_MS
  const { delivery, idleAfter } = settings.config.time
  let latest = Number.NEGATIVE_INFINITY
  for (const { lastArrival } of owner.time.partitions.values()) latest = Math.max(latest, lastArrival)
  if (state.now - latest < idleAfter) return closed
  if (latest === Number.NEGATIVE_INFINITY) return Math.max(closed, state.now - idleAfter - delivery)
  return closed + Math.max(0, state.now - latest - idleAfter - delivery)
}
