/**
 * What a setting costs over a stretch of history: false alarms, and how late it tells what is worth telling.
 *
 *     false alarms = Σ over what was told of   weight × doubt
 *                    weight: a page 1, low severity 1/20       doubt: labelled true 0, unlabelled 1/2, false alarm 1
 *     lateness     = mean over what is to be told of   min(delay, 10 min), or 20 min where it is not told at all
 *
 * To be told is what is labelled true (weight 1), and what the present setting tells and nobody has called a false alarm (its
 * weight × 1/2). What only other settings tell is no merit of theirs: nobody has said that it was anything.
 */

import { ALERTS_PER_PAGE } from '../incident/alert-budget.ts'
import { DAY_MS, type EpochMs, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'
import { isOfSame, type Label, verdictOn } from './label.ts'
import { isAlerted, isPage, type ToldIncident } from './told-incident.ts'

/** What is told at low severity wakes nobody: so many of them are as bad as a page, as the alert budget has it. */
export const LOW_WEIGHT = 1 / ALERTS_PER_PAGE
/** Of what nobody has labelled, as much as not is right. */
export const UNLABELLED_DOUBT = 0.5
const LATEST_MS = 10 * MINUTE_MS
const MISSED_MS = 20 * MINUTE_MS
export const WEEK_MS = 7 * DAY_MS

/** Event time; `to` exclusive, Infinity for the end of the log. */
export interface Stretch {
  readonly from: EpochMs
  readonly to: EpochMs
}

/** Something that is to be told. */
export interface Due {
  readonly keyId: ToldIncident['keyId']
  readonly from: EpochMs
  readonly to: EpochMs
  readonly weight: number
  readonly isLabelled: boolean
}

export interface Bill {
  readonly weeks: number
  readonly pages: number
  readonly low: number
  /** Told as part of a platform incident, which is one of the pages; and told nobody. */
  readonly withPlatform: number
  readonly noted: number
  readonly throttles: number
  readonly labelledFalse: number
  readonly falseAlarms: number
  readonly due: number
  readonly found: number
  /** Of what is labelled true. */
  readonly labelled: number
  readonly labelledFound: number
  /** Of what was found, s; undefined where nothing was. */
  readonly delay: { readonly median: number; readonly p95: number } | undefined
  /** What is compared: mean over all that is due, s. 0 where nothing is. */
  readonly lateness: number
}

export const weightOf = (incident: ToldIncident): number => (isPage(incident) ? 1 : LOW_WEIGHT)

/** How much of a false alarm an incident is, 0..1. */
export function doubtOf(incident: ToldIncident, labels: readonly Label[]): number {
  const verdict = verdictOn(incident, labels)
  return verdict === undefined ? UNLABELLED_DOUBT : verdict === 'true' ? 0 : 1
}

/**
 * What is to be told, by the labels and by what the present setting tells. A label may name an incident by a moment in it: that it
 * was told then says nothing of when it began.
 */
export function dueOf(present: readonly ToldIncident[], labels: readonly Label[]): readonly Due[] {
  const labelled = labels
    .filter(({ verdict }) => verdict === 'true')
    .flatMap(label => {
      const { keyId, from, to } = label
      const same = present.filter(incident => isOfSame(label, incident))
      if (same.length > 0 && same.every(incident => verdictOn(incident, labels) === 'false-alarm')) return []
      const began = same.map(({ onsetAt, openedAt }) => Math.min(onsetAt, openedAt))
      return { keyId, from: Math.min(from, ...began), to, weight: 1, isLabelled: true }
    })
  const told = present
    .filter(incident => isAlerted(incident) && verdictOn(incident, labels) === undefined)
    .map(incident => {
      const { keyId, onsetAt, openedAt, endedAt } = incident
      const from = Math.min(onsetAt, openedAt)
      return { keyId, from, to: endedAt, weight: weightOf(incident) * (1 - UNLABELLED_DOUBT), isLabelled: false }
    })
  return [...labelled, ...told]
}

/** Whether a moment lies in a stretch. */
export const isIn = ({ from, to }: Stretch, at: EpochMs): boolean => at >= from && at < to

export function billOf(
  told: readonly ToldIncident[],
  due: readonly Due[],
  labels: readonly Label[],
  stretch: Stretch,
): Bill {
  const mine = told.filter(({ openedAt }) => isIn(stretch, openedAt))
  const alone = mine.filter(isAlerted)
  const wanted = due.filter(({ from }) => isIn(stretch, from))
  const byKey = new Map<string, ToldIncident[]>()
  for (const incident of told) byKey.set(incident.keyId, [...(byKey.get(incident.keyId) ?? []), incident])
  const delays = wanted.map(one => ({ ...one, delayMs: delayOf(one, byKey.get(one.keyId) ?? []) }))
  const found = delays.flatMap(({ delayMs }) => (delayMs === undefined ? [] : [delayMs / SECOND_MS]))
  const labelled = delays.filter(({ isLabelled }) => isLabelled)
  const pages = alone.filter(isPage).length
  return {
    weeks: (stretch.to - stretch.from) / WEEK_MS,
    pages,
    low: alone.length - pages,
    withPlatform: mine.filter(({ telling }) => telling === 'with-platform').length,
    noted: mine.filter(({ telling }) => telling === 'noted').length,
    throttles: alone.filter(({ isThrottled }) => isThrottled).length,
    labelledFalse: alone.filter(incident => verdictOn(incident, labels) === 'false-alarm').length,
    falseAlarms: alone.reduce((sum, incident) => sum + weightOf(incident) * doubtOf(incident, labels), 0),
    due: wanted.length,
    found: found.length,
    labelled: labelled.length,
    labelledFound: labelled.filter(({ delayMs }) => delayMs !== undefined).length,
    delay: found.length === 0 ? undefined : { median: quantile(found, 0.5), p95: quantile(found, 0.95) },
    lateness: latenessOf(delays),
  }
}

/** From its beginning to the first that was told about it; undefined where nothing was. What is only noted tells nobody. */
function delayOf(due: Due, told: readonly ToldIncident[]): number | undefined {
  const first = told.find(incident => incident.telling !== 'noted' && isOfSame(due, incident))
  return first && Math.max(0, first.openedAt - due.from)
}

function latenessOf(delays: readonly { readonly weight: number; readonly delayMs: number | undefined }[]): number {
  let weights = 0
  let sum = 0
  for (const { weight, delayMs } of delays) {
    weights += weight
    sum += weight * (delayMs === undefined ? MISSED_MS : Math.min(LATEST_MS, delayMs))
  }
  return weights === 0 ? 0 : sum / weights / SECOND_MS
}

/** The least value that so large a share does not exceed. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}

/** False alarms that a stretch may have: at least one, since less cannot be told from so short a history. */
export const allowedIn = ({ weeks }: Pick<Bill, 'weeks'>, budgetPerWeek: number): number =>
  Math.max(1, budgetPerWeek * weeks)

export const keepsWithin = (bill: Bill, budgetPerWeek: number): boolean => beyond(bill, budgetPerWeek) === 0

/** False alarms more than allowed. */
const beyond = (bill: Bill, budgetPerWeek: number): number =>
  Math.max(0, rounded(bill.falseAlarms - allowedIn(bill, budgetPerWeek)))

/** undefined of less than a day: what a minute brings is no rate of weeks. */
export const perWeek = ({ falseAlarms, weeks }: Pick<Bill, 'falseAlarms' | 'weeks'>): number | undefined =>
  weeks < 1 / 7 ? undefined : falseAlarms / weeks

/**
 * Which of two is to be preferred: below 0 the first. What is labelled true stays found; then as few false alarms as the
 * budget wants and no fewer; then the least delay; then fewer false alarms after all.
 */
export function compareBills(one: Bill, other: Bill, budgetPerWeek: number): number {
  return (
    missed(one) - missed(other) ||
    rounded(beyond(one, budgetPerWeek) - beyond(other, budgetPerWeek)) ||
    rounded(one.lateness - other.lateness) ||
    rounded(one.falseAlarms - other.falseAlarms)
  )
}

const missed = ({ labelled, labelledFound }: Bill): number => labelled - labelledFound

/** Sums in another order may differ in their last bits. */
const rounded = (difference: number): number => (Math.abs(difference) < 1e-9 ? 0 : difference)
