/** What `weir tune` says to people: what it costs now, what is suggested, and whether that held on days it had not seen. */
import { allowedIn, type Bill, keepsWithin, perWeek, WEEK_MS } from '../core/tuning/bill.ts'
import type { Difference } from '../core/tuning/difference.ts'
import { changedKnobs } from '../core/tuning/knob.ts'
import type { Judged, TuneReport } from '../core/tuning/report.ts'
import { rungOf } from '../core/tuning/search.ts'
import { isPage, type ToldIncident } from '../core/tuning/told-incident.ts'
import { DAY_MS } from '../core/vocabulary.ts'
import type { LogTally } from '../worker/bare-log.ts'
import { counted, iso, number, rejectedLines } from './plain-words.ts'
import { printable } from './terminal.ts'

/** What was read, and could not be. */
export interface Read {
  readonly history: LogTally
  readonly log: LogTally
  readonly firsts: ReadonlyMap<string, string>
  /** The files that the settings and the tenants came from. */
  readonly files: readonly string[]
}

const SHOWN = 10

export function tuneText(report: TuneReport, read: Read, page: string | undefined): string {
  const { against } = report
  return [
    ...readLines(report, read),
    '',
    ...table(billRows(report)),
    '',
    ...verdictLines(report),
    ...(report.yaml === '' ? [] : ['', ...report.yaml.trimEnd().split('\n')]),
    ...(report.yaml === '' ? [] : differenceLines('The suggestion', report.difference)),
    ...(against === undefined ? [] : differenceLines(against.name, against.difference)),
    ...tradeOffLines(report),
    ...shareLines(report),
    ...tenantLines(report),
    ...riseLines(report),
    ...labelLines(report),
    ...(page === undefined ? [] : ['', `The page is ${page}.`]),
    '',
  ].join('\n')
}

function readLines({ parts, labels }: TuneReport, { history, log, firsts, files }: Read): readonly string[] {
  const { span, tuned, heldOut } = parts
  const said = [
    `${counted(log.calls, 'call')}${log.paneRows > 0 ? ` and ${counted(log.paneRows, 'counted row')}` : ''}, ${iso(span.from)} to ${iso(span.to)}.`,
    `Tuned on ${spanText(tuned.to - tuned.from)} from ${iso(tuned.from)}; held out: ${spanText(heldOut.to - heldOut.from)} from ${iso(heldOut.from)}.`,
  ]
  if (tuned.from > span.from) said.push('The first day taught what is usual, and is not judged.')
  if (history.calls + history.paneRows > 0)
    said.push(`History: ${counted(history.calls, 'call')} and ${counted(history.paneRows, 'counted row')}.`)
  if (files.length > 0) said.push(`Settings: ${files.join(', ')}.`)
  if (labels.true + labels.falseAlarm > 0)
    said.push(
      `Labels: ${number(labels.true)} true, ${counted(labels.falseAlarm, 'false alarm')}${labels.elsewhere > 0 ? `; ${number(labels.elsewhere)} of them of another time` : ''}.`,
    )
  return [...said, ...rejectedLines(log.rejected, firsts)]
}

/** `2.5 days`, `40 minutes`, `90 seconds`. */
export function spanText(ms: number): string {
  const days = ms / DAY_MS
  if (days >= 2) return `${round(days)} days`
  if (days >= 0.125) return `${round(days * 24)} hours`
  return days * 1_440 >= 2 ? `${round(days * 1_440)} minutes` : `${round(days * 86_400)} seconds`
}

const round = (value: number): string => String(Number(value.toPrecision(2)))

function billRows({ present, suggested, against, changed }: TuneReport): readonly (readonly string[])[] {
  const rows: (readonly string[])[] = [
    ['', 'pages', 'low', 'noted', 'false alarms', 'a week', 'found', 'delay: median', '95th'],
    ...twoRows('as it is', present),
  ]
  if (changed.length > 0) rows.push(...twoRows('suggested', suggested))
  if (against !== undefined) rows.push(...twoRows(printable(against.name), against))
  return rows
}

const twoRows = (name: string, { tuned, heldOut }: Judged): readonly (readonly string[])[] => [
  billRow(`${name}, tuned on`, tuned),
  billRow(`${name}, held out`, heldOut),
]

function billRow(name: string, bill: Bill): readonly string[] {
  const { pages, low, noted, falseAlarms, found, due, delay } = bill
  return [
    ...[name, number(pages), number(low), number(noted), amount(falseAlarms), weekly(bill)],
    ...[
      `${number(found)} of ${number(due)}`,
      delay ? secondsText(delay.median) : '–',
      delay ? secondsText(delay.p95) : '–',
    ],
  ]
}

/** False alarms a week. */
export function weekly(bill: Bill): string {
  const rate = perWeek(bill)
  return rate === undefined ? '–' : amount(rate)
}

export const amount = (value: number): string =>
  value === 0 ? '0' : value >= 100 ? number(Math.round(value)) : String(Number(value.toPrecision(2)))

export const secondsText = (seconds: number): string =>
  seconds < 120 ? `${Number(seconds.toPrecision(2))} s` : `${Math.round(seconds / 60)} min`

function verdictLines(report: TuneReport): readonly string[] {
  const { budgetPerWeek, suggested, changed, trials, labels } = report
  const { tuned, heldOut } = suggested
  const said: string[] = []
  const others = trials.length - 1
  if (others > 0)
    said.push(
      changed.length === 0
        ? `Of ${counted(others, 'other setting')} none is better than the present one.`
        : `Suggested is the best of ${counted(others, 'other setting')}.`,
    )
  const allowed = allowedIn(tuned, budgetPerWeek)
  const budget = `the budget of ${amount(budgetPerWeek)} a week (${amount(allowed)} in ${spanText(tuned.weeks * WEEK_MS)})`
  said.push(
    keepsWithin(tuned, budgetPerWeek)
      ? `It keeps within ${budget}.`
      : `It does not keep within ${budget}${others === 0 ? '' : `, and none that was tried does${labels.true > 0 ? ' without missing what is labelled true' : ''}`}: label what was told, or turn off what you do not want to hear of.`,
  )
  said.push(...warningsOf(report))
  if (heldOut.weeks > 0 && !keepsWithin(heldOut, budgetPerWeek))
    said.push(
      'On the days held out it costs more than the budget: do not rely on the figure of the days it was tuned on.',
    )
  if (tuned.weeks < 1) said.push('Less than a week is little to tune on: what is best for it may be chance.')
  return said
}

const DIFFERENCE_WORDS = { comes: 'come', goes: 'go', moves: 'move' } as const

/** How many come, go and move, and the first of each. */
function differenceLines(name: string, difference: readonly Difference[]): readonly string[] {
  if (difference.length === 0) return ['', `${printable(name)}: the same incidents as now.`]
  const counts = (['comes', 'goes', 'moves'] as const).flatMap(kind => {
    const count = difference.filter(one => one.kind === kind).length
    return count === 0 ? [] : [`${number(count)} ${DIFFERENCE_WORDS[kind]}`]
  })
  return [
    '',
    `${printable(name)}, of all days judged: ${counts.join(', ')}.`,
    ...difference.slice(0, SHOWN).map(one => `  ${differenceText(one)}`),
    ...(difference.length > SHOWN ? [`  … and ${number(difference.length - SHOWN)} more (--json has them all)`] : []),
  ]
}

export function differenceText(difference: Difference): string {
  if (difference.kind !== 'moves')
    return `${difference.kind.padEnd(5)}  ${incidentText(difference.kind === 'comes' ? difference.after : difference.before)}`
  const { before, after, how } = difference
  const moved = how.map(move => {
    switch (move) {
      case 'sooner':
        return `${secondsText((before.openedAt - after.openedAt) / 1_000)} sooner`
      case 'later':
        return `${secondsText((after.openedAt - before.openedAt) / 1_000)} later`
      case 'kind':
        return `a ${after.kind}`
      case 'severity':
        return `severity ${after.severity}`
      case 'telling':
        return TELLINGS[after.telling]
      default:
        return move satisfies never
    }
  })
  return `moves  ${incidentText(before)}: ${moved.join(', ')}`
}

const TELLINGS = {
  alerted: 'people are alerted',
  'with-platform': 'told as part of a platform incident',
  history: 'told as history',
  noted: 'only noted',
} as const

export const incidentText = ({ incidentId, tenant, openedAt, kind, severity, telling }: ToldIncident): string =>
  printable(
    `${iso(Math.floor(openedAt / 1_000) * 1_000)}  ${incidentId}${tenant === undefined ? '' : ` (${tenant})`}, ${kind}, ${severity}${telling === 'noted' ? ', noted' : ''}`,
  )

/** Those that no other is better than both in false alarms and in delay, fewest alarms first; of equals what changes least. */
export function frontier({ trials, knobs }: TuneReport): TuneReport['trials'] {
  const changes = ({ setting }: TuneReport['trials'][number]): number => changedKnobs(knobs, setting).length
  const sorted = [...trials].sort(
    (one, other) =>
      one.tuned.falseAlarms - other.tuned.falseAlarms ||
      one.tuned.lateness - other.tuned.lateness ||
      changes(one) - changes(other),
  )
  let least = Number.POSITIVE_INFINITY
  return sorted.filter(({ tuned }) => {
    if (tuned.lateness >= least) return false
    least = tuned.lateness
    return true
  })
}

function tradeOffLines(report: TuneReport): readonly string[] {
  const { trials } = report
  if (trials.length < 2) return []
  return [
    '',
    'The trade-off: no setting that was tried has both fewer false alarms and less delay than one of these.',
    ...table([
      ['pages', 'low', 'false alarms', 'found', 'delay', 'held out', 'setting'],
      ...frontier(report).map(trial => trialCells(trial, report)),
    ]),
  ]
}

/** What a setting would have told on the days tuned on, its false alarms on those held out, and which it is. */
export function trialCells(
  { tuned, heldOut, setting }: TuneReport['trials'][number],
  { audible, present }: TuneReport,
): readonly string[] {
  return [
    ...[
      number(tuned.pages),
      number(tuned.low),
      amount(tuned.falseAlarms),
      `${number(tuned.found)} of ${number(tuned.due)}`,
    ],
    ...[tuned.delay === undefined ? '–' : secondsText(tuned.delay.median), amount(heldOut.falseAlarms)],
    settingText(setting, audible, present.setting),
  ]
}

function settingText(
  setting: Readonly<Record<string, number>>,
  knobs: TuneReport['knobs'],
  present: Readonly<Record<string, number>>,
): string {
  const rung = knobs.length > 1 ? rungOf(knobs, setting) : undefined
  if (rung !== undefined) return `all of them ${Number(rung.toPrecision(2))} × as strict`
  const changed = knobs.filter(({ name }) => setting[name] !== present[name])
  return changed.length === 0
    ? 'as it is'
    : changed.map(({ path, name }) => `${path.slice(-2).join('.')} ${setting[name]}`).join(', ')
}

function shareLines({ shares, changed }: TuneReport): readonly string[] {
  const rows = shares.map(({ present, suggested }) => [
    ...[present.detector, number(present.spoke), number(present.pages), number(present.alone)],
    ...[number(present.labelledTrue), number(present.labelledFalse)],
    ...(changed.length === 0 ? [] : [number(suggested.spoke)]),
  ])
  const head = ['detector', 'spoke in', 'pages', 'alone in', 'labelled true', 'false']
  return ['', 'Each detector’s share:', ...table([[...head, ...(changed.length === 0 ? [] : ['suggested'])], ...rows])]
}

function tenantLines({ tenants, changed }: TuneReport): readonly string[] {
  if (tenants.length === 0) return []
  const isChanged = changed.length > 0
  const rows = tenants
    .slice(0, SHOWN)
    .map(({ who, pages, low, afterPages, afterLow }) => [
      ...[printable(who), number(pages), number(low)],
      ...(isChanged ? [number(afterPages), number(afterLow)] : []),
    ])
  return [
    '',
    tenants.length > SHOWN
      ? `Most is told of these, of ${counted(tenants.length, 'client')}:`
      : 'What is told of whom:',
    ...table([['client', 'pages', 'low', ...(isChanged ? ['suggested: pages', 'low'] : [])], ...rows]),
  ]
}

function riseLines({ rises }: TuneReport): readonly string[] {
  const known = rises.filter(({ seen }) => seen.length > 0)
  if (known.length === 0) return []
  return [
    '',
    `From where on a rise of a client would be seen as it is, × its usual (calls/min)${known.length > SHOWN ? `, of the busiest of ${number(known.length)}` : ''}:`,
    ...table([
      [
        'client',
        'usual/min',
        ...(known[0]?.seen.map(({ seconds }) => `within ${seconds} s`) ?? []),
        'people told, within 60 s',
      ],
      ...known.slice(0, SHOWN).map(riseCells),
    ]),
  ]
}

/** A client, what it usually calls a minute, and the rises that would be seen, and at last that people would be told of. */
export const riseCells = ({
  keyId,
  tenant,
  callsPerMinute,
  seen,
  told,
}: TuneReport['rises'][number]): readonly string[] => [
  printable(tenant === undefined ? keyId : `${tenant} (${keyId})`),
  amount(callsPerMinute),
  ...seen.map(riseText),
  riseText(told.at(-1)),
]

function riseText(rise: TuneReport['rises'][number]['told'][number]): string {
  if (rise === undefined) return 'never'
  const { callsPerMinute, multiple } = rise
  return `${multiple === undefined ? '' : `${amount(multiple)} × `}(${amount(callsPerMinute)})`
}

const LABELS_ASKED = 5

function labelLines({ unlabelled }: TuneReport): readonly string[] {
  if (unlabelled.length === 0) return []
  return [
    '',
    `${counted(unlabelled.length, 'incident')} told at present ${unlabelled.length === 1 ? 'has' : 'have'} no label, so half of each counts as a false alarm. Those that say most:`,
    ...unlabelled.slice(0, LABELS_ASKED).map(incident => `  ${labelCommandFor(incident)}`),
    ...(unlabelled.some(isHashed) ? [HASHED] : []),
  ]
}

/** What a suggestion costs that keeps a budget by saying nothing; nothing where it does not. */
export function warningsOf({ silenced, suggested: { tuned }, changed }: TuneReport): readonly string[] {
  if (changed.length === 0) return []
  return [
    ...silenced.map(detector => `Under the suggestion ${detector} says nothing at all in this history.`),
    ...(tuned.found < tuned.due
      ? [
          `It no longer tells ${number(tuned.due - tuned.found)} of ${number(tuned.due)} that are told now. Label those that mattered, and it will.`,
        ]
      : []),
  ]
}

export const isHashed = ({ keyId }: ToldIncident): boolean => keyId.startsWith('hash:')
export const HASHED =
  'A name like hash:… is good for one run only, unless WEIR_HASH_SECRET is set, or a worker keeps its secret in state.directory.'

export const labelCommandFor = (incident: ToldIncident): string =>
  `weir label ${shellWord(printable(incident.incidentId))} true|false-alarm --at ${iso(Math.floor(incident.openedAt / 1_000) * 1_000)}   ${incident.kind}${isPage(incident) ? ', a page' : ''}${incident.tenant === undefined ? '' : ` of ${printable(incident.tenant)}`}`

const shellWord = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Columns as wide as their widest cell, the first and a last one of words to the left. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)))
  const isWords = (column: number) =>
    column === 0 ? !/^[\d,.]+$/.test(rows[1]?.[0] ?? '') : rows[0]?.[column] === 'setting'
  return rows.map(row =>
    `  ${row.map((cell, column) => (isWords(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`.trimEnd(),
  )
}
