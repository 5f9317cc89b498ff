/**
 * What detection is to reach, and what it does: of Weir as it comes. A run of its own size knows which of these it can tell;
 * those of a small one are held against floors instead, so that CI sees what falls back.
 */
import type { Figure, Limit } from '../bench/figure.ts'
import { spreadOf } from '../bench/ratio.ts'
import { busyRows, sickRows } from './busy-row.ts'
import { type ClaimsRow, PROMISED } from './claims-row.ts'
import { type Clean, type CleanIncident, stretchText } from './clean-run.ts'
import { delayOf, delaySeconds, shareOf } from './found-row.ts'
import { precision, precisionRows, type Ran } from './precision-row.ts'
import { type Size, sizeOf, sizes } from './size.ts'
import { type Case, foundCases, judgedCases } from './verdict.ts'

const judged = 'whole'

export interface Measured extends Ran {
  readonly cleanRuns: readonly Clean[]
  readonly cleanIncidents: readonly CleanIncident[]
  readonly series: readonly SeriesScore[]
  readonly claims: readonly ClaimsRow[]
}

/** A benchmark's score, 0 to 100, under one of its profiles. */
export interface SeriesScore {
  readonly configuration: string
  readonly what: string
  readonly score: number
  readonly goal?: number
}

export function goalsOf(measured: Measured): readonly Figure[] {
  const { injected, busy, cleanRuns, series, claims } = measured
  return [
    ...(injected === undefined ? [] : injectedGoals(injected.cases)),
    ...cleanRuns.filter(({ configuration }) => configuration === judged).flatMap(cleanGoals),
    ...(busy === undefined ? [] : busyGoals(busy)),
    ...precisionGoals(measured),
    ...claims.filter(({ of }) => of === 'all').flatMap(claimGoals),
    ...series.filter(({ configuration }) => configuration === judged).map(seriesGoal),
  ]
}

/** Sized by what is usual at that hour, which is what a multiple multiplies: 500 times nothing is nothing, however large a client is by day. */
function injectedGoals(cases: readonly Case[]): readonly Figure[] {
  const ofSize = (size: Size): readonly Case[] => cases.filter(({ usualPerMinute }) => sizeOf(usualPerMinute) === size)
  const [large, middle, small] = sizes.map(ofSize)
  const times = (some: readonly Case[], least: number): readonly Case[] =>
    some.filter(({ multiple, name }) => multiple !== undefined && multiple >= least && name.endsWith(`-${multiple}x`))
  // A slow ramp has a multiple too, but is named by its minutes: it is seen when it can be.
  const steady = times(large, 3).filter(({ isSteady }) => isSteady)
  const beyondOwn = times(large, 10).filter(({ isBeyondOwn }) => isBeyondOwn)
  return [
    ...foundGoals('500× at ≥ 60/min', times(large, 500), { found: 1, p99: 2 }),
    ...foundGoals(
      '500× at 1–60/min, from an excess of 20 calls',
      times(middle, 500),
      { found: 1, p99: 2 },
      sinceExcess,
    ),
    ...foundGoals('500× of less than 1/min', times(small, 500), {}, sinceExcess),
    ...foundGoals('≥ 10× at ≥ 60/min, beyond its own week', beyondOwn, { found: 1, p95: 5 }),
    ...foundGoals('≥ 3× at ≥ 60/min, steady', steady, { found: 0.95, p95: 30, worst: 60 }),
    ...allFound(cases),
    ...kindGoal(cases),
  ]
}

const sinceOnset = ({ onsetAt }: Case): number => onsetAt
const sinceExcess = ({ onsetAt, excessAt }: Case): number => Math.max(onsetAt, excessAt ?? onsetAt)

interface FoundGoal {
  readonly found?: number
  readonly p95?: number
  readonly p99?: number
  readonly worst?: number
}

function foundGoals(
  what: string,
  cases: readonly Case[],
  goal: FoundGoal,
  since: (each: Case) => number = sinceOnset,
): readonly Figure[] {
  const open = judgedCases(cases, judged)
  if (open.length === 0) return []
  const found = foundCases(open, judged)
  const delay = delayOf(found.map(({ each, verdict }) => delaySeconds(since(each), verdict)))
  const late = (name: string, seconds: number | undefined, atMost: number | undefined): readonly Figure[] =>
    seconds === undefined || atMost === undefined
      ? []
      : [figure(`${what}: ${name} of the delay`, seconds, 's', { atMost })]
  return [
    share(
      `${what}: found`,
      shareOf(found.length, open.length),
      open.length,
      goal.found === undefined ? undefined : { atLeast: goal.found },
    ),
    ...late('95th percentile', delay?.p95, goal.p95),
    ...late('99th percentile', delay?.p99, goal.p99),
    ...late('worst', delay?.worst, goal.worst),
  ]
}

function allFound(cases: readonly Case[]): readonly Figure[] {
  const open = judgedCases(cases, judged)
  return open.length === 0
    ? []
    : [share('all misbehaviour: found', shareOf(foundCases(open, judged).length, open.length), open.length)]
}

function kindGoal(cases: readonly Case[]): readonly Figure[] {
  const named = foundCases(judgedCases(cases, judged), judged).filter(({ each }) => each.kind !== undefined)
  if (named.length === 0) return []
  const right = named.filter(({ each, verdict }) => each.kind === verdict.named)
  return [share('kind named right', shareOf(right.length, named.length), named.length)]
}

/** The default budget, of a fleet of any size: pages a week, and alerts of low severity (core/incident/alert-budget.ts). */
const PAGES_A_WEEK = 1
const ALERTS_A_WEEK = 20 * PAGES_A_WEEK

function cleanGoals({
  tenants,
  days,
  tenantWeeks,
  low,
  lowAlerted,
  high,
  throttles,
  platform,
}: Clean): readonly Figure[] {
  const where = `clean traffic of ${tenants.toLocaleString('en')} tenants, ${stretchText(days)}`
  const each = (count: number): number => (1_000 * count) / tenantWeeks
  const unit = 'per 1,000 tenant-weeks'
  // What a fleet may be told of in a week may come on its first day.
  const alerts = ALERTS_A_WEEK * Math.max(1, days / 7)
  return [
    figure(`${where}: pages`, each(high + platform), unit, { atMost: (1_000 * PAGES_A_WEEK) / tenants }),
    figure(`${where}: alerts of low severity`, each(lowAlerted), unit, { atMost: each(alerts) }),
    figure(`${where}: incidents of low severity`, each(low), unit),
    figure(`${where}: suggested throttles`, each(throttles), unit, { atMost: 0 }),
  ]
}

function busyGoals(busy: NonNullable<Ran['busy']>): readonly Figure[] {
  const all = busyRows(busy).find(({ configuration, of }) => configuration === judged && of === 'all')
  const sick = sickRows(busy).find(({ configuration, of }) => configuration === judged && of === 'all')
  return [
    ...(all === undefined || all.cases === 0
      ? []
      : [
          share('busy days: throttled', all.throttled, all.cases, { atMost: 0 }),
          share('busy days: paged', all.paged, all.cases),
          share('busy days: told', all.told, all.cases),
        ]),
    ...(sick === undefined || sick.days === 0
      ? []
      : [
          share('sick API: told once', sick.toldOnce / sick.days, sick.days, { atLeast: 1 }),
          figure('sick API: clients throttled', sick.clientsThrottled, 'a day', { atMost: 0 }),
        ]),
  ]
}

function precisionGoals(measured: Measured): readonly Figure[] {
  return precisionRows(measured, [judged]).flatMap(({ throttles, pages }) => [
    ...shareGoal('precision of throttles', precision(throttles), throttles, 0.99),
    ...shareGoal('precision of pages', precision(pages), pages, 0.95),
  ])
}

const shareGoal = (
  what: string,
  value: number | undefined,
  { right, wrong }: { readonly right: number; readonly wrong: number },
  atLeast: number,
): readonly Figure[] => (value === undefined ? [] : [share(what, value, right + wrong, { atLeast })])

/** The stated least rise, of that which is really seen as often. */
const MOST_TIMES_LEAST_SEEN = 1.5

function claimGoals({ rises, minutes, above, below, rarities }: ClaimsRow): readonly Figure[] {
  return [
    ...rises.flatMap(({ seconds, trials, found, timesLeastSeen }) => [
      share(`rises as stated: seen within ${seconds} s`, found, trials, { atLeast: PROMISED }),
      ...(timesLeastSeen === undefined
        ? []
        : [
            figure(`rises as stated, of the least seen within ${seconds} s`, timesLeastSeen, '×', {
              atMost: MOST_TIMES_LEAST_SEEN,
            }),
          ]),
    ]),
    share('minutes above the band', above, minutes),
    share('minutes below the band', below, minutes),
    ...rarities.map(({ stated, came }) => figure(`what is called ${stated} a week came`, came, 'a week')),
  ]
}

const seriesGoal = ({ what, score, goal }: SeriesScore): Figure =>
  figure(what, score, 'points', goal === undefined ? undefined : { atLeast: goal })

/** A share of so many cases. */
const share = (what: string, value: number, cases: number, limit?: Limit): Figure => ({
  ...figure(what, value, '', limit),
  cases,
})

const figure = (what: string, value: number, unit: string, limit?: Limit): Figure => ({
  ...{ what, unit, value: spreadOf([value]) },
  ...(limit !== undefined && { limit }),
})
