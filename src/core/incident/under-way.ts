/** A throttle from its decision until it is given back, and what is told of one that has no outcome yet. */
import type { Action } from '../explanation/explanation.ts'
import type { EpochMs, PlanLimits } from '../vocabulary.ts'
import { lateAt, type QueueStanding, type Waiting } from './waiting.ts'

export interface Throttle {
  readonly effectId: string
  readonly limits: PlanLimits
  /** By the policy; a person's word may be for longer (`endsAt`). */
  readonly expiresAt: EpochMs
  readonly ofWeek: number | undefined
}

/** On its way. */
export interface Asked extends Throttle {
  readonly askedAt: EpochMs
  /** When people are to hear that it is not carried out yet; undefined once they have. */
  readonly lateAt: EpochMs | undefined
}

export const askedFor = (
  effectId: string,
  { limits, expiresAt, ofWeek, waiting }: Extract<Action, { kind: 'throttle' }>,
  now: EpochMs,
): Asked => ({ effectId, limits, expiresAt, ofWeek, askedAt: now, lateAt: lateAt(now, waiting) })

/** Of a throttle without an outcome yet. */
export interface ProgressEvent {
  readonly kind: 'progress'
  readonly standing: QueueStanding
  readonly now: EpochMs
}

interface UnderWay<Story> {
  readonly phase: 'open'
  readonly story: Story
  readonly asked: Asked | undefined
}

export const isLate = ({ asked }: { readonly asked: Asked | undefined }, now: EpochMs): boolean =>
  asked?.lateAt !== undefined && now >= asked.lateAt

/** The gateway's queue, or a try that came to nothing, has moved on: the next that is told of it says so. */
export function withProgress<Story extends { readonly action: Action }>(
  incident: UnderWay<Story>,
  standing: QueueStanding,
  now: EpochMs,
): UnderWay<Story> {
  const { story, asked } = incident
  if (asked === undefined || story.action.kind !== 'throttle') return incident
  const isLate = story.action.waiting?.isLate
  return withWaiting(incident, { ...standing, askedAt: asked.askedAt, asOf: now, ...(isLate && { isLate }) })
}

/** It takes longer than was told. What is told now is what was heard last of where it stands. */
export function late<Story extends { readonly action: Action }>(
  incident: UnderWay<Story>,
  now: EpochMs,
): UnderWay<Story> {
  const { story, asked } = incident
  if (asked === undefined) return incident
  const known = story.action.kind === 'throttle' ? story.action.waiting : undefined
  const heard = known === undefined || known.asOf === asked.askedAt ? { ahead: 0, waitMs: 0 } : known
  const told = withWaiting(incident, { ...heard, askedAt: asked.askedAt, asOf: now, isLate: true })
  return { ...told, asked: { ...asked, lateAt: undefined } }
}

function withWaiting<Story extends { readonly action: Action }>(
  incident: UnderWay<Story>,
  waiting: Waiting,
): UnderWay<Story> {
  const { story } = incident
  return story.action.kind === 'throttle'
    ? { ...incident, story: { ...story, action: { ...story.action, waiting } } }
    : incident
}
