/**
 * Of several kinds that speak of one key the one that says most names it: harm before anything else, then what tells what the
 * calls are, and last that there are many.
 */
import type { IncidentKind } from '../explanation/explanation.ts'

const ranks: Readonly<Record<IncidentKind, number>> = {
  platform: 3,
  'retry-storm': 2,
  'new-place': 1,
  enumeration: 1,
  'stuck-poller': 1,
  surge: 0,
}

/** Above 0: `one` says more than `other`; 0: as much. */
export const aheadOf = (one: IncidentKind, other: IncidentKind): number => ranks[one] - ranks[other]
