/**
 * The whole way, told once for every kind of stream: usual traffic, a client that storms, the alert at a subscriber, the
 * plan lowered and given back. What the world showed comes back as data; the tests say what it should have been.
 *
 *   worker starts → usual traffic → storm → alert, limits lowered → [interruption] → expired: half → probation: whole → closed
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EpochMs, PlanLimits } from '../../core/vocabulary.ts'
import { type Ask, until } from '../until.ts'
import { keyWithItsPlan, type ReceivedAlert, region, topicWithSubscriber } from './aws-account.ts'
import { loopOf } from './call-loop.ts'
import { readErddapCalls } from './erddap-calls.ts'
import { type Outlet, startTraffic } from './traffic.ts'
import { writeWeek } from './week-of-counts.ts'
import { type LoggedEvent, startWorker, type WorkerProcess } from './worker-process.ts'

export interface StoryOptions {
  /** Names what the story makes in the outside world. */
  readonly name: string
  /** Of moto. */
  readonly endpoint: string
  /** `source` of weir.yaml. */
  readonly source: Readonly<Record<string, unknown>>
  readonly outlet: Outlet
  /** What happens to the worker in the middle of the incident, before it is started again; without it: nothing. */
  readonly interrupt?: (worker: WorkerProcess) => Promise<void>
  /** So many share the stream and the state; one that is interrupted is not started again, since the others go on. */
  readonly workers?: number
  /** What happens to the stream in the middle of the storm, with the worker reading on. */
  readonly disturb?: () => Promise<void>
  /** When: as soon as the first alert is there, or when alert and throttle are done and the worker knows it. */
  readonly interruptAt?: 'alert' | 'mitigated'
}

export interface StoryTold {
  readonly keyId: string
  readonly original: PlanLimits
  /** Every value that the plan's limits were seen to have, in order. */
  readonly limitsSeen: readonly PlanLimits[]
  readonly neighbourLimits: PlanLimits
  readonly alerts: readonly ReceivedAlert[]
  readonly wasInterrupted: boolean
  /** Wall time from the storm's first call. */
  readonly msToAlert: number
  readonly msToLowered: number
  /** Of all lives of the worker, one after another. */
  readonly events: readonly LoggedEvent[]
  readonly callsSent: number
  readonly callsCounted: number
  readonly exitCode: number
}

/** The whole log in seven minutes: a quiet client of one or two calls an hour calls about once a second. */
const speed = 1_777
/** Asks for the same page about twice every hour, day and night. Nobody's usual is steadier. */
const stormingClient = '171.177.25.126'
const original: PlanLimits = { rateLimit: 100, burstLimit: 200 }
const usualForMs = 8_000
const storm = { seconds: 12, callsPerSecond: 200 }
/**
 * Evidence outlasts a storm (a trailing minute, a CUSUM's memory), and a limit that is given back meanwhile is lowered again
 * at once. So the throttle lasts until well after the storm's twelve seconds.
 */
const throttle = { expiresAfter: '45s', probation: '3s' }

export async function playStorm(options: StoryOptions): Promise<StoryTold> {
  const folder = await mkdtemp(join(tmpdir(), `weir-${options.name}-`))
  const stops: (() => Promise<unknown>)[] = [() => options.outlet.close()]
  try {
    const told = await play(options, folder, stops)
    await rm(folder, { recursive: true, force: true })
    return told
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error)
    throw new Error(`${because}\nThe worker's folder is kept: ${folder}`, { cause: error })
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

async function play(
  { name, endpoint, source, outlet, interrupt, disturb, interruptAt = 'mitigated', workers = 1 }: StoryOptions,
  folder: string,
  stops: (() => Promise<unknown>)[],
): Promise<StoryTold> {
  const calls = await readErddapCalls()
  const loop = loopOf(calls, { speed, beginsAt: Date.now() })
  const plan = await keyWithItsPlan(endpoint, name, original)
  const neighbour = await keyWithItsPlan(endpoint, `${name}-neighbour`, original)
  const subscriber = await topicWithSubscriber(endpoint, name)
  const keyOf = keyNames(calls, { [stormingClient]: plan.keyId, [busiestBut(calls)]: neighbour.keyId })

  const history = join(folder, 'week.ndjson.gz')
  await writeWeek(history, Date.now(), { loop, keyOf, clients: regulars(calls) })
  const config = join(folder, 'weir.yaml')
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify(configOf({ source, endpoint, topicArn: subscriber.topicArn, workers }), undefined, 2),
  )
  await writeFile(join(folder, 'tenants.yaml'), JSON.stringify(tenantsOf(plan.keyId), undefined, 2))

  const lives: WorkerProcess[] = []
  const startLife = async (): Promise<WorkerProcess> => {
    const worker = await startWorker({ config, history, logFile: join(folder, `life-${lives.length + 1}.log`) })
    lives.push(worker)
    stops.push(() => worker.kill())
    return worker
  }
  const allEvents = async (): Promise<readonly LoggedEvent[]> =>
    (await Promise.all(lives.map(life => life.events()))).flat()
  const isTold = async (event: string, matches: (told: LoggedEvent) => boolean = () => true) =>
    (await allEvents()).find(told => told.event === event && matches(told))

  let worker = await startLife()
  for (let more = 1; more < workers; more++) await startLife()
  /** Nothing comes of waiting for a worker that has ended. */
  async function seen<Answer>(wanted: string, ask: Ask<Answer>, withinMs: number): Promise<Answer> {
    return until(
      wanted,
      async () => {
        const answer = await ask()
        if (answer === undefined && worker.hasEnded()) throw new Error(`The worker ended: ${await worker.output()}`)
        return answer
      },
      withinMs,
    )
  }

  const reads = async (life: WorkerProcess): Promise<boolean> =>
    (await life.events()).some(({ event }) => event === 'checkpointWritten')
  const allRead = async (): Promise<boolean> => (await Promise.all(lives.map(reads))).every(isReading => isReading)
  await seen('the workers to read', async () => (await allRead()) || undefined, 60_000)
  const traffic = startTraffic({ loop, keyOf, stormingClient, outlet })
  stops.push(() => traffic.stop())
  const beganAt = Date.now()
  await seen('usual traffic', () => Date.now() >= beganAt + usualForMs || undefined, usualForMs * 2)

  const { from: stormBeganAt, to: stormEndsAt } = traffic.storm(storm)
  const watch = watchLimits(() => plan.limits())
  stops.push(() => watch.stop())
  const firstAlert = await seen('the alert', async () => (await subscriber.received())[0], 60_000)
  if (disturb !== undefined) {
    if (Date.now() > stormEndsAt) throw new Error('Too slow: the storm was over before it could be disturbed')
    await disturb()
  }
  if (interruptAt === 'mitigated') {
    await seen('the limits to be lowered', () => watch.seen[1], 30_000)
    await seen('the worker to know it', () => isTold('effectPerformed', isThrottle), 10_000)
    await seen('the alert to be journaled', () => isTold('effectPerformed', isFirstAlert), 10_000)
    // A life that goes on from before the opening reads the same calls in other steps, and may see it grow in two.
    if (interrupt !== undefined)
      await seen('a checkpoint that knows of it', async () => knowsOfAlert(await allEvents()) || undefined, 10_000)
  }
  if (interrupt !== undefined) {
    if (Date.now() > stormEndsAt) throw new Error('Too slow: the storm was over before the worker could be interrupted')
    if (workers === 1) {
      await interrupt(worker)
      worker = await startLife()
    } else {
      const holds = await Promise.all(lives.map(async life => (await life.events()).some(isThrottle)))
      const holder = lives[holds.indexOf(true)] ?? worker
      await interrupt(holder)
      worker = lives.find(life => life !== holder) ?? worker
    }
  }
  const lowered = await seen('the limits to be lowered', () => watch.seen[1], 60_000)
  traffic.limitTo(lowered.limits.rateLimit)

  await seen('the limits to be restored', () => isBack(watch.seen) || undefined, 140_000)
  await seen('the incident to close', async () => hasClosed(await subscriber.received()) || undefined, 60_000)
  await traffic.stop()
  const isCountedWhole = async () => countedIn(await allEvents(), 'batchesRead') >= traffic.sent() || undefined
  await seen('all calls to be counted', isCountedWhole, 20_000)
  const exitCodes = await Promise.all(lives.map(life => (life.hasEnded() ? 0 : life.stop())))
  const exitCode = Math.max(...exitCodes)
  await watch.stop()

  const events = await allEvents()
  return {
    keyId: plan.keyId,
    original,
    limitsSeen: watch.seen.map(({ limits }) => limits),
    neighbourLimits: await neighbour.limits(),
    alerts: await subscriber.received(),
    wasInterrupted: interrupt !== undefined,
    msToAlert: firstAlert.receivedAt - stormBeganAt,
    msToLowered: lowered.at - stormBeganAt,
    events,
    callsSent: traffic.sent(),
    callsCounted: countedIn(events, 'workerStopped'),
    exitCode,
  }
}

interface World {
  readonly source: StoryOptions['source']
  readonly endpoint: string
  readonly topicArn: string
  readonly workers: number
}

function configOf({ source, endpoint, topicArn, workers }: World) {
  return {
    mode: 'enforce',
    source,
    // Nothing here delivers late, so panes need not stay open for half a minute.
    time: { delivery: '3s' },
    alerts: { sns: { topicArn, region, endpoint } },
    gateway: { region, endpoint },
    throttle,
    incident: { closesAfter: '5s' },
    state: { directory: 'state', checkpointEvery: '2s', shared: workers > 1 },
  }
}

export const tenant = { name: 'Buoy Monitor', contact: 'buoys-oncall@partner.example', escalation: 'sea-data' }

const tenantsOf = (keyId: string) => ({ tenants: { 'buoy-monitor': { ...tenant, keys: [keyId] } } })

function keyNames(
  calls: readonly { readonly client: string }[],
  known: Readonly<Record<string, string>>,
): (client: string) => string {
  const names = new Map(Object.entries(known))
  for (const { client } of calls) if (!names.has(client)) names.set(client, `key_${names.size}`)
  return client => names.get(client) ?? client
}

function countsOf(calls: readonly { readonly client: string }[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>()
  for (const { client } of calls) counts.set(client, (counts.get(client) ?? 0) + 1)
  return [...counts].sort((one, other) => other[1] - one[1])
}

/** Clients of ten calls and more have a past; the hundreds who came once or twice are new to the worker too. */
const regulars = (calls: readonly { readonly client: string }[]): ReadonlySet<string> =>
  new Set(countsOf(calls).flatMap(([client, count]) => (count >= 10 ? [client] : [])))

const busiestBut = (calls: readonly { readonly client: string }[]): string =>
  countsOf(calls).find(([client]) => client !== stormingClient)?.[0] ?? ''

interface LimitsSeen {
  readonly at: EpochMs
  readonly limits: PlanLimits
}

/** Asks for the limits again and again, and keeps each that differs from the one before. */
function watchLimits(ask: () => Promise<PlanLimits>) {
  const seen: LimitsSeen[] = []
  let stopped = false
  const watching = (async () => {
    await until(
      'the watch to be stopped',
      async () => {
        const limits = await ask()
        const last = seen.at(-1)?.limits
        const differs = limits.rateLimit !== last?.rateLimit || limits.burstLimit !== last.burstLimit
        if (differs) seen.push({ at: Date.now(), limits })
        return stopped || undefined
      },
      600_000,
    )
  })()
  // Told by stop(): until then nobody waits for it.
  watching.catch(() => undefined)
  return {
    seen,
    async stop() {
      stopped = true
      await watching
    },
  }
}

const isBack = (seen: readonly LimitsSeen[]): boolean => {
  const last = seen.at(-1)?.limits
  return seen.length > 1 && last?.rateLimit === original.rateLimit && last.burstLimit === original.burstLimit
}

const hasClosed = (alerts: readonly ReceivedAlert[]): boolean => alerts.some(({ body }) => body.phase === 'closed')

function knowsOfAlert(events: readonly LoggedEvent[]): boolean {
  const alerted = events.findIndex(told => told.event === 'effectPerformed' && isFirstAlert(told))
  // The one after it may have begun before it.
  return events.slice(alerted).filter(({ event }) => event === 'checkpointWritten').length > 1
}

/** As last told: of the whole stream, or of each partition where workers share them. */
function countedIn(events: readonly LoggedEvent[], name: string): number {
  const counted = new Map<unknown, number>()
  const told = events.filter(({ event }) => event === name)
  const isByPart = told.some(({ partition }) => partition !== undefined)
  for (const { partition, totalCalls } of told)
    if (!isByPart || partition !== undefined)
      counted.set(partition, Math.max(counted.get(partition) ?? 0, Number(totalCalls)))
  return [...counted.values()].reduce((sum, calls) => sum + calls, 0)
}

const effectIdOf = ({ effect }: LoggedEvent): string =>
  typeof effect === 'object' && effect !== null && 'id' in effect ? String(effect.id) : ''
const isThrottle = (told: LoggedEvent): boolean => effectIdOf(told).endsWith('/throttle-1')
const isFirstAlert = (told: LoggedEvent): boolean => effectIdOf(told).endsWith('/alert-1')
