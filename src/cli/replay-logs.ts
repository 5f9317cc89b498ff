/** What `weir replay` does. Standard output holds the answer only; progress goes to standard error. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Mode } from '../core/config/config.ts'
import { type EngineSettings, engineSettings } from '../core/engine.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { changeLine } from '../core/explanation/json.ts'
import { actionLine, alertText, isPartOfPlatform } from '../core/explanation/text.ts'
import { createDecoder, maxRecordBytes } from '../core/formats/decoder.ts'
import type { FormatName } from '../core/formats/field-names.ts'
import { type FoundFile, findFiles } from '../sources/file-paths.ts'
import { checkReadable, readFilePieces, standardInputPath } from '../sources/file-pieces.ts'
import type { BareLog, LogTally } from '../worker/bare-log.ts'
import { replay } from '../worker/replay.ts'
import { type LoadedConfig, loadConfig, loadTenantsOf } from './config-file.ts'
import { withHeaderOf } from './csv-header.ts'
import { exitCodes } from './exit.ts'
import { borrowHashSecret } from './hash-secret.ts'
import { type LineOutput, liveLine } from './live-line.ts'
import { iso, number } from './plain-words.ts'
import { createLogNotes, summaryText } from './replay-summary.ts'
import type { startThreads } from './replay-threads.ts'
import { listenForStop } from './stop-signal.ts'

export interface ReplayOptions {
  readonly config?: string
  readonly history?: readonly string[]
  readonly mode: Mode
  readonly format?: FormatName
  readonly json?: boolean
  readonly failOnIncident?: boolean
}

/** `out` takes the answer and nothing else. `decodedAhead` answers what a thread makes of a file, where that is worth one. */
export async function replayLogs(
  logs: readonly string[],
  options: ReplayOptions,
  out: { write(text: string): unknown } = process.stdout,
  decodedAhead: ReturnType<typeof startThreads> = () => undefined,
): Promise<void> {
  const stop = listenForStop()
  const progress = progressOn(process.stderr)
  try {
    const history = await findFiles(options.history ?? [])
    const files = await findFiles(logs)
    const paths = [...history, ...files].map(({ path }) => path)
    for (const path of paths) await checkReadable(path)
    const loaded = await configFor(logs, options)
    const settings = settingsFor(loaded, options)
    const format = options.format ?? settings.config.format
    const fields = await withHeaderOf(paths, { format, fields: settings.config.fields, maxRecordBytes })
    const hashSecret = await borrowHashSecret(resolve(settings.config.state.directory), process.env)
    const decoding = { format, fields, hashSecret, maxRecordBytes }
    const decoder = createDecoder(decoding)
    const notes = createLogNotes(decoder)
    const open = ({ path, folder }: FoundFile): BareLog => ({
      path,
      folder,
      ...(decodedAhead(path, decoding, stop.signal) ?? {
        pieces: readFilePieces(path, { maxRecordBytes }, stop.signal),
      }),
    })
    const incidents = new Set<string>()
    const result = await replay({
      settings,
      decoder: notes.decoder,
      history: history.map(open),
      logs: files.map(open).map(notes.follow),
      changed(change) {
        incidents.add(change.incidentId)
        progress.clear()
        out.write(options.json ? `${changeLine(change)}\n` : changeText(change))
      },
      progressed: progress.show,
    })
    progress.clear()
    if (!options.json)
      out.write(
        summaryText({
          ...result,
          ...notes.read(),
          opened: incidents.size,
          files: loaded.files,
          isFound: options.config === undefined,
        }),
      )
    if (options.failOnIncident && incidents.size > 0) process.exitCode = exitCodes.failed
  } finally {
    progress.clear()
    stop.release()
  }
}

/** Without a configuration the tenants.yaml beside the first log says who is who. */
async function configFor(logs: readonly string[], { config }: ReplayOptions): Promise<LoadedConfig> {
  const reading = { readFile: (file: string) => readFile(file, 'utf8'), acts: false }
  if (config !== undefined) return await loadConfig(config, reading)
  const beside = logs.find(path => path !== standardInputPath)
  return await loadTenantsOf(beside === undefined ? '.' : dirname(beside), reading)
}

function settingsFor({ config, tenants }: LoadedConfig, { mode }: ReplayOptions): EngineSettings {
  // The files are what is read, whatever source the configuration names; one owner merges them.
  return { ...engineSettings({ ...config, mode }, tenants.tenants), keyed: false }
}

/** An opening is told whole; what follows, and what is part of a platform incident told already, in one line. */
export function changeText(change: Explanation): string {
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

/** On a terminal only. */
export function progressOn(screen: LineOutput) {
  const line = liveLine(screen)
  return {
    show(tally: Pick<LogTally, 'calls' | 'paneRows'>, status: () => { readonly eventTime: number | undefined }): void {
      if (!screen.isTTY) return
      const { eventTime } = status()
      const at = eventTime === undefined ? '' : `, at ${iso(eventTime)}`
      line.show(`${number(tally.calls + tally.paneRows)} read${at}`)
    },
    clear: line.clear,
  }
}
