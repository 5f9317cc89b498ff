/**
 * Which plans are to be lowered for which keys: a key may be in several (a plan a stage), several keys of a tenant in one,
 * and a tenant's keys in different accounts and regions. A plan that holds somebody else's key too is nobody's to lower.
 */
import type { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import type { KeyPlace } from '../core/config/tenants.ts'
import type { KeyNeed, ThrottleEffect } from '../core/incident/effect.ts'
import { type PlanPlace, placeName } from '../core/incident/plan-story.ts'
import type { ApiKeyId, PlanLimits } from '../core/vocabulary.ts'
import type { ControlPlaneQueue } from './control-plane-queue.ts'
import type { UsagePlans } from './usage-plan-client.ts'

/** The API Gateway of one account and region. */
export interface GatewayControl {
  readonly client: APIGatewayClient
  /** The account's and region's one queue. */
  readonly queue: ControlPlaneQueue
  /** Only plans of one of these stages (`apiId/stage`) are lowered; of any where none is named. */
  readonly stages?: readonly string[] | undefined
}

export interface Target extends PlanPlace {
  readonly limits: PlanLimits
}

export interface Targets {
  readonly targets: readonly Target[]
  /** What is not lowered, and why. */
  readonly missed: readonly string[]
}

export interface KnownGateway extends GatewayControl {
  readonly plans: UsagePlans
}

export type KnownGateways = ReadonlyMap<string | undefined, KnownGateway>

export async function findTargets(
  { keys, siblings, limits }: ThrottleEffect,
  gateways: KnownGateways,
  placeOf: (keyId: ApiKeyId) => KeyPlace | undefined,
  signal: AbortSignal,
): Promise<Targets> {
  const missed: string[] = []
  const places = new Map<string, PlanPlace & { readonly keyIds: readonly ApiKeyId[] }>()
  for (const { keyId } of keys) {
    const { gateway, usagePlan } = placeOf(keyId) ?? {}
    const found = await plansOf(keyId, { gateway, usagePlan }, gateways, signal)
    if (found.kind === 'refused') missed.push(found.because)
    else
      for (const planId of found.planIds) {
        const name = placeName({ gateway, planId })
        places.set(name, { gateway, planId, keyIds: [...(places.get(name)?.keyIds ?? []), keyId] })
      }
  }

  const needs = new Map([...siblings, ...keys].map(need => [need.keyId, need]))
  const targets: Target[] = []
  for (const { gateway, planId, keyIds } of places.values()) {
    const plans = gateways.get(gateway)?.plans
    // One more than may be in it tells that somebody else is.
    const inPlan = await plans?.keysOf(planId, needs.size + 1, signal)
    if (inPlan === undefined) continue
    if (inPlan.kind === 'refused') missed.push(inPlan.because)
    else if (inPlan.value.some(other => !needs.has(other))) {
      const because = keyIds.some(keyId => inPlan.value.includes(keyId))
        ? `plan is shared: ${planId} holds other keys too`
        : `key is not in usage plan ${planId}`
      missed.push(because)
    } else if (!keyIds.some(keyId => inPlan.value.includes(keyId))) missed.push(`key is not in usage plan ${planId}`)
    else targets.push({ gateway, planId, limits: enoughForAll(inPlan.value, needs, limits) })
  }
  return { targets, missed: [...new Set(missed)] }
}

type Found =
  | { readonly kind: 'found'; readonly planIds: readonly string[] }
  | { readonly kind: 'refused'; readonly because: string }

async function plansOf(
  keyId: ApiKeyId,
  { gateway: name, usagePlan }: KeyPlace,
  gateways: KnownGateways,
  signal: AbortSignal,
): Promise<Found> {
  const gateway = gateways.get(name)
  if (gateway === undefined) return { kind: 'refused', because: noGateway(name) }
  if (usagePlan !== undefined) return { kind: 'found', planIds: [usagePlan] }
  const asked = await gateway.plans.plansOf(keyId, signal)
  if (asked.kind === 'refused') return asked
  const { stages } = gateway
  const planIds = asked.value
    .filter(plan => stages === undefined || plan.stages.some(stage => stages.includes(stage)))
    .map(({ id }) => id)
  if (planIds.length > 0) return { kind: 'found', planIds }
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
