/**
 * From a record in the broker to the alert at the subscriber, while the worker is busy: `weir run` on a real Kafka, with a
 * loopback SNS. First as much load as the machine bears with producer, broker and worker together: that is the capacity.
 * Then storms of calm keys under shares of it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { Kafka, logLevel } from 'kafkajs'
import { median, quantile } from 'simple-statistics'
import { serveSns } from '../../simulation/sns.ts'
import { startKafka } from '../servers/kafka.ts'
import { calmKey, type LoadSettings, partitions, storm } from './load.ts'
import { type BenchOptions, type BenchPart, built, type Figure, weirProgram } from './part.ts'

const topicArn = 'arn:aws:sns:us-east-1:123456789012:weir-bench'
const shares = [0.1, 0.5, 0.9]

export const latencyPart: BenchPart = {
  name: 'latency',
  compares: 'from a storm’s first record in the broker to the alert at the subscriber, at shares of the capacity',
  async run({ small, say }: BenchOptions): Promise<readonly Figure[]> {
    const kafka = await startKafka()
    try {
      const capacity = await phase({
        brokers: [kafka.bootstrap],
        topic: 'capacity',
        callsPerSecond: 2_000_000,
        seconds: small ? 6 : 15,
        storms: 0,
      })
      say(`capacity: ${Math.round(capacity.callsPerSecond).toLocaleString('en')} calls/s with the producer beside it`)
      const figures: Figure[] = [
        { what: 'live, producer and broker on the same cores', value: oneOf(capacity.callsPerSecond), unit: 'calls/s' },
      ]
      for (const share of shares) {
        const storms = small ? 5 : 40
        const { delaysMs } = await phase({
          brokers: [kafka.bootstrap],
          topic: `share-${share * 100}`,
          callsPerSecond: Math.round(capacity.callsPerSecond * share),
          seconds: storm.firstAfterSeconds + storms * storm.everySeconds + 5,
          storms,
        })
        if (delaysMs.length < storms) throw new Error(`Only ${delaysMs.length} of ${storms} storms were alerted on`)
        say(`${share * 100} %: ${storms} storms`)
        figures.push({
          what: `record in the broker → alert, at ${share * 100} % of it, median`,
          value: { min: Math.min(...delaysMs), median: median(delaysMs), max: Math.max(...delaysMs) },
          unit: 'ms',
        })
        figures.push({
          what: `… 99th percentile`,
          value: oneOf(quantile(delaysMs, 0.99)),
          unit: 'ms',
          // A machine of CI may be slow: it fails on ratios, never on times.
          ...(small ? {} : { limit: { atMost: 2_000 } }),
        })
      }
      return figures
    } finally {
      await kafka.stop()
    }
  },
}

const oneOf = (value: number) => ({ min: value, median: value, max: value })

interface Phase {
  /** What the worker has counted a second, in the middle of the phase. */
  readonly callsPerSecond: number
  readonly delaysMs: readonly number[]
}

/** A worker of its own for each load: to one that knows the last load, the next would be a surge of everybody. */
async function phase(load: LoadSettings): Promise<Phase> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-bench-latency-'))
  const alerted = new Map<string, number>()
  const sns = await serveSns({
    topics: [topicArn],
    onPublished: ({ attributes }) => {
      const keyId = attributes.keyId?.value
      if (keyId !== undefined && !alerted.has(keyId)) alerted.set(keyId, Date.now())
    },
  })
  let worker: ChildProcess | undefined
  try {
    await createTopic(load)
    await writeFile(join(folder, 'week.ndjson.gz'), gzipSync(weekOf(load.storms)))
    await writeFile(join(folder, 'weir.yaml'), configOf(load, sns.endpoint))
    const log = join(folder, 'worker.log')
    worker = await startWorker(folder, log)
    const inBroker = await produce(load)
    const until = Date.now() + 10_000
    while (alerted.size < inBroker.size && Date.now() < until) await sleep(100)
    const delaysMs = [...inBroker].flatMap(([key, at]) => {
      const alertedAt = alerted.get(key)
      return alertedAt === undefined ? [] : [Math.max(0, alertedAt - at)]
    })
    worker.kill('SIGTERM')
    await once(worker, 'exit')
    return { callsPerSecond: await countedPerSecond(log), delaysMs }
  } finally {
    if (worker?.exitCode === null) worker.kill('SIGKILL')
    await sns.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function createTopic({ brokers, topic }: LoadSettings): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true })
  await admin.disconnect()
}

/** The calm keys have called once a second for a week. */
function weekOf(keys: number): string {
  const end = Math.floor(Date.now() / 300_000) * 300_000
  const rows: string[] = []
  for (let start = end - 7 * 86_400_000; start < end; start += 300_000) {
    for (let key = 0; key < Math.max(1, keys); key++)
      rows.push(`{"key":"${calmKey(key)}","start":${start},"seconds":300,"calls":300,"status2xx":300}\n`)
  }
  return rows.join('')
}

const configOf = ({ brokers, topic }: LoadSettings, endpoint: string): string => `
mode: observe
source: {kind: kafka, brokers: ['${brokers.join("','")}'], topic: ${topic}, groupId: weir-${topic}, from: earliest}
alerts: {sns: {topicArn: '${topicArn}', endpoint: '${endpoint}'}}
state: {directory: state}
`

async function startWorker(folder: string, log: string): Promise<ChildProcess> {
  const output = await open(log, 'w')
  const args = ['run', '--log', 'json', '--config', join(folder, 'weir.yaml')]
  const worker = spawn(process.execPath, [weirProgram, ...args, '--history', join(folder, 'week.ndjson.gz')], {
    stdio: ['ignore', output.fd, output.fd],
    env: { ...process.env, WEIR_LOG_LEVEL: 'debug' },
  })
  await output.close()
  for (let waited = 0; waited < 600; waited++) {
    const text = await readFile(log, 'utf8')
    if (worker.exitCode !== null) throw new Error(`weir run ended:\n${text}`)
    if (text.includes('"partitionsAssigned"') || text.includes('"partitionsChanged"')) return worker
    await sleep(100)
  }
  worker.kill('SIGKILL')
  throw new Error('weir run did not get its partitions within a minute')
}

/** When the broker had the first calls of each storm. */
async function produce(load: LoadSettings): Promise<Map<string, number>> {
  const producer = spawn(process.execPath, [built('./load-producer.js'), JSON.stringify(load)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const inBroker = new Map<string, number>()
  for await (const line of createInterface({ input: producer.stdout })) {
    const told = JSON.parse(line) as { readonly key?: string; readonly inBrokerAt?: number }
    if (told.key !== undefined && told.inBrokerAt !== undefined) inBroker.set(told.key, told.inBrokerAt)
  }
  if (producer.exitCode === null) await once(producer, 'exit')
  if (producer.exitCode !== 0) throw new Error(`the producer ended with ${producer.exitCode}`)
  return inBroker
}

/** Of the worker's own word, once a second: the first and the last few are start and end. */
async function countedPerSecond(log: string): Promise<number> {
  const rates = (await readFile(log, 'utf8'))
    .split('\n')
    .filter(line => line.includes('"batchesRead"'))
    .map(line => JSON.parse(line) as { readonly calls: number; readonly overMs: number })
    .filter(({ calls }) => calls > 1_000)
    .map(({ calls, overMs }) => (calls * 1_000) / overMs)
  return rates.length === 0 ? 0 : median(rates.slice(1, -1).length > 0 ? rates.slice(1, -1) : rates)
}
