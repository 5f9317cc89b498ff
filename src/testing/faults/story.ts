/** The whole story of a seed: lives of the worker one after another, until all is calm, and what came of it. */
import { StreamError } from '../../core/errors.ts'
import { MINUTE_MS, SECOND_MS } from '../../core/vocabulary.ts'
import { createGateway } from '../../simulation/gateway.ts'
import { createRandom } from '../../simulation/random.ts'
import type { Snapshot } from '../../stores/checkpoint.ts'
import type { TelemetryEvent } from '../../worker/telemetry.ts'
import { sentenceOf } from '../../worker/telemetry-text.ts'
import { expiresAfterMs, personsLimits, planSetups, probationMs, startsAt, tenantsWith } from './cast.ts'
import type { FaultyService } from './faulty-aws.ts'
import { createFaultyDisk } from './faulty-disk.ts'
import { createLaws, type Edges } from './laws.ts'
import { live, type World } from './life.ts'
import { createLoop, type Mortal } from './loop.ts'
import { drawSchedule, type Schedule, type Stretch, type Unreliability } from './schedule.ts'
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

/**
 * After the last fault: a throttle that was decided just before it expires and is given back by halves; what a crash has
 * orphaned is looked for after five minutes, and once a minute; and each change waits for its turn, 20 s one after another.
 */
export const calmMs = 6 * MINUTE_MS + expiresAfterMs + probationMs + 6 * 20 * SECOND_MS + 30 * SECOND_MS
/** So long a worker that is asked to stop may take, and one that cannot start is tried again. */
const stopWithinMs = 30 * SECOND_MS
/** So often a restore is tried that only a person can make possible. */
const mendEveryMs = 5 * MINUTE_MS
const tooManySteps = 3_000_000
const good: Unreliability = { throttled: 0, conflict: 0, failed: 0, lost: 0, slow: 0 }

interface Life extends Mortal {
  readonly number: number
  readonly asked: AbortController
  steps: number
  isOver: boolean
}

export async function tellStory(
  seed: number,
  taught: Taught,
  { mostSteps }: { readonly mostSteps?: number | undefined } = {},
): Promise<StoryResult> {
  const schedule = drawSchedule(seed)
  const random = createRandom(seed, 'chance')
  const loop = createLoop()
  const timeline: Told[] = []
  const note = (text: string): void => void timeline.push({ at: loop.now(), text })
  let clockAheadMs = 0
  const wallNow = (): number => Math.floor(startsAt + loop.now()) + clockAheadMs
  const disk = createFaultyDisk({ loop, random: createRandom(seed, 'disk'), wallNow: () => startsAt + loop.now() })
  disk.load(taught.image)
  const gateway = createGateway({
    clock: { now: () => startsAt + loop.now(), sleep: async () => undefined },
    plans: planSetups,
    propagationDelayMs: () => random.integer(3_000),
  })
  const stream = createStream(loop, createRandom(seed, 'stream'), schedule.partitions)
  const traffic = createTraffic(schedule, { gateway, stream, random: createRandom(seed, 'traffic') })
  const laws = createLaws({ schedule, gateway, stream, taughtCalls: taught.calls, now: loop.now, note })
  const gatewayService: FaultyService = { unreliability: schedule.gateway, isDown: false, isDenied: false }
  const snsService: FaultyService = { unreliability: schedule.sns, isDown: false, isDenied: false }
  const exempt = new Set(['exempt'])
  let tenants = tenantsWith(exempt)
  let last: Snapshot | undefined
  let life: Life | undefined
  let lives = 0
  let deathIn: number | undefined
  const isCalm = (): boolean => loop.now() >= schedule.calmFrom
  const mortal = createRandom(seed, 'deaths')
  const rotten = new Set<string>()

  const world: World = {
    ...{ schedule, loop, disk, gateway, gatewayService, snsService, stream, laws, wallNow },
    random: createRandom(seed, 'world'),
    tenants: () => tenants,
    told(event) {
      laws.told(event)
      if (worthTelling(event)) note(sentenceOf(event))
      if (event.name === 'minuteSummarised' && event.openIncidents === 0 && event.throttled === 0) mayEnd()
    },
    moment() {
      if (!isCalm() && mortal.uniform() < schedule.deathAtMoments) deathIn = mortal.integer(8)
    },
    wrote(snapshot) {
      last = snapshot
    },
  }

  /** Nothing is left to be given back or told: the rest would be quiet, which some stories are there to see. */
  function mayEnd(): void {
    if (schedule.isLong || loop.now() < schedule.calmFrom + MINUTE_MS || !laws.isSettled()) return
    endsAt = Math.min(endsAt, loop.now() + 20 * SECOND_MS)
  }

  function begin(): void {
    const begun: Life = { isAlive: true, number: ++lives, asked: new AbortController(), steps: 0, isOver: false }
    life = begun
    note(`— life ${begun.number} begins`)
    laws.journalOpening()
    const over = (because: string, after: number): void => {
      begun.isOver = true
      if (!begun.isAlive) return
      begun.isAlive = false
      disk.crash('process')
      note(`— life ${begun.number} is over: ${because}`)
      if (!isEnding) loop.after(after, begin)
    }
    const mode = isCalm() ? 'enforce' : (schedule.modes[begun.number - 1] ?? 'enforce')
    laws.lifeBegins(mode)
    live(world, begun, { name: `life-${begun.number}`, mode }, begun.asked.signal).then(
      () => over('it has stopped', 1_000 + mortal.integer(5_000)),
      (cause: unknown) => {
        if (!(cause instanceof StreamError) || cause.code === 'CHECKPOINT_DAMAGED')
          laws.breakLaw(
            `the worker ended with ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`,
          )
        over(cause instanceof Error ? cause.message : String(cause), 2_000)
      },
    )
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

  function die(how: 'process' | 'machine'): void {
    if (life === undefined || !life.isAlive) return
    life.isAlive = false
    note(`— life ${life.number} ends: ${how === 'process' ? 'kill -9' : 'the machine loses its power'}`)
    disk.crash(how)
    if (how === 'machine' && schedule.rots && mortal.uniform() < 0.5) rotNewest()
    loop.after(50 + mortal.integer(mortal.uniform() < 0.3 ? 40_000 : 3_000), begin)
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
  for (const at of schedule.stops)
    loop.at(at, () => {
      note('asked to stop')
      life?.asked.abort()
    })
  for (const { at, planId, limits } of schedule.persons)
    loop.at(at, () => {
      const wanted = personsLimits[limits]
      note(`a person sets ${planId} to ${JSON.stringify(wanted) ?? 'no limit'}`)
      gateway.changeByPerson(planId, wanted)
      laws.personChanged(planId, wanted)
    })
  for (const { at, tenant, isExempt } of schedule.exemptions)
    loop.at(at, () => {
      note(`${tenant} is ${isExempt ? 'exempt from now on' : 'exempt no longer'}`)
      if (isExempt) exempt.add(tenant)
      else exempt.delete(tenant)
      tenants = tenantsWith(exempt)
      laws.exempted(tenant, isExempt)
    })
  for (const { at, byMs } of schedule.clockJumps)
    loop.at(at, () => {
      note(`the clock is set by ${byMs / SECOND_MS} s`)
      clockAheadMs += byMs
    })
  loop.at(schedule.calmFrom, () => {
    note('all is well from now on')
    gatewayService.unreliability = good
    snsService.unreliability = good
    gatewayService.isDown = false
    gatewayService.isDenied = false
    snsService.isDown = false
    Object.assign(disk.trouble, { slowestMs: 2, isFull: false, failing: 0 })
    stream.paused.clear()
    stream.absent.clear()
    deathIn = undefined
  })
  let endsAt = schedule.calmFrom + calmMs + (schedule.denied.length > 0 ? mendEveryMs : 0)
  let isEnding = false
  const flow = (): void => {
    if (loop.now() >= endsAt - 10 * SECOND_MS) {
      traffic.flush()
      return
    }
    traffic.step(loop.now())
    loop.after(stepMs, flow)
  }
  loop.at(0, flow)
  loop.at(0, begin)
  laws.exempted('exempt', true)

  const rejected = (cause: unknown): void =>
    laws.breakLaw(`a rejection that nobody handles: ${cause instanceof Error ? cause.stack : String(cause)}`)
  process.on('unhandledRejection', rejected)
  try {
    while (laws.broken() === undefined) {
      if (loop.now() >= endsAt && !isEnding) {
        isEnding = true
        if (life === undefined || life.isOver || !life.isAlive) {
          laws.breakLaw('the worker has not come back')
          break
        }
        note('the story ends: asked to stop')
        life.asked.abort()
      }
      if (isEnding && life?.isOver) break
      if (loop.now() > endsAt + stopWithinMs) laws.breakLaw('the worker does not stop')
      if (loop.steps() > tooManySteps) laws.breakLaw('the story does not end')
      if (loop.steps() >= (mostSteps ?? Number.POSITIVE_INFINITY)) break
      if (!(await loop.step())) laws.breakLaw('nothing happens any more')
      if (life === undefined || !life.isAlive || isCalm()) continue
      life.steps++
      const death = schedule.deaths[life.number - 1]
      if (death !== undefined && life.steps >= death.afterSteps) die(death.how)
      else if (deathIn !== undefined && deathIn-- <= 0) {
        deathIn = undefined
        die(mortal.uniform() < 0.5 ? 'process' : 'machine')
      }
    }
    if (laws.broken() === undefined && isEnding) laws.end(last)
  } catch (cause) {
    laws.breakLaw(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
  } finally {
    process.off('unhandledRejection', rejected)
    if (life) life.isAlive = false
  }
  return {
    ...{ seed, broken: laws.broken(), timeline, steps: loop.steps(), lives, edges: laws.edges },
    ...{ calls: stream.calls(), limitChanges: gateway.changes().filter(({ by }) => by === 'api').length },
    alerts: timeline.filter(({ text }) => text.startsWith('sns: ')).length,
  }
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
