/**
 * API Gateway as its control plane answers: the client, what its errors mean, and the reads that Weir needs. The SDK makes
 * one try a call; trying again is ours, in the clock's time and through the queue, or the 20-second limit would not hold.
 */
import {
  APIGatewayClient,
  GetUsagePlanCommand,
  GetUsagePlanKeysCommand,
  GetUsagePlansCommand,
  type ThrottleSettings,
  UpdateUsagePlanCommand,
} from '@aws-sdk/client-api-gateway'
import {
  type AwsClientSettings,
  awsClientOptions,
  boundedCall,
  credentialsHint,
  isPassing,
  statusOf,
} from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import type { LimitsOrNone } from '../core/incident/plan-story.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { ControlPlaneQueue } from './control-plane-queue.ts'
import { patchTo } from './usage-plan-decision.ts'

export interface ClientOptions extends AwsClientSettings {
  /** How long an answer may take, in real time. */
  readonly timeoutMs?: number
}

/**
 * Real time for a call and all that it waits for. The client's own bound begins when the request is sent, and before that
 * there may be credentials that never come.
 */
const callWithinMs = 20 * SECOND_MS

export function apiGatewayClient({ timeoutMs = 10 * SECOND_MS, ...settings }: ClientOptions): APIGatewayClient {
  return new APIGatewayClient(awsClientOptions(settings, { answerWithinMs: timeoutMs }))
}

/** What a failed call means for what to do next. */
export type Failure =
  /** Not carried out, and asked to come later: throttled, or the credentials are being renewed. */
  | { readonly kind: 'passing'; readonly because: string; readonly afterMs: number | undefined }
  /** Not carried out; somebody else is changing it at this moment. */
  | { readonly kind: 'conflict'; readonly because: string }
  /** Nobody knows whether it was carried out. */
  | { readonly kind: 'unknown'; readonly because: string }
  | Refusal

/** It will not be carried out, however often, but where a person mends what is outside: a role, a quota. */
export interface Refusal {
  readonly kind: 'refused'
  readonly because: string
  readonly isMendable: boolean
}

/**
 * By the error's name before its status: LimitExceededException is a 429 too. A read that meets it passes by itself;
 * of a change it means the quota, which does not.
 */
export function failureOf(error: unknown, operation: 'read' | 'change'): Failure {
  if (!(error instanceof Error)) return { kind: 'unknown', because: String(error) }
  const { name, message } = error
  const hint = credentialsHint(error)
  const text = `${name}: ${message}${hint === undefined ? '' : `. ${hint}`}`
  if (name === 'LimitExceededException' && operation === 'change')
    return mendable(`the gateway's quota is used up: ${message}`)
  if (isPassing(error)) return { kind: 'passing', because: text, afterMs: retryAfterMs(error) }
  if (name === 'LimitExceededException') return { kind: 'passing', because: text, afterMs: undefined }
  if (name === 'ConflictException') return { kind: 'conflict', because: 'someone else is changing the plan' }
  if (name === 'NotFoundException') return { kind: 'refused', because: `not found: ${message}`, isMendable: false }
  if (name === 'BadRequestException') return mendable(`the gateway calls the request bad: ${message}`)
  if (deniedNames.has(name)) return mendable(`${text} (${permissionHint})`)
  const status = statusOf(error)
  if (status !== undefined && status >= 400 && status < 500) return mendable(text)
  return { kind: 'unknown', because: text }
}

const deniedNames = new Set([
  'UnauthorizedException',
  'AccessDeniedException',
  'ForbiddenException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
])
const permissionHint =
  'let the worker’s role do apigateway:GET and apigateway:PATCH on /usageplans and what is below it'

function mendable(because: string): Refusal {
  return { kind: 'refused', because, isMendable: true }
}

/** Longer than this nothing that passes makes us wait, whatever the answer asks for: a throttle is wanted now. */
const longestWaitMs = 60 * SECOND_MS

function retryAfterMs(error: Error): number | undefined {
  const seconds = 'retryAfterSeconds' in error ? Number(error.retryAfterSeconds) : Number.NaN
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * SECOND_MS, longestWaitMs) : undefined
}

/** Doubling from one second to a minute, and between half and all of that, so that many workers do not come at once. */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.min(SECOND_MS * 2 ** attempt, longestWaitMs) * (0.5 + random() / 2)
}

export type Reply<T> = { readonly kind: 'ok'; readonly value: T } | Refusal

/** The gateway has not answered, and whoever asked waits no longer. */
export interface Silence {
  readonly kind: 'silent'
  readonly because: string
}

export interface Asking {
  readonly signal: AbortSignal
  /** Told of each try that brought no answer: whether there is to be another, so much later. */
  readonly triesAgain: (because: string, afterMs: number) => boolean
}

/**
 * The gateway's usage plans, asked as often as `Asking` allows: a reply is the gateway's word. A call that hangs is one
 * without an answer. Rejects when the signal aborts.
 */
export interface UsagePlans {
  /** The plan's own throttle; the limits of single methods are not looked at. */
  limits(planId: string, asking: Asking): Promise<Reply<LimitsOrNone> | Silence>
  /** The same in one try, for whoever holds the queue's turn: a plan that does not answer must not keep it from others. */
  limitsNow(planId: string, signal: AbortSignal): Promise<Reply<LimitsOrNone> | Failure>
  plansOf(keyId: string, asking: Asking): Promise<Reply<readonly PlanOfKey[]> | Silence>
  /** Of the account and region. */
  all(asking: Asking): Promise<Reply<readonly ListedPlan[]> | Silence>
  /** The keys in the plan, the first `atMost` of them. */
  keysOf(planId: string, atMost: number, asking: Asking): Promise<Reply<readonly string[]> | Silence>
  /** One try, outside the queue's reads: whoever calls holds the queue's turn. undefined = carried out. */
  set(planId: string, after: LimitsOrNone, signal: AbortSignal): Promise<Failure | undefined>
}

export interface PlanOfKey {
  readonly id: string
  /** `apiId/stage` of each stage that the plan is for. */
  readonly stages: readonly string[]
}

export interface ListedPlan extends PlanOfKey {
  readonly name: string | undefined
  /** undefined where it has a rate without a burst or a burst without a rate. */
  readonly limits: LimitsOrNone | undefined
}

export interface UsagePlansOptions {
  readonly client: APIGatewayClient
  readonly queue: ControlPlaneQueue
  readonly clock: Clock
  readonly random: () => number
  readonly withinMs?: number
  /** Whose time bounds a call: the machine's own, unless the gateway is not of this world either. */
  readonly patience?: Clock
}

type Call<T> = (signal: AbortSignal) => Promise<T>

export function usagePlans({
  client,
  queue,
  clock,
  random,
  withinMs = callWithinMs,
  patience,
}: UsagePlansOptions): UsagePlans {
  const bounded = <T>(call: Call<T>, signal: AbortSignal): Promise<T> =>
    boundedCall(call, { withinMs, signal, patience })

  async function readOnce<T>(call: Call<Reply<T>>, signal: AbortSignal): Promise<Reply<T> | Failure> {
    try {
      return await queue.call(() => bounded(call, signal), signal)
    } catch (error) {
      signal.throwIfAborted()
      return failureOf(error, 'read')
    }
  }

  async function read<T>(call: Call<Reply<T>>, { signal, triesAgain }: Asking): Promise<Reply<T> | Silence> {
    for (let attempt = 0; ; attempt++) {
      const reply = await readOnce(call, signal)
      if (reply.kind === 'ok' || reply.kind === 'refused') return reply
      const { because } = reply
      const asked = reply.kind === 'passing' ? reply.afterMs : undefined
      const afterMs = asked ?? backoffMs(attempt, random)
      if (!triesAgain(because, afterMs)) return { kind: 'silent', because }
      await clock.sleep(afterMs, signal)
    }
  }

  async function throttleOf(planId: string, signal: AbortSignal): Promise<Reply<LimitsOrNone>> {
    const command = new GetUsagePlanCommand({ usagePlanId: planId })
    const { throttle } = await client.send(command, { abortSignal: signal })
    const limits = limitsOf(throttle)
    if (limits !== undefined) return ok(limits)
    const because = `usage plan ${planId} has a rate without a burst or a burst without a rate, and could not be restored exactly`
    return { kind: 'refused', because, isMendable: false }
  }

  return {
    limits: (planId, asking) => read(signal => throttleOf(planId, signal), asking),
    limitsNow: (planId, signal) => readOnce(within => throttleOf(planId, within), signal),

    async plansOf(keyId, asking) {
      const plans: PlanOfKey[] = []
      for (let position: string | undefined; ; ) {
        const page = await read(async signal => {
          const command = new GetUsagePlansCommand({ keyId, limit: 500, ...(position !== undefined && { position }) })
          return ok(await client.send(command, { abortSignal: signal }))
        }, asking)
        if (page.kind !== 'ok') return page
        for (const { id, apiStages = [] } of page.value.items ?? [])
          if (id !== undefined) plans.push({ id, stages: apiStages.map(({ apiId, stage }) => `${apiId}/${stage}`) })
        position = page.value.position
        if (position === undefined) return ok(plans)
      }
    },

    async all(asking) {
      const plans: ListedPlan[] = []
      for (let position: string | undefined; ; ) {
        const page = await read(async signal => {
          const command = new GetUsagePlansCommand({ limit: 500, ...(position !== undefined && { position }) })
          return ok(await client.send(command, { abortSignal: signal }))
        }, asking)
        if (page.kind !== 'ok') return page
        for (const { id, name, apiStages = [], throttle } of page.value.items ?? []) {
          const stages = apiStages.map(({ apiId, stage }) => `${apiId}/${stage}`)
          if (id !== undefined) plans.push({ id, name, stages, limits: limitsOf(throttle) })
        }
        position = page.value.position
        if (position === undefined) return ok(plans)
      }
    },

    async keysOf(planId, atMost, asking) {
      const keys: string[] = []
      for (let position: string | undefined; ; ) {
        const limit = Math.min(500, atMost - keys.length)
        const page = await read(async signal => {
          const command = new GetUsagePlanKeysCommand({
            usagePlanId: planId,
            limit,
            ...(position !== undefined && { position }),
          })
          return ok(await client.send(command, { abortSignal: signal }))
        }, asking)
        if (page.kind !== 'ok') return page
        for (const { id } of page.value.items ?? []) if (id !== undefined) keys.push(id)
        position = page.value.position
        if (position === undefined || keys.length >= atMost) return ok(keys)
      }
    },

    async set(planId, after, signal) {
      const command = new UpdateUsagePlanCommand({ usagePlanId: planId, patchOperations: patchTo(after) })
      try {
        await bounded(abortSignal => client.send(command, { abortSignal }), signal)
        return undefined
      } catch (error) {
        signal.throwIfAborted()
        return failureOf(error, 'change')
      }
    },
  }
}

function limitsOf(throttle: ThrottleSettings | undefined): LimitsOrNone | undefined {
  if (throttle === undefined) return null
  const { rateLimit, burstLimit } = throttle
  return rateLimit === undefined || burstLimit === undefined ? undefined : { rateLimit, burstLimit }
}

function ok<T>(value: T): Reply<T> {
  return { kind: 'ok', value }
}
