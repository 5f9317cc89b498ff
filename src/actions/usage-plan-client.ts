/**
 * API Gateway as its control plane answers: the client, what its errors mean, and the reads that Weir needs. The SDK makes
 * one try a call; trying again is ours, in the clock's time and through the queue, or the 20-second limit would not hold.
 */
import {
  APIGatewayClient,
  GetUsagePlanCommand,
  GetUsagePlanKeysCommand,
  GetUsagePlansCommand,
  UpdateUsagePlanCommand,
} from '@aws-sdk/client-api-gateway'
import { type AwsClientSettings, awsClientOptions } from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import type { LimitsOrNone } from '../core/plan-story.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { ControlPlaneQueue } from './control-plane-queue.ts'
import { patchTo } from './usage-plan-decision.ts'

export interface ClientOptions extends AwsClientSettings {
  /** How long an answer may take, in real time. */
  readonly timeoutMs?: number
}

export function apiGatewayClient({ timeoutMs = 10 * SECOND_MS, ...settings }: ClientOptions): APIGatewayClient {
  return new APIGatewayClient(awsClientOptions(settings, { answerWithinMs: timeoutMs }))
}

/** What a failed call means for what to do next. */
export type Failure =
  /** Not carried out; asked to come later. */
  | { readonly kind: 'throttled'; readonly afterMs: number | undefined }
  /** Not carried out; somebody else is changing it at this moment. */
  | { readonly kind: 'conflict' }
  /** Nobody knows whether it was carried out. */
  | { readonly kind: 'unknown' }
  /** It will not be carried out, however often. */
  | { readonly kind: 'refused'; readonly because: string; readonly gone: boolean }

/** By the error's name, not its status: LimitExceededException is a 429 too, and waiting does not help it. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { kind: 'unknown' }
  const { name, message } = error
  if (name === 'LimitExceededException') return refused(`the gateway's quota is used up: ${message}`)
  if (name === 'TooManyRequestsException' || name === 'ThrottlingException')
    return { kind: 'throttled', afterMs: retryAfterMs(error) }
  if (name === 'ConflictException') return { kind: 'conflict' }
  if (name === 'NotFoundException') return { kind: 'refused', because: `not found: ${message}`, gone: true }
  if (name === 'BadRequestException') return refused(`the gateway calls the request bad: ${message}`)
  if (deniedNames.has(name)) return refused(`${name}: ${message} (${permissionHint})`)
  const status = statusOf(error)
  if (status !== undefined && status >= 400 && status < 500) return refused(`${name}: ${message}`)
  return { kind: 'unknown' }
}

const deniedNames = new Set([
  'UnauthorizedException',
  'AccessDeniedException',
  'ForbiddenException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'ExpiredTokenException',
  'CredentialsProviderError',
])
const permissionHint =
  'let the worker’s role do apigateway:GET and apigateway:PATCH on /usageplans and what is below it'

function refused(because: string): Failure {
  return { kind: 'refused', because, gone: false }
}

function retryAfterMs(error: Error): number | undefined {
  const seconds = 'retryAfterSeconds' in error ? Number(error.retryAfterSeconds) : Number.NaN
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * SECOND_MS : undefined
}

function statusOf(error: Error): number | undefined {
  if (!('$metadata' in error)) return undefined
  const { $metadata: metadata } = error
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}

/** Doubling from one second to a minute, and between half and all of that, so that many workers do not come at once. */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.min(SECOND_MS * 2 ** attempt, 60 * SECOND_MS) * (0.5 + random() / 2)
}

export type Reply<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'refused'; readonly because: string; readonly gone: boolean }

/** The gateway's usage plans, as often asked as it takes: a reply is the gateway's word. Rejects when `signal` aborts. */
export interface UsagePlans {
  /** The plan's own throttle; the limits of single methods are not looked at. */
  limits(planId: string, signal: AbortSignal): Promise<Reply<LimitsOrNone>>
  plansOf(keyId: string, signal: AbortSignal): Promise<Reply<readonly string[]>>
  /** The first keys in the plan, two at most: enough to tell an own plan from a shared one. */
  firstKeys(planId: string, signal: AbortSignal): Promise<Reply<readonly string[]>>
  /** One try, outside the queue's reads: whoever calls holds the queue's turn. undefined = carried out. */
  set(planId: string, after: LimitsOrNone, signal: AbortSignal): Promise<Failure | undefined>
}

export interface UsagePlansOptions {
  readonly client: APIGatewayClient
  readonly queue: ControlPlaneQueue
  readonly clock: Clock
  readonly random: () => number
}

export function usagePlans({ client, queue, clock, random }: UsagePlansOptions): UsagePlans {
  /** Reading does no harm, so it goes on until it is answered or refused. */
  async function read<T>(call: () => Promise<Reply<T>>, signal: AbortSignal): Promise<Reply<T>> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await queue.call(call, signal)
      } catch (error) {
        signal.throwIfAborted()
        const failure = failureOf(error)
        if (failure.kind === 'refused') return failure
        const afterMs = failure.kind === 'throttled' ? failure.afterMs : undefined
        await clock.sleep(afterMs ?? backoffMs(attempt, random), signal)
      }
    }
  }

  return {
    limits: (planId, signal) =>
      read(async () => {
        const { throttle } = await client.send(new GetUsagePlanCommand({ usagePlanId: planId }), {
          abortSignal: signal,
        })
        if (throttle === undefined) return ok(null)
        const { rateLimit, burstLimit } = throttle
        if (rateLimit !== undefined && burstLimit !== undefined) return ok({ rateLimit, burstLimit })
        const because = `usage plan ${planId} has a rate without a burst or a burst without a rate, and could not be restored exactly`
        return { kind: 'refused', because, gone: false }
      }, signal),

    async plansOf(keyId, signal) {
      const plans: string[] = []
      for (let position: string | undefined; ; ) {
        const page = await read(async () => {
          const command = new GetUsagePlansCommand({ keyId, limit: 500, ...(position !== undefined && { position }) })
          return ok(await client.send(command, { abortSignal: signal }))
        }, signal)
        if (page.kind === 'refused') return page
        for (const { id } of page.value.items ?? []) if (id !== undefined) plans.push(id)
        position = page.value.position
        if (position === undefined) return ok(plans)
      }
    },

    firstKeys: (planId, signal) =>
      read(async () => {
        const command = new GetUsagePlanKeysCommand({ usagePlanId: planId, limit: 2 })
        const { items = [] } = await client.send(command, { abortSignal: signal })
        return ok(items.flatMap(({ id }) => id ?? []))
      }, signal),

    async set(planId, after, signal) {
      const command = new UpdateUsagePlanCommand({ usagePlanId: planId, patchOperations: patchTo(after) })
      try {
        await client.send(command, { abortSignal: signal })
        return undefined
      } catch (error) {
        signal.throwIfAborted()
        return failureOf(error)
      }
    },
  }
}

function ok<T>(value: T): Reply<T> {
  return { kind: 'ok', value }
}
