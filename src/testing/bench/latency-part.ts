/**
 * From a record in the broker to the alert at the subscriber, while the worker is busy: `weir run` on a real Kafka, with a
 * loopback SNS. First as much load as the machine bears with producer, broker and worker together: that is the capacity.
 * Then storms of calm keys under shares of it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'

import { median, quantile } from 'simple-statistics'
import { serveSns } from '../../simulation/sns.ts'
import { startKafka } from '../servers/kafka.ts'
import { makeTopic } from '../servers/kafka-topics.ts'
import type { Figure } from './figure.ts'
import { calmKey, type LoadSettings, partitions, storm } from './load.ts'
import { type BenchOptions, type BenchPart, built } from './part.ts'
import { startWeir, type Tick, type WeirProcess } from './weir-process.ts'

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
  let weir: WeirProcess | undefined
  try {
    await makeTopic(load.brokers, { topic: load.topic, numPartitions: partitions })
    await writeFile(join(folder, 'week.ndjson.gz'), gzipSync(weekOf(load.storms)))
    await writeFile(join(folder, 'weir.yaml'), configOf(load, sns.endpoint))
    weir = await startWeir(folder, ['--history', join(folder, 'week.ndjson.gz')])
    const inBroker = await produce(load)
    const until = Date.now() + 10_000
    while (alerted.size < inBroker.size && Date.now() < until) await sleep(100)
    const delaysMs = [...inBroker].flatMap(([key, at]) => {
      const alertedAt = alerted.get(key)
      return alertedAt === undefined ? [] : [Math.max(0, alertedAt - at)]
    })
    return { callsPerSecond: countedPerSecond(await weir.ticks()), delaysMs }
  } finally {
    await weir?.stop()
    await sns.close()
    await rm(folder, { recursive: true, force: true })
  }
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

/** What the worker counted a second, by its own word: the first and the last seconds are start and end. */
function countedPerSecond(ticks: readonly Tick[]): number {
  const rates = ticks.filter(({ calls }) => calls > 1_000).map(({ calls, overMs }) => (calls * 1_000) / overMs)
  const inner = rates.length > 2 ? rates.slice(1, -1) : rates
  return inner.length === 0 ? 0 : median(inner)
}
