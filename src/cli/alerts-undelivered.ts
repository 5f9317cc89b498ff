/** What `weir alerts list`, `show` and `drop` do. They only read what a worker keeps, or unlink it: it may run meanwhile. */
import { systemClock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import { becameText, type Standing } from '../core/explanation/delay.ts'
import { terminalSafe, times } from '../core/explanation/json.ts'
import { alertText, cleanText, durationText, headline, timeText } from '../core/explanation/text.ts'
import type { AlertEffect } from '../core/incident/effect.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { journalIndex, readEffectJournal } from '../stores/effect-journal.ts'
import { standingsIn } from '../stores/incident-log.ts'
import { forgetLetter, type Letter, readUndelivered } from '../stores/undelivered.ts'
import { stateDirectoryOf } from './label-incident.ts'
import { stateFolders } from './state-folders.ts'

export interface AlertsOptions {
  readonly config: string
}

export interface AlertsSurroundings {
  readonly out: { write(text: string): unknown }
  readonly now: () => EpochMs
}

export const atTerminal: AlertsSurroundings = { out: process.stdout, now: systemClock().now }

/** All that is known of what was not delivered. */
interface Known {
  readonly letters: readonly Letter[]
  readonly damaged: readonly string[]
  /** Journaled, without an outcome, and not given up on. */
  readonly waiting: readonly AlertEffect[]
  readonly standingOf: (incidentId: string) => Standing | undefined
}

export async function listAlerts(
  { config, json }: AlertsOptions & { readonly json?: true },
  { out, now }: AlertsSurroundings = atTerminal,
): Promise<void> {
  const known = await knownOf(await stateDirectoryOf(config))
  out.write(json ? `${terminalSafe(JSON.stringify(listJson(known)))}\n` : listText(known, now()))
}

export async function showAlert(
  id: string,
  { config }: AlertsOptions,
  { out, now }: AlertsSurroundings = atTerminal,
): Promise<void> {
  const directory = await stateDirectoryOf(config)
  const known = await knownOf(directory)
  const letters = known.letters.filter(({ effect }) => isNamed(effect, id))
  const waiting = known.waiting.filter(effect => isNamed(effect, id))
  if (letters.length + waiting.length === 0) throw unknownAlert(id, directory)
  const told = [
    ...letters.map(letter => letterText(letter, known)),
    ...waiting.map(effect => `${waitingText(effect, now())}\n\n${alertText(effect.explanation)}`),
  ]
  out.write(`${told.join('\n\n')}\n`)
}

export async function dropAlerts(
  which: readonly string[],
  { config }: AlertsOptions,
  { out }: AlertsSurroundings = atTerminal,
): Promise<void> {
  const directory = await stateDirectoryOf(config)
  const { letters } = await readUndelivered(directory)
  for (const letter of lettersOf(which, letters, directory)) {
    await forgetLetter(directory, letter)
    out.write(`${cleanText(letter.effect.id)} is dropped: nobody is told of it.\n`)
  }
}

/** Throws INCIDENT_UNKNOWN where one of them names none. */
export function lettersOf(which: readonly string[], letters: readonly Letter[], directory: string): readonly Letter[] {
  const unknown = which.find(id => !letters.some(({ effect }) => isNamed(effect, id)))
  if (unknown !== undefined) throw unknownAlert(unknown, directory)
  return letters.filter(({ effect }) => which.some(id => isNamed(effect, id)))
}

const isNamed = ({ id, incidentId }: AlertEffect, name: string): boolean => id === name || incidentId === name

function unknownAlert(id: string, directory: string): StreamError {
  return new StreamError('INCIDENT_UNKNOWN', `No undelivered alert ${id} is kept in ${directory}`, {
    retry: 'never',
    hint: '`weir alerts list` shows what is; what still waits is sent by the worker itself as soon as SNS takes it',
  })
}

async function knownOf(directory: string): Promise<Known> {
  const { letters, damaged } = await readUndelivered(directory)
  const folders = await stateFolders(directory)
  const journals = await Promise.all(folders.map(folder => readEffectJournal(folder)))
  const openIntents = journals.flatMap(({ recovered }) => journalIndex(recovered).openIntents)
  const standings = await standingsIn(folders)
  const isKept = (effect: AlertEffect): boolean =>
    letters.some(letter => letter.effect.id === effect.id && letter.effect.decidedAt === effect.decidedAt)
  const waiting = openIntents.flatMap(effect => (effect.kind === 'alert' && !isKept(effect) ? [effect] : []))
  return { letters, damaged, waiting, standingOf: id => standings.get(id) }
}

function listText({ letters, damaged, waiting, standingOf }: Known, now: EpochMs): string {
  const lines: string[] = []
  if (letters.length === 0 && waiting.length === 0) lines.push('Every alert was delivered.')
  if (letters.length > 0) {
    lines.push(`${counted(letters.length)} nobody got; \`weir alerts resend --all\` sends them:`)
    for (const { effect, givenUpAt, because } of letters)
      lines.push(
        ...['', `  ${aboutText(effect)}`],
        `    decided ${timeText(effect.decidedAt)}, given up ${timeText(givenUpAt)}${overText(effect, standingOf)}`,
        `    ${cleanText(because)}`,
      )
  }
  if (waiting.length > 0) {
    if (lines.length > 0) lines.push('')
    lines.push(`${counted(waiting.length)} the worker has not sent yet, and tries while it runs:`, '')
    for (const effect of waiting) lines.push(`  ${waitingText(effect, now)}`)
  }
  for (const path of damaged)
    lines.push('', `${path} is damaged and cannot be read: what stands in it is lost, remove it.`)
  return `${lines.join('\n')}\n`
}

const counted = (alerts: number): string => (alerts === 1 ? '1 alert that' : `${alerts} alerts that`)

/** `key_abc123#1/alert-1  [high] retry-storm, open: Client A (key_abc123) exceeded anomaly threshold. (tenant client-a)` */
function aboutText({ id, explanation }: AlertEffect): string {
  const { severity, kind, phase, tenant } = explanation
  const whose = tenant === undefined ? '' : ` (tenant ${cleanText(tenant.id)})`
  return `${cleanText(id)}  [${severity}] ${kind}, ${phase}: ${headline(explanation)}${whose}`
}

const waitingText = (effect: AlertEffect, now: EpochMs): string =>
  `${aboutText(effect)}, waiting since ${timeText(effect.decidedAt)} (${durationText(now - effect.decidedAt)})`

function overText({ incidentId, explanation }: AlertEffect, standingOf: Known['standingOf']): string {
  const standing = standingOf(incidentId)
  return standing?.phase === 'closed' && standing.at > explanation.decidedAt
    ? `; over since ${timeText(standing.at)}`
    : ''
}

function letterText({ effect, givenUpAt, because }: Letter, { standingOf }: Known): string {
  const since = standingOf(effect.incidentId)
  const became = since && since.at > effect.explanation.decidedAt ? ` ${becameText(since)}` : ''
  return [
    `${cleanText(effect.id)}: decided ${timeText(effect.decidedAt)}, given up ${timeText(givenUpAt)}.${became}`,
    cleanText(because),
    '',
    alertText(effect.explanation),
  ].join('\n')
}

function listJson({ letters, damaged, waiting, standingOf }: Known) {
  const alertJson = ({ id, incidentId, keyId, decidedAt, explanation }: AlertEffect) => ({
    ...{ id, incidentId, keyId, tenantId: explanation.tenant?.id ?? null, phase: explanation.phase },
    ...{ kind: explanation.kind, severity: explanation.severity, ...times('decidedAt', decidedAt) },
    isOver: standingOf(incidentId)?.phase === 'closed',
  })
  return {
    schema: 'weir.undelivered/1',
    undelivered: letters.map(({ effect, givenUpAt, because }) => ({
      ...alertJson(effect),
      ...times('givenUpAt', givenUpAt),
      because,
    })),
    waiting: waiting.map(alertJson),
    damaged,
  }
}
