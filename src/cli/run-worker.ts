/** What `weir run` does: everything the worker needs is opened here, handed down, and closed here. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { controlPlaneQueue } from '../actions/control-plane-queue.ts'
import type { Performer } from '../actions/performer.ts'
import { snsClient, snsPerformer } from '../actions/sns.ts'
import { usagePlanPerformer } from '../actions/usage-plan.ts'
import { apiGatewayClient } from '../actions/usage-plan-client.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Mode, WeirConfig } from '../core/config/config.ts'
import { type TenantDirectory, tenantDirectory } from '../core/config/tenants.ts'
import { type Engine, engineSettings } from '../core/engine.ts'
import { StreamError } from '../core/errors.ts'
import { createDecoder, maxRecordBytes } from '../core/formats/decoder.ts'
import type { AlertEffect, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import { MINUTE_MS } from '../core/vocabulary.ts'
import { fileSource } from '../sources/file.ts'
import { checkReadable, readFilePieces } from '../sources/file-pieces.ts'
import { kafkaSource } from '../sources/kafka.ts'
import { kinesisClient, kinesisSource } from '../sources/kinesis.ts'
import type { Source, SourceEvent } from '../sources/source.ts'
import type { AuditLog } from '../stores/audit.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { teachHistory } from '../worker/history.ts'
import type { Telemetry } from '../worker/telemetry.ts'
import { runWorker } from '../worker/worker.ts'
import { loadConfig } from './config-file.ts'
import { loadHashSecret } from './hash-secret.ts'
import { listenForStop } from './stop-signal.ts'
import { jsonSink, type LogKind, terminalOn } from './telemetry-sinks.ts'
import { withWorkerStores } from './worker-stores.ts'

export interface RunOptions {
  readonly config: string
  readonly history?: readonly string[]
  readonly mode?: Mode
  readonly log?: LogKind
}

export async function run(options: RunOptions): Promise<void> {
  const stop = listenForStop()
  try {
    const { config, tenants } = await loadConfig(options.config, { readFile: path => readFile(path, 'utf8') })
    const mode = options.mode ?? config.mode
    if (mode === 'enforce' && config.gateway === undefined) throw noGateway()
    const log = options.log ?? (process.stdout.isTTY ? 'human' : 'json')
    const terminal = log === 'human' ? terminalOn(process.stdout, process.env) : undefined
    const telemetry = terminal?.tell ?? jsonSink(process.stdout, process.env.WEIR_LOG_LEVEL ?? 'info')
    try {
      await watch({
        config: { ...config, mode },
        directory: tenantDirectory(tenants),
        engine: engineSettings({ ...config, mode }, tenants.tenants),
        folder: dirname(resolve(options.config)),
        history: options.history ?? [],
        telemetry,
        signal: stop.signal,
      })
    } finally {
      terminal?.close()
    }
  } finally {
    stop.release()
  }
}

const noGateway = (): StreamError =>
  new StreamError(
    'CONFIG_INVALID',
    'Mode enforce was asked for, and no gateway is configured whose limits could be lowered',
    {
      retry: 'never',
      hint: 'Add `gateway: {region: …}` to the configuration, or use --mode suggest',
    },
  )

interface Watch {
  readonly config: WeirConfig
  readonly directory: TenantDirectory
  readonly engine: ReturnType<typeof engineSettings>
  /** Of the configuration: what it names is found from there. */
  readonly folder: string
  readonly history: readonly string[]
  readonly telemetry: Telemetry
  readonly signal: AbortSignal
}

async function watch({ config, directory, engine, folder, history, telemetry, signal }: Watch): Promise<void> {
  const clock = systemClock()
  const stateDirectory = resolve(folder, config.state.directory)
  const source = openSource(config, { clock, folder, telemetry })
  try {
    await withWorkerStores(stateDirectory, telemetry, async ({ checkpoints, journal, audit, rejects }) => {
      const { format, fields } = config
      const hashSecret = await loadHashSecret(stateDirectory, process.env)
      const nextDecoder = () => createDecoder({ format, fields, hashSecret, maxRecordBytes })
      const decoder = nextDecoder()
      const alert = alertPerformer(config, clock, telemetry)
      const plan = planPerformer(config, { clock, journal, audit, directory, telemetry })
      const teach =
        history.length === 0
          ? undefined
          : async (fresh: Engine): Promise<void> => {
              for (const path of history) await checkReadable(path)
              const logs = history.map(path => ({ path, pieces: readFilePieces(path, { maxRecordBytes }, signal) }))
              await teachHistory(fresh, decoder, logs, telemetry)
            }
      await runWorker(
        {
          ...{ source, decoder, nextDecoder, engine, teach, clock, checkpoints, journal, rejects, telemetry },
          performers: { alert, plan },
          mode: config.mode,
          checkpointEveryMs: config.state.checkpointEvery,
        },
        signal,
      )
    })
  } finally {
    await source.close()
  }
}

function openSource(
  { source: settings }: WeirConfig,
  { clock, folder, telemetry }: { readonly clock: Clock; readonly folder: string; readonly telemetry: Telemetry },
): Source {
  const onEvent = seldom(clock, ({ level, detail }: SourceEvent) =>
    telemetry({ name: 'sourceReported', level, detail }),
  )
  switch (settings?.kind) {
    case 'kafka':
      return kafkaSource(settings, { clock, onEvent })
    case 'kinesis': {
      const { stream, from, pollEvery, region, endpoint } = settings
      const client = kinesisClient({ region, endpoint })
      return kinesisSource({ stream, from, pollEveryMs: pollEvery }, { client, clock, random: Math.random, onEvent })
    }
    case 'files': {
      const paths = settings.paths.map(path => (path === '-' ? path : resolve(folder, path)))
      return fileSource({ paths, maxRecordBytes }, { clock })
    }
    case undefined:
      throw new StreamError('CONFIG_INVALID', 'weir.yaml names no source to read', {
        retry: 'never',
        hint: 'Add `source: {kind: kafka, brokers: [...], topic: ...}`; weir.example.yaml shows the other kinds',
      })
    default:
      settings satisfies never
      throw new Error('unreachable')
  }
}

/** The same trouble is told once a minute: a broker that is away is reported with every try. */
function seldom(clock: Clock, tell: (event: SourceEvent) => void): (event: SourceEvent) => void {
  const told = new Set<string>()
  let since = clock.now()
  return event => {
    if (clock.now() - since > MINUTE_MS) {
      told.clear()
      since = clock.now()
    }
    if (told.has(event.detail)) return
    told.add(event.detail)
    tell(event)
  }
}

/** Without a topic the alert is what the log or the terminal shows anyway: there is nobody else to tell. */
function alertPerformer({ alerts }: WeirConfig, clock: Clock, telemetry: Telemetry): Performer<AlertEffect> {
  if (alerts.sns === undefined) {
    telemetry({ name: 'alertsUnsent' })
    return { perform: async () => ({ kind: 'applied' }) }
  }
  const { topicArn } = alerts.sns
  return snsPerformer({
    ...{ client: snsClient(alerts.sns), topicArn, clock, random: Math.random },
    onTrouble: ({ effectId, error }) => telemetry({ name: 'effectTroubled', effectId, because: error }),
  })
}

interface PlanSurroundings {
  readonly clock: Clock
  readonly journal: EffectJournal
  readonly audit: AuditLog
  readonly directory: TenantDirectory
  readonly telemetry: Telemetry
}

/** Whatever the mode: what an earlier run in enforce has lowered is still to be given back. */
function planPerformer(
  { gateway }: WeirConfig,
  { clock, journal, audit, directory, telemetry }: PlanSurroundings,
): Performer<ThrottleEffect | RestoreEffect> {
  if (gateway === undefined)
    return { perform: async () => ({ kind: 'refused', because: 'no `gateway` is configured' }) }
  const client = apiGatewayClient(gateway)
  const planOf = (keyId: string): string | undefined => directory.byKey.get(keyId)?.usagePlan
  return usagePlanPerformer({
    client,
    queue: controlPlaneQueue({ clock }),
    clock,
    journal,
    audit,
    planOf,
    random: Math.random,
    onTrouble: ({ effectId, error }) => telemetry({ name: 'effectTroubled', effectId, because: error }),
  })
}
