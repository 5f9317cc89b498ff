/**
 * An account as machines read it: `weir explain --json`, described field by field in README.md beside this file. A promise
 * like those of json.ts: what is unknown is null, times are ISO 8601 and epoch ms, fields are only added.
 */
import type { Comparison, Counts, OwnReach } from '../../../detectors/contract.ts'
import { harmOf, type Standing } from '../incident/response.ts'
import {
  type Account,
  missingOf,
  type Rarity,
  rarityOf,
  ratioOf,
  type Spoken,
  type Verdict,
  verdictOf,
} from './account.ts'
import { incidentBody, riseJson, stretchJson, terminalSafe, times } from './json.ts'
import { surgeSeen, surgeTold, type Testimony } from './observation.ts'

/** One line of JSON, without the line break. */
export function accountLine(account: Account): string {
  const { keyId, tenant, at, stretch, mode, observation, aftermath } = account
  const { view, testimonies, planned } = observation
  const { usual, plain } = view.unplanned ?? view
  return terminalSafe(
    JSON.stringify({
      schema: 'weir.account/1',
      keyId,
      tenantId: tenant?.id ?? null,
      ...times('at', at),
      stretch: stretch ? { ...times('from', stretch.from), ...times('to', stretch.to), looks: stretch.looks } : null,
      mode,
      verdict: verdictJson(verdictOf(account)),
      counted: {
        last10s: countsJson(view.last10s),
        last60s: countsJson(view.last60s),
        last5min: countsJson(view.last5min),
        minuteSoFar: countsJson(view.minuteSoFar),
        slotSoFar: countsJson(view.slotSoFar),
      },
      usual: usual ? { ...usual, latencyMs: usual.latencyMs ?? null, reaches: usual.reaches.map(reachJson) } : null,
      detectable: surgeSeen(observation)?.map(riseJson) ?? null,
      alertable: surgeTold(observation)?.map(riseJson) ?? null,
      plain: {
        slotMeanCalls: plain.slotMeanCalls ?? null,
        slotMinuteMean: plain.slotMinuteMean ?? null,
        slotMinuteStdDev: plain.slotMinuteStdDev ?? null,
        weekMinuteMean: plain.weekMinuteMean ?? null,
      },
      planned: {
        events: account.plannedThatDay.map(stretch => ({ ...stretchJson(stretch), ofEveryClient: stretch.isFleets })),
        now: planned ? { upToPerMinute: planned.upToPerMinute, used: planned.used } : null,
      },
      detectors: testimonies.map(testimonyJson),
      incident: aftermath.told ? incidentBody(aftermath.told) : null,
      alertBudget: rarityJson(rarityOf(account)),
      platformIncidentId: aftermath.platformIncidentId ?? null,
      standing: standingJson(aftermath.standing),
      ...times('asOf', aftermath.asOf),
    }),
  )
}

function verdictJson(verdict: Verdict) {
  switch (verdict.kind) {
    case 'opened':
      return { kind: verdict.kind, incidentId: verdict.told.incidentId, ...times('openedAt', verdict.openedAt) }
    case 'was-open': {
      const { kind, told, openedAt, before } = verdict
      return { kind, incidentId: told.incidentId, ...times('openedAt', openedAt), phaseBefore: before }
    }
    case 'told-by-kin':
      return verdict
    case 'not-looked-at':
    case 'suspected':
    case 'below':
      return { kind: verdict.kind, nearest: verdict.nearest ? nearestJson(verdict.nearest) : null }
    default:
      return verdict satisfies never
  }
}

const nearestJson = (nearest: Spoken) => ({
  ...{ name: nearest.name, score: nearest.finding.score },
  needed: missingOf(nearest).map(({ measure, observed, limit }) => ({ measure, moreThan: limit, observed })),
})

const reachJson = (reach: OwnReach) => ({ ...reach, busiestCalls: reach.busiestCalls ?? null })

/** In this order, whatever the view's own is. */
const countsJson = ({ calls, status2xx, status4xx, status429, status5xx }: Counts) => ({
  ...{ calls, status2xx, status4xx, status429, status5xx },
})

function testimonyJson(testimony: Testimony) {
  const { kind, name } = testimony
  switch (kind) {
    case 'disabled':
      return { name, state: 'disabled' }
    case 'silent':
      return { name, state: 'silent', opens: testimony.opens, because: testimony.because }
    case 'spoke': {
      const { opens, finding, at, values } = testimony
      const { score, since, comparisons, evidence } = finding
      return {
        ...{ name, state: 'spoke', opens, score, ...times('at', at), ...times('since', since), thresholds: values },
        comparisons: comparisons.map(comparisonJson),
        evidence: evidence.map(({ measure, observed, usual }) => ({ measure, observed, usual: usual ?? null })),
      }
    }
    default:
      return kind satisfies never
  }
}

const comparisonJson = (comparison: Comparison) => ({ ...comparison, ratio: ratioOf(comparison) })

function rarityJson(rarity: Rarity | undefined) {
  if (rarity === undefined) return null
  const { timesAWeek, ration } = rarity
  const { allowed, alerts, keys, spent, most, told } = ration
  return {
    isByOwnPast: timesAWeek !== undefined,
    timesAWeek: timesAWeek !== undefined && Number.isFinite(timesAWeek) ? timesAWeek : null,
    ...{ allowed, alerts, keys, spentOfKind: spent, mostOfKind: most },
    lastTold: told ? { ...times('at', told.at), timesAWeek: told.timesAWeek } : null,
  }
}

function standingJson(standing: Standing) {
  const { calls, excess, timesUpper, fleetCalls, fleetExcess, provenCalls, pool } = standing
  return {
    ...{ calls, excess, timesUpper: timesUpper ?? null, fleetCalls, fleetExcess },
    provenCalls: Number.isFinite(provenCalls) ? provenCalls : null,
    harm: harmOf(standing),
    pool: pool ? { ...pool, secondsLeft: Number.isFinite(pool.secondsLeft) ? pool.secondsLeft : null } : null,
  }
}
