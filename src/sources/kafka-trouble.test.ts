import { expect, test } from 'vitest'
import { isWithoutLeader, willPass } from './kafka-trouble.ts'

test('that no broker tells who leads the group is an outage, for which kafkajs gives up and we do not', () => {
  const outage = Object.assign(new Error('Failed to find group coordinator'), {
    name: 'KafkaJSGroupCoordinatorNotFound',
  })
  expect(willPass(outage)).toBe(true)
  expect(willPass(new Error('wrapped', { cause: outage }))).toBe(true)
  expect(willPass(new Error('the disk is full'))).toBe(false)
})

test('of a cluster that answers, a broker that cannot be reached is one whose place another takes soon', () => {
  const named = (name: string, more = {}) => Object.assign(new Error('it failed'), { name, ...more })
  const refused = named('KafkaJSConnectionError', { code: 'ECONNREFUSED' })
  expect(isWithoutLeader(refused)).toBe(true)
  expect(isWithoutLeader(named('KafkaJSNumberOfRetriesExceeded', { cause: refused }))).toBe(true)
  expect(isWithoutLeader(named('KafkaJSProtocolError', { type: 'NOT_COORDINATOR_FOR_GROUP' }))).toBe(true)
  expect(isWithoutLeader(named('KafkaJSProtocolError', { type: 'TOPIC_AUTHORIZATION_FAILED' }))).toBe(false)
  expect(isWithoutLeader(named('KafkaJSSASLAuthenticationError'))).toBe(false)
})
