/** Lines into a Kafka topic: spread over its partitions as a producer without a key would, or each key's in one of them. */
import { crc32 } from 'node:zlib'
import { makeTopic, quietClient } from '../servers/kafka-topics.ts'
import type { Outlet } from './traffic.ts'

export interface KafkaOutletOptions {
  readonly brokers: readonly string[]
  readonly topic: string
  /** Of a topic that is made here; one that is there already keeps its own. */
  readonly partitions: number
  /** Every call of a key is in the same partition. */
  readonly keyed?: boolean
}

export async function kafkaOutlet({ brokers, topic, partitions, keyed = false }: KafkaOutletOptions): Promise<Outlet> {
  const spread = await makeTopic(brokers, { topic, numPartitions: partitions })
  // What is sent again because a broker failed before it could answer is in the log once.
  const producer = quietClient(brokers).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  let next = 0
  return {
    async send(lines) {
      const shares = Array.from({ length: spread }, (): { value: string; partition: number }[] => [])
      for (const value of lines) {
        const partition = keyed ? partitionOf(value, spread) : next++ % spread
        shares[partition]?.push({ value, partition })
      }
      // One partition a send: kafkajs has lost records of a send that spans several when a broker fails.
      await Promise.all(shares.flatMap(messages => (messages.length === 0 ? [] : [producer.send({ topic, messages })])))
    },
    close: () => producer.disconnect(),
  }
}

/** As a producer would that is given the key's id: by a hash of it. */
export function partitionOf(line: string, partitions: number): number {
  const { apiKeyId } = JSON.parse(line) as { readonly apiKeyId: string }
  return crc32(apiKeyId) % partitions
}
