/** What happens to a topic while it is read: retention, new partitions, and the topic itself deleted and made anew. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import type { PartitionId } from '../core/vocabulary.ts'
import { type KafkaServer, startKafka } from '../testing/servers/kafka.ts'
import { makeTopic, produceTo, quietClient } from '../testing/servers/kafka-topics.ts'
import { describeWith } from '../testing/servers/requirements.ts'
import { kafkaSource } from './kafka.ts'
import type { Positions, Source, SourceBatch, SourceEvent } from './source.ts'

describeWith('kafka', 'a Kafka topic that changes while it is read', () => {
  let server: KafkaServer
  let topics = 0
  const opened: { readonly source: Source; readonly stop: AbortController; readonly reading: Promise<void> }[] = []

  beforeAll(async () => {
    server = await startKafka()
  })
  afterEach(async () => {
    for (const { source, stop, reading } of opened.splice(0)) {
      stop.abort()
      await reading.catch(() => {})
      await source.close()
    }
  })
  afterAll(async () => {
    await server?.stop()
  })

  test('has partitions added, whose records are all read', async () => {
    const topic = await newTopic(1)
    const { batches, source } = read(topic)
    await produce(topic, 0, ['one'])
    await eventually(() => linesOf(batches).length === 1)

    await withAdmin(admin => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }))
    await produce(topic, 2, ['two', 'three'])
    await produce(topic, 0, ['four'])
    await eventually(() => linesOf(batches).length === 4)
    expect(source.partitions()).toEqual([`${topic}/0`, `${topic}/1`, `${topic}/2`])
    expect(linesOf(batches).toSorted()).toEqual(['four', 'one', 'three', 'two'])
  })

  test('loses what was not read yet to retention: reading goes on at what is left, and it is told', async () => {
    const topic = await newTopic(1)
    const { batches, source, events } = read(topic)
    await produce(topic, 0, ['one', 'two'])
    await eventually(() => linesOf(batches).length === 2)

    source.hold?.([`${topic}/0` as PartitionId])
    for (const line of ['three', 'four', 'five']) await produce(topic, 0, [line])
    await withAdmin(async admin => {
      // kafkajs finds the partition's leader among what it has looked up before.
      await admin.fetchTopicOffsets(topic)
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
    })
    source.hold?.([])
    await eventually(() => linesOf(batches).includes('five'))

    expect(linesOf(batches)).toEqual(['one', 'two', 'five'])
    expect(moved(events)).toEqual([`${topic}/0 holds records 4 to 5; reading goes on at 4 instead of 2`])
  })

  test('is deleted and made anew: what it holds then is read, whatever it is that was read before', async () => {
    const topic = await newTopic(2)
    const { batches, events } = read(topic)
    await produce(topic, 0, ['one', 'two', 'three', 'four'])
    await produce(topic, 1, ['five'])
    await eventually(() => linesOf(batches).length === 5)

    await withAdmin(admin => admin.deleteTopics({ topics: [topic] }))
    await eventually(() => moved(events).length === 1)
    await makeTopic([server.bootstrap], { topic, numPartitions: 2 })
    await produce(topic, 0, ['six', 'seven'])
    await produce(topic, 1, ['eight', 'nine', 'ten'])
    await eventually(() => linesOf(batches).length === 10)
    expect(linesOf(batches).slice(5).toSorted()).toEqual(['eight', 'nine', 'seven', 'six', 'ten'])
    expect(moved(events)).toEqual([`Topic ${topic} was deleted; when it is there again it is read from its beginning`])
  })

  function read(topic: string, given: Positions = new Map()) {
    const events: SourceEvent[] = []
    const batches: SourceBatch[] = []
    const source = kafkaSource(
      { brokers: [server.bootstrap], topic, groupId: `weir-${topic}`, from: 'earliest', keyed: false },
      { clock: systemClock(), onEvent: event => events.push(event) },
    )
    const stop = new AbortController()
    const reading = (async () => {
      for await (const batch of source.read(given, stop.signal)) batches.push(batch)
    })()
    reading.catch(error => events.push({ level: 'warn', name: 'clientLogged', detail: `ENDED: ${error}` }))
    opened.push({ source, stop, reading })
    return { source, batches, events }
  }

  async function newTopic(numPartitions: number): Promise<string> {
    const topic = `changing-${++topics}`
    await makeTopic([server.bootstrap], { topic, numPartitions })
    return topic
  }

  const produce = (topic: string, partition: number, lines: readonly string[]) =>
    produceTo(
      [server.bootstrap],
      topic,
      lines.map(value => ({ partition, value })),
    )

  async function withAdmin<Answer>(
    work: (admin: ReturnType<ReturnType<typeof quietClient>['admin']>) => Promise<Answer>,
  ): Promise<Answer> {
    const admin = quietClient([server.bootstrap]).admin()
    await admin.connect()
    try {
      return await work(admin)
    } finally {
      await admin.disconnect()
    }
  }
})

const linesOf = (batches: readonly SourceBatch[]): readonly string[] =>
  batches.flatMap(({ records }) => records.map(({ payload }) => Buffer.from(payload).toString()))

const moved = (events: readonly SourceEvent[]): readonly string[] =>
  events.flatMap(({ name, detail }) => (name === 'positionMoved' ? [detail] : []))

async function eventually(isTrue: () => boolean): Promise<void> {
  await expect.poll(isTrue, { timeout: 40_000, interval: 20 }).toBe(true)
}
