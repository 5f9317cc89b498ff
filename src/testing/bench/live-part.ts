/**
 * The worker with everything on against kafkajs alone, on the same topic of a real broker, in turns: what Weir costs beyond
 * fetching. By the rate, which is what a user sees, and by processor time, of which two cores give twice as much.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { startKafka } from '../servers/kafka.ts'
import { makeTopic, quietClient } from '../servers/kafka-topics.ts'
import { accessLogLines } from './access-log-lines.ts'
import type { Figure } from './figure.ts'
import { type BenchOptions, type BenchPart, built, timed } from './part.ts'
import { spreadOf } from './ratio.ts'
import { startWeir, type Tick } from './weir-process.ts'

/** The worker says once a second how far it is: it takes some seconds for that to be exact. */
const recordCount = { whole: 4_000_000, small: 300_000 }
const partitions = 4
const topic = 'access-log'

interface Measured {
  readonly callsPerSecond: number
  /** Processor time, all threads, for all records; undefined where the system does not say. */
  readonly cpuMs: number | undefined
}

export const livePart: BenchPart = {
  name: 'live',
  compares: 'weir run with everything on against a bare kafkajs consumer of the same topic',
  async run({ small, rounds, say }: BenchOptions): Promise<readonly Figure[]> {
    const records = small ? recordCount.small : recordCount.whole
    const kafka = await startKafka()
    try {
      await produce(kafka.bootstrap, records)
      say(`${records.toLocaleString('en')} records in ${partitions} partitions`)
      const measured: { readonly bare: Measured; readonly weir: Measured }[] = []
      for (let round = 1; round <= rounds; round++) {
        const bare = bareConsumer(kafka.bootstrap, records)
        const weir = await worker(kafka.bootstrap, records, round)
        measured.push({ bare, weir })
        say(`round ${round}: kafkajs ${textOf(bare)}, weir run ${textOf(weir)}`)
      }
      const cpu = measured.flatMap(({ bare, weir }) =>
        weir.cpuMs === undefined || bare.cpuMs === undefined ? [] : [weir.cpuMs / bare.cpuMs],
      )
      const figures: Figure[] = []
      // A small topic is read within a second or two, of which the worker's own word says nothing exact.
      if (!small)
        figures.push(
          {
            what: 'live from Kafka: rate of weir ÷ rate of kafkajs alone',
            value: spreadOf(measured.map(({ bare, weir }) => weir.callsPerSecond / bare.callsPerSecond)),
            unit: '×',
            limit: { atLeast: 0.9 },
          },
          {
            what: 'live from Kafka',
            value: spreadOf(measured.map(({ weir }) => weir.callsPerSecond)),
            unit: 'calls/s',
          },
        )
      if (cpu.length > 0)
        figures.push({
          what: 'live from Kafka: processor time of weir ÷ that of kafkajs alone',
          value: spreadOf(cpu),
          unit: '×',
          // Most of a small run is warming up: its limit only says that nothing has broken.
          ...(small && { limit: { atMost: 10 } }),
        })
      return figures
    } finally {
      await kafka.stop()
    }
  },
}

const textOf = ({ callsPerSecond, cpuMs = 0 }: Measured): string =>
  `${Math.round(callsPerSecond).toLocaleString('en')} records/s (${(cpuMs / 1_000).toFixed(2)} s of processor time)`

async function produce(broker: string, records: number): Promise<void> {
  await makeTopic([broker], { topic, numPartitions: partitions })
  const producer = quietClient([broker]).producer()
  await producer.connect()
  let shares: { value: string; partition: number }[][] = []
  let waiting = 0
  const flush = async (): Promise<void> => {
    // One partition a send: kafkajs has lost records of a send that spans several.
    await Promise.all(shares.map(messages => producer.send({ topic, messages, acks: 1 })))
    shares = []
    waiting = 0
  }
  let number = 0
  for (const line of accessLogLines({ lines: records, seed: 1 })) {
    const partition = number++ % partitions
    shares[partition] ??= []
    shares[partition]?.push({ value: line.trimEnd(), partition })
    if (++waiting === 8_000) await flush()
  }
  if (waiting > 0) await flush()
  await producer.disconnect()
}

interface Counted {
  readonly records: number
  readonly ms: number
  readonly cpuMs: number
}

function bareConsumer(broker: string, wanted: number): Measured {
  const { output } = timed(built('./bare-consumer.js'), [broker, topic, String(wanted)])
  const { records, ms, cpuMs } = JSON.parse(output) as Counted
  if (records === wanted) return { callsPerSecond: (records * 1_000) / ms, cpuMs }
  throw new Error(`kafkajs should have read ${wanted} records and read ${records}`)
}

async function worker(broker: string, records: number, round: number): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-bench-live-'))
  const config = `mode: observe
source: {kind: kafka, brokers: ['${broker}'], topic: ${topic}, groupId: weir-${round}, from: earliest}
state: {directory: state}
`
  await writeFile(join(folder, 'weir.yaml'), config)
  const weir = await startWeir(folder)
  try {
    const before = await weir.cpuMs()
    for (;;) {
      await sleep(20)
      const after = await weir.cpuMs()
      const ticks = await weir.ticks()
      if ((ticks.at(-1)?.totalCalls ?? 0) < records) continue
      const cpuMs = before === undefined || after === undefined ? undefined : after - before
      return { callsPerSecond: rateOf(ticks), cpuMs }
    }
  } finally {
    await weir.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Of the seconds in which it was busy from beginning to end: the first and the last were so in part. */
function rateOf(ticks: readonly Tick[]): number {
  const busy = ticks.filter(({ calls }) => calls > 0)
  const whole = busy.length > 2 ? busy.slice(1, -1) : busy
  const sum = (of: (tick: Tick) => number): number => whole.reduce((total, tick) => total + of(tick), 0)
  return (sum(({ calls }) => calls) * 1_000) / sum(({ overMs }) => overMs)
}
