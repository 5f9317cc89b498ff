/** The table of `weir limits suggest`, for people: a line a plan, a line each for its keys, and below it what all of it comes to. */
import { styleText } from 'node:util'
import { cleanText } from '../core/explanation/text.ts'
import { placeName } from '../core/incident/limit-story.ts'
import type { BetterPlace, Exhaustion, LimitTotals, PlanVerdict, SizedPlan } from '../core/limits/plan-sizing.ts'
import type { LeftOutDay, Sizing } from '../core/limits/sizing.ts'
import type { Suggested } from './limits-suggested.ts'
import { basisText, hasText, noneText, policyText, reasonText, shortLimits } from './limits-words.ts'
import { counted, number } from './plain-words.ts'

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green'

interface Row {
  readonly cells: readonly string[]
  /** Of the last cell; the whole of a plan's line is bold. */
  readonly style: Style | undefined
  readonly isPlan: boolean
}

const header = ['plan, key', 'days', 'calls', 'busiest 1 s', '10 s', '60 s', 'usual up to', 'has now', 'suggested', '']
/** Numbers stand right. */
const isNumber = [false, true, true, true, true, true, true, false, false, false]
/** Of keys in no plan, and of plans' keys, so many are shown; --json has all. */
const mostRows = 200

export function limitsTable(suggested: Suggested, colour: boolean): string {
  const { basis, policy, plans, unplaced, totals, notes } = suggested
  const paint = (style: Style | undefined, text: string): string =>
    colour && style !== undefined ? styleText(style, text, { validateStream: false }) : text
  const rows = [
    ...plans.flatMap(plan => planRows(plan, suggested)),
    ...(unplaced.length === 0 ? [] : [groupRow(plans.length === 0 ? 'all clients' : 'in no known plan')]),
    ...unplaced.map(sizing => keyRow(sizing, suggested, undefined, undefined)),
  ]
  const shown = rows.slice(0, mostRows)
  const all: readonly Row[] = [{ cells: header, style: undefined, isPlan: false }, ...shown]
  const widths = header.map((_, column) => Math.max(...all.map(({ cells }) => (cells[column] ?? '').length)))
  const lines = all.map(({ cells, style, isPlan }, index) => {
    const padded = cells.map((cell, column) =>
      isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    )
    const last = padded.pop() ?? ''
    const before = padded.join('  ')
    return `${paint(index === 0 ? 'dim' : isPlan ? 'bold' : undefined, before)}  ${paint(style, last.trimEnd())}`.trimEnd()
  })
  const more = rows.length - shown.length
  return [
    `By ${cleanText(basisText(basis))}`,
    `With ${policyText(policy, basis)}.`,
    '',
    ...lines,
    ...(more > 0 ? [`… and ${counted(more, 'line')} more: --json has all`] : []),
    '',
    ...totalLines(totals),
    ...estimateLines(suggested),
    ...notes.map(note => `Note: ${cleanText(note)}.`),
    '',
  ].join('\n')
}

const empty = header.map(() => '')

const groupRow = (text: string): Row => ({ cells: [text, ...empty.slice(1)], style: undefined, isPlan: true })

const verdictStyles: Readonly<Record<PlanVerdict['kind'], Style>> = {
  'no-limit': 'red',
  'too-tight': 'red',
  'too-wide': 'yellow',
  fits: 'green',
  unknown: 'dim',
  none: 'dim',
}

function planRows(plan: SizedPlan, suggested: Suggested): readonly Row[] {
  const { verdict, present, name, silent } = plan
  const title = cleanText(name === undefined || name === plan.planId ? placeName(plan) : `${placeName(plan)} (${name})`)
  const wanted = verdict.kind === 'none' ? '' : shortLimits(verdict.suggested)
  const cells = [title, '', '', '', '', '', '', hasText(present), wanted, reasonText(plan, suggested.basis)]
  const idle = silent.length === 0 ? [] : [groupOfSilent(silent.length)]
  return [
    { cells, style: verdictStyles[verdict.kind], isPlan: true },
    ...plan.keys.map(({ sizing, refusedNow, betterIn }) => keyRow(sizing, suggested, refusedNow, betterIn)),
    ...idle,
  ]
}

const groupOfSilent = (keys: number): Row => ({
  ...{ cells: [`  ${counted(keys, 'key')} without a call`, ...empty.slice(1)], style: undefined, isPlan: false },
})

function keyRow(
  sizing: Sizing,
  { settings }: Suggested,
  refusedNow: number | undefined,
  betterIn: BetterPlace | undefined,
): Row {
  const { keyId, knownDays, calls, busiest, upperPerMinute, suggestion, basis } = sizing
  const tenant = settings.tenants.byKey.get(keyId)
  const who = cleanText(tenant === undefined ? keyId : `${tenant.name ?? tenant.tenantId} (${keyId})`)
  const says = [
    ...(suggestion.kind === 'none' ? [`not suggested: ${noneText[suggestion.because]}`] : []),
    ...(refusedNow === undefined || refusedNow === 0 ? [] : [`refused ${counted(refusedNow, 'call')} as it is`]),
    ...(suggestion.kind === 'limits' && suggestion.refused >= 0.5 ? [refusedText(suggestion.refused, basis)] : []),
    ...(betterIn === undefined ? [] : [betterText(betterIn)]),
    ...(suggestion.kind === 'limits' ? suggestion.leftOut.map(leftOutText) : []),
    ...(basis === 'counts' ? ['by counts: bursts are estimated'] : []),
  ]
  const cells = [
    ...[`  ${who}`, daysText(knownDays), number(Math.round(calls)), countText(busiest.second)],
    ...[countText(busiest.tenSeconds), countText(busiest.minute)],
    ...[upperPerMinute === undefined ? '' : `${countText(upperPerMinute)}/min`, ''],
    suggestion.kind === 'limits' ? `needs ${shortLimits(suggestion.limits)}` : '',
    says.join('; '),
  ]
  return { cells, style: suggestion.kind === 'none' ? 'dim' : undefined, isPlan: false }
}

const refusedText = (refused: number, basis: Sizing['basis']): string =>
  basis === 'state'
    ? `would be refused about ${countText(refused)} a week`
    : `would be refused at most ${counted(refused, 'call')}`

const betterText = (place: BetterPlace): string =>
  place.kind === 'own-plan' ? 'better off in a plan of its own' : `better off in plan ${cleanText(place.planId)}`

const leftOutText = ({ at, busiestMinute, times }: LeftOutDay): string =>
  `without ${new Date(at).toISOString().slice(0, 10)}, which needed ${countText(times)} × any other day (${countText(busiestMinute)} in a minute)`

const daysText = (days: number): string => (days >= 10 ? String(Math.round(days)) : days.toFixed(1))
const countText = (count: number | undefined): string =>
  count === undefined ? '' : count >= 100 ? number(Math.round(count)) : number(Number(count.toPrecision(2)))

function totalLines({ clients, ratePerSecond, account, pool }: LimitTotals): readonly string[] {
  if (clients === 0) return []
  return [
    `All suggestions together: ${number(ratePerSecond)} calls a second for ${counted(clients, 'client')}; the account's limit is ${number(account.of)}. ${exhaustionText(account, 'the account')}`,
    ...(pool === undefined
      ? []
      : [
          `The pool runs ${number(pool.of)} calls at once. ${exhaustionText(pool, 'the pool, at their usual latencies,')}`,
        ]),
  ]
}

const exhaustionText = ({ clients }: Exhaustion, what: string): string =>
  clients === undefined
    ? `All of them at their limits at once do not exhaust ${what}.`.replace(',.', '.')
    : `The ${clients === 1 ? 'largest' : `${clients} largest`} at ${clients === 1 ? 'its limit exhausts' : 'their limits at once exhaust'} ${what}.`.replace(
        ',.',
        '.',
      )

function estimateLines({ basis, policy, sizings }: Suggested): readonly string[] {
  const unknown = sizings.filter(({ suggestion }) => suggestion.kind === 'none').length
  const young =
    unknown === 0
      ? []
      : [
          `Not suggested: ${counted(unknown, 'client')}, known for less than ${policy.leastDays} days or without a key id.`,
        ]
  if (basis.kind === 'logs') return young
  return [
    ...young,
    'Estimates: a state holds no single calls. Give the logs of a week for what would have been refused, call by call.',
  ]
}
