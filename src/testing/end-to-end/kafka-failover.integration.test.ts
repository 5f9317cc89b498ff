/** Three brokers, of which one is killed in the middle of the storm: what a company's cluster does when a machine dies. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type KafkaServer, startKafka } from '../servers/kafka.ts'
import { quietClient } from '../servers/kafka-topics.ts'
import { describeWith } from '../servers/requirements.ts'
import { expectWholeStory } from './expect-story.ts'
import { kafkaOutlet } from './kafka-outlet.ts'
import { playStorm, type StoryTold } from './storm-story.ts'
import { weirOnMoto } from './weir-on-moto.ts'

const longest = 240_000
/** Generous: the cluster itself waits nine seconds before it gives a dead broker's partitions to others. */
const standstillMs = 60_000

describeWith(['kafka', 'moto', 'shared-data'], 'a storm in a topic of three brokers', () => {
  const moto = weirOnMoto()
  let kafka: KafkaServer

  beforeEach(async () => {
    kafka = await startKafka(undefined, { brokers: 3 })
  })
  afterEach(async () => {
    await kafka?.stop()
  })

  test(
    'is told once and counted whole, although the leader of a partition is killed',
    async () => {
      await playWithout('leader', topic => leaderOf(topic))
    },
    longest,
  )

  test(
    'is told once and counted whole, although the coordinator of the group is killed',
    async () => {
      await playWithout('coordinator', () => leaderOf('__consumer_offsets'))
    },
    longest,
  )

  async function playWithout(topic: string, findBroker: (topic: string) => Promise<number>): Promise<void> {
    const { brokers } = kafka
    const outlet = await kafkaOutlet({ brokers, topic, partitions: 4 })
    const source = { kind: 'kafka', brokers, topic, groupId: `weir-${topic}`, from: 'earliest' }
    let killedAt = 0
    const told = await playStorm({
      ...{ name: topic, endpoint: moto.endpoint, source, outlet },
      async disturb() {
        const broker = await findBroker(topic)
        killedAt = Date.now()
        await kafka.kill(broker)
      },
    })

    const stoodStillMs = longestSilence(told, killedAt)
    console.info(`Reading stood still for ${stoodStillMs} ms after the ${topic} was killed`)
    expectWholeStory(told)
    // Whatever was acknowledged is in the log, and whatever is in the log was counted, once.
    expect(await recordsIn(topic)).toBe(told.callsCounted)
    expect(stoodStillMs).toBeLessThan(standstillMs)
  }

  async function leaderOf(topic: string): Promise<number> {
    const admin = quietClient(kafka.brokers).admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    await admin.disconnect()
    return topics[0]?.partitions.find(({ partitionId }) => partitionId === 0)?.leader ?? 0
  }

  async function recordsIn(topic: string): Promise<number> {
    const admin = quietClient(kafka.brokers).admin()
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets(topic)
    await admin.disconnect()
    return offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0)
  }
})

/** Between two seconds in which something was read, from the one before `from` on. */
function longestSilence({ events }: StoryTold, from: number): number {
  const readAt = events.flatMap(({ event, time, records }) =>
    event === 'batchesRead' && Number(records) > 0 ? [Number(new Date(String(time)))] : [],
  )
  const gaps = readAt.map((at, index) => at - (readAt[index - 1] ?? at))
  return Math.max(...gaps.filter((_, index) => (readAt[index] ?? 0) > from))
}
