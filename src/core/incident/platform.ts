/**
 * Platform incidents: many keys wrong at the same moment, because the API is sick and not its clients. Told once, under
 * a name of its own; whoever was taken for a culprit meanwhile gets the limit back. The guard's figures: fleet.ts.
 */
import { type Engine, type Out, watching } from '../engine-state.ts'
import type { Action } from '../explanation/explanation.ts'
import type { Owner } from '../state/owner.ts'
import type { ApiKeyId } from '../vocabulary.ts'
import { eventTimeOf } from './event-time.ts'
import { areManyInTrouble, type FleetSurvey, isPlatformSick, standingOf, surveyFleet } from './fleet.ts'
import type { OtherParts } from './fleet-sums.ts'
import type { Signal, Story } from './incident.ts'
import { holdsLimit } from './incident-questions.ts'
import { openingsFrom, usualOpenings } from './openings.ts'
import { isPast } from './past.ts'
import type { PlatformIncident } from './platform-incident.ts'
import { isFarWorse } from './response.ts'
import { explain, remember, step } from './storyline.ts'

/** Of the keys with new calls: how many failed just now, as far as one sees without adding anything up. */
export interface FailingKeys {
  readonly failing: number
  readonly calling: number
}

/**
 * Everybody's calls may fail while nobody calls more than usual: no key is suspect then, and nobody asks about the fleet. So
 * it is looked at for its own sake where half as many fail as would be many: of those that are failing, not each fails in each second.
 * Where one client makes most of the trouble it is known already why they fail.
 */
export function watchPlatform(engine: Engine, owner: Owner, { failing, calling }: FailingKeys, out: Out): void {
  const { keys, share } = engine.settings.config.platform
  if (engine.state.platform.phase === 'open' || failing < Math.max(keys, share * calling) / 2) return
  const survey = surveyFleet(engine)
  if (areManyInTrouble(engine, survey) && !hasCulprit(engine, survey)) platformSick(engine, owner, survey, out)
}

/** Whether somebody who harms is far worse than everyone, or has been lowered for it. */
function hasCulprit(engine: Engine, survey: FleetSurvey): boolean {
  for (const owner of watching(engine.state)) {
    for (const key of owner.incidents) {
      const { incident } = key
      if (!('story' in incident) || incident.story.signal.severity !== 'high') continue
      if (holdsLimit(incident) || isFarWorse(standingOf(survey, engine, owner, key))) return true
    }
  }
  return false
}

/** The name under which the platform itself stands where a key id stands otherwise. */
const WHOLE_FLEET = '*' as ApiKeyId

export function platformSick(engine: Engine, owner: Owner, survey: FleetSurvey, out: Out): void {
  const { state } = engine
  if (state.platform.phase === 'quiet' && owner.time.highest <= (state.platform.judgedTo ?? 0)) return
  if (state.platform.phase === 'open') {
    staySick(engine, owner, state.platform, survey, out)
    return
  }
  state.platformIncidents++
  const action: Action = { kind: 'held', because: 'platform-incident' }
  const signal = signalOf(engine, owner, survey)
  const tells = state.others?.tellsPlatform !== false
  const incidentId = `${platformName(engine, owner)}#${state.platformIncidents}`
  const isHistory = isPast(owner)
  const story: Story = {
    incidentId,
    openedAt: signal.at,
    signal,
    lastBadAt: signal.at,
    action,
    telling: isHistory ? 'history' : 'alerted',
    refused: undefined,
    extended: undefined,
    held: undefined,
    throttles: 0,
    restores: 0,
    alerts: isHistory ? 0 : 1,
    verification: undefined,
  }
  state.platform = { phase: 'open', story, lastSickAt: state.now, tells }
  if (tells) tellPlatform(engine, owner, story, 'open', out)
  releaseAll(engine, survey, out)
}

type OpenPlatform = Extract<PlatformIncident, { phase: 'open' }>

/**
 * Whoever was told that it may be nothing is told again when it turns out to be something; and of what was history, when it
 * has turned out not to be.
 */
function staySick(engine: Engine, owner: Owner, incident: OpenPlatform, survey: FleetSurvey, out: Out): void {
  const { state } = engine
  const { story: before } = incident
  const turnsGrave = before.signal.severity === 'low' && isGrave(engine, survey)
  const isNews = turnsGrave || before.telling === 'history'
  if (!isNews || isPast(owner)) {
    state.platform = { ...incident, lastSickAt: state.now }
    return
  }
  const signal = { ...signalOf(engine, owner, survey), onsetAt: before.signal.onsetAt }
  const story: Story = { ...before, signal, lastBadAt: signal.at, telling: 'alerted', alerts: before.alerts + 1 }
  state.platform = { ...incident, story, lastSickAt: state.now }
  if (incident.tells) tellPlatform(engine, owner, story, 'open', out)
}

/** Each part of a shared stream counts its own. */
function platformName({ state }: Engine, owner: Owner): string {
  if (state.others === undefined) return 'platform'
  const [part] = [...state.owners].find(([, one]) => one === owner) ?? []
  return part ? `platform@${part}` : 'platform'
}

function signalOf(engine: Engine, owner: Owner, survey: FleetSurvey): Signal {
  const at = owner.time.highest
  const openings = engine.state.openings ?? openingsFrom(at)
  return {
    at,
    decidedAt: at,
    onsetAt: at,
    kind: 'platform',
    severity: isGrave(engine, survey) ? 'high' : 'low',
    detectors: [],
    evidence: [
      { measure: 'keys wrong at once', observed: survey.wrong, usual: undefined },
      {
        measure: 'of these, wrong only since a minute',
        observed: survey.newlyWrong,
        usual: usualOpenings(openings, at),
      },
      { measure: 'keys failing at once', observed: survey.failing, usual: undefined },
      { measure: 'keys refused at once', observed: survey.refused, usual: undefined },
      { measure: 'keys calling', observed: survey.active, usual: undefined },
    ],
    current: { calls: survey.calls, seconds: 10, callsPerMinute: survey.calls * 6 },
    expected: undefined,
    timesAWeek: undefined,
    isHeard: true,
  }
}

/** A few that surge at once while nobody fails may be chance, for which nobody is woken; most of all that call are not. */
const isGrave = (engine: Engine, survey: FleetSurvey): boolean =>
  areManyInTrouble(engine, survey) || survey.newlyWrong > survey.active / 2

/** Those who were taken for culprits before the guard saw them all: told as part of it, and their limits given back. */
function releaseAll(engine: Engine, survey: FleetSurvey, out: Out): void {
  const { state } = engine
  for (const owner of watching(state)) {
    for (const key of owner.incidents) {
      if (isFarWorse(standingOf(survey, engine, owner, key))) continue
      const before = { incident: key.incident, memos: out.memos.length }
      step(engine, owner, key, { kind: 'platform', now: state.now }, out)
      // Merged without a word: what is on its way is called back after a crash too.
      if (key.incident !== before.incident && out.memos.length === before.memos) remember(engine, owner, key, out)
    }
  }
}

export function followPlatform(engine: Engine, owner: Owner, out: Out): void {
  const { state, settings } = engine
  if (state.platform.phase !== 'open') return
  // With an idle source nothing more is seen of anyone: what was seen last grows old all the same.
  const at = Math.max(owner.time.highest, eventTimeOf(engine, owner))
  const isSeen = at === owner.time.highest
  const survey = isSeen ? surveyFleet(engine) : undefined
  if (survey !== undefined && isPlatformSick(engine, survey, at)) {
    staySick(engine, owner, state.platform, survey, out)
    return
  }
  if (at <= (state.platform.judgedTo ?? 0)) return
  if (state.now - state.platform.lastSickAt < settings.config.incident.closesAfter) return
  const { story, tells } = state.platform
  state.platform = { phase: 'quiet' }
  // Each part of a shared stream acts upon it; one of them tells.
  if (!tells) return
  tellPlatform(engine, owner, { ...story, action: { kind: 'none' }, alerts: story.alerts + 1 }, 'closed', out)
}

/** The other parts of a shared stream have seen more: what they think is sick, this one may not have asked about. */
export function takeOthers(engine: Engine, others: OtherParts, out: Out): void {
  const { state } = engine
  state.others = others
  if (others.sums.sick === 0 || state.platform.phase === 'open') return
  for (const owner of state.owners.values()) {
    if (owner.closedToSecond < 0 || state.isHistory) continue
    const survey = surveyFleet(engine)
    if (isPlatformSick(engine, survey, owner.time.highest)) platformSick(engine, owner, survey, out)
    return
  }
}

function tellPlatform(engine: Engine, owner: Owner, story: Story, phase: 'open' | 'closed', out: Out): void {
  const explanation = explain(engine, owner, WHOLE_FLEET, story, phase)
  const id = `${story.incidentId}/alert-${story.alerts}`
  out.changes.push(explanation)
  if (story.telling !== 'alerted') return
  out.effects.push({
    id,
    kind: 'alert',
    incidentId: story.incidentId,
    keyId: WHOLE_FLEET,
    decidedAt: engine.state.now,
    explanation,
  })
  const { platform, platformIncidents } = engine.state
  const at = owner.time.highest
  out.memos.push({
    ...{ kind: 'platform', at, incidents: platformIncidents },
    platform: { ...platform, judgedTo: at },
  })
}
