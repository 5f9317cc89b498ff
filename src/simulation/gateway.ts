/**
 * API Gateway's usage plans, as strict as the real ones: what AWS refuses is refused here, because an emulator that lets
 * everything through hides the mistakes that cost a tenant its limit. State and rules only; gateway-server.ts speaks HTTP.
 *
 * Kept from AWS (API Gateway quotas and API reference): UpdateUsagePlan once in 20 s an account, all control-plane calls
 * 10 a second with a burst of 40, a key in one plan a stage, whole bursts, patch values as text, all operations of a patch
 * or none, and changes that reach the data plane only after a while. Plan limits hold for each key by itself.
 */
import type { Clock } from '../clock.ts'
import type { PlanLimits } from '../core/incident/effect.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'

export const updateUsagePlanEveryMs = 20_000
const callsPerSecond = 10
const callBurst = 40
/** So many changes are remembered for people; older ones are forgotten. */
const keptChanges = 10_000

export interface PlanSetup {
  readonly id: string
  readonly name?: string
  readonly limits?: PlanLimits | undefined
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
  | { readonly kind: 'answer'; readonly body: unknown }
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
  | { readonly operation: 'GetApiKey'; readonly keyId: string }
  | { readonly operation: 'GetApiKeys'; readonly page: Page }

export interface Gateway {
  readonly clock: Clock
  /** One control-plane call, with AWS's limits on how often. */
  call(call: ControlPlaneCall): Answer
  /** What the control plane says the plan has. */
  planLimits(planId: string): PlanLimits | undefined
  /** What the data plane enforces for this key now: the tightest of its plans. undefined = nothing. */
  effectiveLimits(keyId: ApiKeyId): PlanLimits | undefined
  /** Whether a call of this key gets through the limit of its plan at `atMs`. Times of one key must not run backwards. */
  admit(keyId: ApiKeyId, atMs: EpochMs): boolean
  /** A person, or their infrastructure code, sets the plan: bound by no rate of ours. */
  changeByPerson(planId: string, limits: PlanLimits | undefined): void
  /** Oldest first. */
  changes(): readonly LimitChange[]
}

interface Plan {
  readonly id: string
  readonly name: string
  readonly stages: readonly string[]
  readonly keyIds: readonly string[]
  limits: PlanLimits | undefined
  /** What was set and when it bites, in the order set; the first is what bites already. */
  enforced: readonly { readonly limits: PlanLimits | undefined; readonly effectiveAt: EpochMs }[]
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
}: GatewaySetup): Gateway {
  const plans = new Map(planSetups.map(setup => [setup.id, createPlan(setup)]))
  const keys = createKeys(planSetups, keySetups)
  assertOnePlanPerStage(plans)
  const plansOfKey = new Map<string, Plan[]>()
  for (const plan of plans.values()) {
    for (const keyId of plan.keyIds) plansOfKey.set(keyId, [...(plansOfKey.get(keyId) ?? []), plan])
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
        return page(keyId === undefined ? [...plans.values()] : (plansOfKey.get(keyId) ?? []), request.page, planBody)
      }
      case 'GetUsagePlanKeys': {
        const plan = plans.get(request.planId)
        return plan ? page(plan.keyIds, request.page, keyId => planKeyBody(keyId, keys)) : unknownPlan
      }
      case 'GetUsagePlanKey': {
        const plan = plans.get(request.planId)
        if (plan === undefined) return unknownPlan
        return plan.keyIds.includes(request.keyId) ? answer(planKeyBody(request.keyId, keys)) : unknownKey
      }
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
    const patched = patchLimits(plan.limits, patch)
    if (patched.kind === 'invalid') return { kind: 'error', name: 'BadRequestException', message: patched.because }
    change(plan, patched.limits, 'api')
    return answer(planBody(plan))
  }

  function change(plan: Plan, limits: PlanLimits | undefined, by: 'api' | 'person'): void {
    const at = clock.now()
    const effectiveAt = leaky.includes(plan.id) ? Number.POSITIVE_INFINITY : at + propagationDelayMs()
    history.push({ at, planId: plan.id, by, before: plan.limits, after: limits, effectiveAt })
    if (history.length > keptChanges) history.shift()
    plan.limits = limits
    const biting = plan.enforced.findLastIndex(setting => setting.effectiveAt <= at)
    plan.enforced = [...plan.enforced.slice(Math.max(biting, 0)), { limits, effectiveAt }]
  }

  function limitsAt(keyId: string, at: EpochMs): PlanLimits | undefined {
    let tightest: PlanLimits | undefined
    for (const plan of plansOfKey.get(keyId) ?? []) {
      const limits = (plan.enforced.findLast(setting => setting.effectiveAt <= at) ?? plan.enforced[0])?.limits
      if (limits && tightest) {
        const rateLimit = Math.min(limits.rateLimit, tightest.rateLimit)
        tightest = { rateLimit, burstLimit: Math.min(limits.burstLimit, tightest.burstLimit) }
      } else tightest ??= limits
    }
    return tightest
  }

  return {
    clock,
    call,
    planLimits: planId => plans.get(planId)?.limits,
    effectiveLimits: keyId => limitsAt(keyId, clock.now()),
    admit(keyId, atMs) {
      if (keys.get(keyId)?.enabled !== true) return false
      const limits = limitsAt(keyId, atMs)
      if (limits === undefined) return true
      const bucket = buckets.get(keyId) ?? { tokens: limits.burstLimit, at: atMs }
      buckets.set(keyId, bucket)
      refill(bucket, atMs, limits)
      if (bucket.tokens < 1) return false
      bucket.tokens -= 1
      return true
    },
    changeByPerson(planId, limits) {
      const plan = plans.get(planId)
      if (plan === undefined) throw new Error(`no usage plan ${planId} in the simulation`)
      change(plan, limits, 'person')
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

function createPlan({ id, name = id, limits, keys = [], stages = ['api:live'] }: PlanSetup): Plan {
  const enforced = [{ limits, effectiveAt: Number.NEGATIVE_INFINITY }]
  return { id, name, stages, keyIds: [...keys], limits, enforced }
}

interface Key {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly tags: Readonly<Record<string, string>>
}

function createKeys(plans: readonly PlanSetup[], setups: readonly KeySetup[]): ReadonlyMap<string, Key> {
  const all = [...plans.flatMap(plan => plan.keys ?? []).map((id): KeySetup => ({ id })), ...setups]
  return new Map(all.map(({ id, name = id, enabled = true, tags = {} }) => [id, { id, name, enabled, tags }]))
}

/** AWS answers ConflictException when such a key is added; a world set up that way would not be AWS's. */
function assertOnePlanPerStage(plans: ReadonlyMap<string, Plan>): void {
  const planOf = new Map<string, string>()
  for (const { id, keyIds, stages } of plans.values()) {
    for (const [keyId, stage] of keyIds.flatMap(keyId => stages.map(stage => [keyId, stage] as const))) {
      const other = planOf.get(`${keyId} ${stage}`)
      if (other !== undefined)
        throw new Error(
          `ConflictException: key ${keyId} is in plan ${other} for stage ${stage}, and cannot be in ${id} too`,
        )
      planOf.set(`${keyId} ${stage}`, id)
    }
  }
}

type Patched =
  | { readonly kind: 'limits'; readonly limits: PlanLimits | undefined }
  | { readonly kind: 'invalid'; readonly because: string }

/** All operations or none. Only what changes a plan's throttle is known; all else is refused, never ignored. */
function patchLimits(limits: PlanLimits | undefined, patch: unknown): Patched {
  if (!Array.isArray(patch) || patch.length === 0) return { kind: 'invalid', because: 'Invalid patch: no operations' }
  let patched = limits
  for (const operation of patch) {
    const { op, path, value } = readOperation(operation)
    if (op === 'remove' && path === '/throttle' && patched !== undefined) patched = undefined
    else if (op === 'replace' && path === '/throttle/rateLimit' && isDecimal(value))
      patched = { rateLimit: Number(value), burstLimit: patched?.burstLimit ?? 0 }
    else if (op === 'replace' && path === '/throttle/burstLimit' && isWhole(value))
      patched = { rateLimit: patched?.rateLimit ?? 0, burstLimit: Number(value) }
    else return { kind: 'invalid', because: `Invalid patch: op ${op}, path ${path}, value ${JSON.stringify(value)}` }
  }
  return { kind: 'limits', limits: patched }
}

function readOperation(operation: unknown): { readonly op: unknown; readonly path: unknown; readonly value: unknown } {
  if (typeof operation !== 'object' || operation === null) return { op: undefined, path: undefined, value: undefined }
  const { op, path, value } = { op: undefined, path: undefined, value: undefined, ...operation }
  return { op, path, value }
}

function isDecimal(value: unknown): value is string {
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value)
}

function isWhole(value: unknown): value is string {
  return typeof value === 'string' && /^\d+$/.test(value)
}

function answer(body: unknown): Answer {
  return { kind: 'answer', body }
}

function tooMany(retryAfterSeconds: number): Answer {
  return { kind: 'error', name: 'TooManyRequestsException', message: 'Too Many Requests', retryAfterSeconds }
}

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

function planBody({ id, name, limits, stages }: Plan): unknown {
  const apiStages = stages.map(stage => ({ apiId: stage.split(':')[0], stage: stage.split(':')[1] }))
  return { id, name, apiStages, ...(limits && { throttle: limits }) }
}

function planKeyBody(keyId: string, keys: ReadonlyMap<string, Key>): unknown {
  return { id: keyId, type: 'API_KEY', name: keys.get(keyId)?.name }
}

/** Without the key's value, always: nothing here knows one. */
function keyBody({ id, name, enabled, tags }: Key, createdAtSeconds: number): unknown {
  return { id, name, enabled, tags, createdDate: createdAtSeconds, lastUpdatedDate: createdAtSeconds, stageKeys: [] }
}
