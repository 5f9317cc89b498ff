/**
 * A worker left on: `weir run` in enforce mode as a process of its own, on a real Kafka, with the strict simulated gateway and SNS on
 * loopback; a steady stream of calls, a storm every three minutes. What it needs is read every five seconds.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../clock.ts'
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../core/vocabulary.ts'
import { createGateway, type Gateway } from '../../simulation/gateway.ts'
import { serveGateway } from '../../simulation/gateway-server.ts'
import { serveSns } from '../../simulation/sns.ts'
import { useDummyCredentials } from '../end-to-end/aws-account.ts'
import { kafkaOutlet } from '../end-to-end/kafka-outlet.ts'
import { startWorker, type WorkerProcess } from '../end-to-end/worker-process.ts'
import { type Fleet, makeFleet, writeFleetWeek } from '../fleet/fleet.ts'
import { type FleetTraffic, startFleetTraffic } from '../fleet/fleet-traffic.ts'
import { startKafka } from '../servers/kafka.ts'
import { makeTopic } from '../servers/kafka-topics.ts'
import { freePorts } from '../servers/server-process.ts'
import { until } from '../until.ts'
import { createProbe, type Probe, type Sample } from './probe.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly keys: number
  readonly callsPerSecond: number
  /** For what the worker keeps and writes. */
  readonly folder: string
  readonly say: (line: string) => void
  /** Told every five minutes how it stands. */
  readonly interim: (run: SoakRun) => void
  /** Aborted: no longer than until now. */
  readonly enough: AbortSignal
}

export interface SoakRun {
  readonly beganAt: EpochMs
  readonly samples: readonly Sample[]
  /** Undefined while it goes on. */
  readonly end: SoakEnd | undefined
}

export interface SoakEnd {
  readonly storms: number
  readonly alerts: number
  /** Alerts of which a second copy came. */
  readonly alertsTwice: number
  readonly limitChanges: number
  readonly callsSent: number
  readonly callsCounted: number
  readonly linesBad: number
  readonly limitsNotRestored: readonly string[]
  readonly exitCode: number
}

const topic = 'soak'
const topicArn = 'arn:aws:sns:us-east-1:123456789012:weir-soak'
const region = 'us-east-1'
const original = { rateLimit: 200, burstLimit: 400 }
const sampleEveryMs = 5_000
const tellEvery = 60
const storm = { firstAfterMs: 60_000, everyMs: 180_000, of: { seconds: 30, callsPerSecond: 100 } }
const mostStormers = 40
const badLineShare = 1e-4
/** After the last call: open throttles expire, limits come back, one change in twenty seconds. */
const settleMs = 8 * MINUTE_MS
const throttle = { expiresAfter: '90s', probation: '30s' }

export async function soak(options: SoakOptions): Promise<SoakRun> {
  const stops: (() => Promise<unknown>)[] = []
  try {
    return await run(options, stops)
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

async function run(
  { minutes, keys, callsPerSecond, folder, say, interim, enough }: SoakOptions,
  stops: (() => Promise<unknown>)[],
): Promise<SoakRun> {
  useDummyCredentials()
  const fleet = makeFleet({ keys: keyIds(keys), callsPerSecond, middleOfRun: Date.now() + (minutes * MINUTE_MS) / 2 })
  const planOf = (keyId: string): string => `plan-${keyId}`
  const gateway = createGateway({
    clock: systemClock(),
    plans: fleet.keys.map(key => ({ id: planOf(key), limits: original, keys: [key] })),
  })
  const served = await serveGateway(gateway)
  stops.push(() => served.close())
  const alerts = new Map<string, number>()
  const sns = await serveSns({
    topics: [topicArn],
    onPublished({ message }) {
      const { deduplicationId = '' } = JSON.parse(message) as { readonly deduplicationId?: string }
      alerts.set(deduplicationId, (alerts.get(deduplicationId) ?? 0) + 1)
    },
  })
  stops.push(() => sns.close())
  const kafka = await startKafka(say)
  stops.push(() => kafka.stop())
  const brokers = [kafka.bootstrap]
  // The disk holds some minutes of it: what is kept longer is none of the worker's business.
  const configEntries = [
    { name: 'retention.ms', value: String(5 * MINUTE_MS) },
    { name: 'segment.bytes', value: String(64 << 20) },
  ]
  await makeTopic(brokers, { topic, numPartitions: 4, configEntries })
  const outlet = await kafkaOutlet({ brokers, topic, partitions: 4 })
  stops.push(() => outlet.close())

  say(`Writing a week of ${keys} clients`)
  await mkdir(folder, { recursive: true })
  const history = join(folder, 'week.ndjson.gz')
  await writeFleetWeek(history, Date.now(), fleet)
  const config = join(folder, 'weir.yaml')
  const [port = 0] = await freePorts(1)
  // JSON is YAML.
  const settings = {
    mode: 'enforce',
    source: { kind: 'kafka', brokers, topic, groupId: 'weir-soak', from: 'earliest' },
    alerts: { sns: { topicArn, region, endpoint: sns.endpoint } },
    gateway: { region, endpoint: served.endpoint },
    throttle,
    server: { listen: `127.0.0.1:${port}` },
    state: { directory: 'state' },
  }
  await writeFile(config, JSON.stringify(settings, undefined, 2))
  const worker = await startWorker({ config, history, logFile: join(folder, 'worker.log') })
  stops.push(() => worker.kill())
  await until('the worker to read', async () => (await reads(worker)) || undefined, 5 * MINUTE_MS)

  const limitsOf = (key: string) => gateway.planLimits(planOf(key))
  const traffic = startFleetTraffic({ fleet, outlet, limitsOf, badShare: badLineShare })
  stops.push(() => traffic.stop())
  const storms = stormNowAndThen(fleet, traffic)
  stops.push(async () => storms.calm())
  const probe = createProbe({ port, stateDirectory: join(folder, 'state') })
  const beganAt = Date.now()
  const endsAt = beganAt + minutes * MINUTE_MS
  const tell = (samples: readonly Sample[]): void => {
    const last = samples.at(-1)
    if (last !== undefined) say(lineOf(last, beganAt, traffic, storms))
    interim({ beganAt, samples, end: undefined })
  }
  const samples = await sampleUntil(endsAt, { probe, traffic, worker, say, tell, enough })

  storms.calm()
  say('The last limits come back')
  const lowered = (): readonly string[] => loweredPlans(gateway, fleet, planOf)
  await until('every limit to be back', () => lowered().length === 0 || undefined, settleMs).catch(() => undefined)
  await traffic.stop()
  const counted = async () => (await probe.take(0)).calls
  await until('all calls to be counted', async () => (await counted()) >= traffic.sent() || undefined, MINUTE_MS).catch(
    () => undefined,
  )
  const exitCode = await worker.stop()
  const stopped = (await worker.events()).findLast(({ event }) => event === 'workerStopped')
  const end: SoakEnd = {
    ...{ exitCode, storms: storms.begun(), alerts: alerts.size },
    alertsTwice: [...alerts.values()].filter(copies => copies > 1).length,
    limitChanges: gateway.changes().length,
    ...{ callsSent: traffic.sent(), callsCounted: Number(stopped?.totalCalls), linesBad: traffic.sentBad() },
    limitsNotRestored: lowered(),
  }
  return { beganAt, samples, end }
}

const reads = async (worker: WorkerProcess): Promise<boolean> => {
  if (worker.hasEnded()) throw new Error(`The worker ended: ${await worker.output()}`)
  return (await worker.events()).some(({ event }) => event === 'checkpointWritten')
}

const keyIds = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, key) => `k${(key * 7_919 + 1_000_003).toString(36).padStart(9, 'x')}`)

interface Storms {
  begun(): number
  /** No further one. */
  calm(): void
}

/** The clients of the middle storm one after another: each of their storms is far beyond what they do by themselves. */
function stormNowAndThen({ keys }: Fleet, traffic: FleetTraffic): Storms {
  const stormers = keys.slice(Math.floor(keys.length / 4)).slice(0, mostStormers)
  let begun = 0
  let timer = setTimeout(begin, storm.firstAfterMs)
  function begin(): void {
    traffic.storm({ keyId: stormers[begun++ % stormers.length] ?? '', ...storm.of })
    timer = setTimeout(begin, storm.everyMs)
  }
  return { begun: () => begun, calm: () => clearTimeout(timer) }
}

interface Sampling {
  readonly probe: Probe
  readonly traffic: FleetTraffic
  readonly worker: WorkerProcess
  readonly say: (line: string) => void
  readonly tell: (samples: readonly Sample[]) => void
  readonly enough: AbortSignal
}

async function sampleUntil(
  end: EpochMs,
  { probe, traffic, worker, say, tell, enough }: Sampling,
): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  let missed = 0
  for (let next = Date.now() + sampleEveryMs; next <= end && !enough.aborted; next += sampleEveryMs) {
    await pause(Math.max(0, next - Date.now()), undefined, { signal: enough }).catch(() => undefined)
    if (worker.hasEnded()) throw new Error(`The worker ended: ${(await worker.output()).slice(-2_000)}`)
    if (traffic.trouble() !== undefined) throw new Error('Calls cannot be sent any more', { cause: traffic.trouble() })
    const sample = await probe.take(traffic.sent()).catch(() => undefined)
    if (sample === undefined) missed++
    else samples.push(sample)
    if (sample !== undefined && samples.length % tellEvery === 0) tell(samples)
  }
  if (missed > 0) say(`The worker did not answer ${missed} times`)
  return samples
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

const lineOf = (sample: Sample, beganAt: EpochMs, traffic: FleetTraffic, storms: Storms): string =>
  `${((sample.at - beganAt) / HOUR_MS).toFixed(2)} h: ${megabytes(sample.rssBytes)} (heap ${megabytes(sample.heapUsedBytes)}), lag ${Math.round(sample.lagMs)} ms, state ${megabytes(sample.stateBytes)}, ${traffic.sent().toLocaleString('en')} calls, ${storms.begun()} storms`

function loweredPlans(gateway: Gateway, { keys }: Fleet, planOf: (key: string) => string): readonly string[] {
  return keys.map(planOf).filter(plan => {
    const limits = gateway.planLimits(plan)
    return limits?.rateLimit !== original.rateLimit || limits.burstLimit !== original.burstLimit
  })
}
