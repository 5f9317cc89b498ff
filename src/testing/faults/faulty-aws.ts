/**
 * The clients of API Gateway, DynamoDB and SNS as the performers see them: what is asked is carried out by the strict simulation, or
 * it is not, or it is and nobody hears of it. A request that is on its way when the worker dies arrives all the same.
 */
import type { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { SNSClient } from '@aws-sdk/client-sns'
import { SECOND_MS } from '../../core/vocabulary.ts'
import type { Answer, ControlPlaneCall, Gateway } from '../../simulation/gateway.ts'
import type { Random } from '../../simulation/random.ts'
import { rowOf, type SimulatedTable, type TableCommand } from './authorizer-table.ts'
import { topic } from './cast.ts'
import type { Loop, Mortal } from './loop.ts'
import type { Unreliability } from './schedule.ts'

/** So long the SDK waits for an answer. */
const answerWithinMs = 10 * SECOND_MS

export interface FaultyService {
  unreliability: Unreliability
  isDown: boolean
  isDenied: boolean
}

export interface Surroundings {
  readonly loop: Loop
  readonly random: Random
  readonly service: FaultyService
}

interface Sent {
  readonly signal: AbortSignal | undefined
  readonly life: Mortal
  /** Whether it can be told to come later, or that others change it. */
  readonly mayConflict: boolean
}

export type Reply = { readonly kind: 'ok'; readonly body: unknown } | { readonly kind: 'error'; readonly error: Error }

/** `carryOut` is called when the request arrives, if it does. */
export function ask(
  { loop, random, service }: Surroundings,
  { signal, life, mayConflict }: Sent,
  carryOut: () => Reply,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (!life.isAlive) return
    let isOver = false
    const settle = (reply: Reply): void => {
      if (isOver) return
      isOver = true
      signal?.removeEventListener('abort', aborted)
      if (reply.kind === 'ok') resolve(reply.body)
      else reject(reply.error)
    }
    const aborted = (): void => settle({ kind: 'error', error: awsError('AbortError', 'Request aborted', undefined) })
    if (signal?.aborted) return aborted()
    signal?.addEventListener('abort', aborted, { once: true })

    const { throttled, conflict, failed, lost, slow } = service.unreliability
    const wayMs = 2 + random.integer(random.uniform() < slow ? 4_000 : 60)
    const answer = (reply: Reply): void => loop.after(1 + random.integer(40), () => settle(reply), life)
    const silence = (): void => {
      const isReset = random.uniform() < 0.5
      const error = isReset
        ? awsError('Error', 'read ECONNRESET', undefined)
        : awsError('TimeoutError', 'no answer', undefined)
      loop.after(isReset ? wayMs : answerWithinMs, () => settle({ kind: 'error', error }), life)
    }
    const fails = awsError('InternalFailure', 'simulated', 500)
    if (service.isDown) {
      if (random.uniform() < 0.5) return silence()
      return answer({ kind: 'error', error: fails })
    }
    if (service.isDenied) return answer({ kind: 'error', error: awsError('AccessDeniedException', 'simulated', 403) })
    const fate = random.uniform()
    let below = throttled
    if (fate < below) return answer({ kind: 'error', error: tooMany(1 + random.integer(25)) })
    below += mayConflict ? conflict : 0
    if (fate < below) return answer({ kind: 'error', error: awsError('ConflictException', 'simulated', 409) })
    below += failed
    const isCarriedOut = random.uniform() < 0.5
    if (fate < below) {
      if (isCarriedOut) loop.after(wayMs, () => carryOut())
      return answer({ kind: 'error', error: fails })
    }
    below += lost
    if (fate < below) {
      if (isCarriedOut) loop.after(wayMs, () => carryOut())
      return silence()
    }
    loop.after(wayMs, () => answer(carryOut()))
  })
}

export type GatewayChange =
  | { readonly kind: 'plan'; readonly planId: string }
  | { readonly kind: 'enter' | 'leave'; readonly planId: string; readonly keyId: string }

/** Told of what is asked of plans. `changing` as a change is sent; what it answers is called when it has been carried out. */
export interface GatewayWatch {
  read(planId: string): void
  changing(change: GatewayChange): () => void
}

export function faultyApiGateway(
  gateway: Gateway,
  surroundings: Surroundings,
  life: Mortal,
  watch: GatewayWatch,
): APIGatewayClient {
  const client = {
    send(command: { readonly input: Record<string, unknown> }, options?: { readonly abortSignal?: AbortSignal }) {
      const call = callOf(command)
      const change = changeIn(call)
      const changed = change && watch.changing(change)
      return ask(surroundings, { signal: options?.abortSignal, life, mayConflict: change !== undefined }, () => {
        const answer = gateway.call(call)
        if (call.operation === 'GetUsagePlan') watch.read(call.planId)
        if (answer.kind === 'answer') changed?.()
        return replyOf(answer)
      })
    },
  }
  return client as unknown as APIGatewayClient
}

function callOf(command: { readonly input: Record<string, unknown> }): ControlPlaneCall {
  const { usagePlanId, keyId, keyType, limit = 25, position, patchOperations } = command.input
  const planId = String(usagePlanId)
  const page = { limit: Number(limit), position: position === undefined ? undefined : String(position) }
  switch (command.constructor.name) {
    case 'GetUsagePlanCommand':
      return { operation: 'GetUsagePlan', planId }
    case 'GetUsagePlansCommand':
      return { operation: 'GetUsagePlans', keyId: keyId === undefined ? undefined : String(keyId), page }
    case 'GetUsagePlanKeysCommand':
      return { operation: 'GetUsagePlanKeys', planId, page }
    case 'UpdateUsagePlanCommand':
      return { operation: 'UpdateUsagePlan', planId, patch: patchOperations }
    case 'CreateUsagePlanKeyCommand':
      return { operation: 'CreateUsagePlanKey', planId, key: { keyId, keyType } }
    case 'DeleteUsagePlanKeyCommand':
      return { operation: 'DeleteUsagePlanKey', planId, keyId: String(keyId) }
    default:
      throw new Error(`the simulated gateway has no ${command.constructor.name}`)
  }
}

function changeIn(call: ControlPlaneCall): GatewayChange | undefined {
  switch (call.operation) {
    case 'UpdateUsagePlan':
      return { kind: 'plan', planId: call.planId }
    case 'CreateUsagePlanKey':
      return { kind: 'enter', planId: call.planId, keyId: (call.key as { readonly keyId: string }).keyId }
    case 'DeleteUsagePlanKey':
      return { kind: 'leave', planId: call.planId, keyId: call.keyId }
    default:
      return undefined
  }
}

const statusOf = {
  BadRequestException: 400,
  UnauthorizedException: 401,
  NotFoundException: 404,
  ConflictException: 409,
  TooManyRequestsException: 429,
  LimitExceededException: 429,
} as const

/** As the SDK hands it over: lists are `items`. */
function replyOf(answer: Answer): Reply {
  if (answer.kind === 'error') {
    const error = awsError(answer.name, answer.message, statusOf[answer.name])
    return {
      kind: 'error',
      error: Object.assign(error, { retryAfterSeconds: answer.retryAfterSeconds && String(answer.retryAfterSeconds) }),
    }
  }
  const { item, ...rest } = answer.body as { readonly item?: unknown }
  return { kind: 'ok', body: item === undefined ? rest : { ...rest, items: item } }
}

const tooMany = (seconds: number): Error =>
  Object.assign(awsError('TooManyRequestsException', 'Too Many Requests', 429), { retryAfterSeconds: String(seconds) })

export const awsError = (name: string, message: string, status: number | undefined): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } })

/** `changing` as a row is written; what it answers is called when it has been, with whether the row is in force then. */
export interface TableWatch {
  changing(row: string): (isInForce: boolean) => void
}

export function faultyTable(
  table: SimulatedTable,
  surroundings: Surroundings,
  life: Mortal,
  watch: TableWatch,
): Pick<DynamoDBClient, 'send'> {
  const client = {
    send(command: TableCommand, options?: { readonly abortSignal?: AbortSignal }) {
      const row = rowOf(command)
      const changed = watch.changing(row)
      return ask(surroundings, { signal: options?.abortSignal, life, mayConflict: false }, () => {
        try {
          table.write(command)
        } catch (error) {
          if (error instanceof ConditionalCheckFailedException) return { kind: 'error', error }
          throw error
        }
        changed(table.penaltyOf(row) !== undefined)
        return { kind: 'ok', body: {} }
      })
    },
  }
  return client as unknown as Pick<DynamoDBClient, 'send'>
}

export interface Publication {
  readonly id: string
  readonly incidentId: string
  readonly keyId: string
  readonly phase: string
}

/** `publishing` as a message is sent; what it answers is called when it has been taken. */
export interface SnsWatch {
  publishing(publication: Publication): () => void
}

export function faultySns(surroundings: Surroundings, life: Mortal, watch: SnsWatch): SNSClient {
  const client = {
    send(command: { readonly input: Record<string, unknown> }, options?: { readonly abortSignal?: AbortSignal }) {
      const { TopicArn, Subject, Message } = command.input
      if (TopicArn !== topic || !/^[!-~][ -~]{0,98}$/.test(String(Subject)))
        throw new Error(`SNS would refuse this: ${JSON.stringify(command.input)}`)
      const { deduplicationId: id, incidentId, keyId, phase } = JSON.parse(String(Message))
      const published = watch.publishing({ id, incidentId, keyId, phase })
      return ask(surroundings, { signal: options?.abortSignal, life, mayConflict: false }, () => {
        published()
        return { kind: 'ok', body: { MessageId: 'message' } }
      })
    },
  }
  return client as unknown as SNSClient
}
