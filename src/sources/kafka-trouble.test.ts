import { expect, test } from 'vitest'
import { willPass } from './kafka-trouble.ts'

test('that no broker tells who leads the group is an outage, for which kafkajs gives up and we do not', () => {
  const outage = Object.assign(new Error('Failed to find group coordinator'), {
    name: 'KafkaJSGroupCoordinatorNotFound',
  })
  expect(willPass(outage)).toBe(true)
  expect(willPass(new Error('wrapped', { cause: outage }))).toBe(true)
  expect(willPass(new Error('the disk is full'))).toBe(false)
})
