/** One life of the real worker, put together as `weir run` does it, in a world that is simulated. */
import { controlPlaneQueue } from '../../actions/control-plane-queue.ts'
import { snsPerformer } from '../../actions/sns.ts'
import { snsSender } from '../../actions/sns-sender.ts'
import { usagePlanPerformer } from '../../actions/usage-plan.ts'
import { withWorkerStores } from '../../cli/worker-stores.ts'
import type { Clock } from '../../clock.ts'
import type { Mode, TenantsConfig } from '../../core/config/config.ts'
import { type TenantDirectory, tenantDirectory } from '../../core/config/tenants.ts'
import { engineSettings } from '../../core/engine.ts'
import type { Gateway } from '../../simulation/gateway.ts'
import type { Random } from '../../simulation/random.ts'
import type { Checkpoints, Snapshot } from '../../stores/checkpoint.ts'
import type { EffectJournal } from '../../stores/journal-entry.ts'
import type { TelemetryEvent } from '../../worker/telemetry.ts'
import { runWorker } from '../../worker/worker.ts'
import { configOf, folder, topic } from './cast.ts'
import { type FaultyService, faultyApiGateway, faultySns } from './faulty-aws.ts'
import type { FaultyDisk } from './faulty-disk.ts'
import { hostOf } from './host.ts'
import type { Laws } from './laws.ts'
import type { Loop, Mortal } from './loop.ts'
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
  readonly stream: SimulatedStream
  readonly laws: Laws
  /** The machine's wall clock, which may be put forward and back. */
  wallNow(): number
  /** tenants.yaml as it is now. */
  tenants(): TenantsConfig
  told(event: TelemetryEvent): void
  /** Something happened after which it is worth dying. */
  moment(): void
  wrote(snapshot: Snapshot): void
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
export async function live(
  world: World,
  life: Mortal,
  { name, mode }: { readonly name: string; readonly mode: Mode },
  signal: AbortSignal,
): Promise<void> {
  const { schedule, loop, random, disk, laws, told } = world
  const clock = clockOf(world, life)
  const host = hostOf({ loop, life, name })
  const config = configOf({ maxTenants: schedule.maxTenants, mode })
  await withWorkerStores(
    { directory: folder, whole: folder },
    told,
    async stores => {
      laws.journalOpened(stores.journal.recovered)
      const journal = watchedJournal(stores.journal, world)
      const tenants = world.tenants()
      let owners: TenantDirectory = tenantDirectory(tenants)
      laws.exemptionsTaken()
      const settings = engineSettings(config, tenants.tenants, tenants.planned)
      const surroundings = { loop, random }
      const client = faultyApiGateway(
        world.gateway,
        { ...surroundings, service: world.gatewayService },
        life,
        watched(laws.gateway.read, laws.gateway.changing, world),
      )
      const plan = usagePlanPerformer({
        gateways: new Map([[undefined, { client, queue: controlPlaneQueue({ clock }) }]]),
        ...{ clock, journal, audit: stores.audit, random: random.uniform, patience: clock },
        placeOf: keyId => owners.places.get(keyId),
        onTrouble: ({ effectId, error }) => told({ name: 'effectTroubled', effectId, because: error }),
      })
      const sender = snsSender({
        client: faultySns({ ...surroundings, service: world.snsService }, life, {
          publishing: publication => {
            const published = laws.sns.publishing(publication)
            return () => {
              published()
              world.moment()
            }
          },
        }),
        ...{ topicArn: topic, clock, random: random.uniform, patience: clock },
        onTrouble: ({ effectId, error }) => told({ name: 'effectTroubled', effectId, because: error }),
      })
      const alert = snsPerformer({
        ...{ sender, topicArn: topic, clock, giveUpAfterMs: config.alerts.giveUpAfter },
        standingOf: stores.incidents.standingOf,
      })
      const source = world.stream.open({
        ...{ life, clock, keyed: schedule.keyed },
        mayRefuseCommits: loop.now() < schedule.calmFrom,
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
            mode: config.mode,
            telemetry: told,
          },
          checkpoints: watchedCheckpoints(stores.checkpoints, world),
          performers: { alert, plan },
          checkpointEveryMs: schedule.checkpointEveryMs,
          async followTenants(take, until) {
            let seen = tenants
            while (!until.aborted) {
              await clock.sleep(5_000, until)
              const now = world.tenants()
              if (now === seen || until.aborted) continue
              seen = now
              owners = tenantDirectory(now)
              await take(now)
              laws.exemptionsTaken()
            }
          },
        },
        signal,
      )
    },
    undefined,
    undefined,
    { disk: disk.of(life), host },
  )
}

function watched(
  read: (planId: string) => void,
  changing: (planId: string) => () => void,
  { moment }: World,
): Laws['gateway'] {
  return {
    read,
    changing(planId) {
      const changed = changing(planId)
      return () => {
        changed()
        moment()
      }
    },
  }
}

function watchedJournal(journal: EffectJournal, { laws, moment }: World): EffectJournal {
  return {
    ...journal,
    async append(entries) {
      await journal.append(entries)
      laws.journaled(entries)
      if (entries.length > 0) moment()
    },
  }
}

function watchedCheckpoints(checkpoints: Checkpoints, { laws, wrote }: World): Checkpoints {
  return {
    ...checkpoints,
    write({ later, ...saving }) {
      const pieces: unknown[] = []
      while (later?.isLeft()) pieces.push(later.next())
      const snapshot = { ...saving, later: pieces }
      const isSafe = laws.checkpointing(snapshot)
      const left = [...pieces]
      const given = { isLeft: () => left.length > 0, next: () => left.shift(), abandon: () => undefined }
      const writing = checkpoints.write({ ...saving, later: given })
      wrote(snapshot)
      return { copied: writing.copied, written: writing.written.then(isSafe) }
    },
  }
}
