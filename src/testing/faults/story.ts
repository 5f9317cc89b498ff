/** The whole story of a seed: lives of the worker one after another, until all is calm, and what came of it. */
import { MINUTE_MS, SECOND_MS } from '../../core/vocabulary.ts'
import { createGateway } from '../../simulation/gateway.ts'
import { createRandom } from '../../simulation/random.ts'
import type { Snapshot } from '../../stores/checkpoint.ts'
import type { TelemetryEvent } from '../../worker/telemetry.ts'
import { sentenceOf } from '../../worker/telemetry-text.ts'
import { createTable } from './authorizer-table.ts'
import { expiresAfterMs, folder, personsLimits, planSetupsOf, probationMs, startsAt, tenantsWith } from './cast.ts'
import { type Crew, createCrew } from './crew.ts'
import { createScheduler } from './dead-man.ts'
import type { Edges } from './edges.ts'
import type { FaultyService, Publication } from './faulty-aws.ts'
import { createFaultyDisk, type DiskImage } from './faulty-disk.ts'
import { createGroup } from './group.ts'
import { createLaws } from './laws.ts'
import type { World } from './life.ts'
import { createLoop } from './loop.ts'
import type { Schedule, Stretch, Unreliability } from './schedule.ts'
import { createStream } from './stream.ts'
import type { Taught } from './taught.ts'
import { createTraffic, stepMs } from './traffic.ts'

export interface Told {
  /** ms since the story began. */
  readonly at: number
  readonly text: string
}

export interface StoryResult {
  readonly seed: number
  readonly kind: Schedule['kind']
  /** The law that was broken, in words. */
  readonly broken: string | undefined
  readonly timeline: readonly Told[]
  readonly steps: number
  readonly lives: number
  readonly calls: number
  readonly alerts: number
  readonly limitChanges: number
  readonly edges: Edges
}

/** With what only who compares stories asks for. */
export interface WholeStory {
  readonly result: StoryResult
  /** The last that was written. */
  readonly last: Snapshot | undefined
  readonly published: ReadonlyMap<string, readonly Publication[]>
  /** Of these keys something was told. */
  readonly toldOf: ReadonlySet<string>
}

/**
 * After the last fault: a throttle that was decided just before it expires and is given back by halves; what a crash has
 * orphaned is looked for after five minutes, and once a minute; and each change waits for its turn, 20 s one after another.
 */
export const calmMs = 6 * MINUTE_MS + expiresAfterMs + probationMs + 6 * 20 * SECOND_MS + 30 * SECOND_MS
/** Twins end at the same moment, with what is not over yet: nobody is throttled in them. */
const twinCalmMs = 100 * SECOND_MS
/** So long a worker that is asked to stop may take, and one that cannot start is tried again. */
const stopWithinMs = 30 * SECOND_MS
/** So often a restore is tried that only a person can make possible. */
const mendEveryMs = 5 * MINUTE_MS
/** After the last schedule is due: it may come a minute later than it was wanted, and up to six changes wait for their turn. */
const switchedWithinMs = MINUTE_MS + 6 * 20 * SECOND_MS + 2 * MINUTE_MS
/** Longer than this no story lets people's words keep a limit lowered. */
const longestWordsMs = 150 * SECOND_MS
const tooManySteps = 3_000_000
const good: Unreliability = { throttled: 0, conflict: 0, failed: 0, lost: 0, slow: 0 }

export interface TellOptions {
  readonly mostSteps?: number | undefined
}

export async function tellWhole(
  schedule: Schedule,
  taught: Taught,
  { mostSteps }: TellOptions = {},
): Promise<WholeStory> {
  const { seed } = schedule
  const random = createRandom(seed, 'chance')
  const loop = createLoop()
  const timeline: Told[] = []
  const note = (text: string): void => void timeline.push({ at: loop.now(), text })
  let clockAheadMs = 0
  const wallNow = (): number => Math.floor(startsAt + loop.now()) + clockAheadMs
  const disk = createFaultyDisk({ loop, random: createRandom(seed, 'disk'), wallNow: () => startsAt + loop.now() })
  const stream = createStream(loop, createRandom(seed, 'stream'), schedule.partitions)
  disk.load(schedule.kind === 'shared' ? inEachPartition(taught.image, stream.partitions) : taught.image)
  const gateway = createGateway({
    clock: { now: () => startsAt + loop.now(), sleep: async () => undefined },
    plans: planSetupsOf(schedule.ways),
    propagationDelayMs: () => random.integer(3_000),
    leavingDelayMs: () => random.integer(8_000),
  })
  const table = createTable(loop.now)
  const traffic = createTraffic(schedule, { gateway, table, stream, random: createRandom(seed, 'traffic') })
  const laws = createLaws({ schedule, gateway, table, stream, taughtCalls: taught.calls, now: loop.now, wallNow, note })
  const gatewayService: FaultyService = { unreliability: schedule.gateway, isDown: false, isDenied: false }
  const snsService: FaultyService = { unreliability: schedule.sns, isDown: false, isDenied: false }
  const schedulerService: FaultyService = { unreliability: schedule.scheduler, isDown: false, isDenied: false }
  const switchWatch = laws.limits.watchOf({ announced: () => undefined, owns: () => true })
  const scheduler = createScheduler({
    ...{ loop, random: createRandom(seed, 'switch'), gateway, gatewayService, watch: switchWatch, note },
  })
  const exempt = new Set(['exempt'])
  let tenants = tenantsWith(exempt, schedule.ways)
  let last: Snapshot | undefined
  const rotten = new Set<string>()

  const world: Omit<World, 'moment'> = {
    ...{ schedule, loop, disk, gateway, gatewayService, snsService, stream, laws, wallNow, note },
    ...{ table, scheduler, schedulerService },
    group: createGroup({ loop, random: createRandom(seed, 'group'), stream, note }),
    random: createRandom(seed, 'world'),
    tenants: () => tenants,
    told(event) {
      laws.told(event)
      if (worthTelling(event)) note(sentenceOf(event))
      if (event.name === 'minuteSummarised' && event.openIncidents === 0 && event.throttled === 0) mayEnd()
    },
    wrote(snapshot) {
      last = snapshot
    },
  }
  const crew = createCrew(world, {
    ...{ size: schedule.kind === 'shared' ? 2 : 1, random: createRandom(seed, 'deaths'), rotNewest },
  })

  /** Nothing is left to be given back or told: the rest would be quiet, which some stories are there to see. */
  function mayEnd(): void {
    if (schedule.isLong || schedule.kind === 'twin' || loop.now() < schedule.calmFrom + MINUTE_MS || !laws.isSettled())
      return
    endsAt = Math.min(endsAt, loop.now() + 20 * SECOND_MS)
  }

  /** Only where the one before it is whole. */
  function rotNewest(): void {
    const checkpoints = [...disk.image().keys()].filter(path => path.includes('/checkpoint-0')).sort()
    const newest = checkpoints.at(-1)
    if (newest === undefined || checkpoints.length < 2 || checkpoints.some(path => rotten.has(path))) return
    rotten.add(newest)
    note(`a byte of ${newest} turns into another`)
    disk.rot(newest)
    laws.rotten()
  }

  const during = (stretches: readonly Stretch[], says: string, set: (isSo: boolean) => void): void => {
    for (const { from, to } of stretches) {
      loop.at(from, () => {
        note(`+ ${says}`)
        set(true)
      })
      loop.at(to, () => {
        note(`- ${says}`)
        set(false)
      })
    }
  }
  for (const { keyId, kind, callsPerSecond, from, to } of schedule.storms)
    during(
      [{ from, to }],
      `${keyId}: ${kind}${kind === 'retries' ? `, ${callsPerSecond} calls a second` : ''}`,
      () => {},
    )
  during(schedule.sick, 'everybody’s calls fail', () => {})
  during(schedule.gatewayDown, 'the gateway is down', isSo => (gatewayService.isDown = isSo))
  during(schedule.denied, 'the role may change nothing', isSo => (gatewayService.isDenied = isSo))
  during(schedule.snsDown, 'SNS is down', isSo => (snsService.isDown = isSo))
  during(schedule.slowDisk, 'the disk is slow', isSo => (disk.trouble.slowestMs = isSo ? 4_000 : 2))
  during(schedule.fullDisk, 'the disk is full', isSo => (disk.trouble.isFull = isSo))
  during(schedule.failingDisk, 'the disk fails', isSo => (disk.trouble.failing = isSo ? 0.1 : 0))
  for (const { partition, ...stretch } of schedule.pauses)
    during([stretch], `partition ${partition} pauses`, isSo => {
      if (isSo) stream.paused.add(partition)
      else stream.paused.delete(partition)
      stream.append(partition, [])
    })
  for (const { partition, ...stretch } of schedule.absences)
    during([stretch], `partition ${partition} is another’s`, isSo => {
      if (isSo) stream.absent.add(partition)
      else stream.absent.delete(partition)
    })
  for (const at of schedule.sourceLost) loop.at(at, () => stream.lose())
  for (const at of schedule.stops) loop.at(at, () => crew.askToStop())
  for (const { at, partition, worker } of schedule.handovers) loop.at(at, () => world.group.prefer(partition, worker))
  for (const { from, to, worker } of schedule.freezes) loop.at(from, () => crew.freeze(worker, to))
  for (const said of schedule.commands) loop.at(said.at, () => void crew.say(said))
  for (const { at, planId, limits } of schedule.persons)
    loop.at(at, () => {
      const wanted = personsLimits[limits]
      note(`a person sets ${planId} to ${JSON.stringify(wanted) ?? 'no limit'}`)
      gateway.changeByPerson(planId, wanted)
      laws.limits.personChanged(planId, wanted)
    })
  for (const { at, tenant, isExempt } of schedule.exemptions)
    loop.at(at, () => {
      note(`${tenant} is ${isExempt ? 'exempt from now on' : 'exempt no longer'}`)
      if (isExempt) exempt.add(tenant)
      else exempt.delete(tenant)
      tenants = tenantsWith(exempt, schedule.ways)
      laws.limits.exempted(tenant, isExempt)
    })
  for (const { at, byMs } of schedule.clockJumps)
    loop.at(at, () => {
      note(`the clock is set by ${byMs / SECOND_MS} s`)
      clockAheadMs += byMs
    })
  loop.at(schedule.calmFrom, () => {
    note('all is well from now on')
    Object.assign(gatewayService, { unreliability: good, isDown: false, isDenied: false })
    Object.assign(snsService, { unreliability: good, isDown: false })
    schedulerService.unreliability = good
    Object.assign(disk.trouble, { slowestMs: 2, isFull: false, failing: 0 })
    stream.paused.clear()
    stream.absent.clear()
    crew.calm()
    const wordsMs = schedule.commands.reduce((sum, { forMs, isTwice }) => sum + forMs * (isTwice ? 2 : 1), 0)
    if (wordsMs > longestWordsMs) releaseAll(crew)
  })
  if (schedule.diesAt !== undefined) loop.at(schedule.diesAt, () => crew.endForGood())

  /** Until somebody hears it. */
  function releaseAll(crew: Crew): void {
    const said = { at: loop.now(), kind: 'release-all', keyId: '', forMs: 0, isTwice: false } as const
    if (!crew.say(said)) loop.after(SECOND_MS, () => releaseAll(crew))
  }

  let endsAt =
    schedule.kind === 'twin'
      ? schedule.calmFrom + twinCalmMs
      : schedule.calmFrom + calmMs + (schedule.denied.length > 0 ? mendEveryMs : 0)
  let phase: 'told' | 'stopping' | 'aftermath' = 'told'
  const flow = (): void => {
    if (loop.now() >= endsAt - 10 * SECOND_MS) {
      traffic.flush()
      return
    }
    traffic.step(loop.now())
    loop.after(stepMs, flow)
  }
  loop.at(0, flow)
  loop.at(0, crew.begin)
  laws.limits.exempted('exempt', true)

  /** Whether it is over. */
  function turnedPage(): boolean {
    if (phase === 'told' && schedule.diesAt !== undefined && loop.now() >= schedule.calmFrom) phase = 'aftermath'
    if (phase === 'told' && loop.now() >= endsAt) {
      phase = 'stopping'
      if (!crew.areAllThere()) laws.breakLaw('the worker has not come back')
      note('the story ends')
      crew.stopAll()
    }
    if (phase === 'stopping') {
      if (loop.now() > endsAt + stopWithinMs) laws.breakLaw('the worker does not stop')
      if (!crew.areAllOver()) return false
      laws.end()
      phase = 'aftermath'
    }
    if (phase !== 'aftermath' || laws.broken() !== undefined) return false
    const leftUntil =
      Math.max(schedule.calmFrom + expiresAfterMs + longestWordsMs, scheduler.latestDue()) + switchedWithinMs
    if (scheduler.open().length === 0 && laws.limits.isBack()) return true
    if (loop.now() < leftUntil) return false
    laws.limits.end()
    for (const name of scheduler.open()) laws.breakLaw(`the schedule ${name} is left over`)
    return true
  }

  const rejected = (cause: unknown): void =>
    laws.breakLaw(`a rejection that nobody handles: ${cause instanceof Error ? cause.stack : String(cause)}`)
  process.on('unhandledRejection', rejected)
  try {
    while (laws.broken() === undefined && !turnedPage()) {
      if (laws.broken() !== undefined) break
      if (loop.steps() > tooManySteps) laws.breakLaw('the story does not end')
      if (loop.steps() >= (mostSteps ?? Number.POSITIVE_INFINITY)) break
      if (!(await loop.step())) laws.breakLaw('nothing happens any more')
      crew.stepped()
    }
  } catch (cause) {
    laws.breakLaw(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
  } finally {
    process.off('unhandledRejection', rejected)
    crew.abandon()
  }
  const result: StoryResult = {
    ...{ seed, kind: schedule.kind, broken: laws.broken(), timeline, steps: loop.steps(), lives: crew.lives() },
    ...{ edges: laws.edges, calls: stream.calls() },
    limitChanges: gateway.changes().filter(({ by }) => by === 'api').length,
    alerts: timeline.filter(({ text }) => text.startsWith('sns: ')).length,
  }
  return { result, last, published: laws.published(), toldOf: laws.toldOf }
}

/** What was learned is known to whoever gets a partition: as if each had been taught it. */
function inEachPartition(image: DiskImage, partitions: readonly string[]): DiskImage {
  const names = partitions.map(partition => partition.replaceAll('/', '-'))
  return new Map(
    [...image].flatMap(([path, bytes]) =>
      names.map(name => [path.replace(folder, `${folder}/partitions/${name}`), bytes] as const),
    ),
  )
}

const untold: ReadonlySet<TelemetryEvent['name']> = new Set([
  'batchesRead',
  'minuteSummarised',
  'checkpointWritten',
  'partitionsHeld',
  'detectorsBlind',
  'effectsDelayed',
])

const worthTelling = ({ name }: TelemetryEvent): boolean => !untold.has(name)

/** The story, line by line, for whoever has to understand it. */
export function timelineText({ timeline }: StoryResult, { lines = Number.POSITIVE_INFINITY } = {}): string {
  return timeline
    .slice(-lines)
    .map(({ at, text }) => `${(at / SECOND_MS).toFixed(3).padStart(9)}  ${text}`)
    .join('\n')
}

export type { Schedule }
