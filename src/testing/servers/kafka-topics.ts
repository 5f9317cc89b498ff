/** Topics of a test's broker, and records in them. */
import { type ITopicConfig, Kafka, logLevel } from 'kafkajs'

export interface ProducedRecord {
  readonly partition: number
  readonly value: string | Buffer | null
}

export const quietClient = (brokers: readonly string[]): Kafka =>
  new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })

export async function makeTopic(brokers: readonly string[], topic: ITopicConfig): Promise<void> {
  const admin = quietClient(brokers).admin()
  await admin.connect()
  try {
    await admin.createTopics({ topics: [topic], waitForLeaders: true })
  } finally {
    await admin.disconnect()
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
