/** Which usage plans there are and which keys are in them: asked of the gateways, read only, or as tenants.yaml says where none is configured. */

import type { ListedPlan } from '../actions/usage-plan-client.ts'
import type { TenantDirectory } from '../core/config/tenants.ts'
import { StreamError } from '../core/errors.ts'
import { type LimitStories, placeName } from '../core/incident/limit-story.ts'
import type { PlanPlace } from '../core/incident/plan-story.ts'
import type { SeenPlan } from '../core/limits/plan-sizing.ts'
import type { ApiKeyId } from '../core/vocabulary.ts'
import type { ControlledGateway } from './gateway-controls.ts'

export interface PlanSurvey {
  readonly plans: readonly SeenPlan[]
  /** What could not be used, for people. */
  readonly notes: readonly string[]
}

/** More keys in one plan than an account can have. */
const mostKeys = 10_000

/** Reads only. Throws GATEWAY_UNREACHABLE, GATEWAY_REFUSED; rejects when `signal` aborts. */
export async function surveyPlans(
  gateways: ReadonlyMap<string | undefined, ControlledGateway>,
  stories: LimitStories,
  progressed: (text: string) => void,
  signal: AbortSignal,
): Promise<PlanSurvey> {
  const plans: SeenPlan[] = []
  const notes: string[] = []
  for (const [gateway, { plans: control, stages, penaltyPlan, penaltyKeys }] of gateways) {
    let tries = 0
    const asking = { signal, triesAgain: () => ++tries < 5 }
    const where = gateway === undefined ? 'the gateway' : `gateway ${gateway}`
    progressed(`asking ${where} for its usage plans`)
    const listed = await control.all(asking)
    if (listed.kind !== 'ok') throw unread(where, listed.kind, listed.because)
    const isMeant = (plan: ListedPlan): boolean =>
      plan.id !== penaltyPlan && (stages === undefined || plan.stages.some(one => stages.includes(one)))
    const wanted = listed.value.filter(isMeant)
    for (const [index, plan] of wanted.entries()) {
      progressed(`asking ${where} for the keys of usage plan ${index + 1} of ${wanted.length}`)
      tries = 0
      const keys = await control.keysOf(plan.id, mostKeys, asking)
      if (keys.kind !== 'ok') throw unread(where, keys.kind, keys.because)
      const place = { ...(gateway !== undefined && { gateway }), planId: plan.id }
      // What is low on purpose is no client's, and fits nobody.
      if (keys.value.length > 0 && keys.value.every(keyId => penaltyKeys.includes(keyId))) continue
      const story = stories.get(placeName(place))
      if (plan.limits === undefined) {
        notes.push(`plan ${placeName(place)} has a rate without a burst or a burst without a rate, and is left out`)
        continue
      }
      plans.push({
        ...place,
        ...{ name: plan.name, stages: plan.stages, keyIds: ownKeys(place, keys.value, stories) },
        ...{ present: story?.kind === 'plan' ? story.original : plan.limits, isLowered: story !== undefined },
      })
    }
  }
  return { plans, notes }
}

/** A key that was moved to a penalty plan belongs to the plan that it came from. */
function ownKeys(plan: PlanPlace, keyIds: readonly ApiKeyId[], stories: LimitStories): readonly ApiKeyId[] {
  const own = new Set(keyIds)
  for (const story of stories.values()) {
    if (story.kind !== 'move' || story.gateway !== plan.gateway) continue
    if (story.to === plan.planId) own.delete(story.movedKey)
    if (story.from.includes(plan.planId)) own.add(story.movedKey)
  }
  return [...own]
}

const unread = (where: string, kind: 'refused' | 'silent', because: string): StreamError =>
  kind === 'refused'
    ? new StreamError('GATEWAY_REFUSED', `Cannot read the usage plans of ${where}: ${because}`, {
        retry: 'never',
        hint: 'Let the role do apigateway:GET on /usageplans and what is below it, or give --no-gateway',
      })
    : new StreamError('GATEWAY_UNREACHABLE', `Cannot read the usage plans of ${where}: ${because}`, {
        retry: 'later',
        hint: 'Try again later, or give --no-gateway for suggestions without what the plans have now',
      })

/** The plans that tenants.yaml names, with the keys that it says are in them. */
export function namedPlans({ places }: TenantDirectory): readonly SeenPlan[] {
  const found = new Map<string, SeenPlan & { readonly keyIds: ApiKeyId[] }>()
  for (const [keyId, { gateway, usagePlan }] of places) {
    if (usagePlan === undefined) continue
    const place = { ...(gateway !== undefined && { gateway }), planId: usagePlan }
    const name = placeName(place)
    const plan = found.get(name) ?? {
      ...place,
      ...{ name: undefined, stages: [], present: undefined, isLowered: false, keyIds: [] },
    }
    plan.keyIds.push(keyId)
    found.set(name, plan)
  }
  return [...found.values()]
}
