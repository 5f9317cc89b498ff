/**
 * What no single key can tell: how a key stands among the others, and whether many are wrong at once. Worked out only
 * when a decision asks for it, from the last ten seconds of the keys that call; so it costs nothing in quiet times.
 *
 * Many keys wrong at the same moment are a platform incident: the API is sick, not its clients. Told once, nobody
 * throttled, but for one who makes most of the trouble.
 */

import type { Usual } from '../../../detectors/contract.ts'
import type { WeirConfig } from '../config/config.ts'
import { type TenantDirectory, tenantWideId } from '../config/tenants.ts'
import type { Engine } from '../engine-state.ts'
import { type MinutePlan, planAt, planOf } from '../planned/schedule.ts'
import { slotOf } from '../state/baseline.ts'
import { type KeyState, knowledgeFor } from '../state/key-state.ts'
import { busiestMinute, type Owner, SHARED_OWNER } from '../state/owner.ts'
import { paneCalls, paneCount, paneSecond, STATUS_5XX, STATUS_429 } from '../state/pane.ts'
import { type ApiKeyId, SECOND_MS } from '../vocabulary.ts'
import type { Standing } from './response.ts'

const SURVEY_SECONDS = 10
/** A key is failing when this share of what it called (429s left out) answered 5xx, and at least so many calls did. */
const FAILING_SHARE = 0.2
const FAILING_CALLS = 5
const MINUTES_PER_DAY = 1_440
/** A key counts as wrong for this long after it was last seen so. */
const WRONG_FOR_MS = 60 * SECOND_MS

interface KeySums {
  readonly calls: number
  readonly excess: number
  readonly timesUpper: number | undefined
  readonly isFailing: boolean
}

export interface FleetSurvey {
  readonly keys: ReadonlyMap<KeyState, KeySums>
  /** Clients of whom a key is failing: several keys of one tenant are one client. */
  readonly failingClients: ReadonlySet<string>
  readonly calls: number
  readonly excess: number
  /** Keys that call enough to be seen failing: a long tail of small ones must not hide that all large ones fail. */
  readonly active: number
  readonly provenCalls: number
  readonly failing: number
  /** Keys with an incident that is not over, as of the survey. */
  readonly wrong: number
}

/** Surveys the ten seconds before each owner's newest second. `newlyWrong`: keys whose signal is about to be decided on. */
export function surveyFleet(engine: Engine, newlyWrong: ReadonlySet<KeyState>): FleetSurvey {
  const { owners, tenantWide } = engine.state
  const { tenants } = engine.settings
  const keys = new Map<KeyState, KeySums>()
  let calls = 0
  let excess = 0
  let provenMinute = 0
  const activeClients = new Set<string>()
  const failingClients = new Set<string>()
  const wrongClients = new Set([...newlyWrong].map(({ keyId }) => clientOf(tenants, keyId)))
  const noteWrong = (owner: Owner): void => {
    for (const { keyId, incident } of owner.incidents) {
      if (incident.phase === 'quiet' || incident.phase === 'suspected') continue
      if (incident.story.lastBadAt >= owner.time.highest - WRONG_FOR_MS) wrongClients.add(clientOf(tenants, keyId))
    }
  }
  if (tenantWide !== undefined) noteWrong(tenantWide)
  for (const [id, owner] of owners) {
    const endSecond = Math.floor(owner.time.highest / SECOND_MS) + 1
    if (id !== SHARED_OWNER) provenMinute += busiestMinute(owner)
    noteWrong(owner)
    // Its time stands still once the partitions' goes on: what it saw last is not now.
    if (id === SHARED_OWNER && owners.size > 1) continue
    const plan = planAt(engine.schedule, Math.floor((endSecond - 1) / 60))
    for (const key of owner.active) {
      const sums = sumKey(engine, owner, key, endSecond, plan)
      if (sums.calls === 0) continue
      keys.set(key, sums)
      calls += sums.calls
      excess += sums.excess
      const client = clientOf(tenants, key.keyId)
      if (sums.isFailing) failingClients.add(client)
      if (sums.calls >= FAILING_CALLS) activeClients.add(client)
    }
  }
  // Of a keyed stream the shared owner holds what the history taught; the partitions are the same fleet, split.
  const shared = owners.get(SHARED_OWNER)
  if (shared !== undefined) provenMinute = Math.max(provenMinute, busiestMinute(shared))
  // Minutes prove nothing: until a day is known, nobody is taken to be more than the API can carry.
  const isProven = [...owners.values()].some(({ coverage }) => coverage.total >= MINUTES_PER_DAY)
  const provenCalls = isProven ? (provenMinute * SURVEY_SECONDS) / 60 : Number.POSITIVE_INFINITY
  const [active, failing, wrong] = [activeClients.size, failingClients.size, wrongClients.size]
  return { keys, failingClients, calls, excess, active, provenCalls, failing, wrong }
}

/** Whose key it is, or of one that is nobody's the key itself. */
const clientOf = ({ byKey }: TenantDirectory, keyId: ApiKeyId): string => {
  const tenantId = byKey.get(keyId)?.tenantId
  return tenantId === undefined ? keyId : tenantWideId(tenantId)
}

function sumKey(
  { settings }: Engine,
  owner: Owner,
  key: KeyState,
  endSecond: number,
  plan: MinutePlan | undefined,
): KeySums {
  const panes = key.activity?.panes
  let calls = 0
  let refused = 0
  let failures = 0
  if (panes !== undefined) {
    for (let index = panes.end - 1; index >= panes.first; index--) {
      if (paneSecond(panes, index) < endSecond - SURVEY_SECONDS) break
      calls += paneCalls(panes, index)
      refused += paneCount(panes, index, STATUS_429)
      failures += paneCount(panes, index, STATUS_5XX)
    }
  }
  const own = planOf(plan, settings.tenants, key.keyId)
  const { usual, planned } = knowledgeFor(key, owner, slotOf((endSecond - 1) * SECOND_MS), 'early', own)
  const upper = upperCalls(usual)
  // What is planned is nobody's excess; but what is beyond it does as much harm as ever.
  const everUpper = planned === undefined ? upper : upperCalls(planned.usual)
  return {
    calls,
    excess: upper === undefined ? 0 : Math.max(0, calls - upper),
    timesUpper: everUpper === undefined ? undefined : calls / Math.max(everUpper, 1),
    isFailing: failures >= FAILING_CALLS && failures >= FAILING_SHARE * (calls - refused),
  }
}

const upperCalls = (usual: Usual | undefined): number | undefined =>
  usual && (usual.upperPerMinute * SURVEY_SECONDS) / 60

/** `owner`: whose key it is. A tenant as a whole is not among the keys surveyed, or its calls would count twice. */
export function standingOf(survey: FleetSurvey, engine: Engine, owner: Owner, key: KeyState): Standing {
  const { settings, schedule } = engine
  const endSecond = Math.floor(owner.time.highest / SECOND_MS) + 1
  const plan = planAt(schedule, Math.floor((endSecond - 1) / 60))
  const own = survey.keys.get(key) ?? sumKey(engine, owner, key, endSecond, plan)
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
  }
}

/** Whether so many keys are wrong or failing that it cannot be their own doing. */
export const isPlatformSick = (survey: FleetSurvey, rules: WeirConfig['platform']): boolean =>
  Math.max(survey.wrong, survey.failing) >= manyKeys(survey, rules) ||
  (survey.active >= 2 && survey.failing >= survey.active)

const manyKeys = ({ active }: FleetSurvey, { keys, share }: WeirConfig['platform']): number =>
  Math.max(keys, Math.ceil(share * active))
