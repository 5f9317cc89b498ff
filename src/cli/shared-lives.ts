/** Several workers on one stream: what the lives of the partitions that this one is given have in common is opened here. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type ControlPlaneQueue, ofPart } from '../actions/control-plane-queue.ts'
import type { Performer } from '../actions/performer.ts'
import { type Claims, claimsBy } from '../actions/ways/claims.ts'
import { withinSlots } from '../actions/within-slots.ts'
import type { Clock } from '../clock.ts'
import type { TenantDirectory } from '../core/config/tenants.ts'
import { StreamError } from '../core/errors.ts'
import type { RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import type { CommandAnswer } from '../core/operator.ts'
import { type PartitionId, SECOND_MS } from '../core/vocabulary.ts'
import type { ObservedLife } from '../server/open-server.ts'
import type { SharedSource, Source } from '../sources/source.ts'
import { type Disk, machineDisk } from '../stores/disk.ts'
import { openFleetFiles } from '../stores/fleet-board.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { openSharedMarks } from '../stores/shared-marks.ts'
import { partitionsFolder } from '../stores/state-folders.ts'
import { openThrottleSlots } from '../stores/throttle-slots.ts'
import { createFleetExchange, type FleetPart } from '../worker/fleet-exchange.ts'
import type { Keeper } from '../worker/keeper.ts'
import { createPartsReading } from '../worker/parts-reading.ts'
import { runShared } from '../worker/shared-worker.ts'
import type { Telemetry } from '../worker/telemetry.ts'
import type { Watched } from './with-server.ts'

type PlanPerformer = Performer<ThrottleEffect | RestoreEffect>

/** One partition, as a life of its own has it. */
export interface SharedPart {
  readonly source: Source
  /** What is kept of it, whichever worker has it. */
  readonly directory: string
  readonly joinFleet: (part: FleetPart) => () => void
  /** Bounds what all workers together throttle. */
  readonly withinSlots: (plans: PlanPerformer, kept: Kept) => Promise<PlanPerformer>
  /** What no two parts may lower. */
  readonly claims: (kept: Pick<Kept, 'stillOurs'>) => Promise<Claims>
  /** The gateway's one queue, in which each part wants what it wants for itself. */
  readonly queueOf: (queue: ControlPlaneQueue) => ControlPlaneQueue
}

/** Of the part's own directory. */
interface Kept {
  readonly journal: EffectJournal
  readonly stillOurs: () => Promise<void>
}

interface SharedLives {
  readonly source: Source
  readonly stateDirectory: string
  readonly maxTenants: number
  readonly clock: Clock
  readonly telemetry: Telemetry
  /** What all parts have read is told to the `log` alone: the server adds it up by itself. */
  readonly log: Telemetry
  readonly lives: Watched['lives']
  readonly operate: PartsOwn['operate']
  readonly signal: AbortSignal
  /** What all workers share. */
  readonly disk?: Disk
  /** Of no other worker that shares it. */
  readonly id?: string
}

/** How one life differs from a worker's whose stream is its own. */
export interface PartsOwn extends Pick<ObservedLife, 'telemetry' | 'follows'> {
  readonly operate: (operate: Keeper['operate'] | undefined) => void
  readonly signal: AbortSignal
}

/** Until `signal` aborts. Throws CONFIG_INVALID where the source is not one whose partitions own their keys. */
export async function withSharedLives(
  { source, stateDirectory, maxTenants, clock, telemetry, log, lives, operate, signal, ...own }: SharedLives,
  live: (part: SharedPart, how: PartsOwn) => Promise<void>,
): Promise<void> {
  if (!isShared(source)) throw notShareable()
  const { disk = machineDisk, id = `${hostname()}-${process.pid}` } = own
  const board = await openFleetFiles(join(stateDirectory, 'fleet'), id, disk)
  const troubled = (because: string): void => telemetry({ name: 'fleetUnheard', because })
  const fleet = createFleetExchange(board, { clock, troubled })
  const operators = new Map<PartitionId, Keeper['operate']>()
  operate((command, by, word) => askAll([...operators.values()].map(ask => ask(command, by, word))))
  const readings = createPartsReading()
  const tellPart =
    (partition: PartitionId, tell: Telemetry): Telemetry =>
    event => {
      if (event.name === 'batchesRead') readings.note(partition, event)
      tell(event)
    }
  const tellWhole = (): void => {
    const reading = readings.read()
    if (reading !== undefined) log({ name: 'batchesRead', ...reading })
  }
  const over = new AbortController()
  const beats = [fleet.run(over.signal), eachSecond(clock, tellWhole, over.signal)]
  try {
    await runShared(
      {
        ...{ source, clock, telemetry },
        async live(partition, part, until) {
          const owner = { partition, id }
          const shared: SharedPart = {
            source: part,
            directory: join(stateDirectory, partitionsFolder, partition.replaceAll('/', '-')),
            joinFleet: sums => fleet.join(partition, sums),
            withinSlots: async (plans, { journal, stillOurs }) => {
              const most = maxTenants
              const slots = await openThrottleSlots(
                join(stateDirectory, 'throttled'),
                { most, ...owner, stillOurs },
                disk,
              )
              return withinSlots(plans, { journal, most, slots })
            },
            claims: async ({ stillOurs }) =>
              claimsBy(await openSharedMarks(join(stateDirectory, 'claimed'), { ...owner, stillOurs }, disk)),
            queueOf: queue => ofPart(queue, partition),
          }
          const life = lives(partition)
          try {
            await live(shared, {
              telemetry: tellPart(partition, life.telemetry),
              follows: life.follows,
              operate(asked) {
                if (asked === undefined) operators.delete(partition)
                else operators.set(partition, asked)
              },
              signal: until,
            })
          } finally {
            life.over()
            readings.forget(partition)
          }
        },
      },
      signal,
    )
  } finally {
    operate(undefined)
    over.abort()
    await Promise.all(beats)
    await board.close()
  }
}

/** Once, at the start: an API key's partition is not its tenant's. */
export function tellSplitTenants({ tenantWide }: Pick<TenantDirectory, 'tenantWide'>, telemetry: Telemetry): void {
  const tenants = new Set(tenantWide.values()).size
  if (tenants > 0) telemetry({ name: 'tenantsSplit', tenants })
}

/** A command is for whichever part it concerns; to halt concerns them all, and those of other workers hear of it too. */
async function askAll(asking: readonly Promise<CommandAnswer>[]): Promise<CommandAnswer> {
  const answers = await Promise.all(asking)
  const obeyed = answers.filter(answer => answer.kind === 'obeyed')
  if (obeyed.length === 0)
    return answers[0] ?? { kind: 'refused', because: 'this worker has no partition at the moment: ask another' }
  const until = obeyed.find(answer => answer.until !== undefined)?.until
  return {
    kind: 'obeyed',
    keyIds: obeyed.flatMap(({ keyIds }) => keyIds),
    incidentIds: obeyed.flatMap(({ incidentIds }) => incidentIds),
    ...(until !== undefined && { until }),
  }
}

async function eachSecond(clock: Clock, work: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(SECOND_MS, signal)
    if (!signal.aborted) work()
  }
}

const isShared = (source: Source): source is SharedSource => source.keyed && 'onAssigned' in source

const notShareable = (): StreamError =>
  new StreamError('CONFIG_INVALID', 'state.shared is set, and the source is not one whose partitions own their keys', {
    retry: 'never',
    hint: 'Workers share a Kafka topic that is keyed by API key (source.keyed: true); without that leave state.shared out',
  })

export const noSharedRecording = (): StreamError =>
  new StreamError('CONFIG_INVALID', 'A worker whose partitions come and go (state.shared) cannot be recorded', {
    retry: 'never',
    hint: 'Leave --record out, or record a worker that reads the whole stream',
  })
