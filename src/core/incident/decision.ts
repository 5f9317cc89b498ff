/**
 * From judgements to signals: of the keys that a look found wrong, which is the most dangerous, what kind and how severe,
 * since when, and what is to be done about it.
 */

import type { Kind } from '../../../detectors/contract.ts'
import { type Engine, type EngineState, type Out, watching } from '../engine-state.ts'
import { evidenceOf, type Judgement, kindsIn, leading, rarestSurge, scoresOf } from '../judge.ts'
import { plannedUse } from '../planned/planned-event.ts'
import { grownSince } from '../state/accumulator.ts'
import { calledInFewSlots } from '../state/baseline.ts'
import { type KeyState, type SlotKnowledge, usualFor } from '../state/key-state.ts'
import type { Owner } from '../state/owner.ts'
import { type ApiKeyId, type EpochMs, SECOND_MS } from '../vocabulary.ts'
import { isHeard, timesAllowed } from './alert-budget.ts'
import { excessOf, type FleetSurvey, isPlatformSick, standingOf, surveyFleet } from './fleet.ts'
import type { Incident, IncidentEvent, Signal } from './incident.ts'
import { isToldByKin, sharesOf } from './kin.ts'
import { callsIn, currentOf, measured, poolEvidence } from './measure.ts'
import { releasedText } from './operator-order.ts'
import { isPast } from './past.ts'
import { platformSick } from './platform.ts'
import { queued } from './queued.ts'
import { throttlesOfWeek } from './repeaters.ts'
import { isFarWorse, respond, severityOf } from './response.ts'
import { step } from './storyline.ts'

/** A key whose score says something, before it is decided what. */
export interface Suspect {
  readonly key: KeyState
  readonly at: EpochMs
  readonly judgement: Judgement
  readonly known: SlotKnowledge
}

/** Suspects of one look, most dangerous first. What the fleet says is asked once for all of them, and only when it matters. */
export function decide(engine: Engine, owner: Owner, suspects: readonly Suspect[], out: Out): void {
  const apart = suspects.filter(({ key }) => !isToldByKin(engine, key))
  const wrong = apart.filter(({ judgement }) => judgement.score > 1)
  for (const { key, judgement, at } of apart) {
    if (judgement.score <= 1) step(engine, owner, key, { kind: 'stirring', at }, out)
  }
  if (wrong.length === 0) return
  const undecided = wrong.filter(({ key }) => isUndecided(key.incident))
  const survey = undecided.length === 0 ? undefined : surveyFleet(engine, new Map(undecided.map(kindBySuspect)))
  const danger = ({ key }: Suspect): number => (survey === undefined ? 0 : excessOf(survey, owner, key))
  for (const suspect of wrong.sort((one, other) => danger(other) - danger(one))) {
    signal(engine, owner, suspect, survey, out)
  }
}

const kindBySuspect = ({ key, judgement }: Suspect) => [key, leading(judgement)?.finding.kind] as const

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
  const { kind } = lead.finding
  const timesSurged = rarestSurge(judgement.voices.map(({ finding }) => finding))
  const timesAWeek = kind === 'surge' ? timesSurged : kind === 'silence' ? lead.finding.timesAWeek : undefined
  const allowed = timesAllowed(engine)
  const isRareEnough = timesSurged === undefined || timesSurged <= allowed
  const harms = (one: Kind): boolean =>
    standing !== undefined && (one !== 'surge' || isRareEnough) && severityOf(one, standing) === 'high'
  const severity = kindsIn(judgement, lead).some(harms) ? 'high' : 'low'
  const isSick = survey !== undefined && isPlatformSick(engine, survey, owner.time.highest)
  const isPlatform = standing !== undefined && (isSick || state.platform.phase === 'open') && !isFarWorse(standing)
  const usual = usualFor(kind, known)
  const incidentId = 'story' in key.incident ? key.incident.story.incidentId : `${key.keyId}#${key.incidents + 1}`
  const past = isPast(owner)
  const action = respond(
    {
      mode: state.isHistory ? 'observe' : config.mode,
      keyId: key.keyId,
      isExempt: tenants.byKey.get(key.keyId)?.exempt ?? false,
      severity,
      // Of a key that harms nobody no limit is worked out: its week need not be looked through.
      usual: severity === 'low' || isNeedKnown(owner, key, known, kind) ? usual : undefined,
      isPlatformIncident: isPlatform,
      haltedBy: state.halted?.by,
      throttlesOfWeek: throttlesOfWeek(state, key.keyId),
      throttledTenants: limitedBeside(state, key),
      now: state.now,
      at,
      isPast: past,
    },
    config.throttle,
  )
  if (isPlatform && isSick) platformSick(engine, owner, survey, out)
  const onsetAt = onsetOf(judgement, key, known, at)
  const event: Extract<IncidentEvent, { kind: 'signal' }> = {
    kind: 'signal',
    incidentId,
    isPast: past,
    ...releasedBefore(state, key.keyId),
    now: state.now,
    action,
    signal: {
      at,
      decidedAt: owner.time.highest,
      onsetAt,
      kind,
      severity,
      detectors: scoresOf(judgement),
      evidence: [
        ...evidenceOf(judgement),
        ...poolEvidence(standing?.pool),
        ...measured(key, at),
        ...sharesOf(engine, key.keyId, at),
      ],
      current: currentOf(key, onsetAt, at),
      expected: usual && {
        callsPerMinute: usual.callsPerMinute,
        lowerPerMinute: usual.lowerPerMinute,
        upperPerMinute: usual.upperPerMinute,
        days: usual.days,
        ...(usual.peers !== undefined && { peers: usual.peers }),
      },
      planned: plannedFor(key, known, at),
      timesAWeek,
      isHeard: severity === 'high' || isHeard(engine, owner.keys, key.number, { kind, at, timesAWeek, allowed }),
    },
  }
  step(engine, owner, key, { ...event, action: queued(engine, key, event) }, out)
}

/** Who was released lately, when they had no incident here, is spared in the one that was meant. */
function releasedBefore({ spared, now }: EngineState, keyId: ApiKeyId): { refused?: string; releasedBy?: string } {
  const word = spared.get(keyId)
  return word !== undefined && now < word.until ? { refused: releasedText(word.by), releasedBy: word.by } : {}
}

/**
 * Whether its past says what a key normally needs. What its peers bring says what surprises, and not what a stranger needs; and who
 * called for an hour of the week in all, and surges, may be somebody who begins to work. One that retries what fails is lowered
 * all the same.
 */
function isNeedKnown({ keys }: Owner, { number }: KeyState, { lent, usual, slot }: SlotKnowledge, kind: Kind): boolean {
  if (lent !== undefined && lent.usual === undefined) return false
  return (
    kind !== 'surge' ||
    usual === undefined ||
    usual.days === 0 ||
    !calledInFewSlots(keys, number, slot, AN_HOUR_OF_SLOTS)
  )
}

const AN_HOUR_OF_SLOTS = 12

/** What was planned of this minute, and how much of it the key has used. */
const plannedFor = (key: KeyState, { usual, planned }: SlotKnowledge, at: EpochMs): Signal['planned'] =>
  planned && usual && plannedUse(planned.plan.stretches, usual, callsIn(key, at, 60))

function limitedBeside(state: EngineState, beside: KeyState): number {
  let others = state.others?.sums.throttled ?? 0
  for (const { limited } of watching(state)) others += limited.size - (limited.has(beside) ? 1 : 0)
  return others
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
