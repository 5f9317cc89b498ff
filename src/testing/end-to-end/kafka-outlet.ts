/** Lines into a Kafka topic, spread over its partitions as a producer without a key would: one tenant is in all of them. */
import { makeTopic, quietClient } from '../servers/kafka-topics.ts'
import type { Outlet } from './traffic.ts'

export interface KafkaOutletOptions {
  readonly brokers: readonly string[]
  readonly topic: string
  /** Of a topic that is made here; one that is there already keeps its own. */
  readonly partitions: number
}

export async function kafkaOutlet({ brokers, topic, partitions }: KafkaOutletOptions): Promise<Outlet> {
  const spread = await makeTopic(brokers, { topic, numPartitions: partitions })
  // What is sent again because a broker failed before it could answer is in the log once.
  const producer = quietClient(brokers).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  let next = 0
  return {
    async send(lines) {
      const shares = Array.from({ length: spread }, (): { value: string; partition: number }[] => [])
      for (const value of lines) {
        const partition = next++ % spread
        shares[partition]?.push({ value, partition })
      }
      // One partition a send: kafkajs has lost records of a send that spans several when a broker fails.
      await Promise.all(shares.flatMap(messages => (messages.length === 0 ? [] : [producer.send({ topic, messages })])))
    },
    close: () => producer.disconnect(),
  }
}
