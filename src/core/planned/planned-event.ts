/**
 * A planned event: somebody knows beforehand that more will be called, and how much. It lifts what is usual for as long,
 * so that only what is beyond the plan surprises. It says nothing of failures: those are judged as ever.
 */
import type { OwnReach, PlainBaseline, Usual } from '../../../detectors/contract.ts'
import type { TenantId } from '../vocabulary.ts'
import { type Stretch, stretchesOf, type When } from './when.ts'

export interface PlannedEvent {
  readonly when: When
  readonly upTo: UpTo
  readonly note: string | undefined
}

/** What tenants.yaml lists. */
export interface PlannedEvents {
  /** Of every client. */
  readonly fleet: readonly PlannedEvent[]
  readonly byTenant: ReadonlyMap<TenantId, readonly PlannedEvent[]>
}

/** `×`: times what is usual, in the middle and at the ends of the band alike. Of a tenant as a whole, and of each of its keys. */
export type UpTo =
  | { readonly kind: 'times'; readonly times: number }
  | { readonly kind: 'rate'; readonly callsPerMinute: number }

export const UP_TO_SYNTAX = '`20x`: so many times the usual, or `5000 per minute`, or `per second`'

/** Undefined for what is none of the syntax above. A plan of no more than the usual is none. */
export function parseUpTo(text: string): UpTo | undefined {
  const words = /^(\d+(?:\.\d+)?) ?(x|×|per minute|per second)$/i.exec(text.trim())
  const value = Number(words?.[1])
  if (words === null || value > MOST) return undefined
  switch (words[2]?.toLowerCase()) {
    case 'per minute':
      return value > 0 ? { kind: 'rate', callsPerMinute: value } : undefined
    case 'per second':
      return value > 0 ? { kind: 'rate', callsPerMinute: value * 60 } : undefined
    default:
      return value > 1 ? { kind: 'times', times: value } : undefined
  }
}

const MOST = 1e9

/** One of an event's stretches. */
export interface PlannedStretch extends Stretch {
  readonly event: PlannedEvent
}

/** The stretches of these events that have any part in the span. */
export const stretchesIn = (events: readonly PlannedEvent[], span: Stretch): readonly PlannedStretch[] =>
  events.flatMap(event => stretchesOf(event.when, span).map(({ from, to }) => ({ event, from, to })))

/** Calls a minute up to which a plan goes where so many are usual. */
const plannedRate = (usualPerMinute: number, { upTo }: PlannedEvent): number =>
  upTo.kind === 'times' ? usualPerMinute * upTo.times : upTo.callsPerMinute

/** What the lifting needs to know of a key beside its usual. */
export interface LiftedOf {
  /** What was usual before this stretch began. */
  readonly usualBefore: (stretch: Stretch) => Usual | undefined
  /** How far it goes by itself from such an upper end of whole slots on. */
  readonly reachesFrom: (slotUpperPerMinute: number) => readonly OwnReach[]
}

/**
 * The band with its upper end lifted to what was planned, and never lowered: where several plans meet, the highest counts.
 * The middle and the lower end stay, since what was planned need not come. What recurs is learned too, and its multiple is
 * one of what was usual before it began: or the plan would grow with each time it comes true.
 */
export function liftedUsual(
  usual: Usual,
  stretches: readonly PlannedStretch[],
  { usualBefore, reachesFrom }: LiftedOf,
): Usual {
  const lift = (end: 'upperPerMinute' | 'slotUpperPerMinute'): number => {
    const rates = stretches.map(stretch => {
      const isLearned = stretch.event.when.kind === 'recurring' && stretch.event.upTo.kind === 'times'
      return plannedRate(((isLearned ? usualBefore(stretch) : undefined) ?? usual)[end], stretch.event)
    })
    return Math.max(usual[end], ...rates)
  }
  const slotUpperPerMinute = lift('slotUpperPerMinute')
  const reaches = stretches.length === 0 ? usual.reaches : reachesFrom(slotUpperPerMinute).map(withPlanAsRecord)
  return { ...usual, upperPerMinute: lift('upperPerMinute'), slotUpperPerMinute, reaches }
}

/** A plan counts as if it had come once. */
const withPlanAsRecord = (reach: OwnReach): OwnReach =>
  reach.busiestCalls === undefined ? reach : { ...reach, busiestCalls: Math.max(reach.busiestCalls, reach.upperCalls) }

const MINUTES_PER_SLOT = 5

/** The means of the original rules, lifted likewise. */
export function liftedPlain(plain: PlainBaseline, stretches: readonly PlannedStretch[]): PlainBaseline {
  const { slotMeanCalls, slotMinuteMean, weekMinuteMean } = plain
  const lift = (mean: number | undefined, minutes: number) =>
    mean === undefined
      ? undefined
      : Math.max(...[mean / minutes, ...stretches.map(({ event }) => plannedRate(mean / minutes, event))]) * minutes
  return {
    ...plain,
    slotMeanCalls: lift(slotMeanCalls, MINUTES_PER_SLOT),
    slotMinuteMean: lift(slotMinuteMean, 1),
    weekMinuteMean: lift(weekMinuteMean, 1),
  }
}

/** What was planned of a minute, and how much of it came. */
export interface PlannedUse {
  /** At least one. */
  readonly stretches: readonly PlannedStretch[]
  /** Calls a minute that all of it comes to. */
  readonly upToPerMinute: number
  /** Calls of the last minute ÷ that: above 1 it is beyond the plan. */
  readonly used: number
}

/** `expected`: the usual, lifted to the plan. */
export function plannedUse(
  stretches: readonly PlannedStretch[],
  expected: Usual,
  callsInMinute: number,
): PlannedUse | undefined {
  if (stretches.length === 0) return undefined
  const upToPerMinute = expected.upperPerMinute
  return { stretches, upToPerMinute, used: callsInMinute / Math.max(1, upToPerMinute) }
}

/** As it is written. */
export const upToText = (upTo: UpTo): string =>
  upTo.kind === 'times' ? `${upTo.times}x` : `${upTo.callsPerMinute} per minute`
