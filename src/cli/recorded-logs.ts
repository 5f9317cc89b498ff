/** Recorded logs as a command line names them: found, checked, and made ready to be read by the settings that go with them. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Mode } from '../core/config/config.ts'
import { type EngineSettings, engineSettings } from '../core/engine.ts'
import { createDecoder, type Decoder, maxRecordBytes } from '../core/formats/decoder.ts'
import type { FormatName } from '../core/formats/field-names.ts'
import { fieldsRead } from '../core/judge.ts'
import { type FoundFile, findFiles } from '../sources/file-paths.ts'
import { checkReadable, readFilePieces, standardInputPath } from '../sources/file-pieces.ts'
import type { BareLog } from '../worker/bare-log.ts'
import { type LoadedConfig, loadConfig, loadTenantsOf } from './config-file.ts'
import { withHeaderOf } from './csv-header.ts'
import { borrowHashSecret } from './hash-secret.ts'
import type { startThreads } from './replay-threads.ts'

export interface RecordedLogsOptions {
  readonly config?: string
  readonly history?: readonly string[]
  /** Without it that of the configuration. */
  readonly mode?: Mode
  readonly format?: FormatName
}

export interface RecordedLogs {
  readonly settings: EngineSettings
  /** The files that settings and tenants came from. */
  readonly files: readonly string[]
  readonly decoder: Decoder
  readonly history: readonly BareLog[]
  readonly logs: readonly BareLog[]
}

/** `decodedAhead` answers what a thread makes of a file, where that is worth one. Throws what reading and configuring may throw. */
export async function openRecordedLogs(
  logs: readonly string[],
  options: RecordedLogsOptions,
  signal: AbortSignal,
  decodedAhead: ReturnType<typeof startThreads> = () => undefined,
): Promise<RecordedLogs> {
  const history = await findFiles(options.history ?? [])
  const files = await findFiles(logs)
  const paths = [...history, ...files].map(({ path }) => path)
  for (const path of paths) await checkReadable(path)
  const loaded = await configFor(logs, options)
  const settings = settingsFor(loaded, options)
  const format = options.format ?? settings.config.format
  const fields = await withHeaderOf(paths, { format, fields: settings.config.fields, maxRecordBytes })
  const hashSecret = await borrowHashSecret(resolve(settings.config.state.directory), process.env)
  const decoding = { format, fields, hashSecret, maxRecordBytes, reads: fieldsRead(settings.config) }
  const open = ({ path, folder }: FoundFile): BareLog => ({
    path,
    folder,
    ...(decodedAhead(path, decoding, signal) ?? { pieces: readFilePieces(path, { maxRecordBytes }, signal) }),
  })
  return {
    ...{ settings, files: loaded.files, decoder: createDecoder(decoding) },
    ...{ history: history.map(open), logs: files.map(open) },
  }
}

/** Without a configuration the tenants.yaml beside the first log says who is who. */
async function configFor(logs: readonly string[], { config }: RecordedLogsOptions): Promise<LoadedConfig> {
  const reading = { readFile: (file: string) => readFile(file, 'utf8'), acts: false }
  if (config !== undefined) return await loadConfig(config, reading)
  const beside = logs.find(path => path !== standardInputPath)
  return await loadTenantsOf(beside === undefined ? '.' : dirname(beside), reading)
}

function settingsFor({ config, tenants }: LoadedConfig, { mode = config.mode }: RecordedLogsOptions): EngineSettings {
  // The files are what is read, whatever source the configuration names; one owner merges them.
  return { ...engineSettings({ ...config, mode }, tenants.tenants, tenants.planned), keyed: false }
}
