/** What `weir learn` says at the end: which time is known, of whom how much, and what does not fit together. */
import type { RejectionReason } from '../core/call-batch.ts'
import { isTenantWide, type TenantDirectory, type TenantEntry } from '../core/config/tenants.ts'
import type { CoveredTime, KeyKnowledge, Knowledge } from '../core/knowledge.ts'
import { ANONYMOUS, type ApiKeyId, BASELINE_DAYS, DAY_MS, type EpochMs, MINUTE_MS } from '../core/vocabulary.ts'
import type { LogTally } from '../worker/bare-log.ts'
import { counted, number, rejectedLines } from './plain-words.ts'
import { printable } from './terminal.ts'

export interface LearnSummary {
  readonly tally: LogTally
  readonly knowledge: Knowledge
  /** Where the first line of each reason stands. */
  readonly firsts: ReadonlyMap<RejectionReason | string, string>
  readonly knownUntil: EpochMs
  /** The moment that usual rates are told for: the time of day of now, after what is known. */
  readonly at: EpochMs
  readonly now: EpochMs
  readonly directory: string
  readonly tenants: TenantDirectory
  readonly logs: readonly string[]
}

type Grade = 'well' | 'roughly' | 'hardly'
/** From so many days of the seven on a key is known well: five cover the working week. */
const wellDays = 5
const gradeOf = ({ days }: KeyKnowledge): Grade => (days >= wellDays ? 'well' : days >= 1 ? 'roughly' : 'hardly')

const mostRows = 10
const mostNames = 5

export function learnText(summary: LearnSummary): string {
  const { tally, knowledge, tenants, knownUntil, directory, logs } = summary
  const grades = gradesOf(knowledge.keys)
  const { unseen, unlisted } = mismatches(summary)
  const lines = [
    `Learned from ${logs.length === 1 ? logs[0] : counted(logs.length, 'log')}: ${counted(tally.calls, 'call')} and ${counted(tally.paneRows, 'counted row')}.`,
    ...coveredLines(knowledge.covered),
    `Keys: ${number(knowledge.keys.length)}, of which ${number(grades.well)} known well (${wellDays} days or more of the last ${BASELINE_DAYS}), ${number(grades.roughly)} roughly, ${number(grades.hardly)} hardly (less than a day).`,
    '',
    ...table(summary),
    '',
  ]
  if (unseen.length > 0)
    lines.push(`In tenants.yaml and not in the logs: ${listed(unseen.map(id => nameOf(id, tenants.byKey.get(id))))}.`)
  if (tenants.byKey.size > 0 && unlisted.length > 0)
    lines.push(`In the logs and not in tenants.yaml: ${listed(unlisted.map(id => nameOf(id, undefined)))}.`)
  lines.push(...rejectedLines(tally.rejected, summary.firsts), ...ageLines(summary))
  lines.push(`Kept in ${directory}: weir run starts from it, on a stream that begins after ${minuteText(knownUntil)}.`)
  return `${lines.join('\n')}\n`
}

/** The same for machines: all keys, times in ISO 8601. */
export function learnJson(summary: LearnSummary): string {
  const { tally, knowledge, tenants, knownUntil, at, directory, logs } = summary
  const { covered, keys } = knowledge
  const { unseen, unlisted } = mismatches(summary)
  return JSON.stringify({
    logs,
    calls: tally.calls,
    countedRows: tally.paneRows,
    rejected: Object.fromEntries(tally.rejected),
    knownUntil: iso(knownUntil),
    covered: covered && {
      ...{ from: iso(covered.from), until: iso(covered.until), days: covered.days, minutes: covered.minutes },
      gaps: covered.gaps.map(({ from, until }) => ({ from: iso(from), until: iso(until) })),
    },
    known: gradesOf(keys),
    usualAt: iso(at),
    keys: keys.map(({ keyId, calls, days, usual }) => {
      const { tenantId, name } = tenants.byKey.get(keyId) ?? {}
      const callsPerMinute = usual && {
        ...{ usual: usual.callsPerMinute, lower: usual.lowerPerMinute, upper: usual.upperPerMinute },
      }
      return { keyId, tenantId, name, calls, days, callsPerMinute }
    }),
    notInLogs: unseen,
    notInTenants: unlisted,
    stateDirectory: directory,
  })
}

function gradesOf(keys: readonly KeyKnowledge[]): Record<Grade, number> {
  const grades = { well: 0, roughly: 0, hardly: 0 }
  for (const key of keys) grades[gradeOf(key)]++
  return grades
}

function mismatches({ knowledge, tenants }: LearnSummary) {
  const seen = new Set(knowledge.keys.map(({ keyId }) => keyId))
  return {
    unseen: [...tenants.byKey.keys()].filter(id => !seen.has(id) && !isTenantWide(id)),
    unlisted: [...seen].filter(id => id !== ANONYMOUS && !tenants.byKey.has(id)),
  }
}

function coveredLines(covered: CoveredTime | undefined): readonly string[] {
  if (covered === undefined) return ['Known: not one whole minute.']
  const { from, until, minutes, days, gaps } = covered
  const all = (until - from) / MINUTE_MS
  const known = `Known: ${minuteText(from)} to ${minuteText(until)}, ${days} of ${BASELINE_DAYS} days, ${number(minutes)} of ${counted(all, 'minute')}.`
  if (gaps.length === 0) return [known]
  const longest = [...gaps].sort((one, other) => other.until - other.from - (one.until - one.from)).slice(0, mostNames)
  const named = longest
    .sort((one, other) => one.from - other.from)
    .map(gap => `${minuteText(gap.from)} (${counted((gap.until - gap.from) / MINUTE_MS, 'minute')})`)
  const more = gaps.length - named.length
  return [
    known,
    `Gaps, of which nothing is known: ${named.join(', ')}${more > 0 ? `, and ${number(more)} shorter` : ''}.`,
  ]
}

function table({ knowledge, tenants, at }: LearnSummary): readonly string[] {
  const time = `${new Date(at).toISOString().slice(11, 16)} UTC`
  const rows = knowledge.keys
    .slice(0, mostRows)
    .map(key => [
      nameOf(key.keyId, tenants.byKey.get(key.keyId)),
      key.usual ? `${rate(key.usual.lowerPerMinute)}-${rate(key.usual.upperPerMinute)}` : 'unknown',
      `${key.days} of ${BASELINE_DAYS}`,
    ])
  const all = [['Largest', `usual calls/min at ${time}`, 'days'], ...rows]
  const widths = [0, 1, 2].map(column => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const lines = all.map(
    row =>
      `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`,
  )
  const more = knowledge.keys.length - rows.length
  return more > 0 ? [...lines, `  … and ${counted(more, 'key')} more`] : lines
}

/** Days that have passed since are days that the seven do not hold any more. */
function ageLines({ knownUntil, now }: LearnSummary): readonly string[] {
  const days = Math.floor((now - knownUntil) / DAY_MS)
  if (days < 1) return []
  const left = Math.max(0, BASELINE_DAYS - days)
  const what = left === 0 ? 'nothing of them counts any more' : `${left} of ${BASELINE_DAYS} days still count`
  return [`Warning: the logs end ${counted(days, 'day')} ago: for a run that begins now, ${what}.`]
}

const nameOf = (keyId: ApiKeyId, tenant: TenantEntry | undefined): string =>
  printable(tenant === undefined ? keyId : `${tenant.name ?? tenant.tenantId} (${keyId})`)

function listed(names: readonly string[]): string {
  const more = names.length - mostNames
  return `${names.slice(0, mostNames).join(', ')}${more > 0 ? `, and ${number(more)} more` : ''}`
}

/** Three figures are all that a rate is worth. */
const rate = (perMinute: number): string => Number(perMinute.toPrecision(3)).toLocaleString('en-US')
const iso = (at: EpochMs): string => new Date(at).toISOString()
const minuteText = (at: EpochMs): string => `${iso(at).slice(0, 16).replace('T', ' ')} UTC`
