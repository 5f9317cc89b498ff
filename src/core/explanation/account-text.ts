/**
 * An account as people read it, the answer first:
 *
 *   Client A (key_abc123) at 2026-11-20 14:03:07 UTC
 *
 *   Nothing was done: nothing that may open an incident was above 1.
 *   Nearest was retry-storm with 0.35. It would have taken more than 20 5xx in 10 s (there were 7).
 *
 * then what was counted, what is usual, and each detector's score with its formula and the numbers in it.
 */

import type { Comparison, TenantView, WindowCounts } from '../../../detectors/contract.ts'
import { limitIn } from '../../../detectors/statistics.ts'
import { TIMES_RARER } from '../incident/alert-budget.ts'
import {
  BEYOND_PROVEN_TIMES,
  DOMINANT_SHARE,
  DOMINANT_TIMES,
  FELT_SHARE,
  harmOf,
  SOON_SECONDS,
  type Standing,
} from '../incident/response.ts'
import type { KeysStretch } from '../planned/schedule.ts'
import { type EpochMs, SECOND_MS } from '../vocabulary.ts'
import {
  type Account,
  corroborating,
  isRareEnough,
  isSurging,
  missingOf,
  type Rarity,
  rarityOf,
  ratioOf,
  type Spoken,
  type Verdict,
  verdictOf,
} from './account.ts'
import type { Detectable } from './detectable.ts'
import type { Explanation, IncidentKind } from './explanation.ts'
import { type Observation, surgeSeen, surgeTold, type Testimony } from './observation.ts'
import {
  actionLine,
  bandText,
  basisText,
  cleanText,
  durationText,
  kindName,
  limitLines,
  stretchText,
  subjectText,
  threeFigures,
  timeText,
} from './text.ts'
import { verificationLines } from './verification-text.ts'

/** Without a line break at its end. */
export function accountText(account: Account): string {
  const { keyId, tenant, at, observation, aftermath } = account
  const verdict = verdictOf(account)
  return [
    `${subjectText(keyId, tenant)} at ${timeText(at)}`,
    ...stretchLines(account),
    '',
    ...verdictLines(account, verdict),
    '',
    ...countedLines(observation.view),
    ...usualLines(observation.view),
    ...reachLines(observation),
    ...plannedLines(account),
    '',
    'Detectors. What was counted ÷ its limit: all of a detector’s have to be exceeded, so the least is its score; 1 is the threshold.',
    ...[...observation.testimonies]
      .sort((one, other) => orderOf(one) - orderOf(other))
      .flatMap(one => testimonyLines(one, at)),
    ...(isSurgeWeighed(account, verdict) ? ['', ...harmLines(aftermath.standing, rarityOf(account))] : []),
    ...(isToldAs('pool-share', verdict) ? ['', poolLine(aftermath.standing)] : []),
  ].join('\n')
}

function stretchLines({ stretch }: Account): readonly string[] {
  if (stretch === undefined) return []
  const { from, to, looks } = stretch
  const moments = looks === 1 ? 'the one moment' : `the highest score of ${threeFigures(looks)} moments`
  return [`(${moments} looked at from ${timeText(from)} to ${timeText(to)})`]
}

function verdictLines(account: Account, verdict: Verdict): readonly string[] {
  const { observation, aftermath, at } = account
  const { platformIncidentId, asOf } = aftermath
  return [
    ...decisionLines(account, verdict),
    ...corroboratingLines(observation),
    ...(platformIncidentId === undefined
      ? []
      : [`Platform incident ${platformIncidentId} was open: many clients were wrong at the same moment.`]),
    ...(asOf - at > SECOND_MS ? [`The log’s next call came at ${timeText(asOf)}: what was decided is of then.`] : []),
  ]
}

function decisionLines(account: Account, verdict: Verdict): readonly string[] {
  const { mode, staysAbove, closesAfterMs } = account
  switch (verdict.kind) {
    case 'opened':
    case 'was-open': {
      const { told } = verdict
      return [
        `Incident ${cleanText(told.incidentId)} ${courseText(verdict)}`,
        `${actionLine(told.action)} (mode: ${mode})`,
        ...limitLines(told.action),
        ...verificationLines(told),
        ...budgetLines(told, rarityOf(account)),
        ...(verdict.kind === 'was-open' && told.phase === 'open'
          ? [`It closes when no score has been above ${staysAbove} for ${durationText(closesAfterMs)}.`]
          : []),
      ]
    }
    case 'told-by-kin':
      return [
        `Nothing was done about this key by itself: ${cleanText(verdict.incidentId)}, of the same client, tells what it does.`,
      ]
    case 'not-looked-at':
      return [
        `No incident was open yet, though ${nearestText(verdict.nearest)}: it is looked at when the log’s next call comes.`,
      ]
    case 'suspected':
      return [
        `Nothing was done: it was suspected (a score above ${staysAbove}), and an incident takes a score above 1.`,
        ...nearestLines(verdict.nearest, account.at),
      ]
    case 'below':
      return [
        'Nothing was done: nothing that may open an incident was above 1, and none was open.',
        ...(verdict.nearest === undefined
          ? ['None of those that may open one had anything to say.']
          : nearestLines(verdict.nearest, account.at)),
      ]
    default:
      return verdict satisfies never
  }
}

function courseText(verdict: Extract<Verdict, { kind: 'opened' | 'was-open' }>): string {
  const { told, openedAt } = verdict
  const what = `${kindName(told.kind)}, severity ${told.severity}, begun at ${timeText(told.onsetAt)}`
  const noted = told.telling === 'noted' ? ' Noted only: too common, or told too lately, for an alert.' : ''
  if (verdict.kind === 'opened') return `opened: ${what}.${noted}`
  const course = verdict.before === told.phase ? `was ${told.phase}` : `went from ${verdict.before} to ${told.phase}`
  return `${course}: ${what}, opened at ${timeText(openedAt)}.${noted}`
}

/** What an alert was held against: how common this is, and how common it may be. */
function budgetLines({ severity, telling }: Explanation, rarity: Rarity | undefined): readonly string[] {
  if (rarity === undefined || rarity.ration.isDanger) return []
  const { timesAWeek, ration } = rarity
  if (timesAWeek === undefined) {
    if (severity === 'high') return []
    const { spent, most } = ration
    return [
      `Alert budget: no past of its own says how common this is; of its kind ${threeFigures(spent)} of ${threeFigures(most)} alerts a week have been told.`,
    ]
  }
  const { allowed, alerts, keys, told } = ration
  const lately =
    telling === 'noted' && timesAWeek <= allowed && told !== undefined
      ? ` Told at ${timeText(told.at)} already: news for a day is only what is ${threeFigures(TIMES_RARER)} × rarer than the ${threeFigures(told.timesAWeek)} of then.`
      : ''
  return [
    `Alert budget: ${timesAWeekText(timesAWeek)}; an alert takes ${threeFigures(allowed)} times a week or less: ${threeFigures(alerts)} alerts a week, shared by ${exactly(keys)} keys.${lately}`,
  ]
}

/** What its busiest window of the last weeks may reach by chance is not counted at all. */
const timesAWeekText = (timesAWeek: number): string =>
  Number.isFinite(timesAWeek)
    ? `by itself it goes so far ${threeFigures(timesAWeek)} times a week`
    : 'by itself it has gone so far, or nearly, in the last weeks'

function corroboratingLines(observation: Observation): readonly string[] {
  const above = corroborating(observation).map(({ name, finding }) => `${name} ${threeFigures(finding.score)}`)
  return above.length === 0 ? [] : [`Above 1, and only to corroborate what others open: ${above.join(', ')}.`]
}

const nearestText = ({ name, finding }: Spoken): string => `${name} stood at ${threeFigures(finding.score)}`

function nearestLines(nearest: Spoken, at: EpochMs): readonly string[] {
  if (nearest.finding.score === 0) return ['Those that may open one all stood at 0.']
  const needed = missingOf(nearest).map(
    ({ measure, observed, limit }) =>
      `more than ${threeFigures(limit)} ${measure} (there were ${threeFigures(Math.max(0, observed))})`,
  )
  return [`Nearest: ${nearestText(nearest)}${closedText(nearest, at)}. It would have taken ${needed.join(', and ')}.`]
}

const columns = ['calls', 'calls/min', '2xx', '4xx', '429', '5xx'] as const

function countedLines({ last10s, last60s, last5min }: TenantView): readonly string[] {
  const rows = [
    ['', ...columns],
    ['Last 10 s', ...cellsOf(last10s)],
    ['Last 60 s', ...cellsOf(last60s)],
    ['Last 5 min', ...cellsOf(last5min)],
  ]
  return rows.map(([name = '', ...cells]) => `${name.padEnd(10)}${cells.map(cell => cell.padStart(11)).join('')}`)
}

function cellsOf({ calls, seconds, status2xx, status4xx, status429, status5xx }: WindowCounts): readonly string[] {
  const perMinute = threeFigures((calls * 60) / seconds)
  return [exactly(calls), perMinute, ...[status2xx, status4xx, status429, status5xx].map(exactly)]
}

/** As it is without any plan; what peers lend counts. */
const shownUsual = (expected: TenantView['usual'], unplanned: TenantView['unplanned']): TenantView['usual'] =>
  unplanned === undefined || expected?.peers !== undefined ? expected : unplanned.usual

function usualLines({ usual: expected, unplanned, last60s }: TenantView): readonly string[] {
  const usual = shownUsual(expected, unplanned)
  if (usual === undefined) return ['Nothing usual is known: no history of this key.']
  const { lowerPerMinute, upperPerMinute, callsPerMinute, failureShare, dispersion, latencyMs } = usual
  const times = last60s.calls / Math.max(1, upperPerMinute)
  const latency = latencyMs === undefined ? '' : `, answers take ${threeFigures(latencyMs)} ms`
  return [
    `Usual here: ${bandText(lowerPerMinute, upperPerMinute)}, ${threeFigures(callsPerMinute)} in the middle; ${threeFigures(failureShare * 100)} % fail (5xx)${latency}.`,
    `The last 60 s had ${threeFigures(times)} × the upper end. Dispersion ${threeFigures(dispersion)} (0: minutes differ as by chance). ${basisText(usual)}`,
  ]
}

/** What is planned of the day, and at this moment how much of it came. */
function plannedLines(account: Account): readonly string[] {
  const { plannedThatDay } = account
  if (plannedThatDay.length === 0) return []
  const listed = plannedThatDay.map(stretch => `  ${stretchText(stretch)}${ofWhom(stretch)}`)
  return ['', `Planned that day (UTC). ${plannedNow(account)}`, ...listed]
}

function plannedNow({ plannedThatDay, at, observation: { planned } }: Account): string {
  if (planned !== undefined) {
    const used = threeFigures(planned.used * 100)
    return `At this moment up to ${threeFigures(planned.upToPerMinute)} req/min, of which the last 60 s had ${used} %.`
  }
  const goesOn = plannedThatDay.some(({ from, to }) => from < at && at <= to)
  return goesOn ? 'It lifts nothing, since nothing usual is known.' : 'Nothing of it at this moment.'
}

const ofWhom = ({ isFleets }: KeysStretch): string => (isFleets ? ' (of every client)' : '')

/** How far it goes by itself, and from where on a rise would be seen. */
function reachLines(observation: Observation): readonly string[] {
  const { usual: expected, unplanned } = observation.view
  const usual = shownUsual(expected, unplanned)
  const minute = usual?.reaches.find(({ seconds }) => seconds === 60)
  if (usual === undefined || minute === undefined) return []
  const { upperCalls, perWeek, tail, busiestCalls } = minute
  const twice = perWeek * 2 ** -tail
  const record =
    busiestCalls === undefined ? '' : ` Its busiest minute of the last weeks: ${threeFigures(busiestCalls)}.`
  const [seen, told] = [surgeSeen(observation), surgeTold(observation)]
  return [
    `By itself it goes beyond ${threeFigures(upperCalls)} calls in a minute about ${threeFigures(perWeek)} times a week, beyond twice that ${threeFigures(twice)} times.${record}`,
    ...(seen === undefined ? [] : [`A rise would be seen from ${risesText(seen)} on.`]),
    ...(told === undefined
      ? []
      : [
          told.length === 0
            ? 'At this alert budget nobody is told of a rise alone.'
            : `At this alert budget people would be told of it from ${risesText(told)} on.`,
        ]),
  ]
}

const risesText = (rises: readonly Detectable[]): string =>
  rises
    .map(({ seconds, callsPerMinute, multiple }) => {
      const times = multiple === undefined ? '' : ` (${threeFigures(multiple)} ×)`
      return `${threeFigures(callsPerMinute)}/min${times} within ${seconds} s`
    })
    .join(', from ')

/** What may open an incident first, then what corroborates, then the silent ones. */
function orderOf(testimony: Testimony): number {
  if (testimony.kind === 'disabled') return 3
  if (testimony.kind === 'silent') return 2
  return testimony.opens ? 0 : 1
}

/** `at`: of the account. */
function testimonyLines(testimony: Testimony, at: EpochMs): readonly string[] {
  const name = testimony.name.padEnd(20)
  switch (testimony.kind) {
    case 'disabled':
      return [`  ${name}disabled (detectors.${testimony.name}.enabled)`]
    case 'silent':
      return [`  ${name}silent: ${testimony.because}`]
    case 'spoke': {
      const { finding, opens } = testimony
      return [
        `  ${name}${threeFigures(finding.score)}, ${opens ? 'may open' : 'only corroborates'}${closedText(testimony, at)}`,
        ...inColumns(finding.comparisons.map(comparison => sumCells(comparison, testimony))),
      ]
    }
    default:
      return testimony satisfies never
  }
}

/** Its counts are not those above where calls may still come in: they end earlier. */
const closedText = ({ at: shown }: Spoken, at: EpochMs): string =>
  shown < at ? `, of the seconds closed, up to ${timeText(shown).slice(11)}` : ''

function sumCells(comparison: Comparison, testimony: Spoken): readonly string[] {
  const { measure, observed } = comparison
  const sum = `${threeFigures(observed)} ÷ ${threeFigures(limitIn(comparison))} = ${threeFigures(ratioOf(comparison))}`
  return [sum, measure, `limit: ${filledIn(comparison, testimony)}`]
}

function inColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows.map(row => `      ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ')}`.trimEnd())
}

/** `max(excessFloor 20, timesUpper 2 × upperPerMinute 620)`: each name with its number. */
function filledIn({ formula, parts }: Comparison, { values }: Spoken): string {
  return formula.replace(/[A-Za-z]\w*/g, name => {
    const value = parts[name] ?? values[name]
    return value === undefined ? name : `${name} ${threeFigures(value)}`
  })
}

const isToldAs = (kind: IncidentKind, verdict: Verdict): boolean =>
  (verdict.kind === 'opened' || verdict.kind === 'was-open') && verdict.told.kind === kind

/** A retry storm is severe whatever surges with it; what else is told as something worse than its surge may be severe for that. */
const isSurgeWeighed = ({ observation }: Account, verdict: Verdict): boolean =>
  isToldAs('surge', verdict) ||
  ((verdict.kind === 'opened' || verdict.kind === 'was-open') &&
    verdict.told.kind !== 'retry-storm' &&
    isSurging(observation))

function harmLines(standing: Standing, rarity: Rarity | undefined): readonly string[] {
  const { calls, excess, timesUpper, fleetCalls, fleetExcess, provenCalls } = standing
  const harm = harmOf(standing)
  const most = percent(DOMINANT_SHARE)
  const proven = Number.isFinite(provenCalls)
    ? `${BEYOND_PROVEN_TIMES} × the ${exactly(Math.round(provenCalls))} that have been carried before`
    : 'what can be carried (no whole day is known)'
  const lines: readonly (readonly [boolean, string])[] = [
    [harm.isManyTimes, `${timesText(timesUpper)} the upper end of its usual; many is ${DOMINANT_TIMES} × or more`],
    [
      harm.isMostOfExcess,
      `${percent(share(excess, fleetExcess))} of everyone’s calls beyond the usual; most is ${most} or more`,
    ],
    [
      harm.isFelt,
      `… which are ${percent(share(excess, fleetCalls))} of everyone’s calls; the API feels ${percent(FELT_SHARE)} or more`,
    ],
    [harm.isMostOfCalls, `${percent(share(calls, fleetCalls))} of everyone’s calls; drowning takes ${most} or more`],
    [harm.isBeyondProven, `… while all ${exactly(fleetCalls)} calls are more than ${proven}`],
    [harm.othersFail, 'many others are failing'],
    ...(rarity?.timesSurged === undefined
      ? []
      : [
          [
            isRareEnough(rarity),
            `${timesAWeekText(rarity.timesSurged)}; rare is ${threeFigures(rarity.ration.allowed)} times a week or less`,
          ] as const,
        ]),
  ]
  const rare = rarity?.timesSurged === undefined ? '' : ', where it is rare'
  return [
    `Harm, by the last 10 s. A surge is severe with the first three and either the next two or the sixth${rare}:`,
    ...lines.map(([holds, text]) => `  ${holds ? 'yes' : 'no '}  ${text}`),
  ]
}

function poolLine({ pool }: Standing): string {
  if (pool === undefined) return 'Harm: no pool is configured.'
  const { concurrency, executions, secondsLeft } = pool
  const full = `Harm, by the last 10 s: ${threeFigures(executions)} of ${exactly(concurrency)} executions at once are taken by all;`
  if (!Number.isFinite(secondsLeft)) return `${full} they do not grow.`
  const within = `severe is less than ${durationText(SOON_SECONDS * SECOND_MS)}`
  return `${full} at this growth the pool runs out in ${durationText(secondsLeft * SECOND_MS)}; ${within}.`
}

const timesText = (times: number | undefined): string =>
  times === undefined ? 'not known how many ×' : `${threeFigures(times)} ×`

/** Of nothing, nothing is all. */
const share = (part: number, whole: number): number => (whole === 0 ? 1 : part / whole)
const percent = (share: number): string => `${threeFigures(share * 100)} %`
const exactly = (calls: number): string => calls.toLocaleString('en-US')
