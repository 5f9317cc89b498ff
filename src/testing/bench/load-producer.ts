/**
 * Load for a worker on Kafka, a process of its own: so many calls a second in records of a hundred lines (a single kafkajs
 * producer sends 50,000 records a second, which is no load), and now and then a storm of a key that is known to be calm.
 * Prints a line for each storm when the broker has its first calls: `{"key": …, "inBrokerAt": epoch ms}`, and at the end
 * how many calls the broker has taken.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { calmKey, type LoadSettings, lineOf, loadKey, partitions, storm } from './load.ts'

const linesInRecord = 100
const tickMs = 50
/** The broker takes a megabyte at once. */
const recordsInSend = 20
/** On their way at once: memory is no queue. */
const mostSends = 2 * partitions

const [text] = process.argv.slice(2)
if (text === undefined) throw new Error('usage: load-producer SETTINGS')
await produce(JSON.parse(text) as LoadSettings)

async function produce({ brokers, topic, callsPerSecond, seconds, storms }: LoadSettings): Promise<void> {
  const kafka = new Kafka({ clientId: 'weir-bench-load', brokers: [...brokers], logLevel: logLevel.NOTHING })
  const producer = kafka.producer()
  await producer.connect()
  const records = createRecords()
  const from = Date.now()
  let sent = 0
  let partition = 0
  const sending = new Set<Promise<unknown>>()
  const send = (values: readonly Buffer[]): Promise<unknown> => {
    partition = (partition + 1) % partitions
    const messages = values.map(value => ({ value, partition }))
    const task = producer.send({ topic, messages, acks: 1 })
    sending.add(task)
    return task.finally(() => sending.delete(task))
  }

  let before = from - tickMs
  for (let now = from; now < from + seconds * 1_000; now = Date.now()) {
    const due = Math.floor(((now - from + tickMs) / 1_000) * callsPerSecond)
    // What the broker does not take in time is not sent later: a load that is too high shows as a lower rate.
    const count = Math.min(due - sent, Math.ceil((callsPerSecond * tickMs * 3) / 1_000))
    if (callsPerSecond > 0) {
      for (let made = 0; made < count; ) {
        const values: Buffer[] = []
        for (; made < count && values.length < recordsInSend; made += linesInRecord) values.push(records.next(now))
        void send(values)
        while (sending.size > mostSends) await Promise.race(sending)
      }
      sent = due
    }
    sendCalm(before - from, now - from, now)
    before = now
    await sleep(Math.max(0, now + tickMs - Date.now()))
  }
  await Promise.all(sending)
  await producer.disconnect()
  console.log(JSON.stringify({ calls: records.made() }))

  /** What the calm keys call in a stretch of time: once a second each; one that storms, at its storm's rate, and it fails. */
  function sendCalm(fromMs: number, toMs: number, now: number): void {
    const lines: string[] = []
    const passed = (everyMs: number, offsetMs: number): number =>
      Math.floor((toMs - offsetMs) / everyMs) - Math.floor((fromMs - offsetMs) / everyMs)
    for (let key = 0; key < storms; key++) {
      const line = (status: number) => lineOf({ keyId: calmKey(key), at: now, status })
      for (let calls = passed(1_000, key * 37); calls > 0; calls--) lines.push(line(200))
      const beginsMs = (storm.firstAfterSeconds + key * storm.everySeconds) * 1_000
      if (toMs < beginsMs || fromMs >= beginsMs + storm.seconds * 1_000) continue
      const calls = Math.max(1, passed(1_000 / storm.callsPerSecond, 0))
      const sentStorm = send([Buffer.from(Array.from({ length: calls }, () => line(503)).join('\n'))])
      if (fromMs < beginsMs)
        void sentStorm.then(() => console.log(JSON.stringify({ key: calmKey(key), inBrokerAt: Date.now() })))
    }
    if (lines.length > 0) void send([Buffer.from(lines.join('\n'))])
  }
}

/** Records of a hundred lines that were written once; only the time of each line is put in, since it is always as long. */
function createRecords() {
  const epoch = '1700000000000'
  const templates = Array.from({ length: 20 }, (_, template) => {
    const lines = Array.from({ length: linesInRecord }, (_, line) =>
      lineOf({ keyId: loadKey(template * linesInRecord + line), at: Number(epoch), status: 200 }),
    )
    const bytes = Buffer.from(lines.join('\n'))
    const places: number[] = []
    for (let at = bytes.indexOf(epoch); at >= 0; at = bytes.indexOf(epoch, at + 1)) places.push(at)
    return { bytes, places }
  })
  let made = 0
  return {
    made: () => made * linesInRecord,
    next(now: number): Buffer {
      const template = templates[made++ % templates.length]
      if (template === undefined) throw new Error('there are templates')
      const record = Buffer.from(template.bytes)
      for (const place of template.places) record.write(String(now), place, 'latin1')
      return record
    },
  }
}
