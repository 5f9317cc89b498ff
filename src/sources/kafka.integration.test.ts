/** Against a real broker: what the group protocol does to a reader is nothing that a fake of ours would know. */
import { setTimeout as pause } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import { type KafkaServer, startKafka } from '../testing/servers/kafka.ts'
import { makeTopic } from '../testing/servers/kafka-topics.ts'
import { describeWith } from '../testing/servers/requirements.ts'
import { type KafkaSettings, kafkaSource } from './kafka.ts'
import type { Positions, Source, SourceBatch, SourceEvent } from './source.ts'

describeWith('kafka', 'a Kafka topic', () => {
  let server: KafkaServer
  let topics = 0
  const opened: Source[] = []

  beforeAll(async () => {
    server = await startKafka()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(source => source.close()))
  })
  afterAll(async () => {
    await server?.stop()
  })

  test('is read whole, every partition in its order, and says how far behind it is', async () => {
    const topic = await newTopic()
    await produce(topic, linesFor([0, 1, 2, 3], 250))

    const batches = await readUntil(open({ topic }), new Map(), batches => countOf(batches) === 1_000)

    for (const partition of [0, 1, 2, 3]) {
      expect(linesOf(batches, topic, partition)).toEqual(lines(partition, 0, 250))
      expect(batches.filter(batch => batch.partition === `${topic}/${partition}`).at(-1)?.lag).toEqual({ records: 0 })
    }
  })

  test('is resumed exactly at the given positions, although nothing was committed', async () => {
    const topic = await newTopic()
    await produce(topic, linesFor([0, 1, 2, 3], 100))
    const first = await readUntil(open({ topic }), new Map(), batches => countOf(batches) >= 120)
    const positions = positionsAfter(first)
    await Promise.all(opened.splice(0).map(source => source.close()))
    await produce(topic, linesFor([0, 1, 2, 3], 50, 100))

    const second = await readUntil(open({ topic }), positions, batches => countOf([...first, ...batches]) >= 600)

    for (const partition of [0, 1, 2, 3])
      expect(linesOf([...first, ...second], topic, partition)).toEqual(lines(partition, 0, 150))
  })

  test('is resumed in the middle of a fetched batch, before or after what the group has committed', async () => {
    const topic = await newTopic(1)
    await produce(topic, linesFor([0], 100))
    const source = open({ topic })
    await readUntil(source, new Map(), batches => countOf(batches) === 100)
    await source.commit(positions({ [`${topic}/0`]: '60' }))
    await source.close()

    const from = async (given: Positions) =>
      linesOf(await readUntil(open({ topic }), given, all => reached(all, 99)), topic, 0)
    expect(await from(positions({ [`${topic}/0`]: '37' }))).toEqual(lines(0, 37, 63))
    await Promise.all(opened.splice(0).map(each => each.close()))
    expect(await from(positions({ [`${topic}/0`]: '81' }))).toEqual(lines(0, 81, 19))
    await Promise.all(opened.splice(0).map(each => each.close()))
    expect(await from(new Map())).toEqual(lines(0, 60, 40))
  })

  test('with no position is read from its end, and what comes before the first record is asked for is not lost', async () => {
    const topic = await newTopic()
    await produce(topic, linesFor([0, 1, 2, 3], 10))
    const source = open({ topic, from: 'latest' })
    const reading = source.read(new Map(), new AbortController().signal)[Symbol.asyncIterator]()
    const first = reading.next()
    await eventually(() => source.partitions().length === 4)
    await produce(topic, linesFor([2], 5, 10))

    expect(linesOf([(await first).value], topic, 2)).toEqual(lines(2, 10, 5))
  })

  test('a held partition waits, the others go on, and nothing of it is lost', async () => {
    const topic = await newTopic()
    await produce(topic, linesFor([0, 1, 2, 3], 40))
    const source = open({ topic })
    source.hold?.([`${topic}/1` as PartitionId, `${topic}/3` as PartitionId])
    const reading = source.read(new Map(), new AbortController().signal)[Symbol.asyncIterator]()
    const batches: SourceBatch[] = []
    const readOn = async (lines: number) => {
      while (countOf(batches) < lines) batches.push((await reading.next()).value)
    }

    await readOn(80)
    expect(partitionsOf(batches)).toEqual([`${topic}/0`, `${topic}/2`])
    // Held while a fetch of it is already on its way to the reader.
    source.hold?.([`${topic}/3` as PartitionId])
    await readOn(120)
    expect(partitionsOf(batches)).toEqual([`${topic}/0`, `${topic}/1`, `${topic}/2`])
    source.hold?.([])
    await readOn(160)
    for (const partition of [0, 1, 2, 3]) expect(linesOf(batches, topic, partition)).toEqual(lines(partition, 0, 40))
  })

  test('a reader slower than the session timeout stays in the group, and misses and repeats nothing', async () => {
    const topic = await newTopic()
    await produce(topic, linesFor([0, 1, 2, 3], 40))
    const events: SourceEvent[] = []
    const source = open({ topic, sessionTimeoutMs: 1_000 }, events)
    const reading = source.read(new Map(), new AbortController().signal)[Symbol.asyncIterator]()
    const batches: SourceBatch[] = [(await reading.next()).value]

    // Busy for three sessions, as the broker sees it.
    const busyUntil = performance.now() + 3_000
    while (performance.now() < busyUntil) expect(await membersOf('weir-tests')).toBe(1)
    while (countOf(batches) < 160) batches.push((await reading.next()).value)

    for (const partition of [0, 1, 2, 3]) expect(linesOf(batches, topic, partition)).toEqual(lines(partition, 0, 40))
    expect(events.filter(({ name }) => name === 'partitionsAssigned')).toHaveLength(1)
  })

  test('partitions that another member takes are read on by it from the last commit, and come back', async () => {
    const topic = await newTopic(2)
    const events: SourceEvent[] = []
    const first = open({ topic }, events)
    const ours: SourceBatch[] = []
    const leave = new AbortController()
    const reading = collect(first, ours, leave.signal)
    await produce(topic, linesFor([0, 1], 30))
    await eventually(() => countOf(ours) === 60)
    await first.commit(positionsAfter(ours))

    const second = open({ topic })
    const theirs: SourceBatch[] = []
    const theirReading = collect(second, theirs, leave.signal)
    await eventually(() => first.partitions().length === 1 && second.partitions().length === 1)
    await produce(topic, linesFor([0, 1], 30, 30))
    await eventually(() => countOf([...ours, ...theirs]) === 120)
    await second.commit(positionsAfter(theirs))
    await second.close()
    await eventually(() => first.partitions().length === 2)
    await produce(topic, linesFor([0, 1], 30, 60))
    await eventually(() => countOf([...ours, ...theirs]) === 180)
    leave.abort()
    await Promise.all([reading, theirReading])

    for (const partition of [0, 1])
      expect(linesOf([...ours, ...theirs], topic, partition).sort()).toEqual(lines(partition, 0, 90).sort())
  })

  test('a partition that left and came back is not committed where we left it', async () => {
    const topic = await newTopic(2)
    const first = open({ topic })
    const ours: SourceBatch[] = []
    const leave = new AbortController()
    const reading = collect(first, ours, leave.signal)
    await produce(topic, linesFor([0, 1], 30))
    await eventually(() => countOf(ours) === 60)
    const whereWeLeft = positionsAfter(ours)
    await first.commit(whereWeLeft)

    const second = open({ topic })
    const theirs: SourceBatch[] = []
    const theirReading = collect(second, theirs, leave.signal)
    await eventually(() => first.partitions().length === 1 && second.partitions().length === 1)
    const [moved] = second.partitions()
    await produce(topic, linesFor([0, 1], 30, 30))
    await eventually(() => theirs.some(({ records }) => records.at(-1)?.position === '60'))
    await second.commit(positionsAfter(theirs))
    await second.close()
    await eventually(() => first.partitions().length === 2)
    await first.commit(whereWeLeft)

    const partition = Number(moved?.split('/')[1])
    expect(await committedOf(topic, partition)).toBe('60')
    await produce(topic, linesFor([partition], 5, 60))
    await eventually(() => ours.some(batch => batch.partition === moved && batch.records.at(-1)?.position === '65'))
    await first.commit(positionsAfter(ours))
    expect(await committedOf(topic, partition)).toBe('65')
    leave.abort()
    await Promise.all([reading, theirReading])
  })

  test('a partition that left uncommitted and came back goes on where it was counted', async () => {
    const topic = await newTopic(2)
    const first = open({ topic })
    const ours: SourceBatch[] = []
    const leave = new AbortController()
    const reading = collect(first, ours, leave.signal)
    await eventually(() => first.partitions().length === 2)
    await produce(topic, linesFor([0, 1], 30))
    await eventually(() => countOf(ours) === 60)

    const second = open({ topic })
    const theirs: SourceBatch[] = []
    const theirReading = collect(second, theirs, leave.signal)
    await eventually(() => first.partitions().length === 1 && countOf(theirs) === 30)
    await second.close()
    await eventually(() => first.partitions().length === 2)
    await produce(topic, linesFor([0, 1], 5, 30))
    await eventually(() => [0, 1].every(partition => linesOf(ours, topic, partition).at(-1)?.endsWith('line 34')))
    leave.abort()
    await Promise.all([reading, theirReading])

    for (const partition of [0, 1]) expect(linesOf(ours, topic, partition)).toEqual(lines(partition, 0, 35))
  })

  test('a partition that was another member’s from the start goes on where they committed', async () => {
    const topic = await newTopic(2)
    const leave = new AbortController()
    const [ours, theirs]: [SourceBatch[], SourceBatch[]] = [[], []]
    const first = open({ topic })
    const reading = collect(first, ours, leave.signal)
    await eventually(() => first.partitions().length === 2)
    const second = open({ topic })
    const theirReading = collect(second, theirs, leave.signal)
    await eventually(() => first.partitions().length === 1 && second.partitions().length === 1)
    await produce(topic, linesFor([0, 1], 30))
    await eventually(() => countOf(ours) === 30 && countOf(theirs) === 30)
    await first.commit(positionsAfter(ours))
    await first.close()

    await eventually(() => second.partitions().length === 2)
    await produce(topic, linesFor([0, 1], 5, 30))
    await eventually(() => [0, 1].every(partition => linesOf(theirs, topic, partition).at(-1)?.endsWith('line 34')))
    leave.abort()
    await Promise.all([reading, theirReading])

    for (const partition of [0, 1])
      expect(linesOf([...ours, ...theirs], topic, partition)).toEqual(lines(partition, 0, 35))
  })

  // Half a minute is longer than kafkajs tries by itself.
  test.each([0, 30_000])('a broker that dies and comes back after %i ms is read on where it was', async awayMs => {
    const topic = await newTopic()
    await produce(topic, linesFor([0, 1, 2, 3], 40))
    const leave = new AbortController()
    const batches: SourceBatch[] = []
    const reading = collect(open({ topic }), batches, leave.signal)
    await eventually(() => countOf(batches) === 160)

    await server.crashAndRestart({ awayMs })
    await produce(topic, linesFor([0, 1, 2, 3], 40, 40))
    await eventually(() => countOf(batches) >= 320)
    leave.abort()
    await reading

    for (const partition of [0, 1, 2, 3]) expect(linesOf(batches, topic, partition)).toEqual(lines(partition, 0, 80))
  })

  test('a worker that is stopped just when the whole cluster goes away ends, and asks for no broker any more', async () => {
    const topic = await newTopic(1)
    await produce(topic, linesFor([0], 10))
    const events: SourceEvent[] = []
    const leave = new AbortController()
    const batches: SourceBatch[] = []
    const source = open({ topic }, events)
    const reading = collect(source, batches, leave.signal)
    await eventually(() => countOf(batches) === 10)

    await server.kill(1)
    try {
      // At once: kafkajs sees that its brokers are gone while it is being stopped.
      leave.abort()
      await reading
      const stoppedAt = performance.now()
      await source.commit(positions({ [`${topic}/0`]: '10' }))
      await source.close()
      expect(performance.now() - stoppedAt).toBeLessThan(15_000)
      const told = events.length
      await pause(15_000)
      expect(events.slice(told).filter(({ name }) => name === 'readerRestarting')).toEqual([])
    } finally {
      await server.revive(1)
    }
  })

  test('a topic that is not there is told with those that are', async () => {
    const topic = await newTopic()
    const reading = open({ topic: 'acess-logs' }).read(new Map(), new AbortController().signal)

    await expect(reading[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: `There is no Kafka topic acess-logs at ${server.bootstrap}`,
      hint: expect.stringContaining(topic),
    })
  })

  test('a position beyond the end of a topic that was made anew starts at its end, and is told', async () => {
    const topic = await newTopic(1)
    await produce(topic, linesFor([0], 10))
    const events: SourceEvent[] = []
    const leave = new AbortController()
    const batches: SourceBatch[] = []
    const source = open({ topic }, events)
    const reading = collect(source, batches, leave.signal, positions({ [`${topic}/0`]: '5000' }))
    await eventually(() => source.partitions().length === 1)
    await produce(topic, linesFor([0], 5, 10))
    await eventually(() => countOf(batches) === 5)
    leave.abort()
    await reading

    expect(linesOf(batches, topic, 0)).toEqual(lines(0, 10, 5))
    expect(events.filter(({ name }) => name === 'positionMoved').map(({ detail }) => detail)).toEqual([
      `${topic}/0 holds records 0 to 10; reading goes on at 10 instead of 5000`,
    ])
  })

  function open(settings: Partial<KafkaSettings> & { topic: string }, events: SourceEvent[] = []): Source {
    const source = kafkaSource(
      { brokers: [server.bootstrap], groupId: 'weir-tests', from: 'earliest', keyed: false, ...settings },
      { clock: systemClock(), onEvent: event => events.push(event) },
    )
    opened.push(source)
    return source
  }

  function client(): Kafka {
    return new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING })
  }

  async function newTopic(numPartitions = 4): Promise<string> {
    const topic = `calls-${++topics}`
    await makeTopic([server.bootstrap], { topic, numPartitions })
    return topic
  }

  /** One partition a send: kafkajs has lost records of a send that spans several when a broker fails. */
  async function produce(topic: string, messages: readonly { partition: number; value: string }[]): Promise<void> {
    const producer = client().producer()
    await producer.connect()
    for (const partition of new Set(messages.map(message => message.partition)))
      await producer.send({ topic, messages: messages.filter(message => message.partition === partition) })
    await producer.disconnect()
  }

  async function committedOf(topic: string, partition: number): Promise<string | undefined> {
    const admin = client().admin()
    await admin.connect()
    const [ofGroup] = await admin.fetchOffsets({ groupId: 'weir-tests', topics: [topic] })
    await admin.disconnect()
    return ofGroup?.partitions.find(each => each.partition === partition)?.offset
  }

  async function membersOf(groupId: string): Promise<number | undefined> {
    const admin = client().admin()
    await admin.connect()
    const { groups } = await admin.describeGroups([groupId])
    await admin.disconnect()
    return groups[0]?.members.length
  }
})

function lines(partition: number, from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `partition ${partition} line ${from + index}`)
}

function linesFor(partitions: readonly number[], count: number, from = 0) {
  return partitions.flatMap(partition => lines(partition, from, count).map(value => ({ partition, value })))
}

function linesOf(batches: readonly SourceBatch[], topic: string, partition: number): string[] {
  return batches
    .filter(batch => batch.partition === `${topic}/${partition}`)
    .flatMap(({ records }) => records.map(({ payload }) => Buffer.from(payload).toString()))
}

function countOf(batches: readonly SourceBatch[]): number {
  return batches.reduce((sum, { records }) => sum + records.length, 0)
}

function reached(batches: readonly SourceBatch[], offset: number): boolean {
  return batches.at(-1)?.records.at(-1)?.position === String(offset + 1)
}

function partitionsOf(batches: readonly SourceBatch[]): readonly string[] {
  return [...new Set(batches.map(({ partition }) => partition as string))].sort()
}

function positions(byPartition: Readonly<Record<string, string>>): Positions {
  return new Map(Object.entries(byPartition).map(([id, position]) => [id as PartitionId, position as Position]))
}

function positionsAfter(batches: readonly SourceBatch[]): Positions {
  return new Map(batches.flatMap(({ records }) => records.map(({ partition, position }) => [partition, position])))
}

async function readUntil(
  source: Source,
  given: Positions,
  enough: (batches: readonly SourceBatch[]) => boolean,
): Promise<readonly SourceBatch[]> {
  const batches: SourceBatch[] = []
  for await (const batch of source.read(given, new AbortController().signal)) {
    batches.push(batch)
    if (enough(batches)) break
  }
  return batches
}

/** Counts what comes at once, as a worker does that nobody has to wait for. */
async function collect(source: Source, into: SourceBatch[], signal: AbortSignal, given: Positions = new Map()) {
  const counted = new Map(given)
  for await (const batch of source.read(counted, signal)) {
    into.push(batch)
    for (const { partition, position } of batch.records) counted.set(partition, position)
  }
}

async function eventually(isTrue: () => boolean): Promise<void> {
  await expect.poll(isTrue, { timeout: 60_000, interval: 20 }).toBe(true)
}
