/** A worker that starts while the cluster has not noticed yet that one of its brokers is dead: as after a machine that held both. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { type KafkaServer, startKafka } from '../testing/servers/kafka.ts'
import { makeTopic, produceTo, quietClient } from '../testing/servers/kafka-topics.ts'
import { describeWith } from '../testing/servers/requirements.ts'
import { kafkaSource } from './kafka.ts'

const topic = 'begun-late'
const groupId = 'weir-start'

describeWith('kafka', 'a cluster of which a broker has just died', () => {
  let server: KafkaServer

  beforeAll(async () => {
    server = await startKafka(undefined, { brokers: 3 })
    await makeTopic(server.brokers, { topic, numPartitions: 3 })
    await produceTo(
      server.brokers,
      topic,
      [0, 1, 2].map(partition => ({ partition, value: `line ${partition}` })),
    )
  })
  afterAll(async () => {
    await server?.stop()
  })

  test.each([
    'the leader of a partition',
    'the coordinator of the group',
  ])('is read from its beginning as soon as others have taken the place of %s', async who => {
    // The group is known to the cluster, and who leads it.
    expect(await linesReadBy(`${groupId}-known`)).toHaveLength(3)
    const dead = await leaderOf(who.startsWith('the leader') ? topic : '__consumer_offsets')
    await server.kill(dead)
    try {
      expect(await linesReadBy(`${groupId}-${who.length}`)).toEqual(['line 0', 'line 1', 'line 2'])
    } finally {
      await server.revive(dead)
    }
  })

  async function linesReadBy(group: string): Promise<readonly string[]> {
    const settings = { brokers: server.brokers, topic, groupId: group, from: 'earliest', keyed: false } as const
    const source = kafkaSource(settings, { clock: systemClock() })
    const lines: string[] = []
    const enough = new AbortController()
    for await (const { records } of source.read(new Map(), enough.signal)) {
      lines.push(...records.map(({ payload }) => Buffer.from(payload).toString()))
      if (lines.length === 3) enough.abort()
    }
    await source.close()
    return lines.toSorted()
  }

  async function leaderOf(name: string): Promise<number> {
    const admin = quietClient(server.brokers).admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] })
    await admin.disconnect()
    return topics[0]?.partitions.find(({ partitionId }) => partitionId === 0)?.leader ?? 0
  }
})
