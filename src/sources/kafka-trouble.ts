/** What kafkajs fails with, in words of who must mend it: by Kafka's error codes and kafkajs' names, not by its texts. */
import { type ErrorCode, StreamError } from '../core/errors.ts'
import { type KafkaSecurity, mechanismName } from './kafka-security.ts'

export interface Reading {
  readonly topic: string
  readonly groupId: string
  readonly where: string
  readonly security: KafkaSecurity
}

/** `code`: SOURCE_UNREADABLE before anything was read, SOURCE_LOST after. A StreamError is handed on as it is. */
export function troubleOf(error: unknown, code: ErrorCode & `SOURCE_${string}`, reading: Reading): StreamError {
  const chain = causes(error)
  const told = chain.find(each => each instanceof StreamError)
  if (told instanceof StreamError) return told
  const { what, retry, hint } = explain(chain, code, reading)
  const begun = code === 'SOURCE_LOST' ? 'Reading Kafka topic' : 'Could not read Kafka topic'
  const sentence = `${begun} ${reading.where}${code === 'SOURCE_LOST' ? ' ended' : ''}: ${what ?? messageOf(error)}`
  return new StreamError(code, sentence, { retry, hint, cause: error })
}

/**
 * While a partition's or group's leader moves: by Kafka's error codes, as kafkajs names them; and before the others have noticed that
 * it is gone, by the connection to it that fails. For calls to a cluster of which some broker has just answered.
 */
export const isWithoutLeader = (error: unknown): boolean =>
  causes(error).some(
    cause =>
      cause instanceof Error && (withoutLeader.has(cause.name) || ('type' in cause && withoutLeader.has(cause.type))),
  )

const withoutLeader: ReadonlySet<unknown> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSGroupCoordinatorNotFound',
])

interface Explained {
  readonly what?: string
  readonly retry: 'never' | 'later'
  readonly hint: string
}

function explain(chain: readonly unknown[], code: ErrorCode, { topic, groupId, security }: Reading): Explained {
  const is = (...names: readonly string[]) => chain.some(each => names.some(name => isNamed(each, name)))
  // Ours has no library; kafkajs itself, which still reads from brokers before Kafka 2.3, knows gzip alone.
  if (is('CodecMissing', 'KafkaJSNotImplemented'))
    return {
      retry: 'never',
      hint: 'Install again with `npm ci`, or set compression.type=gzip at the topic (before Kafka 2.3 only gzip can be read)',
    }
  if (is('KafkaJSSASLAuthenticationError', 'SASL_AUTHENTICATION_FAILED')) return refusedUser(security)
  if (is('TOPIC_AUTHORIZATION_FAILED'))
    return { what: 'this user may not read it', retry: 'never', hint: `Allow READ and DESCRIBE on topic ${topic}` }
  if (is('GROUP_AUTHORIZATION_FAILED'))
    return {
      what: `this user may not be a member of group ${groupId}`,
      retry: 'never',
      hint: `Allow READ on group ${groupId}, or set source.groupId`,
    }
  if (code === 'SOURCE_LOST')
    return {
      retry: 'later',
      hint: `Check that the broker is well and that group ${groupId} may read ${topic}, then start again`,
    }
  return { retry: 'later', hint: 'Check source.brokers, and that a broker is reachable from here' }
}

function refusedUser({ sasl }: KafkaSecurity): Explained {
  if (sasl === undefined || sasl.mechanism === 'oauthbearer')
    return {
      what: 'the broker refused our token',
      retry: 'never',
      hint: 'Check that the role may kafka-cluster:Connect, and source.sasl.region',
    }
  return {
    what: `the broker refused user ${sasl.username} (${mechanismName(sasl)})`,
    retry: 'never',
    hint: 'Check source.sasl.username, and the password that source.sasl.password names',
  }
}

/**
 * What kafkajs ends its consumer for, and passes: that no broker at all answers when it looks for the group's coordinator is an
 * outage of the cluster, like any other.
 */
export const willPass = (error: unknown): boolean =>
  causes(error).some(cause => isNamed(cause, 'KafkaJSGroupCoordinatorNotFound'))

const isNamed = (error: unknown, name: string): boolean =>
  error instanceof Error && (error.name === name || ('type' in error && error.type === name))

/** The error, its cause, and so on; kafkajs wraps what it has retried. */
function causes(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  for (let at = error; at !== undefined && chain.length < 10; at = at instanceof Error ? at.cause : undefined)
    chain.push(at)
  return chain
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
