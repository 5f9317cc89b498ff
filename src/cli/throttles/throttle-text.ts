/** Throttles as people read them: a table, and times that say how long that is from now. */
import type { OperatorWord } from '../../core/explanation/explanation.ts'
import { cleanText, durationText, kindName, timeText } from '../../core/explanation/text.ts'
import { whyText } from '../../core/explanation/verification-text.ts'
import type { LimitsOrNone } from '../../core/incident/plan-story.ts'
import type { Waiting } from '../../core/incident/waiting.ts'
import type { EpochMs } from '../../core/vocabulary.ts'
import { limitsText } from '../../worker/telemetry-text.ts'
import type { KeptState, KeptThrottle } from './kept-throttles.ts'

export function listText({ throttles, halted, asOf, notes }: KeptState, now: EpochMs): string {
  return [
    ...(halted === undefined ? [] : [haltedText(halted)]),
    throttles.length === 0 ? 'No limit is lowered.' : throttlesText(throttles, now),
    ...(throttles.length === 0 ? [] : asOfLine(asOf, now)),
    ...notes.map(note => `Note: ${cleanText(note)}`),
    '',
  ].join('\n')
}

export const haltedText = ({ by, since }: { readonly by: string; readonly since: EpochMs }): string =>
  `Throttling is HALTED by ${cleanText(by)} since ${timeText(since)}: nobody is throttled until weir throttles go-on.`

function asOfLine(asOf: EpochMs | undefined, now: EpochMs): readonly string[] {
  if (asOf === undefined)
    return ['When they expire is not known: no checkpoint says. Limits are as the effect journal has them.']
  return now - asOf < FRESH_MS ? [] : [`Expiry and reasons are of the checkpoint of ${agoText(asOf, now)}.`]
}

/** A worker writes checkpoints every few seconds. */
const FRESH_MS = 60_000

const header = ['tenant', 'key', 'plan', 'limit', 'since', 'expires', 'why', 'incident']

const rowsOf = (throttles: readonly KeptThrottle[], now: EpochMs): readonly (readonly string[])[] => [
  header,
  ...throttles.map(throttle => [
    cleanText(throttle.tenant?.name ?? throttle.tenant?.tenantId ?? '-'),
    cleanText(throttle.keyId),
    throttle.place ??
      (throttle.instead === undefined
        ? cleanText(throttle.unplaced ?? 'not touched yet')
        : insteadText(throttle.instead)),
    throttle.original === undefined ? '-' : `${limitText(throttle.original)} → ${nowText(throttle)}`,
    throttle.since === undefined ? '-' : agoText(throttle.since, now),
    expiresText(throttle, now),
    throttle.why === undefined ? '-' : kindName(throttle.why),
    cleanText(throttle.incidentId),
  ]),
]

export const throttlesText = (throttles: readonly KeptThrottle[], now: EpochMs): string =>
  tableLines(rowsOf(throttles, now)).join('\n')

function tableLines(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Its plan is left as it is: the key is in another, or its authorizer answers with another key. */
export function insteadText(story: NonNullable<KeptThrottle['instead']>): string {
  const at = story.gateway === undefined ? '' : `${story.gateway}/`
  if (story.kind === 'row') return cleanText(`row ${at}${story.row}: answered with ${story.penaltyKey}`)
  const between = { away: 'on its way to', there: 'moved to', back: 'on its way back from' }[story.state]
  return cleanText(`key ${at}${story.movedKey}: ${between} ${story.to} (was in ${story.from.join(', ')})`)
}

export const limitText = (limits: LimitsOrNone): string => limitsText(limits ?? undefined)

/** Two where it is unknown whether the last change arrived. */
export const nowText = ({ may }: Pick<KeptThrottle, 'may'>): string => may.map(limitText).join(' or ')

function expiresText({ is, expiresAt, held, extended, waiting }: KeptThrottle, now: EpochMs): string {
  const words = [...wordText('held', held, now), ...wordText('extended', extended, now)].join(', ')
  const said = words === '' ? '' : ` (${words})`
  if (is === 'on its way back') return `on its way back${waitedText(waiting, now)}${said}`
  if (expiresAt === undefined) return '-'
  return expiresAt <= now ? `overdue${said}` : `in ${durationText(expiresAt - now)}${said}`
}

/** How long it has been asked for, and why it is not there. */
const waitedText = (waiting: Waiting | undefined, now: EpochMs): string =>
  waiting === undefined ? '' : ` for ${durationText(now - waiting.askedAt)}: ${whyText(waiting)}`

const wordText = (what: string, word: OperatorWord | undefined, now: EpochMs): readonly string[] =>
  word === undefined || word.until <= now ? [] : [`${what} by ${cleanText(word.by)}`]

export const agoText = (at: EpochMs, now: EpochMs): string => `${durationText(now - at)} ago`
