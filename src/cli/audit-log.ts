/** What `weir audit` does. Standard output holds the answer only. */
import { z } from 'zod'
import { terminalSafe } from '../core/explanation/json.ts'
import { cleanText, limitsText, timeText } from '../core/explanation/text.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { type AuditLine, auditFilesIn, readLines, timeOf } from '../stores/audit-files.ts'
import { type ChainReport, verifyAudit } from '../stores/audit-verify.ts'
import { stateFolders } from '../stores/state-folders.ts'
import { csvText } from './csv-text.ts'
import { exitCodes } from './exit.ts'
import { stateDirectoryOf } from './label-incident.ts'
import { counted, number } from './plain-words.ts'

interface Chosen {
  readonly config: string
  readonly since?: EpochMs
  readonly until?: EpochMs
  readonly key?: string
  readonly tenant?: string
}

export interface ListOptions extends Chosen {
  readonly lines: number
}

export interface ExportOptions extends Chosen {
  readonly format: 'ndjson' | 'csv'
}

export interface VerifyOptions {
  readonly config: string
  readonly head?: readonly string[]
}

interface Output {
  write(text: string): unknown
}

/** Newest last, as a log is read. */
export async function listAudit(options: ListOptions, out: Output = process.stdout): Promise<void> {
  const entries = await chosenEntries(options)
  const breaches = (await verifyAudit(await stateFolders(await stateDirectoryOf(options.config)))).flatMap(
    report => report.breaches,
  )
  const isWhole = breaches.length === 0
  if (entries.length === 0) {
    out.write(`The audit log holds no such entry${isWhole ? '' : ', but it is NOT whole'}.\n`)
    if (!isWhole) out.write(notWholeText(breaches))
    return
  }
  const shown = entries.slice(-options.lines)
  const more = entries.length - shown.length
  if (more > 0) out.write(`… ${counted(more, 'entry', 'entries')} before these\n`)
  out.write(shown.map(({ line }) => entryText(line)).join(''))
  if (!isWhole) out.write(notWholeText(breaches))
}

/** Who looks for what was done must know that some of it is not there. */
const notWholeText = (breaches: ChainReport['breaches']): string =>
  `The audit log is NOT as it was written (weir audit verify): ${breaches.map(({ where, says }) => `${cleanText(where)}: ${says}`).join('; ')}\n`

export async function exportAudit(options: ExportOptions, out: Output = process.stdout): Promise<void> {
  const entries = await chosenEntries(options)
  if (options.format === 'ndjson') out.write(entries.map(({ text }) => `${terminalSafe(text)}\n`).join(''))
  else
    out.write(
      csvText(
        columns,
        entries.map(({ line }) => cellsOf(line)),
      ),
    )
}

/** Sets the exit code to 1 where something is not as it was written. */
export async function verifyAuditLog({ config, head }: VerifyOptions, out: Output = process.stdout): Promise<void> {
  const directory = await stateDirectoryOf(config)
  const reports = await verifyAudit(await stateFolders(directory), head)
  if (reports.length === 0) {
    out.write(`${directory} holds no audit log with a chain yet.\n`)
    // Who asks for a hash knows that there was one.
    if (head !== undefined) process.exitCode = exitCodes.failed
    return
  }
  out.write(reports.flatMap(reportLines).join(''))
  if (reports.some(({ breaches }) => breaches.length > 0)) process.exitCode = exitCodes.failed
}

const chainNames = { worker: 'The worker’s log', limits: 'The log of weir limits' } as const

function reportLines({ folder, chain, entries, breaches, torn, deleted, head }: ChainReport): readonly string[] {
  const name = `${chainNames[chain]}${folder === undefined ? '' : ` of ${cleanText(folder)}`}`
  const whole = counted(entries, 'entry', 'entries')
  return [
    breaches.length === 0
      ? `${name} is as it was written: ${whole}.\n`
      : `${name} is NOT as it was written: ${whole}, ${counted(breaches.length, 'breach', 'breaches')}.\n`,
    ...breaches.map(({ where, says }) => `  ${cleanText(where)}: ${says}\n`),
    ...(deleted.length === 0 ? [] : [`  deleted by the rule: ${deleted.map(cleanText).join(', ')}\n`]),
    ...(torn.length === 0 ? [] : [`  no entries, as a crash leaves them: ${torn.join(', ')}\n`]),
    ...(head === undefined ? [] : [`  last hash, to be kept elsewhere: ${head.hash}\n`]),
  ]
}

interface Entry {
  readonly text: string
  readonly line: AuditLine
}

/** Of all chains, by time; each chain's own order is kept. */
async function chosenEntries({ config, since, until, key, tenant }: Chosen): Promise<readonly Entry[]> {
  const directory = await stateDirectoryOf(config)
  const entries: Entry[] = []
  const files: { readonly folder: string; readonly name: string }[] = []
  for (const folder of await stateFolders(directory))
    for (const { name } of await auditFilesIn(folder)) files.push({ folder, name })
  for (const { folder, name } of files)
    for (const { text, line } of await readLines(folder, name)) {
      if (line === undefined) continue
      const at = timeOf(line)
      if (since !== undefined && at < since) continue
      if (until !== undefined && at >= until) continue
      if (key !== undefined && keyOf(line) !== key) continue
      if (tenant !== undefined && line.tenantId !== tenant) continue
      entries.push({ text, line })
    }
  return entries.sort((one, other) => timeOf(one.line) - timeOf(other.line))
}

const keyOf = (line: AuditLine): string | undefined => {
  const { keyId, command } = shownOf(line)
  return keyId ?? command?.keyId
}

const limits = z.object({ rateLimit: z.number(), burstLimit: z.number() }).nullish()

/** What people are shown of a line; what a line of another version holds beside it is in the export. */
const shownShape = z.object({
  keyId: z.string().optional(),
  tenantId: z.string().optional(),
  planId: z.string().optional(),
  gateway: z.string().optional(),
  way: z.string().optional(),
  mode: z.string().optional(),
  incidentId: z.string().optional(),
  effectId: z.string().optional(),
  from: limits,
  to: limits,
  result: z.string().optional(),
  because: z.string().optional(),
  bitesAfterMs: z.number().optional(),
  gapMs: z.number().optional(),
  command: z.looseObject({ kind: z.string(), keyId: z.string().optional() }).optional(),
  answer: z.looseObject({ kind: z.string(), because: z.string().optional() }).optional(),
  file: z.string().optional(),
  version: z.string().optional(),
  config: z.string().optional(),
  grounds: z
    .object({
      kind: z.string(),
      severity: z.string(),
      onsetAt: z.string().optional(),
      unusual: z.object({ observed: z.string(), usual: z.string().optional() }).optional(),
      detectors: z.array(z.object({ name: z.string(), score: z.number() })).default([]),
      action: z.object({ kind: z.string(), because: z.string().optional() }).optional(),
    })
    .optional(),
})
type Shown = z.output<typeof shownShape>

const shownOf = (line: AuditLine): Shown => shownShape.safeParse(line).data ?? {}

const changeNames: Readonly<Record<string, string>> = {
  throttle: 'lowered',
  'restore-half': 'half back',
  'restore-full': 'given back',
  'limits-apply': 'set',
  'limits-undo': 'set back',
  'audit-deleted': 'deleted',
  command: 'commanded',
}

function entryText(line: AuditLine): string {
  const shown = shownOf(line)
  const head = [timeText(timeOf(line)), cleanText(line.by).padEnd(8), headOf(line.change, shown)].join('  ')
  const below = [whyOf(shown), groundsOf(shown), underOf(shown)].filter(text => text !== '')
  return `${[head, ...below.map(text => `${' '.repeat(25)}${text}`)].join('\n')}\n`
}

function headOf(change: string, shown: Shown): string {
  const name = changeNames[change] ?? cleanText(change)
  if (change === 'audit-deleted')
    return `${name.padEnd(10)}  ${cleanText(shown.file ?? '')} of this log, by audit.keepFor`
  if (shown.command !== undefined) {
    const { kind, keyId } = shown.command
    const done = shown.answer?.kind === 'refused' ? 'was refused' : 'was obeyed'
    return `${name.padEnd(10)}  ${cleanText(keyId === undefined ? kind : `${kind} ${keyId}`)}: ${done}`
  }
  const { planId, gateway, way } = shown
  const inPlan = gateway === undefined ? planId : `${gateway}/${planId}`
  // In another way than by a plan's limits it is named as a whole: a key, a row.
  const plan = planId === undefined ? '' : cleanText(way === undefined ? `plan ${inPlan}` : planId)
  const { keyId, tenantId } = shown
  const who = keyId === undefined ? '' : cleanText(tenantId === undefined ? keyId : `${keyId} (${tenantId})`)
  const where = [who, plan].filter(text => text !== '').join(', ')
  return `${name.padEnd(10)}  ${where}: ${resultOf(shown)}`
}

/** By what the log of the calls showed. */
const verdictNames: Readonly<Record<string, string>> = {
  bites: 'holds',
  'does-not-bite': 'does NOT hold',
  'cannot-tell': 'could not be verified',
}

function resultOf({ result, from, to }: Shown): string {
  if (result === 'refused') return 'was refused'
  if (result === 'already') return 'was so already'
  const verdict = verdictNames[result ?? '']
  if (verdict !== undefined) return `${limitsText(to ?? undefined)} ${verdict}`
  // Of a line that changed nothing: what was seen of it.
  if (result !== undefined && result !== 'applied') return cleanText(result)
  return `${limitsText(from ?? undefined)} → ${limitsText(to ?? undefined)}`
}

/** Of a limit that is given back also why: expired, calm, operator. */
const whyOf = ({ because, answer, bitesAfterMs, gapMs, grounds }: Shown): string =>
  [
    because,
    answer?.because,
    grounds?.action?.kind === 'restore' ? grounds.action.because : undefined,
    bitesAfterMs === undefined ? undefined : `it held ${Math.round(bitesAfterMs / 1_000)} s after the gateway's answer`,
    gapMs === undefined
      ? undefined
      : `its calls were refused (403) for ${Math.ceil(gapMs / 1_000)} s while it was moved`,
  ]
    .flatMap(text => (text === undefined ? [] : [cleanText(text)]))
    .join('; ')

function groundsOf({ grounds, incidentId }: Shown): string {
  if (grounds === undefined) return incidentId === undefined ? '' : cleanText(incidentId)
  const { kind, severity, unusual, detectors } = grounds
  const usual = unusual?.usual === undefined ? '' : ` where ${unusual.usual} is usual`
  const seen = unusual === undefined ? '' : `: ${unusual.observed}${usual}`
  const by = detectors.map(({ name, score }) => `${name} ${score.toFixed(1)}`).join(', ')
  return cleanText(`${incidentId ?? ''} ${kind}, ${severity}${seen}${by === '' ? '' : ` (${by})`}`)
}

const underOf = ({ mode, way, version, config }: Shown): string =>
  [
    ...(mode === undefined ? [] : [`mode ${mode}`]),
    ...(way === undefined ? [] : [way]),
    ...(version === undefined ? [] : [`weir ${version}`]),
    ...(config === undefined ? [] : [`settings ${config}`]),
  ]
    .map(cleanText)
    .join(', ')

const columns = [
  ...['seq', 'at', 'by', 'change', 'way', 'mode', 'tenantId', 'keyId', 'gateway', 'planId'],
  ...['fromRate', 'fromBurst', 'toRate', 'toBurst', 'result', 'because', 'bitesAfterMs', 'gapMs', 'command'],
  ...['incidentId', 'effectId', 'kind', 'severity', 'onsetAt', 'observed', 'usual', 'detectors', 'version', 'config'],
] as const

/** `none`: the plan has no throttle; empty: nothing is said of it. */
function cellsOf(line: AuditLine): readonly string[] {
  const shown = shownOf(line)
  const { grounds, from, to } = shown
  const numberOf = (one: Shown['from'], name: 'rateLimit' | 'burstLimit'): string =>
    one === null ? 'none' : one === undefined ? '' : String(one[name])
  const values: Record<(typeof columns)[number], string | undefined> = {
    ...{ seq: line.seq === undefined ? '' : String(line.seq), at: line.at, by: line.by, change: line.change },
    ...{
      way: shown.way,
      mode: shown.mode,
      tenantId: shown.tenantId,
      keyId: shown.keyId ?? shown.command?.keyId,
      gateway: shown.gateway,
    },
    ...{ planId: shown.planId, fromRate: numberOf(from, 'rateLimit'), fromBurst: numberOf(from, 'burstLimit') },
    ...{ toRate: numberOf(to, 'rateLimit'), toBurst: numberOf(to, 'burstLimit'), result: shown.result },
    ...{
      because: shown.because ?? shown.answer?.because ?? shown.file,
      bitesAfterMs: shown.bitesAfterMs?.toString(),
      gapMs: shown.gapMs?.toString(),
      command: shown.command?.kind,
      incidentId: shown.incidentId,
    },
    ...{ effectId: shown.effectId, kind: grounds?.kind, severity: grounds?.severity, onsetAt: grounds?.onsetAt },
    ...{ observed: grounds?.unusual?.observed, usual: grounds?.unusual?.usual, version: shown.version },
    ...{
      config: shown.config,
      detectors: grounds?.detectors.map(({ name, score }) => `${name} ${number(score)}`).join('; '),
    },
  }
  return columns.map(column => values[column] ?? '')
}
