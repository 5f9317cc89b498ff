/** What `weir replay` does. Standard output holds the answer only; progress goes to standard error. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { FormatName, Mode } from '../core/config.ts'
import { tenantsSchema, weirSchema } from '../core/config.ts'
import { type EngineSettings, engineSettings } from '../core/engine.ts'
import type { Explanation } from '../core/explanation.ts'
import { changeLine } from '../core/explanation-json.ts'
import { actionLine, alertText, isPartOfPlatform } from '../core/explanation-text.ts'
import { createDecoder, maxRecordBytes } from '../core/formats/decoder.ts'
import { checkReadable, readFilePieces } from '../sources/file-pieces.ts'
import type { BareLog, LogTally } from '../worker/bare-log.ts'
import { type ReplayResult, replay } from '../worker/replay.ts'
import { loadConfig } from './config-file.ts'
import { exitCodes } from './exit.ts'
import { borrowHashSecret } from './hash-secret.ts'
import { listenForStop } from './stop-signal.ts'

export interface ReplayOptions {
  readonly config?: string
  readonly history?: readonly string[]
  readonly mode: Mode
  readonly format?: FormatName
  readonly json?: boolean
  readonly failOnIncident?: boolean
}

export async function replayLogs(logs: readonly string[], options: ReplayOptions): Promise<void> {
  const stop = listenForStop()
  const progress = progressOn(process.stderr)
  try {
    const history = options.history ?? []
    for (const path of [...history, ...logs]) await checkReadable(path)
    const settings = await settingsFor(options)
    const { format, fields } = settings.config
    const hashSecret = await borrowHashSecret(resolve(settings.config.state.directory), process.env)
    const decoder = createDecoder({ format: options.format ?? format, fields, hashSecret, maxRecordBytes })
    const open = (path: string): BareLog => ({
      path,
      pieces: readFilePieces(path, { maxRecordBytes }, stop.signal),
    })
    const incidents = new Set<string>()
    const result = await replay({
      settings,
      decoder,
      history: history.map(open),
      logs: logs.map(open),
      changed(change) {
        incidents.add(change.incidentId)
        progress.clear()
        process.stdout.write(options.json ? `${changeLine(change)}\n` : changeText(change))
      },
      progressed: progress.show,
    })
    progress.clear()
    if (!options.json) process.stdout.write(summaryText(result, incidents.size))
    if (options.failOnIncident && incidents.size > 0) process.exitCode = exitCodes.failed
  } finally {
    progress.clear()
    stop.release()
  }
}

async function settingsFor({ config: path, mode }: ReplayOptions): Promise<EngineSettings> {
  const { config, tenants } =
    path === undefined
      ? { config: weirSchema.parse({}), tenants: tenantsSchema.parse({}) }
      : await loadConfig(path, { readFile: file => readFile(file, 'utf8') })
  // The files are what is read, whatever source the configuration names; one owner merges them.
  return { ...engineSettings({ ...config, mode }, tenants.tenants), keyed: false }
}

const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z')

/** An opening is told whole; what follows, and what is part of a platform incident told already, in one line. */
function changeText(change: Explanation): string {
  const { phase, incidentId, kind, severity, action, decidedAt } = change
  const head = `${iso(decidedAt)}  ${phase.toUpperCase().padEnd(10)}  ${incidentId}  ${kind}, severity ${severity}`
  if (phase === 'closed') return `${head}\n\n`
  if (phase !== 'open' || isPartOfPlatform(change)) return `${head}. ${actionLine(action)}\n\n`
  const text = alertText(change)
    .split('\n')
    .map(line => (line === '' ? '' : `    ${line}`))
    .join('\n')
  return `${head}\n${text}\n\n`
}

function summaryText({ history, log, status, span }: ReplayResult, opened: number): string {
  const number = (value: number) => value.toLocaleString('en-US')
  const lines = [
    `${number(log.calls)} calls of ${number(status.keys)} keys${span ? `, ${iso(span.from)} to ${iso(span.to)}` : ''}: ${opened === 0 ? 'no incident' : opened === 1 ? '1 incident' : `${number(opened)} incidents`}.`,
  ]
  if (history.calls + history.paneRows > 0) {
    lines.push(`History: ${number(history.calls)} calls and ${number(history.paneRows)} counted rows.`)
  }
  if (status.late > 0)
    lines.push(`Late: ${number(status.late)} calls came after their pane had closed (they still teach).`)
  const rejected = [...log.rejected].map(([reason, count]) => `${number(count)} ${reason}`)
  if (rejected.length > 0) lines.push(`Noted lines: ${rejected.join(', ')}.`)
  return `${lines.join('\n')}\n`
}

/** One line that rewrites itself, on a terminal only. */
function progressOn(stream: { readonly isTTY?: boolean; write(text: string): unknown }) {
  let isShown = false
  return {
    show(tally: LogTally, status: () => { readonly eventTime: number | undefined }): void {
      if (!stream.isTTY) return
      const { eventTime } = status()
      const at = eventTime === undefined ? '' : `, at ${iso(eventTime)}`
      stream.write(`\r\x1b[K${(tally.calls + tally.paneRows).toLocaleString('en-US')} read${at}`)
      isShown = true
    },
    clear(): void {
      if (isShown) stream.write('\r\x1b[K')
      isShown = false
    },
  }
}
