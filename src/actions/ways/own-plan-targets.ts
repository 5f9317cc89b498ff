/**
 * Which plans are to be lowered for which keys: a key may be in several (a plan a stage), several keys of a tenant in one,
 * and a tenant's keys in different accounts and regions, each of which is asked by itself. A plan that holds somebody
 * else's key too is nobody's to lower.
 */
import type { KeyNeed, ThrottleEffect } from '../../core/incident/effect.ts'
import type { PlanPlace } from '../../core/incident/plan-story.ts'
import type { ApiKeyId, PlanLimits } from '../../core/vocabulary.ts'
import type { Asking, Silence } from '../usage-plan-client.ts'
import { type KnownGateway, noGateway, type Part, type PlacedKey, type Targets } from './way.ts'

export interface PlanTarget extends PlanPlace {
  readonly limits: PlanLimits
  /** Of the throttle's keys those that are in it. */
  readonly keys: readonly ApiKeyId[]
  /** `apiId/stage`, where the gateway was asked. */
  readonly stages: readonly string[] | undefined
}

/** At one gateway, so that none waits for another. */
export async function findPlans(
  { keys, siblings, limits }: ThrottleEffect,
  at: Part,
  gateway: KnownGateway | undefined,
  asking: Asking,
): Promise<Targets<PlanTarget> | Silence> {
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
  const targets: PlanTarget[] = []
  for (const [planId, keyIds] of keysOfPlan) {
    // One more than may be in it tells that somebody else is.
    const inPlan = await gateway.plans.keysOf(planId, needs.size + 1, asking)
    if (inPlan.kind === 'silent') return inPlan
    if (inPlan.kind === 'refused') missed.push(inPlan.because)
    else if (!keyIds.some(keyId => inPlan.value.includes(keyId))) missed.push(`key is not in usage plan ${planId}`)
    else if (inPlan.value.some(other => !needs.has(other))) missed.push(sharedPlan(planId))
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

/** What else could be done is the user's to choose: a key that is moved is refused for a while on its way. */
export const sharedPlan = (planId: string): string =>
  `plan is shared: ${planId} holds other keys too. Give the key a plan of its own, or choose \`way: penalty-plan\` or \`way: authorizer-table\``

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
