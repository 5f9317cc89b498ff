/** What the laws tell each other, and what they let pass. */
import { SECOND_MS } from '../../core/vocabulary.ts'

/** What happened that is allowed, and worth a number. */
export interface Edges {
  /** An alert was sent again: its answer was lost, or the worker died before it had written down that it was sent. */
  alertsTwice: number
  /** A person's change was overwritten, having come between our reading of the plan and our change of it. */
  changesCrossed: number
  lateCalls: number
}

export interface Lowering {
  readonly tenant: string
  readonly effectId: string | undefined
}

/** After something is known, changes that were sent before it may still arrive. */
export const onItsWayMs = 6 * SECOND_MS
