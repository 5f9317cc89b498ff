/** Topics of a test's broker, and records in them. */
import { type Admin, type ITopicConfig, Kafka, logLevel } from 'kafkajs'
import { until } from '../until.ts'

export interface ProducedRecord {
  readonly partition: number
  readonly value: string | Buffer | null
}

/** Patient: a cluster takes ten to twenty seconds to give a dead broker's part to others, and kafkajs by itself gives up after ten. */
export const quietClient = (brokers: readonly string[]): Kafka =>
  new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries: 15, maxRetryTime: 5_000 } })

/** Makes the topic where it is not there yet; resolves, when every partition's leader knows it, with how many there are. */
export async function makeTopic(brokers: readonly string[], config: ITopicConfig): Promise<number> {
  const { topic } = config
  const admin = quietClient(brokers).admin()
  await admin.connect()
  try {
    // kafkajs's own wait fails when the broker that it asks has not heard of the topic yet, and ends before leaders lead.
    await admin.createTopics({ topics: [config], waitForLeaders: false })
    return await until(`topic ${topic} to have its leaders`, () => partitionsOf(admin, topic), 30_000)
  } finally {
    await admin.disconnect()
  }
}

async function partitionsOf(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    return (await admin.fetchTopicOffsets(topic)).length
  } catch (error) {
    if (error instanceof Error && 'retriable' in error && error.retriable === true) return undefined
    throw error
  }
}

/** One partition a send: kafkajs has lost records of a send that spans several when a broker fails. */
export async function produceTo(
  brokers: readonly string[],
  topic: string,
  records: readonly ProducedRecord[],
  compression = 0,
): Promise<void> {
  const producer = quietClient(brokers).producer()
  await producer.connect()
  try {
    for (const partition of new Set(records.map(record => record.partition))) {
      const messages = records.filter(record => record.partition === partition)
      await producer.send({ topic, compression, messages: messages.map(message => ({ ...message })) })
    }
  } finally {
    await producer.disconnect()
  }
}
