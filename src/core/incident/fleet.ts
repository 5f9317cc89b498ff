/**
 * What no single key can tell: how a key stands among the others, and whether many are wrong at once. Worked out only
 * when a decision asks for it, from the last ten seconds of the keys that call; so it costs nothing in quiet times.
 *
 * Many keys wrong at the same moment are a platform incident: the API is sick, not its clients. Told once, nobody
 * throttled, but for one who makes most of the trouble. What counts as many:
 *
 * - failing, retrying what fails, or refused by a limit (of many it is the account's): so many clients, and such a share of those active, as the user says (`platform`);
 * - wrong in any other way (a surge may have any reason): as many, but all within one minute, and more than chance
 *   brings in this fleet (openings.ts). In a small fleet three of ten are soon wrong at once, each for itself.
 *
 * Once that is told, whoever is wrong is part of it, until they are no longer many.
 */

import type { Kind } from '../../../detectors/contract.ts'
import type { WeirConfig } from '../config/config.ts'
import { type Engine, type EngineState, watching } from '../engine-state.ts'
import type { IncidentKind } from '../explanation/explanation.ts'
import { planAt, planOf } from '../planned/schedule.ts'
import type { KeyState } from '../state/key-state.ts'
import { busiestMinute, type Owner, SHARED_OWNER } from '../state/owner.ts'
import { type ApiKeyId, type EpochMs, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'
import { keysInParts } from './alert-budget.ts'
import type { FleetSums } from './fleet-sums.ts'
import type { Story } from './incident.ts'
import { isToldSilent } from './incident-questions.ts'
import { areTooMany, type Openings, openingsFrom } from './openings.ts'
import {
  clientOf,
  GROWTH_SECONDS,
  type KeySums,
  type OwnerSurvey,
  SURVEY_SECONDS,
  sumKey,
  surveyOwner,
} from './owner-survey.ts'
import type { PoolOutlook, Standing } from './response.ts'

const MINUTES_PER_DAY = 1_440
const SILENT_TOGETHER_MS = 10 * MINUTE_MS
/** A key counts as wrong for this long after it was last seen so. */
const WRONG_FOR_MS = 60 * SECOND_MS

export interface FleetSurvey {
  readonly owners: ReadonlyMap<Owner, OwnerSurvey>
  readonly failingClients: ReadonlySet<string>
  readonly calls: number
  readonly excess: number
  /** Clients that call enough to be seen failing: a long tail of small ones must not hide that all large ones fail. */
  readonly active: number
  readonly provenCalls: number
  readonly failing: number
  readonly refused: number
  readonly pool: PoolOutlook | undefined
  /** Clients failing, or with an incident of retries after failures that is not over. */
  readonly inTrouble: number
  /** Clients with any incident that is not over, as of the survey; and those for whom it is the first minute of it. */
  readonly wrong: number
  readonly newlyWrong: number
}

/** Keys whose signal is about to be decided on, and how they are wrong. */
type Undecided = ReadonlyMap<KeyState, Kind | undefined>

/** Surveys the ten seconds before each owner's newest second; with what the other parts of a shared stream said last. */
export function surveyFleet(engine: Engine, undecided: Undecided = new Map()): FleetSurvey {
  const own = surveyPart(engine, undecided)
  const others = engine.state.others?.sums
  const { config } = engine.settings
  const ran = { ranMs: own.ranMs + (others?.ranMs ?? 0), ranBeforeMs: own.ranBeforeMs + (others?.ranBeforeMs ?? 0) }
  const pool = config.pool && outlookOf(config.pool, ran)
  if (others === undefined) return { ...own, pool }
  return {
    ...{ ...own, pool },
    calls: own.calls + others.calls,
    excess: own.excess + others.excess,
    active: own.active + others.active,
    failing: own.failing + others.failing,
    refused: own.refused + others.refused,
    inTrouble: own.inTrouble + others.inTrouble,
    wrong: own.wrong + others.wrong,
    newlyWrong: own.newlyWrong + others.newlyWrong,
  }
}

/** What this part of a shared stream tells the others. */
export function fleetSums(engine: Engine): FleetSums {
  const { calls, excess, ranMs, ranBeforeMs, active, failing, refused, inTrouble, wrong, newlyWrong } =
    surveyPart(engine)
  const { state } = engine
  const owners = [...watching(state)]
  return {
    ...{ calls, excess, ranMs, ranBeforeMs, active, failing, refused, inTrouble, wrong, newlyWrong },
    busiestMinute: busiestMinuteOfParts(state),
    openings: state.openings?.openings ?? 0,
    throttled: owners.reduce((sum, { limited }) => sum + limited.size, 0),
    keys: keysInParts(state),
    parts: 1,
    sick: state.platform.phase === 'open' ? 1 : 0,
  }
}

interface PartSurvey extends Omit<FleetSurvey, 'pool'> {
  readonly ranMs: number
  readonly ranBeforeMs: number
}

function surveyPart(engine: Engine, undecided: Undecided = new Map()): PartSurvey {
  const {
    surveys: kept,
    state: { owners },
    settings: { tenants, config },
  } = engine
  const surveyed = new Map<Owner, OwnerSurvey>()
  for (const [id, owner] of owners) {
    // Its time stands still once the partitions' goes on: what it saw last is not now.
    if (id !== SHARED_OWNER || owners.size === 1)
      surveyed.set(
        owner,
        surveyOwner(
          kept,
          { tenants, hasPool: config.pool !== undefined, plan: planAt(engine.schedule, lastMinute(owner)) },
          owner,
        ),
      )
  }
  const surveys = [...surveyed.values()]
  const failingClients = unionOf(surveys.map(({ failingClients }) => failingClients))
  return {
    owners: surveyed,
    failingClients,
    calls: surveys.reduce((sum, { calls }) => sum + calls, 0),
    excess: surveys.reduce((sum, { excess }) => sum + excess, 0),
    active: unionOf(surveys.map(({ activeClients }) => activeClients)).size,
    provenCalls: provenCalls(engine),
    failing: failingClients.size,
    refused: unionOf(surveys.map(({ refusedClients }) => refusedClients)).size,
    ranMs: surveys.reduce((sum, { ranMs }) => sum + ranMs, 0),
    ranBeforeMs: surveys.reduce((sum, { ranBeforeMs }) => sum + ranBeforeMs, 0),
    ...wrongClients(engine, undecided, failingClients),
  }
}

/** As executions have grown in a minute, so they are taken to go on growing. */
function outlookOf(
  { concurrency }: { readonly concurrency: number },
  { ranMs, ranBeforeMs }: Pick<PartSurvey, 'ranMs' | 'ranBeforeMs'>,
): PoolOutlook {
  const windowMs = SURVEY_SECONDS * SECOND_MS
  const executions = ranMs / windowMs
  const before = ranBeforeMs / windowMs
  const growthPerSecond = (executions - before) / GROWTH_SECONDS
  const free = Math.max(0, concurrency - executions)
  const secondsLeft = free === 0 ? 0 : growthPerSecond > 0 ? free / growthPerSecond : Number.POSITIVE_INFINITY
  return { concurrency, executions, secondsLeft }
}

/** Of one set that set itself: most streams are one owner's. */
function unionOf(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  const [first, ...others] = sets
  if (others.length === 0) return first ?? new Set()
  const union = new Set(first)
  for (const other of others) for (const one of other) union.add(one)
  return union
}

function wrongClients(
  { state, settings: { tenants } }: Engine,
  undecided: Undecided,
  failing: ReadonlySet<string>,
): Pick<FleetSurvey, 'inTrouble' | 'wrong' | 'newlyWrong'> {
  const inTrouble = new Set(failing)
  const wrong = new Set<string>()
  const newlyWrong = new Set<string>()
  const note = (keyId: ApiKeyId, kind: IncidentKind | undefined, isNew: boolean): void => {
    const client = clientOf(tenants, keyId)
    wrong.add(client)
    if (kind === 'retry-storm') inTrouble.add(client)
    if (isNew) newlyWrong.add(client)
  }
  for (const [{ keyId, incident }, kind] of undecided) note(keyId, kind, !('story' in incident))
  for (const { incidents, time } of watching(state)) {
    for (const { keyId, incident } of incidents) {
      if (!('story' in incident)) continue
      if (isToldSilent(incident) && !isStillPlatforms(incident.story, time.highest)) continue
      const { lastBadAt, openedAt, signal } = incident.story
      const since = time.highest - WRONG_FOR_MS
      if (lastBadAt >= since) note(keyId, signal.kind, openedAt >= since)
    }
  }
  return { inTrouble: inTrouble.size, wrong: wrong.size, newlyWrong: newlyWrong.size }
}

/**
 * Who fell silent may stay so for a day, which has nothing to do with what comes of the others; many who did so at once
 * are the platform's for a while.
 */
const isStillPlatforms = ({ telling, openedAt }: Story, now: EpochMs): boolean =>
  telling === 'with-platform' && now - openedAt < SILENT_TOGETHER_MS

/** Calls in ten seconds that the whole fleet has been seen to carry. */
function provenCalls({ state }: Engine): number {
  const { owners } = state
  // Minutes prove nothing: until a day is known, nobody is taken to be more than the API can carry.
  if (![...owners.values()].some(({ coverage }) => coverage.total >= MINUTES_PER_DAY)) return Number.POSITIVE_INFINITY
  const ofPartitions = busiestMinuteOfParts(state) + (state.others?.sums.busiestMinute ?? 0)
  // Of a keyed stream the shared owner holds what the history taught; the partitions are the same fleet, split.
  const shared = owners.get(SHARED_OWNER)
  const minute = shared === undefined ? ofPartitions : Math.max(ofPartitions, busiestMinute(shared))
  return (minute * SURVEY_SECONDS) / 60
}

function busiestMinuteOfParts({ owners }: EngineState): number {
  let calls = 0
  for (const [id, owner] of owners) if (id !== SHARED_OWNER) calls += busiestMinute(owner)
  return calls
}

/** What a key called; a tenant as a whole is not among the keys surveyed, or its calls would count twice. */
function sumsOf(survey: FleetSurvey, { schedule, settings }: Engine, owner: Owner, key: KeyState): KeySums {
  const surveyed = survey.owners.get(owner)?.keys.get(key)
  if (surveyed !== undefined) return surveyed
  const plan = planOf(planAt(schedule, lastMinute(owner)), settings.tenants, key.keyId)
  return sumKey(owner, key, { endSecond: Math.floor(owner.time.highest / SECOND_MS) + 1, plan })
}

/** The minute of the newest second. */
const lastMinute = ({ time }: Owner): number => Math.floor(time.highest / MINUTE_MS)

/** Calls of a key beyond what is usual, of one that is surveyed. */
export const excessOf = (survey: FleetSurvey, owner: Owner, key: KeyState): number =>
  survey.owners.get(owner)?.keys.get(key)?.excess ?? 0

/** `owner`: whose key it is. */
export function standingOf(survey: FleetSurvey, engine: Engine, owner: Owner, key: KeyState): Standing {
  const { settings } = engine
  const own = sumsOf(survey, engine, owner, key)
  const ownClient = clientOf(settings.tenants, key.keyId)
  const othersFailing = survey.failing - (survey.failingClients.has(ownClient) ? 1 : 0)
  return {
    calls: own.calls,
    excess: own.excess,
    timesUpper: own.timesUpper,
    fleetCalls: survey.calls,
    fleetExcess: survey.excess,
    provenCalls: survey.provenCalls,
    othersFail: othersFailing >= manyKeys(survey, settings.config.platform),
    pool: survey.pool,
  }
}

/** Whether so many clients are wrong that it cannot be their own doing. `at`: the newest event time of who asks. */
export function isPlatformSick(engine: Engine, survey: FleetSurvey, at: EpochMs): boolean {
  const { state, settings } = engine
  const { active, failing, refused, wrong, newlyWrong } = survey
  const many = manyKeys(survey, settings.config.platform)
  if (areManyInTrouble(engine, survey) || (active >= 2 && Math.max(failing, refused) >= active)) return true
  if (state.platform.phase === 'open') return wrong >= many
  return newlyWrong >= many && areTooMany(openingsOfAll(state, at), at, newlyWrong)
}

/** How often clients of the whole fleet turn wrong: rates of parts add up. */
function openingsOfAll({ openings, others }: EngineState, at: EpochMs): Openings {
  const own = openings ?? openingsFrom(at)
  return others === undefined ? own : { ...own, openings: own.openings + others.sums.openings }
}

/** Whether so many clients fail, retry what fails or are refused, though nobody may be wrong in any other way. */
export const areManyInTrouble = ({ settings }: Engine, survey: FleetSurvey): boolean =>
  Math.max(survey.inTrouble, survey.refused) >= manyKeys(survey, settings.config.platform)

const manyKeys = ({ active }: FleetSurvey, { keys, share }: WeirConfig['platform']): number =>
  Math.max(keys, Math.ceil(share * active))
