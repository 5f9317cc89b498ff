/**
 * Moves incidents on and tells what came of it: each step of `incident.ts` becomes changes (for whoever follows), alerts
 * (for whoever is on call) and effects (for the performers), all rendered from one Explanation.
 */

import { type Engine, type Out, watching } from '../engine-state.ts'
import type { Explanation, Severity } from '../explanation/explanation.ts'
import { isStillReduced } from '../explanation/text.ts'
import { accumulateFrom } from '../state/accumulator.ts'
import { beforeChange, type KeyState } from '../state/key-state.ts'
import { noteTold } from '../state/own-reach.ts'
import type { Owner } from '../state/owner.ts'
import { paneSecond } from '../state/pane.ts'
import { type ApiKeyId, DAY_MS, type EpochMs, SECOND_MS } from '../vocabulary.ts'
import { noteSpent } from './alert-budget.ts'
import type { OutcomeReport, ProgressReport } from './effect.ts'
import { eventTimeOf } from './event-time.ts'
import { follow, type Incident, type IncidentEvent, type Signal, type Step, type Story } from './incident.ts'
import { awaited, holdsLimit, isToldSilent } from './incident-questions.ts'
import { keyNeeds } from './key-needs.ts'
import { currentOf, measured } from './measure.ts'
import type { Alerted, Memo } from './memo.ts'
import { opened, openingsFrom } from './openings.ts'
import { isPast } from './past.ts'
import { urgencyOf } from './queued.ts'
import { noteThrottles } from './repeaters.ts'
import { isVerified } from './verification.ts'
import { verified } from './verified.ts'

export function takeOutcome(engine: Engine, report: OutcomeReport, out: Out): void {
  for (const owner of watching(engine.state)) {
    for (const key of owner.incidents) {
      if (awaited(key.incident) !== report.effectId) continue
      const times = { now: engine.state.now, newest: owner.time.highest }
      step(engine, owner, key, { kind: 'outcome', ...report, ...times }, out)
      return
    }
  }
}

export function takeProgress(engine: Engine, { effectId, ...standing }: ProgressReport, out: Out): void {
  for (const owner of watching(engine.state)) {
    for (const key of owner.incidents) {
      if (awaited(key.incident) !== effectId) continue
      step(engine, owner, key, { kind: 'progress', standing, now: engine.state.now }, out)
      return
    }
  }
}

/** Incidents whose time has come: calm, expired, past probation, closed. */
export function passTime(engine: Engine, owner: Owner, out: Out): void {
  const { state } = engine
  const now = state.now
  const eventTime = eventTimeOf(engine, owner)
  for (const key of owner.incidents) {
    const panes = key.activity?.panes
    const newest = panes && panes.firstOpen > panes.first ? paneSecond(panes, panes.firstOpen - 1) : 0
    const calls = newest * SECOND_MS >= eventTime - 60 * SECOND_MS
    if (isStillSilent(key, newest, eventTime)) staySilent(engine, owner, key, eventTime, out)
    step(engine, owner, key, { kind: 'time', eventTime, now, calls }, out)
    const verification = verified(engine, owner, key)
    if (verification !== undefined) step(engine, owner, key, { kind: 'verified', verification }, out)
  }
}

/** No look finds a silence anew: where it was told as history and goes on into the present, it is said here. */
function staySilent(engine: Engine, owner: Owner, key: KeyState, at: EpochMs, out: Out): void {
  step(engine, owner, key, { kind: 'stirring', at }, out)
  const { incident } = key
  if (!('story' in incident) || incident.story.telling !== 'history') return
  if (!isPast(owner)) step(engine, owner, key, { kind: 'present' }, out)
}

/** Told of its silence, and not heard of since. A client that is gone for a day is gone. */
function isStillSilent({ incident }: KeyState, newestSecond: number, eventTime: EpochMs): boolean {
  if (!isToldSilent(incident)) return false
  const { signal, openedAt } = incident.story
  return newestSecond * SECOND_MS < signal.at && eventTime - openedAt < DAY_MS
}

/** Moves one incident on and says what the step says. */
export function step(engine: Engine, owner: Owner, key: KeyState, event: IncidentEvent, out: Out): void {
  const { config } = engine.settings
  const taken = follow(key.incident, event, {
    closesAfterMs: config.incident.closesAfter,
    calmForMs: config.throttle.calmFor,
    probationMs: config.throttle.probation,
    settleMs: config.throttle.settle,
  })
  move(engine, owner, key, taken, out)
}

/** A step that was taken: what it changes, and what is said of it. */
export function move(engine: Engine, owner: Owner, key: KeyState, taken: Step, out: Out): void {
  const before = key.incident
  const wasQuiet = before.phase === 'quiet' || before.phase === 'suspected'
  keepIncident(owner, key, taken.incident)
  const isOpening = wasQuiet && taken.phase === 'open'
  if (isOpening) noteOpening(engine, key, owner.time.highest)
  noteThrottles(engine.state, key.keyId, before, taken.incident)
  const restoredAt = isRestoredNow(before, taken.incident)
  if (restoredAt !== undefined && key.activity) {
    accumulateFrom(key.activity.accumulators, Math.ceil(restoredAt / SECOND_MS))
    key.activity.early.isStale = true
  }
  tell(engine, owner, key, { ...taken, isOpening }, out)
}

/** What opens while the API is known to be sick tells nothing of what clients do by themselves. */
function noteOpening({ state }: Engine, key: KeyState, at: EpochMs): void {
  key.incidents++
  if (state.platform.phase === 'quiet') state.openings = opened(state.openings ?? openingsFrom(at), at)
}

/** A limit was raised just now: only what is called from here on is evidence of a relapse. */
function isRestoredNow(before: Incident, after: Incident): EpochMs | undefined {
  if (before.phase !== 'recovering' || after.phase !== 'recovering') return undefined
  return before.givingBack?.doneAt === undefined ? after.givingBack?.doneAt : undefined
}

type Taken = Step & { readonly isOpening: boolean }

function tell(engine: Engine, owner: Owner, key: KeyState, taken: Taken, out: Out): void {
  const story = taken.ended ?? ('story' in taken.incident ? taken.incident.story : undefined)
  if (story === undefined || (taken.phase === undefined && taken.alert !== true && taken.effect === undefined)) return
  const { state } = engine
  const common = { incidentId: story.incidentId, keyId: key.keyId, decidedAt: state.now }
  const phase =
    taken.phase ??
    (taken.incident.phase === 'mitigated' || taken.incident.phase === 'recovering' ? taken.incident.phase : 'open')
  const explained = explain(engine, owner, key.keyId, nowOf(engine, owner, key, story, phase), phase)
  const explanation = taken.alert === true ? ({ ...explained, isAlert: true } as const) : explained
  // What is worth waking somebody for is worth a line to whoever follows: an open incident that turned worse, or a refusal.
  if (taken.phase !== undefined || taken.alert === true) out.changes.push(explanation)
  if (taken.effect?.kind === 'throttle') {
    const urgency = urgencyOf(story.signal)
    out.effects.push({ ...common, ...taken.effect, urgency, ...keyNeeds(engine, key.keyId, taken.effect.limits) })
  }
  if (taken.effect?.kind === 'restore')
    out.effects.push({ ...common, ...taken.effect, ...(story.lowered && { lowered: story.lowered }) })
  const alerted = taken.alert === true && phase === 'open' ? alertedOf(story.signal) : undefined
  if (taken.alert === true) {
    const alerts = story.alerts + 1
    if (alerted !== undefined) noteAlert(engine, owner, key, alerted)
    if ('story' in taken.incident) key.incident = { ...taken.incident, story: { ...story, alerts } }
    out.effects.push({ ...common, kind: 'alert', id: `${story.incidentId}/alert-${alerts}`, explanation })
  }
  if (taken.effect !== undefined || taken.alert === true)
    out.memos.push(memoOf(engine, owner, key, { isOpening: taken.isOpening, alerted }))
}

function alertedOf({ kind, severity, at, timesAWeek }: Signal): Alerted | undefined {
  return kind === 'platform' ? undefined : { kind, severity, at, timesAWeek }
}

/** What the alert budget goes by. */
function noteAlert({ state }: Engine, owner: Owner, { number }: KeyState, told: Alerted): void {
  const { kind, severity, at, timesAWeek } = told
  if (kind === 'surge' && timesAWeek !== undefined) noteTold(owner.keys, number, { at, timesAWeek })
  else if (severity === 'low') noteSpent(state, kind, at)
}

function memoOf(
  engine: Engine,
  owner: Owner,
  { keyId, incident, incidents }: KeyState,
  noted: { readonly isOpening: boolean; readonly alerted: Alerted | undefined },
): Memo {
  const [name] = [...engine.state.owners].find(([, other]) => other === owner) ?? []
  const at = reachedBy(engine, owner)
  const kept: Incident = incident.phase === 'quiet' ? { ...incident, judgedTo: at } : incident
  return { kind: 'key', keyId, owner: name, at, incident: kept, incidents, ...noted }
}

/** How far event time has come; of an owner that has not seen a call, as far as the clock lets one believe. */
const reachedBy = (engine: Engine, owner: Owner): EpochMs =>
  Number.isFinite(owner.time.highest) ? owner.time.highest : eventTimeOf(engine, owner)

/** What has become of a key without an effect of its own, beside the effects of others. */
export function remember(engine: Engine, owner: Owner, key: KeyState, out: Out): void {
  out.memos.push(memoOf(engine, owner, key, { isOpening: false, alerted: undefined }))
}

/** What an earlier life decided about a key, and did not live to keep. */
export function recallKey(engine: Engine, owner: Owner, key: KeyState, memo: Extract<Memo, { kind: 'key' }>): void {
  const { incident, incidents, isOpening, alerted, at } = memo
  beforeChange(key)
  // In the minute in which it was decided: what is known of the stream is of the checkpoint, and that may be of before any call.
  if (isOpening) noteOpening(engine, key, at)
  key.incidents = Math.max(key.incidents, incidents)
  noteThrottles(engine.state, key.keyId, key.incident, incident)
  keepIncident(owner, key, incident)
  if (alerted !== undefined) noteAlert(engine, owner, key, alerted)
}

function keepIncident(owner: Owner, key: KeyState, incident: Incident): void {
  beforeChange(key)
  key.incident = incident
  if (incident.phase === 'quiet') owner.incidents.delete(key)
  else owner.incidents.add(key)
  if (holdsLimit(incident)) owner.limited.add(key)
  else owner.limited.delete(key)
}

/** What is told of a recovery, or of whether a limit holds, is what the key does now, and not what it did when the incident opened. */
function nowOf(engine: Engine, owner: Owner, key: KeyState, story: Story, phase: Explanation['phase']): Story {
  const isOfNow = phase === 'recovering' || phase === 'closed' || isVerified(story.verification)
  if (!isOfNow) return story
  const at = Math.floor(reachedBy(engine, owner) / SECOND_MS) * SECOND_MS
  const current = currentOf(key, at - 60 * SECOND_MS, at)
  return { ...story, signal: { ...story.signal, current, evidence: measured(key, at) } }
}

export function explain(
  engine: Engine,
  owner: Owner,
  keyId: ApiKeyId,
  story: Story,
  phase: Explanation['phase'],
): Explanation {
  const { config, tenants } = engine.settings
  const tenant = tenants.byKey.get(keyId)
  const { signal: seen } = story
  return {
    incidentId: story.incidentId,
    keyId,
    tenant: tenant && {
      id: tenant.tenantId,
      name: tenant.name,
      contact: tenant.contact,
      escalation: tenant.escalation,
    },
    phase,
    kind: seen.kind,
    severity: severityOf(story),
    telling: story.telling,
    onsetAt: seen.onsetAt,
    decidedAt: Math.max(owner.time.highest, eventTimeOf(engine, owner)),
    current: seen.current,
    expected: seen.expected,
    ...(seen.planned !== undefined && { planned: seen.planned }),
    detectors: seen.detectors,
    evidence: seen.evidence,
    mode: config.mode,
    action: story.action,
    ...(story.verification !== undefined && { verification: story.verification }),
    ...wordsOf(story, engine.state.now),
  }
}

/** That somebody has set a limit which is no lower than it was is no trouble, however bad the client was. */
const severityOf = ({ action, signal }: Story): Severity =>
  action.kind === 'restore-refused' && !isStillReduced(action) ? 'low' : signal.severity

/** What a person has said of it that still holds. */
function wordsOf({ extended, held }: Story, now: EpochMs): Pick<Explanation, 'extended' | 'held'> {
  return {
    ...(extended !== undefined && now < extended.until && { extended }),
    ...(held !== undefined && now < held.until && { held }),
  }
}
