/** What `weir run` does: everything the worker needs is opened here, handed down, and closed here. */
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { type ControlPlaneQueue, controlPlaneQueue } from '../actions/control-plane-queue.ts'
import type { Performer } from '../actions/performer.ts'
import { snsPerformer } from '../actions/sns.ts'
import type { SnsSender } from '../actions/sns-sender.ts'
import { type LimitPerformer, usagePlanPerformer } from '../actions/usage-plan.ts'
import type { Claims } from '../actions/ways/claims.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Mode, TenantsConfig, WeirConfig } from '../core/config/config.ts'
import { type KeyPlace, type TenantDirectory, tenantDirectory } from '../core/config/tenants.ts'
import { type Engine, engineSettings } from '../core/engine.ts'
import { StreamError } from '../core/errors.ts'
import { createDecoder, maxRecordBytes } from '../core/formats/decoder.ts'
import { createRepeats } from '../core/formats/repeats.ts'
import type { AlertEffect } from '../core/incident/effect.ts'
import type { GiveBackWatch } from '../core/incident/give-back.ts'
import { fieldsRead } from '../core/judge.ts'
import { type ApiKeyId, MINUTE_MS } from '../core/vocabulary.ts'
import { commandRoute } from '../server/command-route.ts'
import type { SourceStatus } from '../server/lives.ts'
import type { ObservedLife } from '../server/open-server.ts'
import { fileSource } from '../sources/file.ts'
import { followingSource } from '../sources/file-follow.ts'
import { findFiles } from '../sources/file-paths.ts'
import { checkReadable, readFilePieces, standardInputPath } from '../sources/file-pieces.ts'
import { kafkaSource } from '../sources/kafka.ts'
import { kinesisClient, kinesisSource } from '../sources/kinesis.ts'
import type { Source, SourceEvent } from '../sources/source.ts'
import type { AuditLog } from '../stores/audit.ts'
import { leased } from '../stores/checkpoint-lock.ts'
import type { IncidentLog } from '../stores/incident-log.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { type SpokenWords, spokenWords } from '../stores/spoken-words.ts'
import { createGroundsBook, type GroundsBook } from '../worker/grounds.ts'
import { teachHistory } from '../worker/history.ts'
import type { Keeper } from '../worker/keeper.ts'
import type { Telemetry } from '../worker/telemetry.ts'
import { runWorker } from '../worker/worker.ts'
import { auditingVerdicts } from './audit-verdicts.ts'
import { auditOptions, tidying } from './audited.ts'
import { cloudWatchLog, fromCloudWatch, openPublisher } from './cloudwatch.ts'
import { loadConfig } from './config-file.ts'
import { withHeaderOf } from './csv-header.ts'
import { openDeadMansSwitch, tellUnguarded } from './dead-mans-switch.ts'
import { loadHashSecret } from './hash-secret.ts'
import { withKafkaSecurity } from './kafka-security.ts'
import { limitGateways } from './limit-gateways.ts'
import { sayingToAll } from './said-to-all.ts'
import { noSharedRecording, type SharedPart, tellSplitTenants, withSharedLives } from './shared-lives.ts'
import { listenForStop } from './stop-signal.ts'
import { jsonSink, type LogKind, terminalOn } from './telemetry-sinks.ts'
import { followTenants, lookAt } from './tenants-watch.ts'
import { version } from './version.ts'
import { withNotices } from './with-notices.ts'
import { type RecordOptions, withRecorder } from './with-recorder.ts'
import { type Watched, withServer } from './with-server.ts'
import { withWorkerStores } from './worker-stores.ts'

export interface RunOptions {
  readonly config: string
  readonly history?: readonly string[]
  readonly mode?: Mode
  readonly log?: LogKind
  /** Where it is recorded, and how many bytes of it are kept. */
  readonly record?: string
  readonly recordMax: number
}

export async function run(options: RunOptions): Promise<void> {
  const stop = listenForStop()
  try {
    const reading = { readFile: (path: string) => readFile(path, 'utf8') }
    const load = (path: string) => loadConfig(path, reading)
    const begunWith = await lookAt(options.config, reading.readFile)
    const { config, tenants } = await load(options.config)
    const mode = options.mode ?? config.mode
    if (mode === 'enforce' && !hasGateway(config)) throw noGateway()
    const log = options.log ?? (process.stdout.isTTY ? 'human' : 'json')
    const terminal = log === 'human' ? terminalOn(process.stdout, process.env) : undefined
    const telemetry = terminal?.tell ?? jsonSink(process.stdout, process.env.WEIR_LOG_LEVEL ?? 'info')
    try {
      await watch({
        config: { ...config, mode },
        directory: tenantDirectory(tenants),
        tenants,
        engine: engineSettings({ ...config, mode }, tenants.tenants, tenants.planned),
        folder: dirname(resolve(options.config)),
        history: options.history ?? [],
        record: options.record === undefined ? undefined : { directory: options.record, maxBytes: options.recordMax },
        follow: (take, { telemetry, signal }) =>
          followTenants(
            { configPath: options.config, begunWith, ...reading, load, clock: systemClock(), telemetry },
            take,
            signal,
          ),
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

/** What is told of an incident is also kept, for whoever speaks of it later by its number, and for the audit of what is done about it. */
const loggingIncidents =
  (incidents: IncidentLog, grounds: GroundsBook, tell: Telemetry): Telemetry =>
  event => {
    if (event.name === 'incidentChanged') incidents.record(event.explanation)
    grounds.note(event)
    tell(event)
  }

const hasGateway = ({ gateway, gateways }: WeirConfig): boolean =>
  gateway !== undefined || Object.keys(gateways).length > 0

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
  readonly tenants: TenantsConfig
  readonly engine: ReturnType<typeof engineSettings>
  /** Of the configuration: what it names is found from there. */
  readonly folder: string
  readonly history: readonly string[]
  readonly record: RecordOptions | undefined
  /** Hands over the tenants whenever they have changed. */
  readonly follow: (
    take: (tenants: TenantsConfig) => Promise<void>,
    until: { readonly telemetry: Telemetry; readonly signal: AbortSignal },
  ) => Promise<void>
  readonly telemetry: Telemetry
  readonly signal: AbortSignal
}

/** The server first, and closed last: it says how the worker is while it learns, and while it stops. */
async function watch(watching: Watch): Promise<void> {
  const { config, folder, telemetry, signal } = watching
  tellUnguarded(config, telemetry)
  const stateDirectory = resolve(folder, config.state.directory)
  const clock = systemClock()
  let operating: Keeper['operate'] | undefined
  const operate = (operated: Keeper['operate'] | undefined): void => {
    operating = operated
  }
  const words = spokenWords(stateDirectory)
  const routes = [commandRoute(sayingToAll(words, clock, () => operating))]
  await withServer(
    config,
    { folder, stateDirectory, clock, telemetry, signal, env: process.env, version: version(), routes },
    watched =>
      withNotices(config, { clock, watched, log: telemetry }, (heard, log, sender) => {
        const lives = { ...watching, ...heard }
        const common = { clock, stateDirectory, operate, words, queueOf: queuesOf(clock), sender }
        return config.state.shared ? watchShared(lives, log, common) : watchWhole(lives, common)
      }),
  )
}

/** One for each gateway, whatever reads: AWS counts by account and region. */
function queuesOf(clock: Clock): (gateway: string | undefined) => ControlPlaneQueue {
  const queues = new Map<string | undefined, ControlPlaneQueue>()
  return gateway => {
    const queue = queues.get(gateway) ?? controlPlaneQueue({ clock })
    queues.set(gateway, queue)
    return queue
  }
}

/** One life, on all of the stream. */
async function watchWhole(watching: Watch & Watched, common: Omit<Life, 'source'>): Promise<void> {
  const { config, folder, lives, reads } = watching
  const { telemetry, follows, over } = lives(undefined)
  const source = await openSource(config, { clock: common.clock, folder, telemetry })
  reads(() => sourceStatus(source, false))
  try {
    await watchStream({ ...watching, telemetry, follows }, { ...common, source })
  } finally {
    over()
    await source.close()
  }
}

/** A life for each partition that the group gives us. */
async function watchShared(watching: Watch & Watched, log: Telemetry, common: Omit<Life, 'source'>): Promise<void> {
  const { config, folder, telemetry, signal, lives, reads } = watching
  const { clock, stateDirectory } = common
  if (watching.record !== undefined) throw noSharedRecording()
  tellSplitTenants(watching.directory, telemetry)
  const source = await openSource(config, { clock, folder, telemetry })
  reads(() => sourceStatus(source, true))
  try {
    await withSharedLives(
      {
        ...{ source, stateDirectory, clock, telemetry, log, lives, signal },
        ...{ maxTenants: config.throttle.maxTenants, operate: common.operate },
      },
      (part, { operate, ...how }) =>
        watchStream({ ...watching, ...how }, { ...common, operate, source: part.source, part }),
    )
  } finally {
    await source.close()
  }
}

interface Life {
  readonly source: Source
  readonly clock: Clock
  readonly stateDirectory: string
  /** What people say to all lives. */
  readonly words: SpokenWords
  /** Told who takes people's commands from now on; undefined: nobody any more. */
  readonly operate: (operate: Keeper['operate'] | undefined) => void
  readonly queueOf: (gateway: string | undefined) => ControlPlaneQueue
  /** Undefined where there is no topic. */
  readonly sender: SnsSender | undefined
  /** Where it is of one partition of a shared stream. */
  readonly part?: SharedPart
}

async function watchStream(
  watching: Watch & Pick<ObservedLife, 'follows'>,
  { source, clock, stateDirectory, operate, words, queueOf, sender, part }: Life,
): Promise<void> {
  const { config, directory, engine, folder, history, record, follow, signal, follows } = watching
  let owners = directory
  let grounds = createGroundsBook([])
  await withWorkerStores(
    { directory: part?.directory ?? stateDirectory, whole: stateDirectory },
    watching.telemetry,
    async ({ checkpoints, journal, audit, incidents, rejects, undelivered }) => {
      const told = auditingVerdicts({ audit, clock }, loggingIncidents(incidents, grounds, watching.telemetry))
      const telemetry = tidying(audit, clock, told)
      const { format } = config
      const fields = await withHeaderOf(await filesRead(config, folder), { ...config, maxRecordBytes })
      const hashSecret = await loadHashSecret(stateDirectory, process.env)
      // Those who put records into Kinesis do so again when an answer is late.
      const repeats = config.source?.kind === 'kinesis' ? createRepeats() : undefined
      const reads = fieldsRead(config)
      const nextDecoder = () => createDecoder({ format, fields, hashSecret, maxRecordBytes, repeats, reads })
      const decoder = nextDecoder()
      // What comes from CloudWatch are counts, whatever the stream's records are.
      const isTaughtByMetric = history.includes(fromCloudWatch)
      const teacher = isTaughtByMetric ? createDecoder({ format: 'auto', fields, hashSecret, maxRecordBytes }) : decoder
      const { stillOurs } = checkpoints
      const alert = alertPerformer(config, { sender, clock, incidents, stillOurs })
      const placeOf = (keyId: ApiKeyId): KeyPlace | undefined => owners.places.get(keyId)
      const deadMansSwitch = await openDeadMansSwitch(config, {
        ...{ clock, journal, telemetry, stillOurs },
        part: part && basename(part.directory),
      })
      void deadMansSwitch?.reconcile()
      const watch = deadMansSwitch
      const claims = await part?.claims({ stillOurs })
      const plans = planPerformer(config, {
        ...{ clock, journal, audit, placeOf, watch, claims, stillOurs, telemetry },
        queueOf: gateway => part?.queueOf(queueOf(gateway)) ?? queueOf(gateway),
      })
      // Beside all else: a key that a crash left between two plans is refused every call.
      const lifeOver = new AbortController()
      void plans.resume(AbortSignal.any([signal, lifeOver.signal])).catch(() => undefined)
      const plan = (await part?.withinSlots(plans, { journal, stillOurs })) ?? plans
      const metrics = await openPublisher(config, { directory, clock, telemetry })
      const teach =
        history.length === 0
          ? undefined
          : async (fresh: Engine): Promise<void> => {
              const files = await findFiles(history.filter(path => path !== fromCloudWatch))
              for (const { path } of files) await checkReadable(path)
              const logs = files.map(file => ({
                ...file,
                pieces: readFilePieces(file.path, { maxRecordBytes }, signal),
              }))
              const counts = isTaughtByMetric
                ? [await cloudWatchLog(config, { clock, onEvent: telemetry }, signal)]
                : []
              await teachHistory(fresh, teacher, [...logs, ...counts], telemetry)
            }
      await withRecorder(record, { clock, telemetry }, recorder =>
        runWorker(
          {
            ...{
              source,
              decoder,
              nextDecoder,
              repeats,
              engine,
              teach,
              clock,
              checkpoints,
              journal,
              rejects,
              undelivered,
              audit,
              words,
              telemetry,
              metrics,
              recorder,
            },
            tenants: watching.tenants,
            performers: { alert, plan },
            followTenants: (take, until) =>
              follow(
                async tenants => {
                  owners = tenantDirectory(tenants)
                  await take(tenants)
                },
                { telemetry, signal: until },
              ),
            joinFleet: part?.joinFleet,
            opened: keeper => {
              operate(keeper.operate)
              follows(() => ({ effectWaits: keeper.effectWaits(), rejected: rejects.totals() }))
            },
            mode: config.mode,
            checkpointEveryMs: config.state.checkpointEvery,
          },
          signal,
          // A worker that could not stop cleanly has left it trying: nothing would ever end it.
        ).finally(() => {
          operate(undefined)
          lifeOver.abort()
          return Promise.all([metrics?.finish(0), deadMansSwitch?.close()])
        }),
      )
    },
    part && leased,
    ({ journal }) => {
      grounds = createGroundsBook(journal.recovered)
      return auditOptions({ config, tenants: () => owners, grounds, telemetry: watching.telemetry })
    },
  )
}

/** What the server is told when somebody looks. */
const sourceStatus = (source: Source, isShared: boolean): SourceStatus => ({
  heardAt: source.heardAt === undefined ? 'untold' : source.heardAt(),
  partitions: source.partitions().length,
  isShared,
})

async function openSource(
  { source: settings }: WeirConfig,
  { clock, folder, telemetry }: { readonly clock: Clock; readonly folder: string; readonly telemetry: Telemetry },
): Promise<Source> {
  const onEvent = seldom(clock, ({ level, detail }: SourceEvent) =>
    telemetry({ name: 'sourceReported', level, detail }),
  )
  switch (settings?.kind) {
    case 'kafka':
      return kafkaSource(await withKafkaSecurity(settings, { folder, env: process.env, clock }), { clock, onEvent })
    case 'kinesis': {
      const { stream, from, pollEvery, region, endpoint, roleArn, externalId } = settings
      const client = kinesisClient({ stream, region, endpoint, roleArn, externalId })
      return kinesisSource({ stream, from, pollEveryMs: pollEvery }, { client, clock, random: Math.random, onEvent })
    }
    case 'files': {
      const paths = pathsFrom(folder, settings.paths)
      if (settings.follow) return followingSource({ paths, maxRecordBytes }, { clock, onEvent })
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

const pathsFrom = (folder: string, paths: readonly string[]): readonly string[] =>
  paths.map(path => (path === standardInputPath ? path : resolve(folder, path)))

/** The files that are the source, where files are. */
async function filesRead({ source }: WeirConfig, folder: string): Promise<readonly string[]> {
  if (source?.kind !== 'files') return []
  return (await findFiles(pathsFrom(folder, source.paths))).map(({ path }) => path)
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

interface AlertSurroundings {
  readonly sender: SnsSender | undefined
  readonly clock: Clock
  readonly incidents: IncidentLog
  readonly stillOurs: () => Promise<void>
}

/** Without a topic the alert is what the log or the terminal shows anyway: there is nobody else to tell. */
function alertPerformer(
  { alerts: { sns, giveUpAfter } }: WeirConfig,
  { sender, clock, incidents, stillOurs }: AlertSurroundings,
): Performer<AlertEffect> {
  if (sns === undefined || sender === undefined) return { perform: async () => ({ kind: 'applied' }) }
  const { topicArn } = sns
  return snsPerformer({
    sender,
    topicArn,
    clock,
    giveUpAfterMs: giveUpAfter,
    standingOf: incidents.standingOf,
    stillOurs,
  })
}

interface PlanSurroundings {
  readonly stillOurs: () => Promise<void>
  readonly clock: Clock
  readonly queueOf: Life['queueOf']
  readonly journal: EffectJournal
  readonly audit: AuditLog
  /** What tenants.yaml says of a key. */
  readonly placeOf: (keyId: ApiKeyId) => KeyPlace | undefined
  readonly watch: GiveBackWatch | undefined
  readonly claims: Claims | undefined
  readonly telemetry: Telemetry
}

/** Whatever the mode, and without a gateway too: what an earlier run in enforce has lowered is still to be given back, or told. */
function planPerformer(
  config: WeirConfig,
  { clock, queueOf, journal, audit, placeOf, watch, claims, stillOurs, telemetry }: PlanSurroundings,
): LimitPerformer {
  return usagePlanPerformer({
    gateways: limitGateways(config, queueOf),
    clock,
    journal,
    audit,
    placeOf,
    ...(watch && { watch }),
    ...(claims && { claims }),
    stillOurs,
    random: Math.random,
    onTrouble: ({ effectId, error }) => telemetry({ name: 'effectTroubled', effectId, because: error }),
  })
}
