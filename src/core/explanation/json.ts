/**
 * An explanation as machines read it: the line of `replay --json`, and the body of a message. Field names and order are
 * a promise (`weir.incident/1`, `weir.alert/1`): what is unknown is null, times are ISO 8601 and epoch ms, fields are only added.
 */
import type { AlertEffect } from '../incident/effect.ts'
import { type PlannedStretch, upToText } from '../planned/planned-event.ts'
import type { EpochMs } from '../vocabulary.ts'
import { type Delay, delayText } from './delay.ts'
import type { Detectable } from './detectable.ts'
import type { Action, Explanation } from './explanation.ts'
import { alertText } from './text.ts'

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
    ...wordsOf(explanation),
    ...delayJson(delay),
  } as const
}

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
      return { kind: action.kind, limits: action.limits, ...times('expiresAt', action.expiresAt), ...ofWeekOf(action) }
    case 'throttled': {
      const { kind, limits, before, expiresAt, missed } = action
      const told = { limits: limits ?? null, before: before ?? null, ...times('expiresAt', expiresAt) }
      return { kind, ...told, ...ofWeekOf(action), ...(missed !== undefined && { missed }) }
    }
    case 'restored':
      return { kind: action.kind, limits: action.limits ?? null }
    case 'held':
    case 'suggest':
    case 'throttle-refused':
    case 'restore':
    case 'restore-refused':
    case 'none':
      return action
    default:
      return action satisfies never
  }
}

const ofWeekOf = ({ ofWeek }: { readonly ofWeek?: number }) => (ofWeek === undefined ? {} : { ofWeek })

export function times<Name extends string>(name: Name, at: EpochMs): Readonly<Record<string, string | number>> {
  return { [name]: new Date(at).toISOString(), [`${name}Ms`]: at }
}

/** JSON escapes the old control characters only; the others that steer a terminal are written as escapes too. Same value. */
export function terminalSafe(json: string): string {
  return json.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

export const riseJson = (rise: Detectable) => ({ ...rise, multiple: rise.multiple ?? null })
