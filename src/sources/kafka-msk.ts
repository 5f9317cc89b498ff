/**
 * Tokens for Amazon MSK's IAM listeners: a presigned request of kafka-cluster:Connect, made here without the network but
 * for the credentials. One is good for 900 s, and the broker ends the connection with it unless a new one has come
 * (https://github.com/aws/aws-msk-iam-sasl-signer-js).
 */
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import { MINUTE_MS } from '../core/vocabulary.ts'
import { messageOf } from './kafka-trouble.ts'

export interface SignedToken {
  readonly token: string
  /** Epoch ms. */
  readonly expiryTime: number
}

export interface MskSettings {
  /** Without it the one in the brokers' host names. */
  readonly region?: string | undefined
  readonly roleArn?: string | undefined
  readonly brokers: readonly string[]
}

/** A token that has less than this to go is not handed out again: the connection would soon ask for the next. */
const leastLifeMs = 10 * MINUTE_MS

/** Throws CONFIG_INVALID when no region can be told. The library, and the AWS SDK in it, is loaded with the first token. */
export function mskTokens({ region, roleArn, brokers }: MskSettings, clock: Clock): () => Promise<string> {
  const where = region ?? regionOf(brokers)
  if (where === undefined)
    throw new StreamError('CONFIG_INVALID', `The brokers’ names tell no AWS region: ${brokers.join(', ')}`, {
      retry: 'never',
      hint: 'Set source.sasl.region',
    })
  return reusedTokens(async () => {
    const { generateAuthToken, generateAuthTokenFromRole } = await import('aws-msk-iam-sasl-signer-js')
    return roleArn === undefined
      ? generateAuthToken({ region: where })
      : generateAuthTokenFromRole({ region: where, awsRoleArn: roleArn, awsRoleSessionName: 'weir' })
  }, clock)
}

/** Several connections are opened at once, and a role is assumed over the network: one token serves them all. */
export function reusedTokens(sign: () => Promise<SignedToken>, clock: Clock): () => Promise<string> {
  let current: SignedToken | undefined
  let signing: Promise<SignedToken> | undefined
  return async () => {
    if (current !== undefined && current.expiryTime - clock.now() >= leastLifeMs) return current.token
    signing ??= sign().finally(() => {
      signing = undefined
    })
    try {
      current = await signing
    } catch (cause) {
      throw new StreamError('SOURCE_UNREADABLE', `Could not sign in to MSK: ${messageOf(cause)}`, {
        retry: 'later',
        hint: 'AWS credentials are needed here (environment, profile or role), and source.sasl.roleArn must allow to be assumed',
        cause,
      })
    }
    return current.token
  }
}

/** `b-1.name.abc123.c2.kafka.eu-west-1.amazonaws.com:9098` */
function regionOf(brokers: readonly string[]): string | undefined {
  const regions = brokers.map(
    broker => /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?::|$)/.exec(broker)?.[1],
  )
  return regions.find(region => region !== undefined)
}
