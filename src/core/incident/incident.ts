/**
 * One key's misbehaviour from suspicion to recovery.
 *
 *              score > stay level      score > 1               throttle applied
 *     quiet ───────────────→ suspected ─────→ open ──────────────────→ mitigated
 *       ↑                                     │  ↑                        │ expired, calm, or platform incident:
 *       │                        calm a while │  │ score > 1 again        │ restore
 *       └──────── closed ←──── recovering ←───┴──┴────────────────────────┘
 *
 * Evidence opens, not time: one look may go from quiet to open. While open, the state remembers until when it was bad
 * (`lastBadAt`, event time): a lower level to stay and a delay to close keep it from flapping. Throttles run on the
 * arrival clock (`now`), because the world outside does. A restored limit is on probation at half the way first:
 * storms that feed themselves come back at once when the limit does.
 * `follow` is a pure stepper: the engine owns when it is called and tells people what `Step` says.
 */
import type { Action, Explanation, OperatorWord } from '../explanation/explanation.ts'
import type { EpochMs } from '../vocabulary.ts'
import {
  badAgain,
  isToldBack,
  loweredBy,
  restoreAction,
  restoredAction,
  restoreRefused,
  throttledAction,
} from './answered-action.ts'
import type { Lowered, Outcome, Planned } from './effect.ts'
import {
  arrivedBack,
  backLate,
  type GivingBack,
  isBackLate,
  type RestoreReason,
  withBackProgress,
} from './giving-back.ts'
import { compareHarm } from './response.ts'
import type { Signal } from './signal.ts'
import { type Asked, askedFor, isLate, late, type ProgressEvent, type Throttle, withProgress } from './under-way.ts'
import { beginVerification, endVerification, newsOf, type Verification } from './verification.ts'

export type { Signal } from './signal.ts'

/** What is told of an incident, whatever phase it is in. */
export interface Story {
  readonly incidentId: string
  readonly openedAt: EpochMs
  readonly signal: Signal
  /** Event time of the last look with a score above the stay level. */
  readonly lastBadAt: EpochMs
  readonly action: Action
  /** What comes of a limit is alerted in any case. */
  readonly telling: Explanation['telling']
  /** A refused throttle is not asked for again in this incident: the reason stays what it is. */
  readonly refused: string | undefined
  /** Who has released it: then that is the reason. */
  readonly releasedBy?: string | undefined
  /** Until when a person wants the limit lowered; they outlive the throttle that was lowered when it was said. */
  readonly extended: OperatorWord | undefined
  /** … and until when whatever the key does: neither calm nor expiry gives it back before. */
  readonly held: OperatorWord | undefined
  /** How many throttles, restores and alerts it has had: the ordinals in their ids. */
  readonly throttles: number
  readonly restores: number
  readonly alerts: number
  /** Whether the last throttle holds, by the log; undefined where none was set, or nobody knows what it set. */
  readonly verification: Verification | undefined
  /** What its throttles have lowered; left out where none has. */
  readonly lowered?: Lowered | undefined
}

export type Incident =
  /** `judgedTo`: until then (event time) it was judged in an earlier life, whose incident is over. */
  | { readonly phase: 'quiet'; readonly judgedTo?: EpochMs }
  | { readonly phase: 'suspected'; readonly lastBadAt: EpochMs }
  /** `asked`: a throttle that is on its way. */
  | { readonly phase: 'open'; readonly story: Story; readonly asked: Asked | undefined }
  | { readonly phase: 'mitigated'; readonly story: Story; readonly throttle: Throttle }
  | { readonly phase: 'recovering'; readonly story: Story; readonly givingBack: GivingBack | undefined }

export type IncidentEvent =
  /** A score above 1, and what the response policy would do about it now. */
  | {
      readonly kind: 'signal'
      readonly signal: Signal
      readonly action: Action
      readonly incidentId: string
      /** Decided long after the fact: nobody is to be woken for it. */
      readonly isPast: boolean
      /** Why an incident that opens with it is not throttled: a person has released the key for it already. */
      readonly refused?: string | undefined
      readonly releasedBy?: string | undefined
      readonly now: EpochMs
    }
  /** What was told as history goes on, and is the present. */
  | { readonly kind: 'present' }
  /** A score between the stay level and 1. */
  | { readonly kind: 'stirring'; readonly at: EpochMs }
  /** `eventTime`: how far closed panes go. `calls`: whether the key called at all in the last closed minute. */
  | { readonly kind: 'time'; readonly eventTime: EpochMs; readonly now: EpochMs; readonly calls: boolean }
  /** `newest`: the newest event time seen. */
  | {
      readonly kind: 'outcome'
      readonly effectId: string
      readonly outcome: Outcome
      readonly now: EpochMs
      readonly newest: EpochMs
    }
  | ProgressEvent
  /** What the log says by now of whether the throttle holds. */
  | { readonly kind: 'verified'; readonly verification: Verification }
  /** The fleet guard found many keys wrong at once: not this client's doing. */
  | { readonly kind: 'platform'; readonly now: EpochMs }
  /** A person has made the tenant exempt. */
  | { readonly kind: 'exempted'; readonly now: EpochMs }

export interface IncidentRules {
  readonly closesAfterMs: number
  readonly calmForMs: number
  readonly probationMs: number
  /** A changed limit may take so long to bite. */
  readonly settleMs: number
}

/** What the engine does about a step. `phase` is told as a change; `alert` wakes people. */
export interface Step {
  readonly incident: Incident
  readonly phase?: Explanation['phase']
  readonly alert?: boolean
  readonly effect?: Planned
  /** The story as it ended, when the incident is quiet again. */
  readonly ended?: Story
}

/** A suspicion that nothing follows is dropped after this long. */
const SUSPICION_MS = 30_000

/** The shortest windows look back this far: before they are past the restore, what they show may be from before it. */
const RELAPSE_AFTER_MS = 10_000

export function follow(incident: Incident, event: IncidentEvent, rules: IncidentRules): Step {
  switch (event.kind) {
    case 'signal':
      return onSignal(incident, event)
    case 'stirring':
      return onStirring(incident, event.at)
    case 'present':
      return onPresent(incident)
    case 'time':
      return onTime(incident, event, rules)
    case 'outcome':
      return onOutcome(incident, event, rules)
    case 'progress':
      if (incident.phase === 'recovering') return { incident: withBackProgress(incident, event.standing, event.now) }
      return { incident: incident.phase === 'open' ? withProgress(incident, event.standing, event.now) : incident }
    case 'verified':
      return onVerified(incident, event.verification)
    case 'platform':
      return onPlatform(incident, event.now)
    case 'exempted':
      return onExempted(incident, event.now)
    default:
      throw new Error(`no such event: ${event satisfies never}`)
  }
}

type Of<Kind extends IncidentEvent['kind']> = Extract<IncidentEvent, { kind: Kind }>

function onSignal(incident: Incident, event: Of<'signal'>): Step {
  switch (incident.phase) {
    case 'quiet':
      return isJudged(incident, event.signal.at) ? { incident } : opened(newStory(event), event)
    case 'suspected':
      return opened(newStory(event), event)
    case 'open':
      return incident.asked === undefined
        ? stillOpen(incident, event)
        : { incident: { ...incident, story: worse(incident.story, event.signal) } }
    case 'mitigated':
      return { incident: { ...incident, story: worse(incident.story, event.signal) } }
    case 'recovering':
      return relapsed(incident, event)
    default:
      throw new Error(`no such phase: ${incident satisfies never}`)
  }
}

/** Read again after a crash, what is over does not begin anew. */
const isJudged = ({ judgedTo }: Extract<Incident, { phase: 'quiet' }>, at: EpochMs): boolean =>
  judgedTo !== undefined && at <= judgedTo

/**
 * Bad again while the limit is being given back. What was called before the limit rose is no relapse, and a limit that
 * is not lowered again goes on being given back.
 */
function relapsed(incident: Extract<Incident, { phase: 'recovering' }>, event: Of<'signal'>): Step {
  const { givingBack } = incident
  const story = worse(incident.story, event.signal)
  const goesOn = { incident: { ...incident, story } }
  if (givingBack !== undefined) {
    if (givingBack.doneAt === undefined || event.signal.at < givingBack.doneAt + RELAPSE_AFTER_MS) return goesOn
    const lowersAgain = event.action.kind === 'throttle' && story.refused === undefined
    if (givingBack.step === 'half' && !lowersAgain) return goesOn
  }
  return opened({ ...story, signal: event.signal }, event)
}

function newStory({ signal, incidentId, refused, releasedBy }: Of<'signal'>): Story {
  return {
    incidentId,
    openedAt: signal.decidedAt,
    signal,
    lastBadAt: signal.at,
    action: { kind: 'none' },
    telling: 'noted',
    refused,
    ...(releasedBy !== undefined && { releasedBy }),
    extended: undefined,
    held: undefined,
    throttles: 0,
    restores: 0,
    alerts: 0,
    verification: undefined,
  }
}

const worse = (story: Story, { at }: Signal): Story => ({ ...story, lastBadAt: Math.max(story.lastBadAt, at) })

/** Open, newly or again: told, and throttled when the policy says so. */
function opened(before: Story, event: Of<'signal'>): Step {
  const telling = tellingOf(event, before)
  const isKnown = before.action.kind !== 'none' && before.telling !== 'history'
  const again = isKnown && isToldBack(before.action)
  const alert = telling === 'alerted' && !event.isPast && (!isKnown || again || acts(toldAction(before, event.action)))
  const step = withAction({ ...before, telling }, event)
  return { ...(alert && again ? { ...step, incident: withBadAgain(step.incident) } : step), phase: 'open', alert }
}

const withBadAgain = (incident: Incident): Incident =>
  incident.phase === 'open'
    ? { ...incident, story: { ...incident.story, action: badAgain(incident.story.action) } }
    : incident

/** Of what people were alerted of before, they hear on. */
function tellingOf({ action, signal, isPast }: Of<'signal'>, before: Story): Story['telling'] {
  if (isPlatforms(action)) return 'with-platform'
  if (!signal.isHeard) return 'noted'
  return isPast && before.telling !== 'alerted' ? 'history' : 'alerted'
}

const isPlatforms = (action: Action): boolean => action.kind === 'held' && action.because === 'platform-incident'

/** What is done of what the policy wants: a throttle that was refused stays refused. */
const toldAction = ({ refused, releasedBy }: Story, wanted: Action): Action =>
  wanted.kind === 'throttle' && refused !== undefined
    ? { kind: 'throttle-refused', because: refused, ...(releasedBy !== undefined && { by: releasedBy }) }
    : wanted

const acts = (action: Action): boolean => action.kind === 'throttle' || action.kind === 'suggest'

/** Open without a throttle: what is known now may change what is done. */
function stillOpen(incident: Extract<Incident, { phase: 'open' }>, event: Of<'signal'>): Step {
  const story = worse(incident.story, event.signal)
  const escalates = event.signal.severity === 'high' && story.signal.severity === 'low'
  const changes = acts(toldAction(story, event.action)) && !acts(story.action)
  const telling = tellingOf(event, story)
  if (event.isPast && telling === 'history' && story.telling === 'noted') return named(incident, { ...story, telling })
  const isNews = escalates || changes || (telling === 'alerted' && story.telling !== 'alerted')
  // What it has become is told when it is the present, if it still is so then.
  const isTold = isNews && !event.isPast
  if (!isTold && compareHarm(event.signal.kind, story.signal.kind) <= 0) return { incident: { ...incident, story } }
  // The onset stays what it was: it is one story.
  const signal = { ...event.signal, onsetAt: Math.min(story.signal.onsetAt, event.signal.onsetAt) }
  if (!isTold) return named(incident, { ...story, signal: { ...signal, severity: story.signal.severity } })
  return { ...withAction({ ...story, signal, telling }, event), alert: telling === 'alerted' }
}

/** Now it is known what it is. Those who follow are told; nobody is woken again, since nothing else has changed. */
const named = (incident: Extract<Incident, { phase: 'open' }>, story: Story): Step => ({
  incident: { ...incident, story },
  phase: 'open',
})

function withAction(story: Story, { action, now }: Of<'signal'>): Step {
  if (action.kind !== 'throttle' || story.refused !== undefined) {
    return { incident: { phase: 'open', story: { ...story, action: toldAction(story, action) }, asked: undefined } }
  }
  const throttles = story.throttles + 1
  const effectId = `${story.incidentId}/throttle-${throttles}`
  const asked = askedFor(effectId, action, now)
  const told = { ...action, expiresAt: endsAt(asked, story) }
  return {
    incident: { phase: 'open', story: { ...story, action: told, throttles, verification: undefined }, asked },
    effect: { kind: 'throttle', id: effectId, limits: action.limits, expiresAt: told.expiresAt },
  }
}

function onPresent(incident: Incident): Step {
  if (incident.phase !== 'open' || incident.story.telling !== 'history') return { incident }
  return { ...named(incident, { ...incident.story, telling: 'alerted' }), alert: true }
}

function onStirring(incident: Incident, at: EpochMs): Step {
  switch (incident.phase) {
    case 'quiet':
      return { incident: isJudged(incident, at) ? incident : { phase: 'suspected', lastBadAt: at } }
    case 'suspected':
      return { incident: { phase: 'suspected', lastBadAt: at } }
    default:
      return {
        incident: { ...incident, story: { ...incident.story, lastBadAt: Math.max(incident.story.lastBadAt, at) } },
      }
  }
}

function onTime(incident: Incident, event: Of<'time'>, rules: IncidentRules): Step {
  switch (incident.phase) {
    case 'quiet':
      return { incident }
    case 'suspected':
      return { incident: event.eventTime - incident.lastBadAt > SUSPICION_MS ? { phase: 'quiet' } : incident }
    case 'open':
      // Part of it may have arrived, and one plan that does not answer must not keep the others lowered.
      if (incident.asked && event.now >= endsAt(incident.asked, incident.story))
        return giveBack(incident.story, { step: 'full', because: 'expired', now: event.now })
      // Those hear of it who heard that it was to be lowered.
      if (isLate(incident, event.now))
        return { incident: late(incident, event.now), alert: incident.story.telling === 'alerted' }
      // Half of the delay to close is spent open, half recovering.
      if (incident.asked || event.eventTime - incident.story.lastBadAt < rules.closesAfterMs / 2) return { incident }
      return { incident: { phase: 'recovering', story: incident.story, givingBack: undefined }, phase: 'recovering' }
    case 'mitigated': {
      if (event.now >= endsAt(incident.throttle, incident.story))
        return giveBack(incident.story, { step: 'half', because: 'expired', now: event.now })
      if (isHeld(incident.story, event.now)) return { incident }
      // Silence after a throttle is not recovery: the gateway may stop logging 429s. Only calls within the band are.
      const isCalm = event.calls && event.eventTime - incident.story.lastBadAt >= rules.calmForMs
      return isCalm ? giveBack(incident.story, { step: 'half', because: 'calm', now: event.now }) : { incident }
    }
    case 'recovering':
      return onRecovering(incident, event, rules)
    default:
      throw new Error(`no such phase: ${incident satisfies never}`)
  }
}

function onRecovering(
  incident: Extract<Incident, { phase: 'recovering' }>,
  event: Of<'time'>,
  rules: IncidentRules,
): Step {
  const { story, givingBack } = incident
  if (givingBack !== undefined) {
    if (isBackLate(incident, event.now)) return { incident: backLate(incident, event.now), alert: true }
    if (givingBack.doneAt === undefined) return { incident }
    if (givingBack.step === 'half') {
      return event.now - givingBack.doneAt < rules.probationMs || isHeld(story, event.now)
        ? { incident }
        : { ...giveBack(story, { step: 'full', because: givingBack.because, now: event.now }), alert: false }
    }
    if (event.now - givingBack.doneAt < rules.closesAfterMs) return { incident }
  }
  if (event.eventTime - story.lastBadAt < rules.closesAfterMs) return { incident }
  return { incident: { phase: 'quiet' }, phase: 'closed', alert: story.telling === 'alerted', ended: story }
}

interface Asking {
  readonly step: 'half' | 'full'
  readonly because: RestoreReason
  readonly now: EpochMs
  /** What is told meanwhile, where that is not the restore itself. */
  readonly action?: Action
}

export function giveBack(story: Story, { step, because, now, action: told }: Asking): Step {
  const action = told ?? restoreAction(story.action, step, because)
  const restores = story.restores + 1
  const effectId = `${story.incidentId}/restore-${restores}`
  const next: Incident = {
    phase: 'recovering',
    story: { ...story, restores, action, verification: endVerification(story.verification) },
    givingBack: { effectId, step, because, askedAt: now, doneAt: undefined },
  }
  return {
    incident: next,
    effect: { kind: 'restore', id: effectId, step },
    alert: true,
    ...(step === 'half' || because === 'platform-incident' || because === 'operator'
      ? { phase: 'recovering' as const }
      : {}),
  }
}

function onOutcome(
  incident: Incident,
  { effectId, outcome, now, newest }: Of<'outcome'>,
  { settleMs }: IncidentRules,
): Step {
  if (incident.phase === 'open' && incident.asked?.effectId === effectId) {
    const { story, asked } = incident
    if (outcome.kind === 'refused') {
      const action: Action = { kind: 'throttle-refused', because: outcome.because }
      // Half of the limit is still away from the throttle before: it goes on being given back.
      if (story.restores > 0)
        return giveBack({ ...story, action, refused: outcome.because }, { step: 'full', because: 'expired', now })
      return {
        incident: { phase: 'open', story: { ...story, action, refused: outcome.because }, asked: undefined },
        alert: true,
      }
    }
    const action = throttledAction(outcome, { ...asked, expiresAt: endsAt(asked, story) })
    const lowered = loweredBy(asked.effectId, outcome, story.lowered)
    // It was on its way when the fleet guard saw that the client is not to blame: back with it.
    if (story.telling === 'with-platform' && !isHeld(story, now))
      return giveBack({ ...story, action, lowered }, { step: 'full', because: 'platform-incident', now })
    const { plans, missed } = outcome
    const done = { plans, missed, wasSo: outcome.kind === 'already' }
    const verification = beginVerification(done, { now, newest, settleMs })
    return {
      incident: { phase: 'mitigated', story: { ...story, action, verification, lowered }, throttle: asked },
      phase: 'mitigated',
      // Who was told that it is not carried out yet is told that it is.
      alert: asked.lateAt === undefined && story.telling === 'alerted',
    }
  }
  if (incident.phase === 'recovering' && incident.givingBack?.effectId === effectId) {
    const { story, givingBack } = incident
    if (outcome.kind === 'refused') {
      const action = restoreRefused(outcome)
      const told = { ...story, action, refused: outcome.because }
      // One of several plans may be another’s by now: it is told, and the others are still to get all of theirs back.
      if (givingBack.step === 'half') return giveBack(told, { step: 'full', because: givingBack.because, now, action })
      // Somebody else has changed the limit meanwhile, or the plan is gone: theirs wins, nothing is left to give back.
      return {
        incident: {
          phase: 'recovering',
          story: told,
          givingBack: { ...givingBack, step: 'full', doneAt: now },
        },
        alert: true,
      }
    }
    // What was refused before, and is another's by now, was not restored.
    const isOthers = outcome.kind === 'already' && story.action.kind === 'restore-refused'
    const action =
      givingBack.step === 'full' && !isOthers ? restoredAction(outcome, story.action) : arrivedBack(story.action)
    return {
      incident: { phase: 'recovering', story: { ...story, action }, givingBack: { ...givingBack, doneAt: now } },
      // Who was told that it does not come is told that it came.
      ...(givingBack.isToldLate && { alert: true }),
    }
  }
  return { incident }
}

function onVerified(incident: Incident, verification: Verification): Step {
  if (incident.phase !== 'mitigated' || incident.story.verification === undefined) return { incident }
  const { story } = incident
  const next: Incident = { ...incident, story: { ...story, verification } }
  const news = newsOf(incident.story.verification, verification)
  return news === 'none' ? { incident: next } : { incident: next, phase: 'mitigated', alert: news === 'alerted' }
}

/** A limit that a person holds is none of the guard's. */
function onPlatform(incident: Incident, now: EpochMs): Step {
  if ('story' in incident && isHeld(incident.story, now)) return { incident }
  switch (incident.phase) {
    case 'open':
      return { incident: { ...incident, story: merged(incident.story) } }
    case 'mitigated':
      return giveBack(merged(incident.story), { step: 'full', because: 'platform-incident', now })
    default:
      return { incident }
  }
}

/** A throttle that is still on its way is called back with it. */
function onExempted(incident: Incident, now: EpochMs): Step {
  const whole = { step: 'full', because: 'operator', now } as const
  switch (incident.phase) {
    case 'open':
      return incident.asked === undefined ? { incident } : giveBack(incident.story, whole)
    case 'mitigated':
      return giveBack(incident.story, whole)
    case 'recovering': {
      const { givingBack } = incident
      const isOnProbation = givingBack?.step === 'half' && givingBack.doneAt !== undefined
      return isOnProbation ? giveBack(incident.story, whole) : { incident }
    }
    default:
      return { incident }
  }
}

const merged = (story: Story): Story => ({ ...story, telling: 'with-platform' })

/** When a throttle ends whatever happens: by the policy, or later by a person's word. */
export const endsAt = ({ expiresAt }: Pick<Throttle, 'expiresAt'>, { extended, held }: Story): EpochMs =>
  Math.max(expiresAt, extended?.until ?? expiresAt, held?.until ?? expiresAt)

export const isHeld = ({ held }: Pick<Story, 'held'>, now: EpochMs): boolean => held !== undefined && now < held.until
