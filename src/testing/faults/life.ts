/** One life of the real worker, put together as `weir run` does it, in a world that is simulated. */
import { basename } from 'node:path'
import { controlPlaneQueue } from '../../actions/control-plane-queue.ts'
import { deadMansSwitch } from '../../actions/dead-mans-switch.ts'
import { oneTimeSchedules } from '../../actions/one-time-schedules.ts'
import { snsPerformer } from '../../actions/sns.ts'
import { type SnsSender, snsSender } from '../../actions/sns-sender.ts'
import { usagePlanPerformer } from '../../actions/usage-plan.ts'
import { authorizerRows } from '../../actions/ways/authorizer-rows.ts'
import type { GatewayControl } from '../../actions/ways/way.ts'
import { sayingToAll } from '../../cli/said-to-all.ts'
import { type SharedPart, withSharedLives } from '../../cli/shared-lives.ts'
import { withWorkerStores } from '../../cli/worker-stores.ts'
import type { Clock } from '../../clock.ts'
import type { Mode, TenantsConfig } from '../../core/config/config.ts'
import { type TenantDirectory, tenantDirectory } from '../../core/config/tenants.ts'
import { engineSettings } from '../../core/engine.ts'
import { StreamError } from '../../core/errors.ts'
import { MINUTE_MS } from '../../core/vocabulary.ts'
import type { Gateway } from '../../simulation/gateway.ts'
import type { Random } from '../../simulation/random.ts'
import type { Source } from '../../sources/source.ts'
import type { Checkpoints, Snapshot } from '../../stores/checkpoint.ts'
import type { Host } from '../../stores/checkpoint-lock.ts'
import { leased } from '../../stores/checkpoint-lock.ts'
import type { EffectJournal, JournalEntry } from '../../stores/journal-entry.ts'
import { spokenWords } from '../../stores/spoken-words.ts'
import type { Keeper } from '../../worker/keeper.ts'
import type { TelemetryEvent } from '../../worker/telemetry.ts'
import { runWorker } from '../../worker/worker.ts'
import type { SimulatedTable } from './authorizer-table.ts'
import {
  authorizerTable,
  configOf,
  expiresAfterMs,
  folder,
  marginMs,
  penaltyKeys,
  penaltyPlan,
  probationMs,
  topic,
} from './cast.ts'
import type { SimulatedScheduler } from './dead-man.ts'
import { type FaultyService, faultyApiGateway, faultySns, faultyTable } from './faulty-aws.ts'
import type { FaultyDisk } from './faulty-disk.ts'
import type { Group } from './group.ts'
import { hostOf } from './host.ts'
import type { Laws } from './laws.ts'
import type { Changer } from './limits-law.ts'
import type { Loop, Mortal } from './loop.ts'
import type { PartLaw } from './part-law.ts'
import type { Schedule } from './schedule.ts'
import type { SimulatedStream } from './stream.ts'
import { newDecoder } from './taught.ts'

export interface World {
  readonly schedule: Schedule
  readonly loop: Loop
  readonly random: Random
  readonly disk: FaultyDisk
  readonly gateway: Gateway
  readonly gatewayService: FaultyService
  readonly snsService: FaultyService
  readonly table: SimulatedTable
  readonly scheduler: SimulatedScheduler
  readonly schedulerService: FaultyService
  readonly stream: SimulatedStream
  readonly group: Group
  readonly laws: Laws
  /** The machine's wall clock, which may be put forward and back. */
  wallNow(): number
  /** tenants.yaml as it is now. */
  tenants(): TenantsConfig
  told(event: TelemetryEvent): void
  note(text: string): void
  /** Something happened after which it is worth dying. */
  moment(life: Mortal): void
  wrote(snapshot: Snapshot): void
}

/** One life of a worker, with which of several it is. */
export interface Living {
  readonly life: Mortal
  /** Of no other life. */
  readonly name: string
  readonly worker: number
  readonly mode: Mode
  readonly signal: AbortSignal
  /** Told who takes people's commands from now on. */
  readonly operate: (operate: Keeper['operate'] | undefined) => void
}

export function clockOf({ loop, wallNow }: Pick<World, 'loop' | 'wallNow'>, life: Mortal): Clock {
  return {
    now: wallNow,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        if (signal?.aborted) return resolve()
        const wake = (): void => {
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        signal?.addEventListener('abort', wake, { once: true })
        loop.after(ms, wake, life)
      }),
  }
}

/** Until it has stopped, or never where the life ends before. */
export function live(world: World, living: Living): Promise<void> {
  return world.schedule.kind === 'shared' ? liveShared(world, living) : liveWhole(world, living)
}

async function liveWhole(world: World, living: Living): Promise<void> {
  const { schedule, stream, loop, told } = world
  const source = stream.open({
    ...{ life: living.life, clock: clockOf(world, living.life), keyed: schedule.keyed },
    mayRefuseCommits: loop.now() < schedule.calmFrom,
  })
  const host = hostOf({ loop, life: living.life, name: living.name })
  const heard = { ...living, operate: heardBy(world, living) }
  await liveOn(world, heard, { source, host, part: 'all', directory: folder, told, signal: living.signal })
}

/** As `weir run` takes people's commands: what concerns all is left for all (cli/said-to-all.ts). */
function heardBy(world: World, { life, operate }: Living): Living['operate'] {
  const words = spokenWords(folder, world.disk.of(life))
  return asked => {
    const say = sayingToAll(words, clockOf(world, life), () => asked)
    const nobody = { kind: 'refused', because: 'nobody heard it' } as const
    operate(asked && ((command, by) => say(command, by) ?? Promise.resolve(nobody)))
  }
}

/** A life for each partition that the group gives to this worker. */
async function liveShared(world: World, living: Living): Promise<void> {
  const { schedule, group, disk, loop, told } = world
  const { life, worker, name, signal } = living
  const operate = heardBy(world, living)
  const clock = clockOf(world, life)
  const host = hostOf({ loop, life, name, machine: `host-${worker}` })
  await withSharedLives(
    {
      ...{ source: group.open(worker, { life, clock }), stateDirectory: folder, maxTenants: schedule.maxTenants },
      ...{ clock, telemetry: told, log: told, operate, signal, disk: disk.of(life), id: `worker-${worker}` },
      lives: () => ({ telemetry: told, follows() {}, over() {} }),
    },
    (shared, how) => {
      const part = shared.source.partitions()[0] ?? ''
      return liveOn(
        world,
        { ...living, operate: how.operate },
        { ...shared, host, part, told: how.telemetry, signal: how.signal, shared },
      )
    },
  )
}

interface On {
  readonly source: Source
  readonly host: Host
  /** Under which the laws know its directory. */
  readonly part: string
  readonly directory: string
  readonly told: World['told']
  readonly signal: AbortSignal
  readonly shared?: SharedPart
}

/** What `weir run` makes of one directory and one source. */
async function liveOn(world: World, living: Living, on: On): Promise<void> {
  const { schedule, disk, laws, random } = world
  const { life, mode, operate } = living
  const { source, host, directory, told, signal, shared } = on
  const clock = clockOf(world, life)
  const law = laws.part(on.part)
  const config = configOf({ ...schedule, mode })
  const owns = (): boolean => disk.peek(`${directory}/lock`)?.includes(`"id":"${living.name}-`) ?? false
  law.journalOpening()
  await withWorkerStores(
    { directory, whole: folder },
    told,
    async stores => {
      law.journalOpened(stores.journal.recovered)
      laws.commands.found(stores.journal.recovered)
      const journal = watchedJournal(stores.journal, world, { life, law, owns })
      const tenants = world.tenants()
      let owners: TenantDirectory = tenantDirectory(tenants)
      laws.limits.exemptionsTaken()
      const settings = engineSettings(config, tenants.tenants, tenants.planned)
      const { stillOurs } = stores.checkpoints
      const watch = schedule.hasSwitch
        ? switchOf(world, life, { journal, stillOurs, part: shared && basename(directory) })
        : undefined
      void watch?.reconcile()
      const claims = await shared?.claims({ stillOurs })
      const gateway = gatewayOf(world, life, { announced: law.known, owns })
      const queue = shared?.queueOf(gateway.queue) ?? gateway.queue
      const plans = usagePlanPerformer({
        gateways: new Map([[undefined, { ...gateway, queue }]]),
        ...(claims && { claims }),
        ...{ clock, journal, audit: stores.audit, random: random.uniform, patience: clock, stillOurs },
        ...(watch && { watch }),
        placeOf: keyId => owners.places.get(keyId),
        onTrouble: ({ effectId, error }) => told({ name: 'effectTroubled', effectId, because: error }),
      })
      const lifeOver = new AbortController()
      void plans.resume(AbortSignal.any([signal, lifeOver.signal])).catch(() => undefined)
      const plan = (await shared?.withinSlots(plans, { journal, stillOurs })) ?? plans
      const alert = snsPerformer({
        ...{ sender: senderOf(world, life, law.known), topicArn: topic, clock },
        giveUpAfterMs: config.alerts.giveUpAfter,
        standingOf: stores.incidents.standingOf,
        stillOurs,
      })
      await runWorker(
        {
          source,
          decoder: newDecoder(config),
          engine: { ...settings, keyed: schedule.keyed },
          tenants,
          ...{
            clock,
            journal,
            rejects: stores.rejects,
            undelivered: stores.undelivered,
            audit: stores.audit,
            mode: config.mode,
            telemetry: (event: TelemetryEvent) => {
              if (event.name === 'workerStarted') law.started(event)
              told(event)
            },
          },
          checkpoints: watchedCheckpoints(stores.checkpoints, world, { life, law, owns }),
          performers: { alert, plan },
          checkpointEveryMs: schedule.checkpointEveryMs,
          joinFleet: shared?.joinFleet,
          words: spokenWords(folder, disk.of(life)),
          opened: keeper => operate(keeper.operate),
          async followTenants(take, until) {
            let seen = tenants
            while (!until.aborted) {
              await clock.sleep(5_000, until)
              const now = world.tenants()
              if (now === seen || until.aborted) continue
              seen = now
              owners = tenantDirectory(now)
              await take(now)
              laws.limits.exemptionsTaken()
            }
          },
        },
        signal,
      ).finally(() => {
        operate(undefined)
        lifeOver.abort()
        return watch?.close()
      })
    },
    shared && leased,
    undefined,
    { disk: disk.of(life), host },
  ).catch(cause => {
    // Another has it, and it was never ours: the journal there was not touched.
    if (cause instanceof StreamError && cause.code === 'STATE_HELD' && !cause.message.includes('another worker'))
      law.journalNotOpened()
    throw cause
  })
}

function gatewayOf(world: World, life: Mortal, changer: Changer): GatewayControl {
  const { schedule, loop, random, laws, gateway, gatewayService: service, moment } = world
  const watch = laws.limits.watchOf(changer)
  const rows = laws.limits.tableWatchOf(changer)
  const surroundings = { loop, random, service }
  const client = faultyApiGateway(gateway, surroundings, life, {
    ...watch,
    changing(change) {
      const changed = watch.changing(change)
      return () => {
        changed()
        moment(life)
      }
    },
  })
  const queue = controlPlaneQueue({ clock: clockOf(world, life) })
  if (schedule.ways === 'own') return { client, queue }
  const table = authorizerRows({ table: authorizerTable, client: faultyTable(world.table, surroundings, life, rows) })
  return {
    client,
    queue,
    penaltyPlan,
    authorizerTable: { rows: table, penaltyKeys, beyondMs: probationMs + MINUTE_MS },
  }
}

interface Switched {
  readonly journal: EffectJournal
  readonly stillOurs: () => Promise<void>
  readonly part: string | undefined
}

function switchOf(world: World, life: Mortal, { journal, stillOurs, part }: Switched) {
  const { scheduler, schedulerService, random } = world
  const clock = clockOf(world, life)
  const schedules = oneTimeSchedules({
    client: scheduler.clientOf(life, schedulerService),
    ...{
      group: 'default',
      functionArn: 'function',
      schedulerRoleArn: 'role',
      clock,
      random: random.uniform,
      patience: clock,
      stillOurs,
    },
    onTrouble: ({ name: schedule, because, needsPerson, effectId = '' }) =>
      world.told({ name: 'scheduleMissing', schedule, effectId, because, needsPerson }),
    onMade: ({ name: schedule, effectId }) => world.told({ name: 'scheduleMade', schedule, effectId }),
  })
  const switches = new Map([[undefined, { schedules, marginMs, required: true }]])
  return deadMansSwitch({ switches, journal, clock, expiresAfterMs, probationMs, ...(part !== undefined && { part }) })
}

function senderOf(world: World, life: Mortal, known: () => readonly JournalEntry[]): SnsSender {
  const { loop, random, laws, snsService: service, told, moment } = world
  const clock = clockOf(world, life)
  const watch = laws.snsWatchOf(known)
  return snsSender({
    client: faultySns({ loop, random, service }, life, {
      publishing: publication => {
        const published = watch.publishing(publication)
        return () => {
          published()
          moment(life)
        }
      },
    }),
    ...{ topicArn: topic, clock, random: random.uniform, patience: clock },
    onTrouble: ({ effectId, error }) => told({ name: 'effectTroubled', effectId, because: error }),
  })
}

interface Watching {
  readonly life: Mortal
  readonly law: PartLaw
  readonly owns: () => boolean
}

function watchedJournal<J extends EffectJournal>(
  journal: J,
  { laws, moment }: World,
  { life, law, owns }: Watching,
): J {
  return {
    ...journal,
    async append(entries) {
      await journal.append(entries)
      if (entries.length === 0) return
      law.journaled(entries, owns)
      laws.journaled(entries)
      moment(life)
    },
  }
}

function watchedCheckpoints(checkpoints: Checkpoints, { wrote }: World, { law, owns }: Watching): Checkpoints {
  return {
    ...checkpoints,
    write({ later, ...saving }) {
      const pieces: unknown[] = []
      while (later?.isLeft()) pieces.push(later.next())
      const snapshot = { ...saving, later: pieces }
      const isSafe = law.checkpointing(snapshot, owns)
      const left = [...pieces]
      const given = { isLeft: () => left.length > 0, next: () => left.shift(), abandon: () => undefined }
      const writing = checkpoints.write({ ...saving, later: given })
      return {
        copied: writing.copied,
        written: writing.written.then(() => {
          isSafe()
          wrote(snapshot)
        }),
      }
    },
  }
}
