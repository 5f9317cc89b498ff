/** Two workers of one group, whose partitions' state is in a directory that they share: one dies, the other goes on from there. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KafkaServer, startKafka } from '../servers/kafka.ts'
import { describeWith } from '../servers/requirements.ts'
import { kafkaOutlet } from './kafka-outlet.ts'
import { playStorm, type StoryOptions, type StoryTold } from './storm-story.ts'
import { weirOnMoto } from './weir-on-moto.ts'

const longest = 240_000

describeWith(['kafka', 'moto', 'shared-data'], 'two workers that share a keyed topic and its state', () => {
  const moto = weirOnMoto()
  let kafka: KafkaServer

  beforeAll(async () => {
    kafka = await startKafka()
  })
  afterAll(async () => {
    await kafka?.stop()
  })

  test(
    'the one that throttled a client is killed: the other gives the limit back, and nothing is told twice',
    async () => expectOneStory(await play('shared-killed', { interrupt: worker => worker.kill() })),
    longest,
  )

  test(
    'the one that throttled a client is stopped: its partitions move with what is known of their keys',
    async () =>
      expectOneStory(await play('shared-stopped', { interrupt: async worker => expect(await worker.stop()).toBe(0) })),
    longest,
  )

  test(
    'the one that throttled a client stands still for longer than the group waits: when it goes on it changes nothing',
    async () => {
      const told = await play('shared-frozen', { interrupt: worker => worker.freeze(25_000) })
      expectOneStory(told)
      // The other had begun to watch its partitions meanwhile, and where they had come to was known.
      expect(told.events.filter(({ event, resumedFrom }) => event === 'workerStarted' && resumedFrom)).not.toEqual([])
    },
    longest,
  )

  async function play(topic: string, how: Pick<StoryOptions, 'interrupt'>): Promise<StoryTold> {
    const brokers = [kafka.bootstrap]
    const outlet = await kafkaOutlet({ brokers, topic, partitions: 4, keyed: true })
    const source = { kind: 'kafka', brokers, topic, groupId: `weir-${topic}`, from: 'earliest', keyed: true }
    return playStorm({ name: topic, endpoint: moto.endpoint, source, outlet, workers: 2, ...how })
  }
})

function expectOneStory({
  keyId,
  alerts,
  limitsSeen,
  original,
  callsSent,
  callsCounted,
  exitCode,
  ...told
}: StoryTold) {
  console.info(
    `Alert ${told.msToAlert} ms after the storm's first call; limits ${limitsSeen.map(({ rateLimit }) => rateLimit).join(' → ')}`,
  )
  expect(exitCode).toBe(0)
  expect(callsCounted).toBe(callsSent)
  const ofIt = alerts.filter(({ body }) => body.keyId === keyId)
  expect(ofIt.map(({ body }) => `${body.deduplicationId} ${body.phase}: ${body.action.kind}`)).toEqual([
    `${keyId}#1/alert-1 open: throttle`,
    `${keyId}#1/alert-2 recovering: restore`,
    `${keyId}#1/alert-3 closed: restored`,
  ])
  const [before, lowered, half, after] = limitsSeen
  expect(limitsSeen).toHaveLength(4)
  expect([before, after]).toEqual([original, original])
  expect(lowered?.rateLimit).toBeLessThan(half?.rateLimit ?? 0)
  expect(told.neighbourLimits).toEqual(original)
}
