/**
 * The table that an API's Lambda authorizer reads (`src/authorizer/`), in DynamoDB: a row says that a key is to be answered with a
 * penalty key until `expiresAt`. Every write is conditional, so that none is lost and nobody's is overwritten; and a limit is given
 * back by ending the row now, not by deleting it: what is left tells a worker that was thought dead that it is too late.
 *
 *   keyId (partition key) · penaltyKeyId · rateLimit · burstLimit · incidentId · expiresAt (epoch s, the TTL attribute) · version · fence
 */
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { type AwsClientSettings, awsClientOptions, credentialsHint, isPassing, statusOf } from '../../aws-client.ts'
import type { PlanLimits } from '../../core/incident/effect.ts'
import { DAY_MS, type EpochMs, SECOND_MS } from '../../core/vocabulary.ts'

/** A key of the API in a plan of lower limits, which the authorizer answers with instead of the tenant's own. */
export interface PenaltyKey extends PlanLimits {
  /** Its id, never its value. */
  readonly id: string
}

export interface AuthorizerTable {
  readonly rows: AuthorizerRows
  /** One for each tenant that may be lowered at once: who shares one shares its limit. */
  readonly penaltyKeys: readonly PenaltyKey[]
  /** So long after the throttle's end a row ends by itself: it stays for the probation that Weir begins then. */
  readonly beyondMs: number
}

export interface Row {
  readonly row: string
  readonly penaltyKey: PenaltyKey
  readonly incidentId: string
  readonly expiresAt: EpochMs
  readonly version: string
  /** Grows with each decision: what is older than the row comes too late. */
  readonly fence: number
}

export type Written =
  | { readonly kind: 'ok' }
  /** The row is another's; `hasEnded` where it is in force no longer. */
  | { readonly kind: 'others'; readonly hasEnded: boolean }
  | { readonly kind: 'passing' | 'unknown' | 'refused'; readonly because: string }

export interface AuthorizerRows {
  /** In place of nothing, of what has ended, or of what we wrote (`ours`). */
  put(row: Row, ours: readonly string[], now: EpochMs, signal: AbortSignal): Promise<Written>
  /** What we wrote, and has not ended, ends later. */
  prolong(
    row: Pick<Row, 'row' | 'expiresAt'>,
    ours: readonly string[],
    now: EpochMs,
    signal: AbortSignal,
  ): Promise<Written>
  /** Ends what we wrote, from now on. */
  end(
    row: Omit<Row, 'penaltyKey' | 'incidentId' | 'expiresAt'>,
    ours: readonly string[],
    now: EpochMs,
    signal: AbortSignal,
  ): Promise<Written>
}

export interface AuthorizerRowsOptions extends AwsClientSettings {
  readonly table: string
  readonly timeoutMs?: number
  /** One of its own, unless it is given. */
  readonly client?: Pick<DynamoDBClient, 'send'>
}

export function authorizerRows({
  table,
  timeoutMs = 5 * SECOND_MS,
  client: given,
  ...settings
}: AuthorizerRowsOptions): AuthorizerRows {
  const client = given ?? new DynamoDBClient(awsClientOptions(settings, { answerWithinMs: timeoutMs }))

  async function write(send: () => Promise<unknown>, now: EpochMs, signal: AbortSignal): Promise<Written> {
    try {
      await send()
      return { kind: 'ok' }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof ConditionalCheckFailedException) {
        const ends = Number(error.Item?.expiresAt?.N ?? 0)
        return { kind: 'others', hasEnded: ends <= epochSeconds(now) }
      }
      return failureOf(error)
    }
  }

  return {
    put({ row, penaltyKey, incidentId, expiresAt, version, fence }, ours, now, signal) {
      const { names, values } = oursIn(ours)
      const command = new PutItemCommand({
        TableName: table,
        Item: {
          keyId: { S: row },
          penaltyKeyId: { S: penaltyKey.id },
          rateLimit: { N: String(penaltyKey.rateLimit) },
          burstLimit: { N: String(penaltyKey.burstLimit) },
          incidentId: { S: incidentId },
          // Up: a row that ends a moment early would be given back before it is told so.
          expiresAt: { N: String(Math.ceil(expiresAt / SECOND_MS)) },
          version: { S: version },
          fence: { N: String(fence) },
        },
        ConditionExpression: `attribute_not_exists(keyId) OR version = :version OR ((expiresAt <= :now OR version IN (${names})) AND fence < :fence)`,
        ExpressionAttributeValues: {
          ...values,
          ':version': { S: version },
          ':now': { N: String(epochSeconds(now)) },
          ':fence': { N: String(fence) },
        },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      })
      return write(() => client.send(command, { abortSignal: signal }), now, signal)
    },

    prolong({ row, expiresAt }, ours, now, signal) {
      const { names, values } = oursIn(ours)
      const command = new UpdateItemCommand({
        TableName: table,
        Key: { keyId: { S: row } },
        UpdateExpression: 'SET expiresAt = :until',
        ConditionExpression: `version IN (${names}) AND expiresAt > :now`,
        ExpressionAttributeValues: {
          ...values,
          ':until': { N: String(Math.ceil(expiresAt / SECOND_MS)) },
          ':now': { N: String(epochSeconds(now)) },
        },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      })
      return write(() => client.send(command, { abortSignal: signal }), now, signal)
    },

    end({ row, version, fence }, ours, now, signal) {
      const { names, values } = oursIn(ours)
      const command = new UpdateItemCommand({
        TableName: table,
        Key: { keyId: { S: row } },
        UpdateExpression: 'SET expiresAt = :over, version = :version, fence = :fence',
        ConditionExpression: `attribute_exists(keyId) AND (version = :version OR (version IN (${names}) AND fence <= :fence))`,
        ExpressionAttributeValues: {
          ...values,
          ':version': { S: version },
          // Long ago, whatever our clock says: one that is ahead of the authorizer's would leave it in force.
          ':over': { N: String(epochSeconds(now - DAY_MS)) },
          ':fence': { N: String(fence) },
        },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      })
      return write(() => client.send(command, { abortSignal: signal }), now, signal)
    },
  }
}

const epochSeconds = (at: EpochMs): number => Math.floor(at / SECOND_MS)

/** `IN` takes no empty list: where nothing is ours, something that no row has. */
function oursIn(ours: readonly string[]) {
  const all = ours.length === 0 ? ['-'] : ours
  return {
    names: all.map((_, index) => `:ours${index}`).join(', '),
    values: Object.fromEntries(all.map((version, index) => [`:ours${index}`, { S: version }])),
  }
}

function failureOf(error: unknown): Written {
  if (!(error instanceof Error)) return { kind: 'unknown', because: String(error) }
  const hint = credentialsHint(error)
  const because = `${error.name}: ${error.message}${hint === undefined ? '' : `. ${hint}`}`
  if (isPassing(error) || /^(TransactionConflict|RequestLimitExceeded|ItemCollectionSize)/.test(error.name))
    return { kind: 'passing', because }
  if (error.name === 'ResourceNotFoundException')
    return { kind: 'refused', because: 'the authorizer’s table does not exist' }
  const status = statusOf(error)
  if (status === undefined || status >= 500) return { kind: 'unknown', because }
  const isDenied = status === 403 || /^AccessDenied/.test(error.name)
  const permission = isDenied ? ' (let the worker’s role do dynamodb:PutItem and dynamodb:UpdateItem on the table)' : ''
  return { kind: 'refused', because: `${because}${permission}` }
}
