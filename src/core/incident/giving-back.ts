/** A limit on its way back, and what is told of one that does not arrive: a client below its limit is owed it, and waits as people do. */
import type { Action } from '../explanation/explanation.ts'
import { type EpochMs, MINUTE_MS } from '../vocabulary.ts'
import { PATIENCE_MS, type QueueStanding, type Waiting } from './waiting.ts'

export type RestoreReason = Extract<Action, { kind: 'restore' }>['because']

export interface GivingBack {
  readonly effectId: string
  readonly step: 'half' | 'full'
  readonly because: RestoreReason
  /** Arrival time at which it was asked for, and at which the gateway had it; undefined until its outcome is known. */
  readonly askedAt: EpochMs
  readonly doneAt: EpochMs | undefined
  /** People have heard that it takes too long, and are to hear that it came through. */
  readonly isToldLate?: true
}

interface OnItsWay<Story> {
  readonly phase: 'recovering'
  readonly story: Story
  readonly givingBack: GivingBack | undefined
}

/** Those before it in the queue are told of by themselves, if they hang; beyond this it is told whatever it waits for. */
const LONGEST_QUEUE_MS = 10 * MINUTE_MS

/** Whether people are to hear now that it is not back: where its turn has not come, a minute after that was expected. */
export function isBackLate<Story extends { readonly action: Action }>(
  { story, givingBack }: OnItsWay<Story>,
  now: EpochMs,
): boolean {
  if (givingBack === undefined || givingBack.doneAt !== undefined || givingBack.isToldLate) return false
  const { askedAt } = givingBack
  const heard = waitingOf(story.action)
  const turnAt = heard === undefined || heard.because !== undefined ? askedAt : heard.asOf + heard.waitMs
  return now >= Math.min(Math.max(askedAt, turnAt), askedAt + LONGEST_QUEUE_MS) + PATIENCE_MS
}

export function backLate<Story extends { readonly action: Action }>(
  incident: OnItsWay<Story>,
  now: EpochMs,
): OnItsWay<Story> {
  const { story, givingBack } = incident
  if (givingBack === undefined) return incident
  const heard = waitingOf(story.action) ?? { ahead: 0, waitMs: 0 }
  const told = withWaiting(incident, { ...heard, askedAt: givingBack.askedAt, asOf: now, isLate: true })
  return { ...told, givingBack: { ...givingBack, isToldLate: true } }
}

/** The gateway's queue, or a try that came to nothing, has moved on: the next that is told of it says so. */
export function withBackProgress<Story extends { readonly action: Action }>(
  incident: OnItsWay<Story>,
  standing: QueueStanding,
  now: EpochMs,
): OnItsWay<Story> {
  const { story, givingBack } = incident
  if (givingBack === undefined || givingBack.doneAt !== undefined) return incident
  const isLate = waitingOf(story.action)?.isLate
  return withWaiting(incident, { ...standing, askedAt: givingBack.askedAt, asOf: now, ...(isLate && { isLate }) })
}

/** It has its outcome: nothing waits any more. */
export function arrivedBack(action: Action): Action {
  if (action.kind !== 'restore' && action.kind !== 'restore-refused') return action
  const { waiting: _, ...rest } = action
  return rest
}

/** Of several plans one may be refused, and another still be on its way. */
const waitingOf = (action: Action): Waiting | undefined =>
  action.kind === 'restore' || action.kind === 'restore-refused' ? action.waiting : undefined

function withWaiting<Story extends { readonly action: Action }>(
  incident: OnItsWay<Story>,
  waiting: Waiting,
): OnItsWay<Story> {
  const { story } = incident
  const { action } = story
  if (action.kind !== 'restore' && action.kind !== 'restore-refused') return incident
  return { ...incident, story: { ...story, action: { ...action, waiting } } }
}
