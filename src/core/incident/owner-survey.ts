/**
 * What the keys of one owner called in the ten seconds before its newest second. Many keys may be wrong at once, and each
 * decision asks how its key stands among the others: so it is worked out once, and used until a further call, second or
 * lesson may have changed it.
 */
import { type TenantDirectory, tenantWideId } from '../config/tenants.ts'
import { slotOf } from '../state/baseline.ts'
import { type KeyState, knowledgeFor } from '../state/key-state.ts'
import type { Owner } from '../state/owner.ts'
import { paneCalls, paneCount, paneLatencySumMs, paneSecond, STATUS_5XX, STATUS_429 } from '../state/pane.ts'
import { type ApiKeyId, SECOND_MS } from '../vocabulary.ts'

export const SURVEY_SECONDS = 10
/** A key is failing when this share of what it called (429s left out) answered 5xx beyond its usual share, and at least so many calls did. */
const FAILING_SHARE = 0.2
const FAILING_CALLS = 5
/** … and refused when this share of its calls beyond the usual share answered 429. */
const REFUSED_SHARE = 0.2
/** Executions are compared with those of so long ago. */
export const GROWTH_SECONDS = 60

export interface KeySums {
  readonly calls: number
  readonly excess: number
  readonly timesUpper: number | undefined
  readonly isFailing: boolean
  readonly isRefused: boolean
  /** How long its calls ran in the ten seconds, and in ten of a minute ago, ms: the latter where there is a pool, else 0. */
  readonly ranMs: number
  readonly ranBeforeMs: number
}

export interface OwnerSurvey {
  /** Keys that called. */
  readonly keys: ReadonlyMap<KeyState, KeySums>
  readonly calls: number
  readonly excess: number
  /** Clients of whom a key calls enough to be seen failing, and those of whom one is: several keys of one tenant are one client. */
  readonly activeClients: ReadonlySet<string>
  readonly failingClients: ReadonlySet<string>
  readonly refusedClients: ReadonlySet<string>
  readonly ranMs: number
  readonly ranBeforeMs: number
}

/** As of when: nothing that a survey reads changes while all of this stays. */
interface AsOf {
  readonly endSecond: number
  /** Calls that the owner has counted: late ones too. */
  readonly calls: number
  /** What is usual of a key, and which keys are active, may change as minutes are learned. */
  readonly learnedToMinute: number
  readonly minutes: number
  readonly tenants: TenantDirectory
}

/** The last survey of each owner. */
export type Surveys = WeakMap<Owner, { readonly asOf: AsOf; readonly survey: OwnerSurvey }>

export interface SurveySettings {
  readonly tenants: TenantDirectory
  readonly hasPool: boolean
}

export function surveyOwner(surveys: Surveys, settings: SurveySettings, owner: Owner): OwnerSurvey {
  const { tenants } = settings
  const { time, calls, learnedToMinute, coverage } = owner
  const endSecond = Math.floor(time.highest / SECOND_MS) + 1
  const asOf: AsOf = { endSecond, calls, learnedToMinute, minutes: coverage.total, tenants }
  const known = surveys.get(owner)
  if (known !== undefined && isSame(known.asOf, asOf)) return known.survey
  const survey = surveyed(owner, endSecond, settings)
  surveys.set(owner, { asOf, survey })
  return survey
}

const isSame = (one: AsOf, other: AsOf): boolean =>
  one.endSecond === other.endSecond &&
  one.calls === other.calls &&
  one.learnedToMinute === other.learnedToMinute &&
  one.minutes === other.minutes &&
  one.tenants === other.tenants

function surveyed(owner: Owner, endSecond: number, { tenants, hasPool }: SurveySettings): OwnerSurvey {
  const backTo = endSecond - SURVEY_SECONDS - (hasPool ? GROWTH_SECONDS : 0)
  const keys = new Map<KeyState, KeySums>()
  let calls = 0
  let excess = 0
  let ranMs = 0
  let ranBeforeMs = 0
  const activeClients = new Set<string>()
  const failingClients = new Set<string>()
  const refusedClients = new Set<string>()
  for (const key of owner.active) {
    const sums = sumKey(owner, key, endSecond, backTo)
    ranBeforeMs += sums.ranBeforeMs
    if (sums.calls === 0) continue
    ranMs += sums.ranMs
    keys.set(key, sums)
    calls += sums.calls
    excess += sums.excess
    if (sums.calls < FAILING_CALLS) continue
    const client = clientOf(tenants, key.keyId)
    activeClients.add(client)
    if (sums.isFailing) failingClients.add(client)
    if (sums.isRefused) refusedClients.add(client)
  }
  return { keys, calls, excess, activeClients, failingClients, refusedClients, ranMs, ranBeforeMs }
}

/** Whose key it is, or of one that is nobody's the key itself. */
export const clientOf = ({ byKey }: TenantDirectory, keyId: ApiKeyId): string => {
  const tenantId = byKey.get(keyId)?.tenantId
  return tenantId === undefined ? keyId : tenantWideId(tenantId)
}

const SILENT: KeySums = {
  ...{ calls: 0, excess: 0, timesUpper: undefined, isFailing: false, isRefused: false },
  ...{ ranMs: 0, ranBeforeMs: 0 },
}

/** `backTo`: the oldest second to look at. */
export function sumKey(owner: Owner, key: KeyState, endSecond: number, backTo = endSecond - SURVEY_SECONDS): KeySums {
  const panes = key.activity?.panes
  if (panes === undefined) return SILENT
  let calls = 0
  let refused = 0
  let failures = 0
  let ranMs = 0
  let ranBeforeMs = 0
  for (let index = panes.end - 1; index >= panes.first; index--) {
    const second = paneSecond(panes, index)
    if (second < backTo) break
    if (second < endSecond - SURVEY_SECONDS) {
      if (second < backTo + SURVEY_SECONDS) ranBeforeMs += paneLatencySumMs(panes, index)
      continue
    }
    ranMs += paneLatencySumMs(panes, index)
    calls += paneCalls(panes, index)
    refused += paneCount(panes, index, STATUS_429)
    failures += paneCount(panes, index, STATUS_5XX)
  }
  // What is usual of a key that does not call need not be worked out.
  if (calls === 0) return { ...SILENT, ranBeforeMs }
  const { usual } = knowledgeFor(key, owner, slotOf((endSecond - 1) * SECOND_MS), 'early')
  const upper = usual === undefined ? undefined : (usual.upperPerMinute * SURVEY_SECONDS) / 60
  return {
    calls,
    excess: upper === undefined ? 0 : Math.max(0, calls - upper),
    timesUpper: upper === undefined ? undefined : calls / Math.max(upper, 1),
    isFailing:
      failures >= FAILING_CALLS && failures >= (FAILING_SHARE + (usual?.failureShare ?? 0)) * (calls - refused),
    isRefused: refused >= FAILING_CALLS && refused >= (REFUSED_SHARE + (usual?.refusedShare ?? 0)) * calls,
    ranMs,
    ranBeforeMs,
  }
}
