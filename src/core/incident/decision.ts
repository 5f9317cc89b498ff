/**
 * From judgements to signals: of the keys that a look found wrong, which is the most dangerous, what kind and how severe,
 * since when, and what is to be done about it.
 */

import { type Engine, type EngineState, type Out, watching } from '../engine-state.ts'
import { evidenceOf, type Judgement, leading, scoresOf } from '../judge.ts'
import { plannedUse } from '../planned/planned-event.ts'
import { grownSince } from '../state/accumulator.ts'
import { type KeyState, type SlotKnowledge, usualFor } from '../state/key-state.ts'
import type { Owner } from '../state/owner.ts'
import { type EpochMs, SECOND_MS } from '../vocabulary.ts'
import { type FleetSurvey, isPlatformSick, standingOf, surveyFleet } from './fleet.ts'
import { holdsLimit, type Incident, type IncidentEvent, type Signal } from './incident.ts'
import { isToldByKin, sharesOf } from './kin.ts'
import { callsIn, currentOf, measured } from './measure.ts'
import { platformSick } from './platform.ts'
import { isDominant, respond, severityOf } from './response.ts'
import { step } from './storyline.ts'

/** A key whose score says something, before it is decided what. */
export interface Suspect {
  readonly key: KeyState
  readonly at: EpochMs
  readonly judgement: Judgement
  readonly known: SlotKnowledge
}

/** Suspects of one look, most dangerous first. What the fleet says is asked once, and only when it matters. */
export function decide(engine: Engine, owner: Owner, suspects: readonly Suspect[], out: Out): void {
  const apart = suspects.filter(({ key }) => !isToldByKin(engine, key))
  const wrong = apart.filter(({ judgement }) => judgement.score > 1)
  for (const { key, judgement, at } of apart) {
    if (judgement.score <= 1) step(engine, owner, key, { kind: 'stirring', at }, out)
  }
  if (wrong.length === 0) return
  const undecided = wrong.filter(({ key }) => isUndecided(key.incident))
  const survey = undecided.length === 0 ? undefined : surveyFleet(engine, new Set(undecided.map(({ key }) => key)))
  const excessOf = ({ key }: Suspect) => survey?.keys.get(key)?.excess ?? 0
  for (const suspect of wrong.sort((one, other) => excessOf(other) - excessOf(one))) {
    signal(engine, owner, suspect, survey, out)
  }
}

/** Whether a signal could change what is done: a throttled tenant's cannot. */
const isUndecided = (incident: Incident): boolean =>
  !(incident.phase === 'mitigated' || (incident.phase === 'open' && incident.asked !== undefined))

function signal(engine: Engine, owner: Owner, suspect: Suspect, survey: FleetSurvey | undefined, out: Out): void {
  const { key, at, judgement, known } = suspect
  const { config, tenants } = engine.settings
  const { state } = engine
  const lead = leading(judgement)
  if (lead === undefined) return
  const standing = survey && standingOf(survey, engine, owner, key)
  const severity = standing === undefined ? 'low' : severityOf(lead.finding.kind, standing)
  const isPlatform =
    survey !== undefined &&
    standing !== undefined &&
    (isPlatformSick(survey, config.platform) || state.platform.phase === 'open') &&
    !isDominant(standing)
  const usual = usualFor(lead.finding.kind, known)
  const action = respond(
    {
      mode: state.isHistory ? 'observe' : config.mode,
      keyId: key.keyId,
      isExempt: tenants.byKey.get(key.keyId)?.exempt ?? false,
      severity,
      usual,
      isPlatformIncident: isPlatform,
      throttledTenants: throttledBeside(state, key),
      now: state.now,
      at,
    },
    config.throttle,
  )
  if (isPlatform && survey !== undefined && isPlatformSick(survey, config.platform))
    platformSick(engine, owner, survey, out)
  const onsetAt = onsetOf(judgement, key, known, at)
  const event: IncidentEvent = {
    kind: 'signal',
    incidentId: `${key.keyId}#${key.incidents + 1}`,
    now: state.now,
    action,
    signal: {
      at,
      decidedAt: owner.time.highest,
      onsetAt,
      kind: lead.finding.kind,
      severity,
      detectors: scoresOf(judgement),
      evidence: [...evidenceOf(judgement), ...measured(key, at), ...sharesOf(engine, key.keyId, at)],
      current: currentOf(key, onsetAt, at),
      expected: usual && {
        callsPerMinute: usual.callsPerMinute,
        lowerPerMinute: usual.lowerPerMinute,
        upperPerMinute: usual.upperPerMinute,
        days: usual.days,
      },
      planned: plannedFor(key, known, at),
    },
  }
  step(engine, owner, key, event, out)
}

/** What was planned of this minute, and how much of it the key has used. */
const plannedFor = (key: KeyState, { usual, planned }: SlotKnowledge, at: EpochMs): Signal['planned'] =>
  planned && usual && plannedUse(planned.plan.stretches, usual, callsIn(key, at, 60))

function throttledBeside(state: EngineState, beside: KeyState): number {
  let throttled = 0
  for (const owner of watching(state)) {
    for (const key of owner.incidents) if (key !== beside && holdsLimit(key.incident)) throttled++
  }
  return throttled
}

/** Sequential evidence knows best when it began; without it, the leading detector says. */
export function onsetOf(judgement: Judgement, key: KeyState, known: SlotKnowledge, at: EpochMs): EpochMs {
  const surge = judgement.voices.find(({ opens, finding }) => opens && finding.kind === 'surge')
  const since = (surge ?? leading(judgement))?.finding.since ?? at
  if (surge !== undefined || known.model === undefined) return Math.min(since, at - SECOND_MS)
  // Not surely a surge by itself, but the accumulator may have begun to grow inside the detector's window.
  const grown = key.activity && grownSince(key.activity.accumulators)
  return Math.min(Math.max(since, grown ?? since), at - SECOND_MS)
}
