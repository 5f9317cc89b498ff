/**
 * API Gateway as its control plane answers: the client, what its errors mean, and the reads that Weir needs. The SDK makes
 * one try a call; trying again is ours, in the clock's time and through the queue, or the 20-second limit would not hold.
 */
import {
  APIGatewayClient,
  CreateUsagePlanKeyCommand,
  DeleteUsagePlanKeyCommand,
  GetUsagePlanCommand,
  GetUsagePlanKeysCommand,
  GetUsagePlansCommand,
  type ThrottleSettings,
  UpdateUsagePlanCommand,
  type UsagePlan,
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
import type { LimitsOrNone, MethodLimits, PlanSettings } from '../core/incident/plan-story.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { ControlPlaneQueue } from './control-plane-queue.ts'
import { type Change, type PathForm, patchTo } from './ways/own-plan-decision.ts'

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
  /** The gateway did not understand what was asked of it, or did not know what it was about. */
  readonly isMalformed?: boolean
}

/**
 * By the error's name before its status: LimitExceededException is a 429 too. A read that meets it passes by itself;
 * of a change it means the quota, which does not.
 */
export function failureOf(error: unknown, operation: 'read' | 'change' | 'move'): Failure {
  if (!(error instanceof Error)) return { kind: 'unknown', because: String(error) }
  const { name, message } = error
  const hint = credentialsHint(error)
  const text = `${name}: ${message}${hint === undefined ? '' : `. ${hint}`}`
  if (name === 'LimitExceededException' && operation !== 'read')
    return mendable(`the gateway's quota is used up: ${message}`)
  if (isPassing(error)) return { kind: 'passing', because: text, afterMs: retryAfterMs(error) }
  if (name === 'LimitExceededException') return { kind: 'passing', because: text, afterMs: undefined }
  if (name === 'ConflictException')
    return { kind: 'conflict', because: operation === 'move' ? notLeftYet : 'someone else is changing the plan' }
  if (name === 'NotFoundException')
    return { kind: 'refused', because: `not found: ${message}`, isMendable: false, isMalformed: true }
  if (name === 'BadRequestException')
    return { ...mendable(`the gateway calls the request bad: ${message}`), isMalformed: true }
  if (deniedNames.has(name)) return mendable(`${text} (${operation === 'move' ? moveHint : permissionHint})`)
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
const moveHint =
  'let the worker’s role do apigateway:POST and apigateway:DELETE on /usageplans/*/keys and what is below it'
const notLeftYet = 'the key is in another plan of that stage still'

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
  /** The plan's own throttle, and those of the methods that have one. */
  settings(planId: string, asking: Asking): Promise<Reply<PlanSettings> | Silence>
  /** The same in one try, for whoever holds the queue's turn: a plan that does not answer must not keep it from others. */
  settingsNow(planId: string, signal: AbortSignal): Promise<Reply<PlanSettings> | Failure>
  plansOf(keyId: string, asking: Asking): Promise<Reply<readonly PlanOfKey[]> | Silence>
  /** Of the account and region. */
  all(asking: Asking): Promise<Reply<readonly ListedPlan[]> | Silence>
  /** The same in one try; with `isUrgent` before all calls that wait. */
  plansOfNow(keyId: string, signal: AbortSignal, isUrgent: boolean): Promise<Reply<readonly PlanOfKey[]> | Failure>
  plan(planId: string, asking: Asking): Promise<Reply<PlanOfKey> | Silence>
  /** The keys in the plan, the first `atMost` of them. */
  keysOf(planId: string, atMost: number, asking: Asking): Promise<Reply<readonly string[]> | Silence>
  /** One try, outside the queue's reads: whoever calls holds the queue's turn. undefined = carried out. */
  set(planId: string, change: Change, form: PathForm, signal: AbortSignal): Promise<Failure | undefined>
  /** One try to take a key out of a plan. undefined = accepted, and in effect a while later. */
  leave(planId: string, keyId: string, signal: AbortSignal): Promise<Failure | undefined>
  /** One try to put a key into a plan, before all calls that wait: meanwhile it is in none. undefined = carried out. */
  enter(planId: string, keyId: string, signal: AbortSignal): Promise<Failure | undefined>
}

export interface PlanOfKey {
  readonly id: string
  /** `apiId/stage` of each stage that the plan is for. */
  readonly stages: readonly string[]
  readonly settings: PlanSettings
}

export interface ListedPlan extends Omit<PlanOfKey, 'settings'> {
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
  /** Asked before each change: throws where another worker has taken over what we act upon. */
  readonly stillOurs?: () => Promise<void>
}

type Call<T> = (signal: AbortSignal) => Promise<T>

export function usagePlans({
  client,
  queue,
  clock,
  random,
  withinMs = callWithinMs,
  patience,
  stillOurs = async () => undefined,
}: UsagePlansOptions): UsagePlans {
  const bounded = <T>(call: Call<T>, signal: AbortSignal): Promise<T> =>
    boundedCall(call, { withinMs, signal, patience })

  async function readOnce<T>(call: Call<Reply<T>>, signal: AbortSignal, isUrgent = false): Promise<Reply<T> | Failure> {
    try {
      return await queue.call(() => bounded(call, signal), signal, { isUrgent })
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

  async function settingsOf(planId: string, signal: AbortSignal): Promise<Reply<PlanSettings>> {
    const command = new GetUsagePlanCommand({ usagePlanId: planId })
    return settingsIn(planId, await client.send(command, { abortSignal: signal }))
  }

  /** A key is in ten plans at most, unless AWS raises that: one page holds all. */
  async function plansWith(keyId: string, signal: AbortSignal): Promise<Reply<readonly PlanOfKey[]>> {
    const command = new GetUsagePlansCommand({ keyId, limit: 500 })
    const { items = [] } = await client.send(command, { abortSignal: signal })
    const plans: PlanOfKey[] = []
    for (const item of items) {
      const plan = planIn(item, item.id ?? '')
      if (plan.kind === 'refused') return plan
      plans.push(plan.value)
    }
    return ok(plans)
  }

  /** Its answer is dropped: that of CreateUsagePlanKey has the key's value in it. */
  async function moveOnce(
    send: (options: { readonly abortSignal: AbortSignal }) => Promise<unknown>,
    signal: AbortSignal,
    isUrgent: boolean,
  ): Promise<Failure | undefined> {
    let notOurs: { readonly cause: unknown } | undefined
    try {
      // Asked when its turn has come: a worker may be frozen while it waits for that.
      const call = async (): Promise<unknown> => {
        await stillOurs().catch(cause => {
          notOurs = { cause }
          throw cause
        })
        return bounded(abortSignal => send({ abortSignal }), signal)
      }
      await queue.call(call, signal, { isUrgent })
      return undefined
    } catch (error) {
      if (notOurs !== undefined) throw notOurs.cause
      signal.throwIfAborted()
      return failureOf(error, 'move')
    }
  }

  return {
    settings: (planId, asking) => read(signal => settingsOf(planId, signal), asking),
    settingsNow: (planId, signal) => readOnce(within => settingsOf(planId, within), signal),

    plansOf: (keyId, asking) => read(signal => plansWith(keyId, signal), asking),
    plansOfNow: (keyId, signal, isUrgent) => readOnce(within => plansWith(keyId, within), signal, isUrgent),
    plan: (planId, asking) =>
      read(async signal => {
        const command = new GetUsagePlanCommand({ usagePlanId: planId })
        return planIn(await client.send(command, { abortSignal: signal }), planId)
      }, asking),

    async all(asking) {
      const plans: ListedPlan[] = []
      for (let position: string | undefined; ; ) {
        const page = await read(async signal => {
          const command = new GetUsagePlansCommand({ limit: 500, ...(position !== undefined && { position }) })
          return ok(await client.send(command, { abortSignal: signal }))
        }, asking)
        if (page.kind !== 'ok') return page
        for (const plan of page.value.items ?? []) {
          const { id, name, throttle } = plan
          if (id !== undefined) plans.push({ id, name, stages: stagesOf(plan), limits: limitsIn(throttle) })
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

    async set(planId, change, form, signal) {
      const command = new UpdateUsagePlanCommand({ usagePlanId: planId, patchOperations: patchTo(change, form) })
      await stillOurs()
      try {
        await bounded(abortSignal => client.send(command, { abortSignal }), signal)
        return undefined
      } catch (error) {
        signal.throwIfAborted()
        return failureOf(error, 'change')
      }
    },

    leave: (usagePlanId, keyId, signal) =>
      moveOnce(within => client.send(new DeleteUsagePlanKeyCommand({ usagePlanId, keyId }), within), signal, false),
    enter: (usagePlanId, keyId, signal) =>
      moveOnce(
        within => client.send(new CreateUsagePlanKeyCommand({ usagePlanId, keyId, keyType: 'API_KEY' }), within),
        signal,
        true,
      ),
  }
}

function planIn(plan: UsagePlan, id: string): Reply<PlanOfKey> {
  const settings = settingsIn(id, plan)
  const stages = stagesOf(plan)
  return settings.kind === 'ok' ? ok({ id, stages, settings: settings.value }) : settings
}

const stagesOf = ({ apiStages = [] }: UsagePlan): readonly string[] =>
  apiStages.map(({ apiId, stage }) => `${apiId}/${stage}`)

function settingsIn(planId: string, { throttle, apiStages = [] }: UsagePlan): Reply<PlanSettings> {
  const methods = apiStages.flatMap(({ apiId, stage, throttle: own = {} }) =>
    Object.entries(own).flatMap(([method, settings]): readonly MethodLimits[] => {
      const limits = limitsIn(settings)
      // With one of the two it could not be put back: it is let be.
      if (limits === undefined || limits === null) return []
      return [{ apiStage: `${apiId}:${stage}`, method: method.replaceAll('~1', '/').replaceAll('~0', '~'), limits }]
    }),
  )
  const limits = limitsIn(throttle)
  if (limits !== undefined) return ok({ limits, methods })
  const because = `usage plan ${planId} has a rate without a burst or a burst without a rate, and could not be restored exactly`
  return { kind: 'refused', because, isMendable: false }
}

/** undefined where it has one of the two only. */
function limitsIn(throttle: ThrottleSettings | undefined): LimitsOrNone | undefined {
  if (throttle === undefined) return null
  const { rateLimit, burstLimit } = throttle
  return rateLimit === undefined || burstLimit === undefined ? undefined : { rateLimit, burstLimit }
}

function ok<T>(value: T): Reply<T> {
  return { kind: 'ok', value }
}
