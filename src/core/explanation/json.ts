/**
 * An explanation as machines read it: the line of `replay --json`, and the body of a message. Field names and order are
 * a promise (`weir.incident/1`, `weir.alert/1`): what is unknown is null, times are ISO 8601 and epoch ms, fields are only added.
 */
import type { AlertEffect } from '../incident/effect.ts'
import type { OthersLimit } from '../incident/plan-story.ts'
import type { Seen } from '../incident/verification.ts'
import type { Waiting } from '../incident/waiting.ts'
import { type PlannedStretch, upToText } from '../planned/planned-event.ts'
import type { EpochMs } from '../vocabulary.ts'
import { commandsOf, planCommand } from './by-hand.ts'
import { type Delay, delayText } from './delay.ts'
import type { Detectable } from './detectable.ts'
import type { Action, Explanation } from './explanation.ts'
import { terminalSafe } from './plain-text.ts'
import { alertText, isStillReduced, unusual } from './text.ts'
import { nextSteps } from './verification-text.ts'

export { terminalSafe } from './plain-text.ts'

/** One line of JSON, without the line break. */
export const changeLine = (explanation: Explanation): string => terminalSafe(JSON.stringify(incidentBody(explanation)))

export function incidentBody(explanation: Explanation) {
  const { incidentId, keyId, tenant, phase, kind, severity, telling, onsetAt, decidedAt, detectors } = explanation
  return {
    schema: 'weir.incident/1',
    incidentId,
    keyId,
    tenantId: tenant?.id ?? null,
    phase,
    kind,
    severity,
    ...times('onsetAt', onsetAt),
    ...times('decidedAt', decidedAt),
    detectors,
    evidence: evidenceOf(explanation),
    ...plannedOf(explanation),
    action: actionOf(explanation.action),
    ...verificationOf(explanation),
    ...wordsOf(explanation),
    telling,
  } as const
}

/** The body of an alert: all that a machine needs to act on it, and the text for people. `delay`: of one that comes late. */
export function alertBody({ id, explanation }: AlertEffect, delay?: Delay) {
  const { incidentId, keyId, tenant, phase, kind, severity, mode, onsetAt, decidedAt } = explanation
  return {
    schema: 'weir.alert/1',
    deduplicationId: id,
    incidentId,
    text: delay === undefined ? alertText(explanation) : `${delayText(delay)}\n${alertText(explanation)}`,
    phase,
    kind,
    severity,
    mode,
    keyId,
    tenant: tenant
      ? {
          id: tenant.id,
          name: tenant.name ?? null,
          contact: tenant.contact ?? null,
          escalation: tenant.escalation ?? null,
        }
      : null,
    ...times('onsetAt', onsetAt),
    ...times('decidedAt', decidedAt),
    current: explanation.current,
    expected: explanation.expected ?? null,
    detectors: explanation.detectors,
    evidence: evidenceOf(explanation),
    ...plannedOf(explanation),
    action: actionOf(explanation.action),
    ...verificationOf(explanation),
    ...wordsOf(explanation),
    ...delayJson(delay),
  } as const
}

/** What a change of a limit rests on, as the audit log keeps it: all numbers and no contact. The action is the one that was decided. */
export function groundsBody(explanation: Explanation) {
  const { phase, kind, severity, onsetAt, decidedAt, current, expected, detectors, action } = explanation
  return {
    phase,
    kind,
    severity,
    ...times('onsetAt', onsetAt),
    ...times('decidedAt', decidedAt),
    unusual: unusual(explanation),
    current,
    expected: expected ?? null,
    detectors,
    evidence: evidenceOf(explanation),
    ...plannedOf(explanation),
    action: actionOf(action),
  } as const
}

export type Grounds = ReturnType<typeof groundsBody>

/** Left out of what is sent in time. */
function delayJson(delay: Delay | undefined) {
  if (delay === undefined) return {}
  const { decidedAt, sentAt, since } = delay
  const told = since === undefined ? null : { phase: since.phase, ...times('at', since.at) }
  return { delayed: { ...times('decidedAt', decidedAt), ...times('sentAt', sentAt), since: told } }
}

function evidenceOf({ evidence }: Explanation) {
  return evidence.map(({ measure, observed, usual }) => ({ measure, observed, usual: usual ?? null }))
}

/** Left out where nothing was planned. */
function plannedOf({ planned }: Explanation) {
  if (planned === undefined) return {}
  const { stretches, upToPerMinute, used } = planned
  return { planned: { events: stretches.map(stretchJson), upToPerMinute, used } }
}

export const stretchJson = ({ event, from, to }: PlannedStretch) => ({
  ...{ note: event.note ?? null, upTo: upToText(event.upTo), ...times('from', from), ...times('to', to) },
})

/** Left out where nobody has said anything. */
function wordsOf({ extended, held }: Explanation) {
  return {
    ...(extended && { extended: { by: extended.by, ...times('until', extended.until) } }),
    ...(held && { held: { by: held.by, ...times('until', held.until) } }),
  }
}

function actionOf(action: Action) {
  switch (action.kind) {
    case 'throttle':
      return {
        ...{ kind: action.kind, limits: action.limits, ...times('expiresAt', action.expiresAt), ...ofWeekOf(action) },
        ...(action.waiting !== undefined && { waiting: waitingOf(action.waiting) }),
      }
    case 'throttled': {
      const { kind, limits, before, expiresAt, missed, gapMs } = action
      const told = { limits: limits ?? null, before: before ?? null, ...times('expiresAt', expiresAt) }
      return {
        ...{ kind, ...told, ...ofWeekOf(action), ...(missed !== undefined && { missed }) },
        ...(gapMs !== undefined && { gapMs }),
      }
    }
    case 'restored':
      return {
        ...{ kind: action.kind, limits: action.limits ?? null },
        ...(action.by !== undefined && { by: action.by }),
        ...(action.wasSo && { already: true }),
        ...(action.gapMs !== undefined && { gapMs: action.gapMs }),
      }
    case 'restore': {
      const { waiting, ...told } = action
      return { ...told, ...(waiting !== undefined && { waiting: waitingOf(waiting) }) }
    }
    case 'restore-refused': {
      const { waiting, others, ...told } = action
      return {
        ...{ ...told, isReduced: isStillReduced(action) },
        ...(others !== undefined && { others: others.map(othersOf) }),
        ...(waiting !== undefined && { waiting: waitingOf(waiting) }),
      }
    }
    case 'held':
    case 'suggest':
    case 'throttle-refused':
    case 'none':
      return action
    default:
      return action satisfies never
  }
}

const ofWeekOf = ({ ofWeek }: { readonly ofWeek?: number }) => (ofWeek === undefined ? {} : { ofWeek })

const othersOf = ({ gateway, region, planId, original, now }: OthersLimit) => ({
  ...{ gateway: gateway ?? null, region: region ?? null, planId, original, now },
  byHand: planCommand({ planId, original }, region),
})

export function waitingOf({ askedAt, ahead, waitMs, because, isLate, byHand }: Waiting) {
  const stands = { ahead, waitMs, because: because ?? null, isLate: isLate === true }
  const commands = byHand?.flatMap(commandsOf).map(line => line.trim())
  return { ...times('askedAt', askedAt), ...stands, ...(commands !== undefined && { byHand: commands }) }
}

/** Left out where no limit was lowered, or nobody knows what is. */
function verificationOf({ verification }: Explanation) {
  if (verification === undefined) return {}
  const { verdict, plans, limits, changedAt, settledAt } = verification
  const seen = 'seen' in verdict ? verdict.seen : undefined
  return {
    verification: {
      verdict: verdict.kind,
      ...(verdict.kind === 'bites' && { ...times('since', verdict.since), bitesAfterMs: verdict.afterMs ?? null }),
      ...(verdict.kind === 'cannot-tell' && { because: verdict.because }),
      ...{ ...times('changedAt', changedAt), ...times('settledAt', settledAt), limits },
      plans: plans.map(({ gateway, region, planId, stages, limits, keys }) => ({
        ...{ gateway: gateway ?? null, region: region ?? null, planId, stages: stages ?? null, limits, keys },
      })),
      seen: seen === undefined ? null : { ...times('from', seen.from), ...seenOf(seen) },
      ...(verdict.kind === 'does-not-bite' && { nextSteps: nextSteps(verification) }),
    },
  }
}

const seenOf = ({ seconds, accepted, refused, unclear, allowed }: Seen) => ({
  ...{ seconds, accepted, refused, unclear, allowed },
})

export function times<Name extends string>(name: Name, at: EpochMs): Readonly<Record<string, string | number>> {
  return { [name]: new Date(at).toISOString(), [`${name}Ms`]: at }
}

export const riseJson = (rise: Detectable) => ({ ...rise, multiple: rise.multiple ?? null })
