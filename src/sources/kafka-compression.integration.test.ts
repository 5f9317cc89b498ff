/** Against a real broker, which compresses anew what it takes where a topic says so: Java's frames, not ours. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { type KafkaServer, startKafka } from '../testing/servers/kafka.ts'
import { compressions, compressionType, produceCompressed } from '../testing/servers/kafka-compression.ts'
import { makeTopic, produceTo } from '../testing/servers/kafka-topics.ts'
import { describeWith } from '../testing/servers/requirements.ts'
import { kafkaSource } from './kafka.ts'
import type { Source, SourceBatch, SourceEvent } from './source.ts'

describeWith('kafka', 'a Kafka topic of compressed batches', () => {
  let server: KafkaServer
  let topics = 0
  const opened: Source[] = []

  beforeAll(async () => {
    await produceCompressed()
    server = await startKafka()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(source => source.close()))
  })
  afterAll(async () => {
    await server?.stop()
  })

  test.each(compressions)('is read as it was written: %s, by the producer and by the broker', async compression => {
    const written = Array.from({ length: 3_000 }, (_, index) => `line ${index} ${'of a log '.repeat(index % 40)}`)
    const byProducer = await newTopic({ 'compression.type': 'producer' })
    const byBroker = await newTopic({ 'compression.type': compression === 'none' ? 'uncompressed' : compression })
    await produceTo([server.bootstrap], byProducer, records(written), compressionType[compression])
    await produceTo([server.bootstrap], byBroker, records(written))

    for (const topic of [byProducer, byBroker]) {
      const batches = await readUntil(openTopic(topic), all => linesOf(all).length >= written.length)
      expect(linesOf(batches)).toEqual(written)
      expect(faultsOf(batches)).toEqual([])
      await opened.pop()?.close()
    }
  })

  test.each([
    'gzip',
    'snappy',
    'lz4',
    'zstd',
  ] as const)('goes on behind a batch that would fill the memory, and tells of it: %s', async compression => {
    const topic = await newTopic({ 'max.message.bytes': '10000000' })
    await produceTo([server.bootstrap], topic, records(['before']))
    await produceTo(
      [server.bootstrap],
      topic,
      [{ partition: 0, value: Buffer.alloc(80_000_000, 'a') }],
      compressionType[compression],
    )
    await produceTo([server.bootstrap], topic, records(['behind']))

    const events: SourceEvent[] = []
    const batches = await readUntil(openTopic(topic, events), all => linesOf(all).includes('behind'))
    expect(linesOf(batches)).toEqual(['before', 'behind'])
    expect(faultsOf(batches)).toEqual([{ position: '2', reason: 'too-large', length: expect.any(Number) }])
    expect(passedOver(events)).toEqual([
      `${topic}/0: records 1 to 1 were passed over, their batch cannot be read: it would become more than 67108864 bytes`,
    ])
  })

  test.each(
    compressions,
  )('goes on behind a batch that the disk has damaged, and tells of it: %s', async compression => {
    const topic = await newTopic({})
    const type = compressionType[compression]
    await produceTo([server.bootstrap], topic, records(['one', 'two']), type)
    await produceTo([server.bootstrap], topic, records(['three '.repeat(99), 'four']), type)
    await produceTo([server.bootstrap], topic, records(['five']), type)
    await damageSecondBatch(topic)

    const events: SourceEvent[] = []
    const batches = await readUntil(openTopic(topic, events), all => linesOf(all).includes('five'))
    expect(linesOf(batches)).toEqual(['one', 'two', 'five'])
    expect(faultsOf(batches)).toEqual([{ position: '4', reason: 'bad-batch', length: expect.any(Number) }])
    expect(passedOver(events)).toEqual([expect.stringContaining(`${topic}/0: records 2 to 3 were passed over`)])
  })

  test('with a damaged batch at its end is read up to it, once, and on when more comes', async () => {
    const topic = await newTopic({})
    await produceTo([server.bootstrap], topic, records(['one']))
    await produceTo([server.bootstrap], topic, records(['two']))
    await damageSecondBatch(topic)
    const source = openTopic(topic)
    const reading = source.read(new Map(), new AbortController().signal)[Symbol.asyncIterator]()
    const batches: SourceBatch[] = [(await reading.next()).value, (await reading.next()).value]
    expect(linesOf(batches)).toEqual(['one'])
    expect(faultsOf(batches)).toHaveLength(1)

    await produceTo([server.bootstrap], topic, records(['three']))
    batches.push((await reading.next()).value)
    expect(linesOf(batches)).toEqual(['one', 'three'])
    expect(faultsOf(batches)).toHaveLength(1)
  })

  function openTopic(topic: string, events: SourceEvent[] = []): Source {
    const source = kafkaSource(
      { brokers: [server.bootstrap], topic, groupId: `weir-${topic}`, from: 'earliest', keyed: false },
      { clock: systemClock(), onEvent: event => events.push(event) },
    )
    opened.push(source)
    return source
  }

  async function newTopic(settings: Readonly<Record<string, string>>): Promise<string> {
    const topic = `compressed-${++topics}`
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
    await makeTopic([server.bootstrap], { topic, numPartitions: 1, configEntries })
    return topic
  }

  /** Writes over the middle of its records, in the file that the broker hands out as it is. */
  async function damageSecondBatch(topic: string): Promise<void> {
    const file = await open(join(server.dataDirectory, `${topic}-0`, '00000000000000000000.log'), 'r+')
    try {
      const { buffer } = await file.read(Buffer.alloc(1_000_000), 0, 1_000_000, 0)
      const at = 12 + buffer.readInt32BE(8)
      const length = 12 + buffer.readInt32BE(at + 8)
      // Behind the header: all ones are no length of a record, and nothing that can be inflated.
      await file.write(Buffer.alloc(length - 61, 0xff), 0, length - 61, at + 61)
    } finally {
      await file.close()
    }
  }
})

const records = (lines: readonly string[]) => lines.map(value => ({ partition: 0, value }))

const linesOf = (batches: readonly SourceBatch[]): readonly string[] =>
  batches.flatMap(({ records }) => records.map(({ payload }) => Buffer.from(payload).toString()))

const faultsOf = (batches: readonly SourceBatch[]) => batches.flatMap(({ faults = [] }) => faults)

const passedOver = (events: readonly SourceEvent[]): readonly string[] =>
  events.flatMap(({ name, detail }) => (name === 'batchPassedOver' ? [detail] : []))

async function readUntil(
  source: Source,
  isEnough: (batches: readonly SourceBatch[]) => boolean,
): Promise<readonly SourceBatch[]> {
  const batches: SourceBatch[] = []
  for await (const batch of source.read(new Map(), new AbortController().signal)) {
    batches.push(batch)
    if (isEnough(batches)) break
  }
  return batches
}
