/**
 * The account of one key at one moment: what was seen, what each detector made of it, and what was decided, or why nothing
 * was. `account-text.ts` and `account-json.ts` render it.
 */

import type { Comparison } from '../../../detectors/contract.ts'
import { timesLimit } from '../../../detectors/statistics.ts'
import type { Mode } from '../config/config.ts'
import type { Ration } from '../incident/alert-budget.ts'
import { rarestSurge } from '../judge.ts'
import type { KeysStretch } from '../planned/schedule.ts'
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'
import type { Explanation } from './explanation.ts'
import type { Aftermath, Observation, Testimony } from './observation.ts'

export interface Account {
  readonly keyId: ApiKeyId
  readonly tenant: Explanation['tenant']
  /** End of what was looked at, event time, a whole second. */
  readonly at: EpochMs
  /** Where a stretch was asked for: of so many moments looked at in it this is the one with the highest score. */
  readonly stretch: { readonly from: EpochMs; readonly to: EpochMs; readonly looks: number } | undefined
  readonly mode: Mode
  /** `incident.staysAbove`: scores above it are a suspicion, and keep an incident open; it closes after so long without. */
  readonly staysAbove: number
  readonly closesAfterMs: number
  /** Of the key on this day (UTC), oldest first. */
  readonly plannedThatDay: readonly KeysStretch[]
  readonly observation: Observation
  readonly aftermath: Aftermath
}

export type Spoken = Extract<Testimony, { kind: 'spoke' }>

/** What was decided, with the reason. `nearest`: of the detectors that may open an incident the one with the highest score. */
export type Verdict =
  | { readonly kind: 'opened'; readonly told: Explanation; readonly openedAt: EpochMs }
  /** `before`: its phase until this moment. */
  | {
      readonly kind: 'was-open'
      readonly told: Explanation
      readonly openedAt: EpochMs
      readonly before: Explanation['phase']
    }
  | { readonly kind: 'told-by-kin'; readonly keyId: ApiKeyId; readonly incidentId: string }
  /** Enough for an incident, and none was open: the log has no call at that moment by which it was looked at. */
  | { readonly kind: 'not-looked-at'; readonly nearest: Spoken }
  | { readonly kind: 'suspected'; readonly nearest: Spoken }
  | { readonly kind: 'below'; readonly nearest: Spoken | undefined }

export function verdictOf({ observation, aftermath, staysAbove }: Account): Verdict {
  const { incident, told, kin } = aftermath
  if (told !== undefined && 'story' in incident) {
    const { openedAt } = incident.story
    const { phase } = observation
    return phase === 'quiet' || phase === 'suspected'
      ? { kind: 'opened', told, openedAt }
      : { kind: 'was-open', told, openedAt, before: phase }
  }
  const nearest = highest(observation.testimonies.filter(isOpener))
  if (nearest === undefined || nearest.finding.score <= staysAbove) return { kind: 'below', nearest }
  if (kin !== undefined) return { kind: 'told-by-kin', ...kin }
  return { kind: nearest.finding.score > 1 ? 'not-looked-at' : 'suspected', nearest }
}

/** How rare what is open is by the key's own past, and what the alert budget leaves for it. */
export interface Rarity {
  /** Undefined where no past of its own says. */
  readonly timesAWeek: number | undefined
  /** Of a surge that comes with it, or is it. */
  readonly timesSurged: number | undefined
  readonly ration: Ration
}

/** Undefined where nothing is open, and where what is open is not above its threshold now. */
export function rarityOf({ observation, aftermath: { told, ration } }: Account): Rarity | undefined {
  const findings = observation.testimonies.flatMap(one => (one.kind === 'spoke' ? one.finding : []))
  const own = findings.find(({ kind, score }) => kind === told?.kind && score > 1)
  if (own === undefined || ration === undefined) return undefined
  const timesSurged = rarestSurge(findings)
  return { timesAWeek: own.kind === 'surge' ? timesSurged : own.timesAWeek, timesSurged, ration }
}

/** Whether the surge that comes with what is open is so rare that it may be severe: chance alone seldom brings it. */
export const isRareEnough = ({ timesSurged, ration }: Rarity): boolean =>
  timesSurged === undefined || timesSurged <= ration.allowed

/** Whether a surge that may open an incident is above its threshold. */
export const isSurging = ({ testimonies }: Observation): boolean =>
  testimonies.some(one => isOpener(one) && one.finding.kind === 'surge' && one.finding.score > 1)

const isOpener = (testimony: Testimony): testimony is Spoken => testimony.kind === 'spoke' && testimony.opens

/** Only corroborate, and had something to corroborate. */
export const corroborating = ({ testimonies }: Observation): readonly Spoken[] =>
  testimonies.filter(
    (testimony): testimony is Spoken => testimony.kind === 'spoke' && !testimony.opens && testimony.finding.score > 1,
  )

function highest(spoken: readonly Spoken[]): Spoken | undefined {
  let best: Spoken | undefined
  for (const one of spoken) if (best === undefined || one.finding.score > best.finding.score) best = one
  return best
}

/** How much a moment matters among others of its key: the score of what may open an incident; where that is 0, of what corroborates. */
export function rankOf({ testimonies }: Observation): readonly [number, number] {
  const highestOf = (opens: boolean): number =>
    Math.max(0, ...testimonies.map(one => (one.kind === 'spoke' && one.opens === opens ? one.finding.score : 0)))
  const opening = highestOf(true)
  return [opening, opening > 0 ? 0 : highestOf(false)]
}

/** How many times its limit was reached; exceeded above 1. */
export const ratioOf = ({ observed, limit }: Comparison): number => Math.max(0, timesLimit({ calls: observed, limit }))

/** What kept a detector at or below 1: each comparison that was not exceeded. */
export const missingOf = ({ finding }: Spoken): readonly Comparison[] =>
  finding.comparisons.filter(comparison => ratioOf(comparison) <= 1)
