/** All that `weir tune` has found, as data: its text, its JSON and its page are made of this one value. */
import { DAY_MS, type EpochMs } from '../vocabulary.ts'
import { type Bill, billOf, compareBills, type Due, dueOf, isIn, type Stretch } from './bill.ts'
import { type Difference, differences } from './difference.ts'
import { changedKnobs, type Knob, type Setting, settingYaml } from './knob.ts'
import { isOfSame, type Label, verdictOn } from './label.ts'
import type { KeyRises } from './rises.ts'
import type { Searched } from './search.ts'
import { type DetectorShare, detectorShares, noisiest, type TenantShare, type Timeline, timelineOf } from './share.ts'
import { isAlerted, isPage, type ToldIncident } from './told-incident.ts'

/** How a history is parted. What lies before `tuned` taught and is not judged. */
export interface Parts {
  readonly span: { readonly from: EpochMs; readonly to: EpochMs }
  readonly tuned: Stretch
  readonly heldOut: Stretch
}

export interface Judged {
  readonly told: readonly ToldIncident[]
  readonly tuned: Bill
  readonly heldOut: Bill
}

export interface Outcome extends Judged {
  readonly setting: Setting
}

export interface Against extends Judged {
  readonly name: string
  readonly difference: readonly Difference[]
}

export interface TuneReport {
  readonly parts: Parts
  readonly budgetPerWeek: number
  readonly labels: {
    readonly true: number
    readonly falseAlarm: number
    /** Labels of no incident that any setting tells, and of no time in this history. */
    readonly elsewhere: number
  }
  readonly knobs: readonly Knob[]
  /** Those of detectors that had a part in something that was told: the others make no difference here. */
  readonly audible: readonly Knob[]
  readonly present: Outcome
  readonly suggested: Outcome
  readonly trials: readonly Outcome[]
  readonly changed: readonly Knob[]
  /** The suggestion as a piece of `weir.yaml`; empty where the present setting is the best tried. */
  readonly yaml: string
  readonly difference: readonly Difference[]
  readonly against: Against | undefined
  /** Detectors that speak now, and of none of all this under the suggestion. */
  readonly silenced: readonly string[]
  readonly shares: readonly { readonly present: DetectorShare; readonly suggested: DetectorShare }[]
  readonly tenants: readonly TenantShare[]
  readonly timeline: Timeline
  /** What the present setting promises of each client, busiest first. */
  readonly rises: readonly KeyRises[]
  /** What is told at present and nobody has labelled, pages first: a label of these says most. */
  readonly unlabelled: readonly ToldIncident[]
}

/**
 * `holdOutMs`: the end of the history that is not tuned on, a third of it where nobody says. Without a history given apart its
 * first day teaches, where there are more than two.
 */
export function partsOf(
  span: { readonly from: EpochMs; readonly to: EpochMs },
  { holdOutMs, hasHistory }: { readonly holdOutMs: number | undefined; readonly hasHistory: boolean },
): Parts {
  const teaching = !hasHistory && span.to - span.from > 2 * DAY_MS ? DAY_MS : 0
  const from = span.from + teaching
  const to = span.to + 1
  const heldFrom = Math.max(from, to - (holdOutMs ?? (to - from) / 3))
  return { span, tuned: { from, to: heldFrom }, heldOut: { from: heldFrom, to } }
}

/** What is due is known only once the present setting has been judged: it is judged first. */
export function createReckoner(parts: Parts, labels: readonly Label[]) {
  let due: readonly Due[] | undefined
  return {
    judge(told: readonly ToldIncident[]): Judged {
      due ??= dueOf(told, labels)
      return { told, tuned: billOf(told, due, labels, parts.tuned), heldOut: billOf(told, due, labels, parts.heldOut) }
    },
  }
}

/** Settings are chosen by what they cost on the days that are tuned on, and by nothing else. */
export const compareJudged =
  (budgetPerWeek: number) =>
  (one: Judged, other: Judged): number =>
    compareBills(one.tuned, other.tuned, budgetPerWeek)

export const speaks = ({ told }: Judged, detector: string): boolean =>
  told.some(({ detectors }) => detectors.includes(detector))

export interface Found {
  readonly parts: Parts
  readonly budgetPerWeek: number
  readonly labels: readonly Label[]
  readonly knobs: readonly Knob[]
  readonly searched: Searched<Judged>
  readonly against: { readonly name: string; readonly judged: Judged } | undefined
  readonly rises: readonly KeyRises[]
}

export function reportOf({ parts, budgetPerWeek, labels, knobs, searched, against, rises }: Found): TuneReport {
  const outcomeOf = ({ setting, judged }: Searched<Judged>['present']): Outcome => ({ setting, ...judged })
  const [present, suggested] = [outcomeOf(searched.present), outcomeOf(searched.suggested)]
  const judgedStretch = { from: parts.tuned.from, to: parts.heldOut.to }
  const within = (told: readonly ToldIncident[]) => told.filter(({ openedAt }) => isIn(judgedStretch, openedAt))
  const [before, after] = [within(present.told), within(suggested.told)]
  const [heard, heardAfter] = [before.filter(isAlerted), after.filter(isAlerted)]
  const openers = [...new Set(knobs.flatMap(({ detector }) => detector ?? []))]
  const sharesAfter = detectorShares(heardAfter, openers, labels)
  const names = [...new Set([...openers, ...detectorShares(heard, openers, labels).map(({ detector }) => detector)])]
  const shareOf = (shares: readonly DetectorShare[], detector: string): DetectorShare =>
    shares.find(share => share.detector === detector) ?? { ...NO_SHARE, detector }
  const sharesBefore = detectorShares(heard, openers, labels)
  const shares = names.map(name => ({ present: shareOf(sharesBefore, name), suggested: shareOf(sharesAfter, name) }))
  return {
    ...{ parts, budgetPerWeek, knobs, present, suggested, rises },
    trials: searched.trials.map(outcomeOf),
    audible: knobs.filter(
      ({ detector }) => detector === undefined || searched.trials.some(({ judged }) => speaks(judged, detector)),
    ),
    labels: countLabels(labels, parts, searched),
    changed: changedKnobs(knobs, suggested.setting),
    yaml: settingYaml(knobs, suggested.setting),
    difference: differences(before, after),
    against: against && {
      ...{ name: against.name, ...against.judged },
      difference: differences(before, within(against.judged.told)),
    },
    silenced: shares
      .filter(share => share.present.spoke > 0 && share.suggested.spoke === 0)
      .map(share => share.present.detector),
    shares,
    tenants: noisiest(heard, heardAfter),
    timeline: timelineOf(heard, judgedStretch),
    unlabelled: heard
      .filter(incident => verdictOn(incident, labels) === undefined)
      .sort((one, other) => Number(isPage(other)) - Number(isPage(one)) || one.openedAt - other.openedAt),
  }
}

const NO_SHARE: DetectorShare = { detector: '', spoke: 0, pages: 0, alone: 0, labelledTrue: 0, labelledFalse: 0 }

function countLabels(labels: readonly Label[], { span }: Parts, { trials }: Searched<Judged>): TuneReport['labels'] {
  const isElsewhere = (label: Label): boolean =>
    (label.to < span.from || label.from > span.to) &&
    !trials.some(({ judged }) => judged.told.some(incident => isOfSame(label, incident)))
  return {
    true: labels.filter(({ verdict }) => verdict === 'true').length,
    falseAlarm: labels.filter(({ verdict }) => verdict === 'false-alarm').length,
    elsewhere: labels.filter(isElsewhere).length,
  }
}
