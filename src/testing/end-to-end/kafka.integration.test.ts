/** A real broker between the gateway's log and the worker: what a user of Kafka sees, with every part a process of its own. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KafkaServer, startKafka } from '../servers/kafka.ts'
import { describeWith } from '../servers/requirements.ts'
import { expectWholeStory } from './expect-story.ts'
import { kafkaOutlet } from './kafka-outlet.ts'
import { playStorm, type StoryOptions, type StoryTold } from './storm-story.ts'
import { weirOnMoto } from './weir-on-moto.ts'

const longest = 180_000

describeWith(['kafka', 'moto', 'shared-data'], 'a storm in a Kafka topic of four partitions', () => {
  const moto = weirOnMoto()
  let kafka: KafkaServer

  beforeAll(async () => {
    kafka = await startKafka()
  })
  afterAll(async () => {
    await kafka?.stop()
  })

  // Together, because each of them mostly waits: for a throttle to expire, for the gateway's one change in 20 s.
  test.concurrent(
    'is alerted on within seconds, throttled, and given its limit back',
    async () => expectWholeStory(await play('storm')),
    longest,
  )

  test.concurrent(
    'is told once, although the worker is stopped in the middle of the incident and started again',
    async () => {
      const told = await play('stopped', {
        interrupt: async worker => expect(await worker.stop()).toBe(0),
      })
      expectWholeStory(told)
    },
    longest,
  )

  test.concurrent(
    'is told once, although the worker is killed in the middle of the incident and started again',
    async () => expectWholeStory(await play('killed', { interrupt: worker => worker.kill() })),
    longest,
  )

  async function play(topic: string, how: Pick<StoryOptions, 'interrupt' | 'interruptAt'> = {}): Promise<StoryTold> {
    const brokers = [kafka.bootstrap]
    const outlet = await kafkaOutlet({ brokers, topic, partitions: 4 })
    const source = { kind: 'kafka', brokers, topic, groupId: `weir-${topic}`, from: 'earliest' }
    return playStorm({ name: topic, endpoint: moto.endpoint, source, outlet, ...how })
  }
})
