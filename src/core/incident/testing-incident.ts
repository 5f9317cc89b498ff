/**
 * One key's incident as a timetable: seconds on the left, what the core was told and what came of it on the right. Event
 * time and arrival time are the same here, and a second passes every second, as ticks make it. Only tests import this file.
 */

import type { Kind } from '../../../detectors/contract.ts'
import type { Action } from '../explanation/explanation.ts'
import type { Outcome } from './effect.ts'
import { follow, type Incident, type IncidentEvent, type IncidentRules, type Signal, type Step } from './incident.ts'
import { awaited } from './incident-questions.ts'
import { type Order, obey } from './operator-order.ts'
import type { QueueStanding } from './waiting.ts'

/** One minute to close, two of calm and two of probation: the defaults. */
export const rules: IncidentRules = {
  closesAfterMs: 60_000,
  calmForMs: 120_000,
  probationMs: 120_000,
  settleMs: 120_000,
}

const limits = { rateLimit: 15, burstLimit: 30 }
export const THROTTLED_FOR_MS = 600_000

/** What the policy says while the storm is seen; the shape of `respond`'s answers. */
const actions: Readonly<Record<string, (now: number) => Action>> = {
  storm: now => ({ kind: 'throttle', limits, expiresAt: now + THROTTLED_FOR_MS }),
  'storm, suggest': () => ({ kind: 'suggest', limits }),
  'storm, observe': () => ({ kind: 'held', because: 'observe-mode' }),
  'storm, exempt': () => ({ kind: 'held', because: 'exempt' }),
  'storm, anonymous': () => ({ kind: 'held', because: 'anonymous' }),
  'storm, halted': () => ({ kind: 'held', because: 'halted', by: 'ann' }),
  'storm, too many': () => ({ kind: 'held', because: 'too-many-throttled' }),
  'storm, platform': () => ({ kind: 'held', because: 'platform-incident' }),
  'storm, past': () => ({ kind: 'held', because: 'too-old' }),
  surge: () => ({ kind: 'held', because: 'no-harm' }),
  errors: () => ({ kind: 'held', because: 'no-harm' }),
}

const outcomes: Readonly<Record<string, Outcome>> = {
  applied: { kind: 'applied', before: { rateLimit: 100, burstLimit: 200 }, after: limits },
  already: { kind: 'already', after: limits },
  moved: { kind: 'applied', before: { rateLimit: 100, burstLimit: 200 }, after: limits, gapMs: 2_000, wholeOnly: true },
  'person changed it': { kind: 'refused', because: 'somebody else has changed the limit' },
  'no plan': { kind: 'refused', because: 'the key has no usage plan of its own' },
}

/** How what is awaited stands. */
const standings: Readonly<Record<string, QueueStanding>> = {
  'two minutes to wait': { ahead: 6, waitMs: 120_000 },
  'ten hours to wait': { ahead: 1_800, waitMs: 36_000_000 },
  'no answer': { ahead: 0, waitMs: 120_000, because: 'TimeoutError' },
}

/** What Ann commands. */
const orders: Readonly<Record<string, Order>> = {
  'ann releases it': { kind: 'release' },
  'ann halts': { kind: 'halt' },
  'ann extends it': { kind: 'extend', byMs: 300_000 },
  'ann holds it': { kind: 'hold', forMs: 900_000 },
}

export type Happening = keyof typeof actions | keyof typeof outcomes | string

/**
 * `told`: at so many seconds, one or several (comma and semicolon are part of the names): a signal, an outcome of what
 * is awaited or how that stands, what Ann commands, `past storm` (seen while catching up), `present`, `stirring`, `platform`, `exempted`,
 * `calling` (from now on the key calls, within its band) or `silent`. Each line of the
 * answer: `12s open`, `12s ! alert: throttle`, `12s ! key#1/throttle-1`; phases as they are told.
 */
export function play(told: readonly (readonly [number, ...Happening[]])[], untilSecond?: number): string[] {
  const lines: string[] = []
  let incident: Incident = { phase: 'quiet' }
  let calls = false
  let ordinal = 1
  const end = untilSecond ?? told.at(-1)?.[0] ?? 0

  const take = (second: number, event: IncidentEvent): void => moved(second, follow(incident, event, rules))
  const command = (second: number, order: Order): void => {
    const obeyed = obey(incident, { order, by: 'ann', now: second * 1_000 })
    if (obeyed.kind === 'step') moved(second, obeyed.step)
    else lines.push(`${second}s no: ${obeyed.because}`)
  }
  const moved = (second: number, { phase, alert, effect, incident: next, ended }: Step): void => {
    incident = next
    const story = ended ?? ('story' in next ? next.story : undefined)
    if (phase !== undefined) lines.push(`${second}s ${phase}`)
    if (alert === true)
      lines.push(`${second}s ! alert: ${story === undefined ? 'of nothing' : actionText(story.action)}`)
    if (effect !== undefined)
      lines.push(`${second}s ! ${effect.id}${effect.kind === 'restore' ? ` ${effect.step}` : ''}`)
    if (ended !== undefined) ordinal++
  }

  for (let second = 0; second <= end; second++) {
    const now = second * 1_000
    for (const [at, ...happenings] of told) {
      if (at !== second) continue
      for (const happening of happenings) {
        const order = orders[happening]
        if (happening === 'calling' || happening === 'silent') calls = happening === 'calling'
        else if (order !== undefined) command(second, order)
        else take(second, eventOf(happening, { now, incident, ordinal }))
      }
    }
    take(second, { kind: 'time', eventTime: now, now, calls })
  }
  return lines
}

function eventOf(
  happening: Happening,
  { now, incident, ordinal }: { readonly now: number; readonly incident: Incident; readonly ordinal: number },
): IncidentEvent {
  if (happening === 'stirring') return { kind: 'stirring', at: now }
  if (happening === 'platform' || happening === 'exempted') return { kind: happening, now }
  const outcome = outcomes[happening]
  if (outcome !== undefined)
    return { kind: 'outcome', effectId: awaited(incident) ?? 'none', outcome, now, newest: now }
  if (happening === 'present') return { kind: 'present' }
  const standing = standings[happening]
  if (standing !== undefined) return { kind: 'progress', standing, now }
  const [, past, seen = happening] = /^(past )?(.*)$/.exec(happening) ?? []
  const isPast = past !== undefined
  const action = actions[isPast && seen === 'storm' ? 'storm, past' : seen]
  if (action === undefined) throw new Error(`the timetable knows no '${happening}'`)
  const kind = seen === 'surge' ? 'surge' : seen === 'errors' ? 'error-loop' : 'retry-storm'
  const incidentId = `key#${ordinal}`
  return { kind: 'signal', signal: signalAt(now, kind), action: action(now), incidentId, isPast, now }
}

const signalAt = (now: number, kind: Kind): Signal => ({
  at: now,
  decidedAt: now,
  onsetAt: now - 1_000,
  kind,
  severity: kind === 'retry-storm' ? 'high' : 'low',
  detectors: [],
  evidence: [],
  current: { calls: 800, seconds: 1, callsPerMinute: 48_000 },
  expected: undefined,
  timesAWeek: undefined,
  isHeard: true,
})

function actionText(action: Action): string {
  switch (action.kind) {
    case 'held':
      return `held (${action.because})${action.again ? ', again' : ''}`
    case 'restore': {
      const whole = action.wholeOnly ? `, as a whole only, after ${action.gapMs} ms of 403` : ''
      const late = action.waiting?.isLate ? ', late' : ''
      return `restore ${action.step} (${action.because}${whole}${late})`
    }
    case 'throttle-refused':
      return `${action.kind} (${action.because})${action.again ? ', again' : ''}`
    case 'restore-refused':
      return `${action.kind} (${action.because})`
    case 'throttle':
      return action.waiting?.isLate ? 'throttle (late)' : action.kind
    default:
      return action.kind
  }
}
