/**
 * API Gateway's usage plans, as strict as the real ones: what AWS refuses is refused here, because an emulator that lets
 * everything through hides the mistakes that cost a tenant its limit. State and rules only; gateway-server.ts speaks HTTP.
 *
 * Kept from AWS (API Gateway quotas and API reference): UpdateUsagePlan once in 20 s an account, all control-plane calls
 * 10 a second with a burst of 40, a key in one plan a stage, whole bursts, patch values as text, all operations of a patch
 * or none, and changes that reach the data plane only after a while. Plan limits hold for each key by itself. A key that is
 * taken out of a plan is so only a while after the answer, and is in no other plan of that stage before; in none, all its
 * calls are refused with 403. Which key ids are in which plan is gateway-keys.ts.
 */
import type { Clock } from '../clock.ts'
import type { PlanLimits } from '../core/incident/effect.ts'
import type { MethodLimits, MethodPlace } from '../core/incident/plan-story.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'
import { createMembership } from './gateway-keys.ts'
import { type MethodPaths, patchSettings, type Settings } from './gateway-patch.ts'

export const updateUsagePlanEveryMs = 20_000
const callsPerSecond = 10
const callBurst = 40
/** So many changes are remembered for people; older ones are forgotten. */
const keptChanges = 10_000

export interface PlanSetup {
  readonly id: string
  readonly name?: string
  readonly limits?: PlanLimits | undefined
  /** Methods with limits of their own. */
  readonly methods?: readonly MethodLimits[]
  readonly keys?: readonly string[]
  /** `apiId:stage`. */
  readonly stages?: readonly string[]
}

export interface KeySetup {
  readonly id: string
  readonly name?: string
  readonly enabled?: boolean
  readonly tags?: Readonly<Record<string, string>>
}

export interface GatewaySetup {
  readonly clock: Clock
  readonly plans: readonly PlanSetup[]
  /** Keys that are in no plan, or have a name or tags; those that plans name exist by themselves. */
  readonly keys?: readonly KeySetup[]
  /** How long a change takes to reach the data plane, ms. At once where it is not given. */
  readonly propagationDelayMs?: () => number
  /**
   * Plans whose limits the control plane takes and the data plane never does: their keys are let through by another plan, or
   * by methods that want no key.
   */
  readonly leaky?: readonly string[]
  /** How long after the answer a key that is taken out of a plan is still in it, ms. At once where it is not given. */
  readonly leavingDelayMs?: () => number
  /** How slashes in a patch's path of a method are to be written: AWS's own word and what its users send differ. */
  readonly methodPaths?: MethodPaths
}

export interface LimitChange {
  readonly at: EpochMs
  readonly planId: string
  readonly by: 'api' | 'person'
  readonly before: PlanLimits | undefined
  readonly after: PlanLimits | undefined
  /** When the data plane begins to enforce it. */
  readonly effectiveAt: EpochMs
}

export type ErrorName =
  | 'BadRequestException'
  | 'UnauthorizedException'
  | 'NotFoundException'
  | 'ConflictException'
  | 'TooManyRequestsException'
  | 'LimitExceededException'

/** What a call answers, or why it does not. */
export type Answer =
  | { readonly kind: 'answer'; readonly body: unknown; readonly status?: number }
  | { readonly kind: 'error'; readonly name: ErrorName; readonly message: string; readonly retryAfterSeconds?: number }

export interface Page {
  readonly limit: number
  readonly position: string | undefined
}

export type ControlPlaneCall =
  | { readonly operation: 'GetUsagePlan'; readonly planId: string }
  | { readonly operation: 'UpdateUsagePlan'; readonly planId: string; readonly patch: unknown }
  | { readonly operation: 'GetUsagePlans'; readonly keyId: string | undefined; readonly page: Page }
  | { readonly operation: 'GetUsagePlanKeys'; readonly planId: string; readonly page: Page }
  | { readonly operation: 'GetUsagePlanKey'; readonly planId: string; readonly keyId: string }
  | { readonly operation: 'CreateUsagePlanKey'; readonly planId: string; readonly key: unknown }
  | { readonly operation: 'DeleteUsagePlanKey'; readonly planId: string; readonly keyId: string }
  | { readonly operation: 'GetApiKey'; readonly keyId: string }
  | { readonly operation: 'GetApiKeys'; readonly page: Page }

export interface Gateway {
  readonly clock: Clock
  /** One control-plane call, with AWS's limits on how often. */
  call(call: ControlPlaneCall): Answer
  /** What the control plane says the plan has. */
  planLimits(planId: string): PlanLimits | undefined
  /** What it says of the plan's methods. */
  planMethods(planId: string): readonly MethodLimits[]
  /** Ids of the plans it says the key is in. */
  plansOfKey(keyId: ApiKeyId): readonly string[]
  /** What the data plane enforces for this key now: the tightest of its plans. undefined = nothing. */
  effectiveLimits(keyId: ApiKeyId): PlanLimits | undefined
  /** Whether a call of this key gets through the limit of its plan at `atMs`. Times of one key must not run backwards. */
  admit(keyId: ApiKeyId, atMs: EpochMs): boolean
  /** The same with the reason, and of a method where its plans tell methods apart. */
  answerTo(keyId: ApiKeyId, atMs: EpochMs, method?: MethodPlace): 'admitted' | 'throttled' | 'forbidden'
  /** A person, or their infrastructure code, sets the plan: bound by no rate of ours. */
  changeByPerson(planId: string, limits: PlanLimits | undefined, methods?: readonly MethodLimits[]): void
  /** A person puts the key into these plans and no other, or deletes it. */
  moveByPerson(keyId: ApiKeyId, planIds: readonly string[]): void
  deleteByPerson(what: { readonly keyId: ApiKeyId } | { readonly planId: string }): void
  /** Oldest first. */
  changes(): readonly LimitChange[]
}

interface Plan {
  readonly id: string
  readonly name: string
  readonly stages: readonly string[]
  settings: Settings
  /** What was set and when it bites, in the order set; the first is what bites already. */
  enforced: readonly (Settings & { readonly effectiveAt: EpochMs })[]
}

interface Bucket {
  tokens: number
  at: EpochMs
}

export function createGateway({
  clock,
  plans: planSetups,
  keys: keySetups = [],
  propagationDelayMs = () => 0,
  leaky = [],
  leavingDelayMs = () => 0,
  methodPaths = 'raw',
}: GatewaySetup): Gateway {
  const plans = new Map(planSetups.map(setup => [setup.id, createPlan(setup)]))
  const keys = createKeys(planSetups, keySetups)
  const members = createMembership({ clock, propagationDelayMs, leavingDelayMs })
  for (const { id, keys = [] } of planSetups) {
    for (const keyId of keys) members.enter(keyId, planNamed(id), Number.NEGATIVE_INFINITY)
  }
  const createdAtSeconds = Math.floor(clock.now() / 1000)
  const buckets = new Map<string, Bucket>()
  const history: LimitChange[] = []
  const calls: Bucket = { tokens: callBurst, at: clock.now() }
  let updatedAt = Number.NEGATIVE_INFINITY

  function call(request: ControlPlaneCall): Answer {
    const now = clock.now()
    refill(calls, now, { rateLimit: callsPerSecond, burstLimit: callBurst })
    if (calls.tokens < 1) return tooMany(1)
    calls.tokens -= 1
    switch (request.operation) {
      case 'GetUsagePlan': {
        const plan = plans.get(request.planId)
        return plan ? answer(planBody(plan)) : unknownPlan
      }
      case 'UpdateUsagePlan':
        return updateUsagePlan(request.planId, request.patch, now)
      case 'GetUsagePlans': {
        const { keyId } = request
        if (keyId !== undefined && !keys.has(keyId)) return unknownKey
        const found = keyId === undefined ? [...plans.values()] : plansOf(keyId)
        return page(found, request.page, planBody)
      }
      case 'GetUsagePlanKeys': {
        const plan = plans.get(request.planId)
        return plan ? page(members.keysIn(plan.id), request.page, keyId => planKeyBody(keyId, keys)) : unknownPlan
      }
      case 'GetUsagePlanKey': {
        const plan = plans.get(request.planId)
        if (plan === undefined) return unknownPlan
        return members.isIn(request.keyId, plan.id) ? answer(planKeyBody(request.keyId, keys)) : unknownKey
      }
      case 'CreateUsagePlanKey':
        return createUsagePlanKey(request.planId, request.key)
      case 'DeleteUsagePlanKey':
        return deleteUsagePlanKey(request.planId, request.keyId)
      case 'GetApiKey': {
        const key = keys.get(request.keyId)
        return key ? answer(keyBody(key, createdAtSeconds)) : unknownKey
      }
      case 'GetApiKeys':
        return page([...keys.values()], request.page, key => keyBody(key, createdAtSeconds))
      default:
        return request satisfies never
    }
  }

  function updateUsagePlan(planId: string, patch: unknown, now: EpochMs): Answer {
    const waitMs = updatedAt + updateUsagePlanEveryMs - now
    if (waitMs > 0) return tooMany(Math.ceil(waitMs / 1000))
    // The call counts whatever comes of it.
    updatedAt = now
    const plan = plans.get(planId)
    if (plan === undefined) return unknownPlan
    const patched = patchSettings(plan.settings, plan.stages, patch, methodPaths)
    if (patched.kind === 'invalid') return badRequest(patched.because)
    change(plan, patched.settings, 'api')
    return answer(planBody(plan))
  }

  function createUsagePlanKey(planId: string, key: unknown): Answer {
    const plan = plans.get(planId)
    const { keyId, keyType } = { keyId: undefined, keyType: undefined, ...(typeof key === 'object' ? key : {}) }
    if (keyType !== 'API_KEY' || typeof keyId !== 'string') return badRequest('Invalid key type or id')
    if (plan === undefined) return unknownPlan
    if (!keys.has(keyId)) return unknownKey
    const other = members.conflict(keyId, plan)
    if (other !== undefined)
      return { kind: 'error', name: 'ConflictException', message: conflictText(keyId, plan, other) }
    members.enter(keyId, plan)
    // As AWS does, it answers with the key's value, which a client must not keep.
    return { kind: 'answer', status: 201, body: { ...planKeyBody(keyId, keys), value: secretValueOf(keyId) } }
  }

  function deleteUsagePlanKey(planId: string, keyId: string): Answer {
    if (!plans.has(planId)) return unknownPlan
    if (!members.leave(keyId, planId)) return unknownKey
    return { kind: 'answer', status: 202, body: {} }
  }

  function planNamed(planId: string): Plan {
    const plan = plans.get(planId)
    if (plan === undefined) throw new Error(`no usage plan ${planId} in the simulation`)
    return plan
  }

  /** In the order in which they were made. */
  const plansOf = (keyId: string): readonly Plan[] => [...plans.values()].filter(({ id }) => members.isIn(keyId, id))

  function change(plan: Plan, settings: Settings, by: 'api' | 'person'): void {
    const at = clock.now()
    const effectiveAt = leaky.includes(plan.id) ? Number.POSITIVE_INFINITY : at + propagationDelayMs()
    history.push({ at, planId: plan.id, by, before: plan.settings.limits, after: settings.limits, effectiveAt })
    if (history.length > keptChanges) history.shift()
    plan.settings = settings
    const biting = plan.enforced.findLastIndex(setting => setting.effectiveAt <= at)
    plan.enforced = [...plan.enforced.slice(Math.max(biting, 0)), { ...settings, effectiveAt }]
  }

  /** Of the method, where one is named and a plan has limits for it; else the tightest of the plans'. */
  function limitsAt(keyId: string, at: EpochMs, method?: MethodPlace): PlanLimits | undefined {
    let tightest: PlanLimits | undefined
    for (const planId of members.reaching(keyId, at)) {
      const plan = plans.get(planId)
      const enforced = plan?.enforced.findLast(setting => setting.effectiveAt <= at) ?? plan?.enforced[0]
      const own =
        method && enforced?.methods.find(one => one.apiStage === method.apiStage && one.method === method.method)
      const limits = own?.limits ?? enforced?.limits
      if (limits && tightest) {
        const rateLimit = Math.min(limits.rateLimit, tightest.rateLimit)
        tightest = { rateLimit, burstLimit: Math.min(limits.burstLimit, tightest.burstLimit) }
      } else tightest ??= limits
    }
    return tightest
  }

  function answerTo(keyId: string, atMs: EpochMs, method?: MethodPlace): 'admitted' | 'throttled' | 'forbidden' {
    if (keys.get(keyId)?.enabled !== true || members.reaching(keyId, atMs).length === 0) return 'forbidden'
    const limits = limitsAt(keyId, atMs, method)
    if (limits === undefined) return 'admitted'
    const name = method === undefined ? keyId : `${keyId} ${method.apiStage}${method.method}`
    const bucket = buckets.get(name) ?? { tokens: limits.burstLimit, at: atMs }
    buckets.set(name, bucket)
    refill(bucket, atMs, limits)
    if (bucket.tokens < 1) return 'throttled'
    bucket.tokens -= 1
    return 'admitted'
  }

  return {
    clock,
    call,
    planLimits: planId => plans.get(planId)?.settings.limits,
    planMethods: planId => plans.get(planId)?.settings.methods ?? [],
    plansOfKey: keyId => plansOf(keyId).map(({ id }) => id),
    effectiveLimits: keyId => limitsAt(keyId, clock.now()),
    admit: (keyId, atMs) => answerTo(keyId, atMs) === 'admitted',
    answerTo,
    changeByPerson(planId, limits, methods) {
      const plan = planNamed(planId)
      change(plan, { limits, methods: methods ?? plan.settings.methods }, 'person')
    },
    moveByPerson(keyId, planIds) {
      for (const { id } of plansOf(keyId)) members.leaveAtOnce(keyId, id)
      for (const planId of planIds) members.enter(keyId, planNamed(planId))
    },
    deleteByPerson(what) {
      if ('planId' in what) {
        for (const keyId of members.keysIn(what.planId)) members.leaveAtOnce(keyId, what.planId)
        plans.delete(what.planId)
      } else {
        for (const { id } of plansOf(what.keyId)) members.leaveAtOnce(what.keyId, id)
        keys.delete(what.keyId)
      }
    },
    changes: () => [...history],
  }
}

/** A token bucket that is never fuller than the burst; mutated in place, since every simulated call comes by here. */
function refill(bucket: Bucket, at: EpochMs, { rateLimit, burstLimit }: PlanLimits): void {
  const elapsedMs = Math.max(at - bucket.at, 0)
  bucket.tokens = Math.min(bucket.tokens + (elapsedMs / 1000) * rateLimit, burstLimit)
  bucket.at = Math.max(at, bucket.at)
}

function createPlan({ id, name = id, limits, methods = [], stages = ['api:live'] }: PlanSetup): Plan {
  const settings = { limits, methods }
  return { id, name, stages, settings, enforced: [{ ...settings, effectiveAt: Number.NEGATIVE_INFINITY }] }
}

interface Key {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly tags: Readonly<Record<string, string>>
}

function createKeys(plans: readonly PlanSetup[], setups: readonly KeySetup[]): Map<string, Key> {
  const all = [...plans.flatMap(plan => plan.keys ?? []).map((id): KeySetup => ({ id })), ...setups]
  return new Map(all.map(({ id, name = id, enabled = true, tags = {} }) => [id, { id, name, enabled, tags }]))
}

function answer(body: unknown): Answer {
  return { kind: 'answer', body }
}

function tooMany(retryAfterSeconds: number): Answer {
  return { kind: 'error', name: 'TooManyRequestsException', message: 'Too Many Requests', retryAfterSeconds }
}

function badRequest(message: string): Answer {
  return { kind: 'error', name: 'BadRequestException', message }
}

/** Made up, and told apart at once wherever it turns up: it has to turn up nowhere. */
export const secretValueOf = (keyId: string): string => `secret-value-of-${keyId}`

const conflictText = (keyId: string, { id }: Plan, other: string): string =>
  `key ${keyId} is in plan ${other} for a stage of ${id}, and cannot be in both`

const unknownPlan: Answer = { kind: 'error', name: 'NotFoundException', message: 'Invalid Usage Plan ID specified' }
const unknownKey: Answer = { kind: 'error', name: 'NotFoundException', message: 'Invalid API Key identifier specified' }

/** `position` is where the next page begins. A page holds 25 where nothing is asked, and 500 at most. */
function page<T>(all: readonly T[], { limit, position }: Page, body: (one: T) => unknown): Answer {
  const from = position === undefined ? 0 : Number(position)
  if (!Number.isInteger(limit) || limit < 1 || limit > 500 || !Number.isInteger(from) || from < 0)
    return { kind: 'error', name: 'BadRequestException', message: 'Invalid limit or position' }
  const item = all.slice(from, from + limit).map(body)
  return answer(from + limit < all.length ? { item, position: String(from + limit) } : { item })
}

function planBody({ id, name, settings: { limits, methods }, stages }: Plan): unknown {
  const apiStages = stages.map(apiStage => {
    const [apiId, stage] = apiStage.split(':')
    const own = methods.filter(method => method.apiStage === apiStage).map(({ method, limits }) => [method, limits])
    return { apiId, stage, ...(own.length > 0 && { throttle: Object.fromEntries(own) }) }
  })
  return { id, name, apiStages, ...(limits && { throttle: limits }) }
}

function planKeyBody(keyId: string, keys: ReadonlyMap<string, Key>): object {
  return { id: keyId, type: 'API_KEY', name: keys.get(keyId)?.name }
}

/** Without the key's value, always: nothing here knows one. */
function keyBody({ id, name, enabled, tags }: Key, createdAtSeconds: number): unknown {
  return { id, name, enabled, tags, createdDate: createdAtSeconds, lastUpdatedDate: createdAtSeconds, stageKeys: [] }
}
