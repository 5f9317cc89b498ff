/**
 * What a person's word does to one incident. The policy decides by itself; a person goes before it, and says who they are:
 *
 *   release   the whole limit at once, without probation; in this incident it is not lowered again
 *   halt      the same, but once Weir may go on the incident is as any other
 *   extend    the throttle ends later; calm still gives it back
 *   hold      neither calm nor expiry nor the fleet guard gives it back before
 *
 * Each word has an end, at most 7 days from now, so every throttle still ends. A step as `incident.ts` makes them, or why not.
 */
import type { Action } from '../explanation/explanation.ts'
import { DAY_MS, type EpochMs } from '../vocabulary.ts'
import { endsAt, giveBack, type Incident, type Step, type Story } from './incident.ts'

export type Order =
  | { readonly kind: 'release' | 'halt' }
  | { readonly kind: 'extend'; readonly byMs: number }
  | { readonly kind: 'hold'; readonly forMs: number }

export type Obeyed =
  | { readonly kind: 'step'; readonly step: Step }
  | { readonly kind: 'refused'; readonly because: string }

interface Ordered {
  readonly order: Order
  readonly by: string
  readonly now: EpochMs
}

/** No word of a person keeps a limit lowered for longer than this from when it was said. */
export const LONGEST_WORD_MS = 7 * DAY_MS

export function obey(incident: Incident, { order, by, now }: Ordered): Obeyed {
  if (incident.phase === 'quiet' || incident.phase === 'suspected') return refused('it has no incident')
  switch (order.kind) {
    case 'release':
      return { kind: 'step', step: released(spared(incident, by), by, now) }
    case 'halt':
      return { kind: 'step', step: released(incident, by, now) }
    case 'extend':
      return extended(incident, order.byMs, by, now)
    case 'hold':
      return held(incident, order.forMs, by, now)
    default:
      throw new Error(`no such order: ${order satisfies never}`)
  }
}

type Open = Exclude<Incident, { phase: 'quiet' | 'suspected' }>

/** Why an incident's key is not throttled any more, as people read it. */
export const releasedText = (by: string): string => `released by ${by}`

const spared = <I extends Open>(incident: I, by: string): I => ({
  ...incident,
  story: { ...incident.story, refused: releasedText(by), releasedBy: by, held: undefined, extended: undefined },
})

/** All of it, wherever it is on its way by now; what is called back with it is superseded in the gateway's queue. */
function released(incident: Open, by: string, now: EpochMs): Step {
  const isTaken =
    incident.phase === 'mitigated' ||
    (incident.phase === 'open' && incident.asked !== undefined) ||
    (incident.phase === 'recovering' && incident.givingBack?.step === 'half')
  if (!isTaken) return { incident }
  const action: Action = { kind: 'restore', step: 'full', because: 'operator', by }
  const step = giveBack(incident.story, { step: 'full', because: 'operator', now, action })
  return step.effect?.kind === 'restore' ? { ...step, effect: { ...step.effect, by } } : step
}

function extended(incident: Open, byMs: number, by: string, now: EpochMs): Obeyed {
  const throttle = throttleOf(incident)
  if (throttle === undefined) return refused('its limit is not lowered, or is being given back already')
  const until = Math.min(endsAt(throttle, incident.story) + byMs, now + LONGEST_WORD_MS)
  return said(incident, { ...incident.story, extended: { by, until } })
}

/** Also on probation: then the half that is back is all for now. */
function held(incident: Open, forMs: number, by: string, now: EpochMs): Obeyed {
  const isHalfBack = incident.phase === 'recovering' && incident.givingBack?.step === 'half'
  if (throttleOf(incident) === undefined && !isHalfBack)
    return refused('its limit is not lowered, or all of it is being given back already')
  const until = now + Math.min(forMs, LONGEST_WORD_MS)
  return said(incident, { ...incident.story, held: { by, until } })
}

function throttleOf(incident: Open) {
  if (incident.phase === 'mitigated') return incident.throttle
  return incident.phase === 'open' ? incident.asked : undefined
}

/** Those who follow are told; nobody is woken for it. */
function said(incident: Open, story: Story): Obeyed {
  const throttle = throttleOf(incident)
  const { action } = story
  const told: Action =
    throttle !== undefined && (action.kind === 'throttle' || action.kind === 'throttled')
      ? { ...action, expiresAt: endsAt(throttle, story) }
      : action
  return {
    kind: 'step',
    step: { incident: { ...incident, story: { ...story, action: told } }, phase: incident.phase },
  }
}

/** Until when a person’s word keeps the limit lowered; undefined where it does not any more, or none was said. */
export function wordUntil(incident: Incident): EpochMs | undefined {
  if (incident.phase === 'recovering')
    return incident.givingBack?.step === 'half' ? incident.story.held?.until : undefined
  const throttle = incident.phase === 'quiet' || incident.phase === 'suspected' ? undefined : throttleOf(incident)
  if (throttle === undefined || !('story' in incident)) return undefined
  const until = endsAt(throttle, incident.story)
  return until > throttle.expiresAt ? until : undefined
}

const refused = (because: string): Obeyed => ({ kind: 'refused', because })
