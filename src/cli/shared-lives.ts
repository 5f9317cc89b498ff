/** Several workers on one stream: what the lives of the partitions that this one is given have in common is opened here. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Performer } from '../actions/performer.ts'
import { withinSlots } from '../actions/within-slots.ts'
import type { Clock } from '../clock.ts'
import type { RejectionReason } from '../core/call-batch.ts'
import { StreamError } from '../core/errors.ts'
import type { RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import { type PartitionId, SECOND_MS } from '../core/vocabulary.ts'
import type { WorkerStatus } from '../server/worker-status.ts'
import type { SharedSource, Source } from '../sources/source.ts'
import { openFleetFiles } from '../stores/fleet-board.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { openThrottleSlots } from '../stores/throttle-slots.ts'
import { createFleetExchange, type FleetPart } from '../worker/fleet-exchange.ts'
import { createPartsReading } from '../worker/parts-reading.ts'
import { runShared } from '../worker/shared-worker.ts'
import type { Telemetry, TelemetryEvent } from '../worker/telemetry.ts'
import type { Watched } from './with-server.ts'

type PlanPerformer = Performer<ThrottleEffect | RestoreEffect>

/** One partition, as a life of its own has it. */
export interface SharedPart {
  readonly source: Source
  /** What is kept of it, whichever worker has it. */
  readonly directory: string
  readonly joinFleet: (part: FleetPart) => () => void
  /** Bounds what all workers together throttle. */
  readonly withinSlots: (plans: PlanPerformer, journal: EffectJournal) => Promise<PlanPerformer>
}

interface SharedLives {
  readonly source: Source
  readonly stateDirectory: string
  readonly maxTenants: number
  readonly clock: Clock
  /** What is true of the worker as a whole is told here, and of one partition alone to the `log`. */
  readonly telemetry: Telemetry
  readonly log: Telemetry
  readonly follows: Watched['follows']
  readonly signal: AbortSignal
}

/** How one life differs from a worker's whose stream is its own. */
export interface PartsOwn extends Pick<Watched, 'follows'> {
  readonly telemetry: Telemetry
  readonly signal: AbortSignal
}

/** Until `signal` aborts. Throws CONFIG_INVALID where the source is not one whose partitions own their keys. */
export async function withSharedLives(
  { source, stateDirectory, maxTenants, clock, telemetry, log, follows, signal }: SharedLives,
  live: (part: SharedPart, how: PartsOwn) => Promise<void>,
): Promise<void> {
  if (!isShared(source)) throw notShareable()
  const id = `${hostname()}-${process.pid}`
  const board = await openFleetFiles(join(stateDirectory, 'fleet'), id)
  const troubled = (because: string): void => telemetry({ name: 'fleetUnheard', because })
  const fleet = createFleetExchange(board, { clock, troubled })
  const statuses = new Map<PartitionId, () => WorkerStatus>()
  follows(() => statusOfAll([...statuses.values()].map(status => status())))
  const readings = createPartsReading()
  const tellPart =
    (partition: PartitionId): Telemetry =>
    event => {
      if (event.name === 'batchesRead') readings.note(partition, event)
      const tell = ofOnePart.has(event.name) ? log : telemetry
      tell(Object.assign({ partition }, event))
    }
  const tellWhole = (): void => {
    const reading = readings.read()
    if (reading !== undefined) telemetry({ name: 'batchesRead', ...reading })
  }
  const over = new AbortController()
  const beats = [fleet.run(over.signal), eachSecond(clock, tellWhole, over.signal)]
  try {
    await runShared(
      {
        ...{ source, clock, telemetry },
        async live(partition, part, until) {
          const slots = { most: maxTenants, partition, id }
          const shared: SharedPart = {
            source: part,
            directory: join(stateDirectory, 'partitions', partition.replaceAll('/', '-')),
            joinFleet: sums => fleet.join(partition, sums),
            withinSlots: async (plans, journal) =>
              withinSlots(plans, {
                ...{ journal, most: maxTenants },
                slots: await openThrottleSlots(join(stateDirectory, 'throttled'), slots),
              }),
          }
          try {
            await live(shared, {
              telemetry: tellPart(partition),
              follows: status => void statuses.set(partition, status),
              signal: until,
            })
          } finally {
            statuses.delete(partition)
            readings.forget(partition)
          }
        },
      },
      signal,
    )
  } finally {
    over.abort()
    await Promise.all(beats)
    await board.close()
  }
}

/** A partition begins, is read and stops without the worker doing so. */
const ofOnePart: ReadonlySet<TelemetryEvent['name']> = new Set([
  'workerStopping',
  'workerStopped',
  'batchesRead',
  'partitionsHeld',
])

async function eachSecond(clock: Clock, work: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(SECOND_MS, signal)
    if (!signal.aborted) work()
  }
}

function statusOfAll(parts: readonly WorkerStatus[]): WorkerStatus {
  const rejected = new Map<RejectionReason, number>()
  for (const part of parts)
    for (const [reason, count] of part.rejected) rejected.set(reason, (rejected.get(reason) ?? 0) + count)
  return {
    effectWaits: parts.flatMap(({ effectWaits }) => effectWaits),
    rejected,
    heardAt: parts.find(({ heardAt }) => heardAt !== undefined)?.heardAt,
    partitions: parts.reduce((sum, { partitions }) => sum + partitions, 0),
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
