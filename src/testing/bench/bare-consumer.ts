/**
 * The yardstick for a live worker: kafkajs alone, `eachBatch`, counting records and their bytes. Fetches as large as ours. The
 * clock starts at the first batch handed over, so that joining the group counts for nobody.
 */
import { Kafka, logLevel } from 'kafkajs'

const [broker, topic, wanted] = process.argv.slice(2)
if (broker === undefined || topic === undefined) throw new Error('usage: bare-consumer BROKER TOPIC RECORDS')

const consumer = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).consumer({
  groupId: `bare-${process.pid}`,
  maxBytes: 16 * 1024 * 1024,
  maxBytesPerPartition: 4 * 1024 * 1024,
  maxWaitTimeInMs: 250,
})
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
let records = 0
let bytes = 0
let from: { readonly at: number; readonly cpu: NodeJS.CpuUsage } | undefined
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    from ??= { at: performance.now(), cpu: process.cpuUsage() }
    records += batch.messages.length
    for (const { value } of batch.messages) bytes += value?.length ?? 0
    if (records < Number(wanted)) return
    const { user, system } = process.cpuUsage(from.cpu)
    console.log(JSON.stringify({ records, bytes, ms: performance.now() - from.at, cpuMs: (user + system) / 1_000 }))
    process.exit()
  },
})
