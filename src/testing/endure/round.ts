/**
 * One round: a client storms, something goes wrong in the middle of it and comes back, and when the limit should be back and the
 * incident told to its end, the world is held against the laws.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { EpochMs } from '../../core/vocabulary.ts'
import type { LoggedEvent, WorkerProcess } from '../end-to-end/worker-process.ts'
import { until } from '../until.ts'
import { type CarriedOut, carryOut } from './carry-out.ts'
import type { RoundPlan } from './faults.ts'
import { judgeAlerts, judgeChanges, notRestored, type SeenAlert, type ToldAlert } from './laws.ts'
import { original, type World } from './world.ts'

export interface RoundTold {
  readonly plan: RoundPlan
  readonly stormer: string
  readonly stormAt: EpochMs
  readonly faultAt: EpochMs
  readonly healedAt: EpochMs
  /** From the storm's first call until SNS took the first alert of it. */
  readonly msToAlert: number | undefined
  readonly wasThrottled: boolean
  /** From the storm's first call. */
  readonly msToRestored: number | undefined
  /** Of a broker that died: how long nothing was read, and how long until reading had caught up. */
  readonly stoodStillMs: number | undefined
  readonly caughtUpMs: number | undefined
  readonly broken: readonly string[]
}

const storm = { seconds: 20, callsPerSecond: 150 }
/** After the last fault has healed: a throttle's half minute, half and whole 20 s apart, another throttle where it relapses. */
const longestMs = 180_000
/** Of a quiet moment: everything that was sent has to be counted. */
const countWithinMs = 60_000

export async function playRound(plan: RoundPlan, world: World, stormer: string): Promise<RoundTold> {
  const { traffic, subscriber } = world
  // Where one has ended by itself, which was told, whoever watches over it would start it again.
  for (const [place, worker] of world.workers.entries()) if (worker.hasEnded()) await world.startWorkerAt(place)
  const before = { limits: world.limitsSeen.length, alerts: new Set(incidentsOf(await subscriber.received(), stormer)) }
  traffic.goOn()
  const stormAt = traffic.storm({ keyId: stormer, ...storm })
  await pause(plan.afterMs)
  const faultAt = Date.now()
  const carried = await Promise.all(plan.faults.map(fault => carryOut(fault, world, stormer)))
  const healedAt = Date.now()

  const isOver = async (): Promise<true | undefined> => {
    if (Date.now() < stormAt + storm.seconds * 1_000 + 5_000) return undefined
    for (const worker of world.workers) if (worker.hasEnded()) throw new Error(await lastWordOf(worker))
    const alerts = await subscriber.received()
    const incidents = incidentsOf(alerts, stormer).filter(incident => !before.alerts.has(incident))
    const areTold = incidents.length > 0 && incidents.every(incident => isClosed(incident, alerts))
    return (areTold && notRestored(await world.plans()).length === 0) || undefined
  }
  const broken = carried.flatMap(each => each.broken)
  await until('the storm to be told to its end and the limit to be back', isOver, longestMs).catch(error =>
    broken.push(String(error.message)),
  )
  const restoredAt = world.limitsSeen.findLast(({ keyId }) => keyId === stormer)?.at
  broken.push(...(await countCalls(world)))
  const seen = await seenAlerts(world)
  const events = await world.events()
  const ofRound = new Set(incidentsOf(await subscriber.received(), stormer).filter(each => !before.alerts.has(each)))
  const judged = judgeAlerts(seen, toldAlerts(events))
  const changes = world.limitsSeen.slice(before.limits)
  broken.push(
    ...(ofRound.size === 0 ? [`${stormer}'s storm was not told`] : []),
    ...judged.lost.map(id => `${id} was lost`),
    ...judged.doubled.map(id => `${id} was sent again, and it was known to be sent`),
    ...[...ofRound].filter(each => judged.unclosed.includes(each)).map(incident => `${incident} was not closed`),
    ...notRestored(await world.plans()),
    ...judgeChanges(changes, { stormer, original }),
  )
  const firstAlert = Math.min(
    ...seen.filter(({ id }) => ofRound.has(incidentOf(id))).map(({ publishedAt }) => publishedAt),
  )
  return {
    ...{ plan, stormer, stormAt, faultAt, healedAt, broken, ...standstill(carried, plan, events) },
    msToAlert: Number.isFinite(firstAlert) ? firstAlert - stormAt : undefined,
    wasThrottled: changes.length > 0,
    msToRestored: changes.length > 0 && restoredAt !== undefined ? restoredAt - stormAt : undefined,
  }
}

async function lastWordOf(worker: WorkerProcess): Promise<string> {
  const lines = (await worker.output()).split('\n').filter(line => line.startsWith('weir: '))
  return `a worker ended by itself: ${lines.at(-1) ?? 'without a word'}`
}

/** In a quiet moment as many must be counted as are in the topic. */
export async function countCalls(world: World): Promise<readonly string[]> {
  await world.traffic.rest()
  const records = await world.recordsInTopic()
  let counted = 0
  const isWhole = async () => {
    counted = await world.counted()
    return counted === records || undefined
  }
  try {
    await until('all calls to be counted', isWhole, countWithinMs)
    return []
  } catch {
    return [`${records} calls are in the topic, ${counted} were counted`]
  }
}

export async function seenAlerts({ subscriber }: World): Promise<readonly SeenAlert[]> {
  return (await subscriber.received()).map(({ publishedAt, body }) => ({
    ...{ id: body.deduplicationId, keyId: body.keyId, phase: body.phase, publishedAt },
  }))
}

export function toldAlerts(events: readonly LoggedEvent[]): {
  readonly intended: readonly ToldAlert[]
  readonly done: readonly ToldAlert[]
} {
  const of = (name: string): readonly ToldAlert[] =>
    events.flatMap(({ event, effect, time }) =>
      event === name && isAlert(effect) ? [{ id: effect.id, at: Number(new Date(String(time))) }] : [],
    )
  return { intended: of('effectIntended'), done: of('effectPerformed') }
}

const isAlert = (effect: unknown): effect is { readonly id: string } =>
  typeof effect === 'object' && effect !== null && 'kind' in effect && effect.kind === 'alert' && 'id' in effect

type Received = Awaited<ReturnType<World['subscriber']['received']>>

const incidentsOf = (alerts: Received, keyId: string): readonly string[] => [
  ...new Set(alerts.filter(({ body }) => body.keyId === keyId).map(({ body }) => incidentOf(body.deduplicationId))),
]

const isClosed = (incident: string, alerts: Received): boolean =>
  alerts.some(({ body }) => incidentOf(body.deduplicationId) === incident && body.phase === 'closed')

const incidentOf = (id: string): string => id.slice(0, id.lastIndexOf('/'))

/** Reading that is no further behind than this has caught up. */
const caughtUpMs = 2_000

/** Where a broker died: the longest silence between two seconds in which something was read, and when reading was as new as the calls again. */
function standstill(carried: readonly CarriedOut[], { faults }: RoundPlan, events: readonly LoggedEvent[]) {
  const index = faults.findIndex(({ kind }) => kind === 'broker-killed')
  const of = carried[index]
  if (of === undefined) return { stoodStillMs: undefined, caughtUpMs: undefined }
  const read = events
    .filter(({ event, records }) => event === 'batchesRead' && Number(records) > 0)
    .map(({ time, eventTime }) => ({ at: Number(new Date(String(time))), eventTime: Number(eventTime) }))
    .sort((one, other) => one.at - other.at)
  const last = read.findLastIndex(({ at }) => at <= of.from)
  const since = read.slice(Math.max(0, last))
  const gaps = since.map(({ at }, place) => ({ ms: at - (since[place - 1]?.at ?? at), at }))
  const longest = gaps.reduce((most, gap) => (gap.ms > most.ms ? gap : most), { ms: 0, at: 0 })
  const caughtUp = since.find(({ at, eventTime }) => at > of.from && at >= longest.at && at - eventTime <= caughtUpMs)
  return { stoodStillMs: longest.ms, caughtUpMs: caughtUp === undefined ? undefined : caughtUp.at - of.from }
}
