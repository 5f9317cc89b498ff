/**
 * Which plans are to be lowered for which keys: a key may be in several (a plan a stage), several keys of a tenant in one,
 * and a tenant's keys in different accounts and regions, each of which is asked by itself. A plan that holds somebody
 * else's key too is nobody's to lower.
 */
import type { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import type { KeyPlace } from '../core/config/tenants.ts'
import type { KeyNeed, ThrottleEffect } from '../core/incident/effect.ts'
import type { PlanPlace } from '../core/incident/plan-story.ts'
import type { ApiKeyId, PlanLimits } from '../core/vocabulary.ts'
import type { ControlPlaneQueue } from './control-plane-queue.ts'
import type { Asking, Silence, UsagePlans } from './usage-plan-client.ts'

/** The API Gateway of one account and region. */
export interface GatewayControl {
  readonly client: APIGatewayClient
  /** The account's and region's one queue. */
  readonly queue: ControlPlaneQueue
  /** Only plans of one of these stages (`apiId/stage`) are lowered; of any where none is named. */
  readonly stages?: readonly string[] | undefined
  /** As configured: for the commands that people are told. */
  readonly region?: string | undefined
}

export interface Target extends PlanPlace {
  readonly limits: PlanLimits
  /** Of the throttle's keys those that are in it. */
  readonly keys: readonly ApiKeyId[]
  /** `apiId/stage`, where the gateway was asked. */
  readonly stages: readonly string[] | undefined
}

export interface Targets {
  readonly kind: 'found'
  readonly targets: readonly Target[]
  /** What is not lowered, and why. */
  readonly missed: readonly string[]
}

export interface KnownGateway extends GatewayControl {
  readonly plans: UsagePlans
}

export type KnownGateways = ReadonlyMap<string | undefined, KnownGateway>

interface PlacedKey {
  readonly keyId: ApiKeyId
  /** The plan that the configuration names for it. */
  readonly usagePlan: string | undefined
}

/** The keys that are to get less, by the name of the gateway that they are at. */
export function keysByGateway(
  { keys }: ThrottleEffect,
  placeOf: (keyId: ApiKeyId) => KeyPlace | undefined,
): Map<string | undefined, readonly PlacedKey[]> {
  const byGateway = new Map<string | undefined, readonly PlacedKey[]>()
  for (const { keyId } of keys) {
    const { gateway, usagePlan } = placeOf(keyId) ?? {}
    byGateway.set(gateway, [...(byGateway.get(gateway) ?? []), { keyId, usagePlan }])
  }
  return byGateway
}

/** At one gateway, so that none waits for another. Silent where it left one question without an answer. */
export async function findTargets(
  { keys, siblings, limits }: ThrottleEffect,
  at: { readonly gateway: string | undefined; readonly keys: readonly PlacedKey[] },
  gateways: KnownGateways,
  asking: Asking,
): Promise<Targets | Silence> {
  const gateway = gateways.get(at.gateway)
  if (gateway === undefined)
    return { kind: 'found', targets: [], missed: at.keys.length === 0 ? [] : [noGateway(at.gateway)] }
  const missed: string[] = []
  const keysOfPlan = new Map<string, readonly ApiKeyId[]>()
  const stagesOfPlan = new Map<string, readonly string[] | undefined>()
  for (const key of at.keys) {
    const found = await plansOf(key, gateway, asking)
    if (found.kind === 'silent') return found
    if (found.kind === 'refused') missed.push(found.because)
    else {
      for (const { id, stages } of found.plans) {
        keysOfPlan.set(id, [...(keysOfPlan.get(id) ?? []), key.keyId])
        stagesOfPlan.set(id, stages)
      }
    }
  }

  const needs = new Map([...siblings, ...keys].map(need => [need.keyId, need]))
  const targets: Target[] = []
  for (const [planId, keyIds] of keysOfPlan) {
    // One more than may be in it tells that somebody else is.
    const inPlan = await gateway.plans.keysOf(planId, needs.size + 1, asking)
    if (inPlan.kind === 'silent') return inPlan
    if (inPlan.kind === 'refused') missed.push(inPlan.because)
    else if (!keyIds.some(keyId => inPlan.value.includes(keyId))) missed.push(`key is not in usage plan ${planId}`)
    else if (inPlan.value.some(other => !needs.has(other)))
      missed.push(`plan is shared: ${planId} holds other keys too`)
    else {
      const keys = keyIds.filter(keyId => inPlan.value.includes(keyId))
      const stages = stagesOfPlan.get(planId)
      targets.push({ gateway: at.gateway, planId, limits: enoughForAll(inPlan.value, needs, limits), keys, stages })
    }
  }
  return { kind: 'found', targets, missed: [...new Set(missed)] }
}

type Found =
  | { readonly kind: 'found'; readonly plans: readonly { readonly id: string; readonly stages?: readonly string[] }[] }
  | { readonly kind: 'refused'; readonly because: string }

async function plansOf(
  { keyId, usagePlan }: PlacedKey,
  { plans, stages }: KnownGateway,
  asking: Asking,
): Promise<Found | Silence> {
  if (usagePlan !== undefined) return { kind: 'found', plans: [{ id: usagePlan }] }
  const asked = await plans.plansOf(keyId, asking)
  if (asked.kind !== 'ok') return asked
  const found = asked.value.filter(plan => stages === undefined || plan.stages.some(stage => stages.includes(stage)))
  if (found.length > 0) return { kind: 'found', plans: found }
  const because = asked.value.length === 0 ? 'key is in no usage plan' : 'key is in no usage plan of gateway.stages'
  return { kind: 'refused', because }
}

const noGateway = (name: string | undefined): string =>
  name === undefined ? 'no `gateway` is configured' : `no gateway ${name} is configured in \`gateways\``

/** A plan's limits hold for each of its keys: the one that needs most must not be starved for another's sake. */
function enoughForAll(
  keyIds: readonly ApiKeyId[],
  needs: ReadonlyMap<ApiKeyId, KeyNeed>,
  unknown: PlanLimits,
): PlanLimits {
  const known = keyIds.map(keyId => needs.get(keyId)?.limits ?? unknown)
  return {
    rateLimit: Math.max(...known.map(({ rateLimit }) => rateLimit)),
    burstLimit: Math.max(...known.map(({ burstLimit }) => burstLimit)),
  }
}
