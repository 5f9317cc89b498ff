/**
 * All that a run needs, as processes of their own: three brokers, moto behind a proxy, `weir run` once or twice, and a fleet of
 * clients with a plan each. What moto holds is asked of moto itself, so that it can be seen while the worker cannot reach it.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { APIGatewayClient, GetUsagePlansCommand } from '@aws-sdk/client-api-gateway'
import { ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler'
import type { PlanLimits } from '../../core/vocabulary.ts'
import {
  keyWithItsPlan,
  region,
  type Subscriber,
  topicWithSubscriber,
  useDummyCredentials,
} from '../end-to-end/aws-account.ts'
import { kafkaOutlet } from '../end-to-end/kafka-outlet.ts'
import { type LoggedEvent, startWorker, type WorkerProcess } from '../end-to-end/worker-process.ts'
import { type Fleet, makeFleet, writeFleetWeek } from '../fleet/fleet.ts'
import { type FleetTraffic, startFleetTraffic } from '../fleet/fleet-traffic.ts'
import { type KafkaServer, startKafka } from '../servers/kafka.ts'
import { quietClient } from '../servers/kafka-topics.ts'
import { type MotoServer, startMoto } from '../servers/moto.ts'
import { until } from '../until.ts'
import type { LimitSeen, PlanNow } from './laws.ts'
import { areSame } from './laws.ts'
import { startProxy, type TcpProxy } from './tcp-proxy.ts'

/** Whole: moto answers 500 to a rate with a fraction. */
export const original: PlanLimits = { rateLimit: 100, burstLimit: 200 }
export const topic = 'endure'
const clients = 40
const callsPerSecond = 40
const watchEveryMs = 500

export interface WorldOptions {
  readonly workers: number
  /** For what the workers keep and write. */
  readonly folder: string
  readonly say: (line: string) => void
}

export interface World {
  readonly kafka: KafkaServer
  readonly moto: MotoServer
  readonly proxy: TcpProxy
  readonly traffic: FleetTraffic
  readonly fleet: Fleet
  readonly subscriber: Subscriber
  /** Those that run now, in their places. */
  readonly workers: readonly WorkerProcess[]
  /** Starts one in the place of one that has ended. */
  startWorkerAt(place: number): Promise<WorkerProcess>
  /** Of all lives so far, by time. */
  events(): Promise<readonly LoggedEvent[]>
  /** Every change of a limit that was seen, in order. */
  readonly limitsSeen: readonly LimitSeen[]
  plans(): Promise<readonly PlanNow[]>
  schedules(): Promise<readonly string[]>
  recordsInTopic(): Promise<number>
  /** Calls that the workers say they have counted. */
  counted(): Promise<number>
  close(): Promise<void>
}

export async function openWorld(options: WorldOptions): Promise<World> {
  const stops: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop()
  }
  try {
    return { ...(await open(options, stops)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function open({ workers: count, folder, say }: WorldOptions, stops: (() => Promise<unknown>)[]) {
  useDummyCredentials()
  const kafka = await startKafka(say, { brokers: 3 })
  stops.push(() => kafka.stop())
  const moto = await startMoto(say)
  stops.push(() => moto.stop())
  const proxy = await startProxy(moto.endpoint)
  stops.push(() => proxy.close())

  const plans: { readonly keyId: string; readonly planId: string }[] = []
  for (let client = 0; client < clients; client++)
    plans.push(await keyWithItsPlan(moto.endpoint, `client-${client}`, original))
  const fleet = makeFleet({ keys: plans.map(({ keyId }) => keyId), callsPerSecond, middleOfRun: Date.now() })
  const subscriber = await topicWithSubscriber(moto.endpoint, 'endure')
  const keyed = count > 1
  const { brokers } = kafka
  const outlet = await kafkaOutlet({ brokers, topic, partitions: 4, keyed })
  stops.push(() => outlet.close())

  await mkdir(folder, { recursive: true })
  const history = join(folder, 'week.ndjson.gz')
  await writeFleetWeek(history, Date.now(), fleet)
  const config = join(folder, 'weir.yaml')
  const settings = configOf({ brokers, keyed, endpoint: proxy.endpoint, topicArn: subscriber.topicArn })
  // JSON is YAML.
  await writeFile(config, JSON.stringify(settings, undefined, 2))

  const lives: WorkerProcess[] = []
  const workers: WorkerProcess[] = []
  async function startWorkerAt(place: number): Promise<WorkerProcess> {
    const logFile = join(folder, `worker-${place + 1}-life-${lives.length + 1}.log`)
    const worker = await startWorker({ config, history, logFile })
    stops.push(() => worker.kill())
    lives.push(worker)
    workers[place] = worker
    return worker
  }
  for (let place = 0; place < count; place++) await startWorkerAt(place)
  const events = async (): Promise<readonly LoggedEvent[]> =>
    (await Promise.all(lives.map(life => life.events()))).flat()
  const allRead = async (): Promise<boolean> =>
    (await Promise.all(lives.map(life => life.events()))).every(told =>
      told.some(({ event }) => event === 'checkpointWritten'),
    )
  await until('the workers to read', async () => (await allRead()) || undefined, 120_000)

  const gateway = new APIGatewayClient({ region, endpoint: moto.endpoint })
  const scheduler = new SchedulerClient({ region, endpoint: moto.endpoint })
  const keyOf = new Map(plans.map(({ keyId, planId }) => [planId, keyId]))
  async function plansNow(): Promise<readonly PlanNow[]> {
    const { items = [] } = await gateway.send(new GetUsagePlansCommand({ limit: 500 }))
    return items.flatMap(({ id = '', throttle }) => {
      const { rateLimit = Number.NaN, burstLimit = Number.NaN } = throttle ?? {}
      const keyId = keyOf.get(id)
      return keyId === undefined ? [] : [{ keyId, original, limits: { rateLimit, burstLimit } }]
    })
  }
  const limitsSeen: LimitSeen[] = []
  const lastSeen = new Map<string, PlanLimits>()
  stops.push(watch(plansNow, lastSeen, limitsSeen))
  const traffic = startFleetTraffic({ fleet, outlet, limitsOf: keyId => lastSeen.get(keyId) })
  stops.push(() => traffic.stop().catch(() => undefined))

  return {
    ...{ kafka, moto, proxy, traffic, fleet, subscriber, workers, startWorkerAt, events, limitsSeen, plans: plansNow },
    async schedules() {
      const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({}))
      return Schedules.map(({ Name = '' }) => Name)
    },
    recordsInTopic: () => recordsIn(brokers),
    counted: async () => countedIn(await events()),
  }
}

interface Settings {
  readonly brokers: readonly string[]
  readonly keyed: boolean
  readonly endpoint: string
  readonly topicArn: string
}

function configOf({ brokers, keyed, endpoint, topicArn }: Settings) {
  const account = '123456789012'
  const deadMansSwitch = {
    functionArn: `arn:aws:lambda:${region}:${account}:function:weir-dead-man`,
    schedulerRoleArn: `arn:aws:iam::${account}:role/weir-scheduler`,
    endpoint,
  }
  return {
    mode: 'enforce',
    source: { kind: 'kafka', brokers, topic, groupId: 'weir-endure', from: 'earliest', keyed },
    // Nothing here delivers late, so panes need not stay open for half a minute.
    time: { delivery: '3s' },
    alerts: { sns: { topicArn, region, endpoint } },
    gateway: { region, endpoint, deadMansSwitch },
    throttle: { expiresAfter: '30s', probation: '5s' },
    incident: { closesAfter: '5s' },
    server: { listen: 'off' },
    state: { directory: 'state', checkpointEvery: '2s', shared: keyed },
  }
}

/** Asks again and again, and keeps every change. Answers how to stop it. */
function watch(
  ask: () => Promise<readonly PlanNow[]>,
  last: Map<string, PlanLimits>,
  changes: LimitSeen[],
): () => Promise<void> {
  let isStopped = false
  const watching = (async () => {
    while (!isStopped) {
      // moto may be standing still, or busy: then there is nothing to be seen.
      for (const { keyId, limits } of await ask().catch(() => [])) {
        const before = last.get(keyId)
        last.set(keyId, limits)
        if (before !== undefined && !areSame(before, limits)) changes.push({ keyId, at: Date.now(), limits })
      }
      await pause(watchEveryMs)
    }
  })()
  return async () => {
    isStopped = true
    await watching
  }
}

async function recordsIn(brokers: readonly string[]): Promise<number> {
  const admin = quietClient(brokers).admin()
  await admin.connect()
  try {
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0)
  } finally {
    await admin.disconnect()
  }
}

/** As last told by any life: of the whole stream, or of each partition where workers share them. */
function countedIn(events: readonly LoggedEvent[]): number {
  const counted = new Map<unknown, { readonly time: string; readonly totalCalls: number }>()
  const told = events.filter(({ event }) => event === 'batchesRead')
  const isByPart = told.some(({ partition }) => partition !== undefined)
  for (const { partition, totalCalls, time } of told) {
    if (isByPart && partition === undefined) continue
    const before = counted.get(partition)
    if (before === undefined || String(time) >= before.time)
      counted.set(partition, { time: String(time), totalCalls: Number(totalCalls) })
  }
  return [...counted.values()].reduce((sum, { totalCalls }) => sum + totalCalls, 0)
}
