/** Who takes part in each simulated story: a dozen keys, and how their usage plans are made. */
import { type Mode, type TenantsConfig, tenantsSchema, weirSchema } from '../../core/config/config.ts'
import type { WayName } from '../../core/config/way-schema.ts'
import type { PlanLimits } from '../../core/incident/effect.ts'
import { SECOND_MS } from '../../core/vocabulary.ts'
import type { PlanSetup } from '../../simulation/gateway.ts'

export interface Player {
  readonly keyId: string
  readonly callsPerSecond: number
  /** Whether it ever misbehaves. */
  readonly storms: boolean
}

export const players: readonly Player[] = [
  { keyId: 'k1', callsPerSecond: 1, storms: true },
  { keyId: 'k2', callsPerSecond: 2, storms: true },
  { keyId: 'k3', callsPerSecond: 1.5, storms: true },
  { keyId: 'k4', callsPerSecond: 0.7, storms: true },
  { keyId: 'unlimited', callsPerSecond: 1, storms: true },
  { keyId: 'multi-a', callsPerSecond: 0.6, storms: true },
  { keyId: 'multi-b', callsPerSecond: 0.9, storms: true },
  { keyId: 'exempt', callsPerSecond: 1, storms: true },
  { keyId: 'shared-a', callsPerSecond: 1, storms: true },
  { keyId: 'shared-b', callsPerSecond: 1, storms: false },
  { keyId: 'quiet-a', callsPerSecond: 2, storms: false },
  { keyId: 'quiet-b', callsPerSecond: 0.8, storms: false },
]

/**
 * `own`: each limit is lowered in the key’s own plan. `mixed`: some keys are moved into a penalty plan, one is lowered by a row of the
 * authorizer’s table, and one plan has limits of its methods.
 */
export type Ways = 'own' | 'mixed'

/** Plans that hold the keys of several tenants: nobody's to lower. */
export const sharedPlans: ReadonlySet<string> = new Set(['plan-shared'])

const ownPlans: readonly PlanSetup[] = [
  { id: 'plan-1', limits: { rateLimit: 100, burstLimit: 200 }, keys: ['k1'] },
  { id: 'plan-2', limits: { rateLimit: 33.25, burstLimit: 50 }, keys: ['k2'] },
  { id: 'plan-3', limits: { rateLimit: 250, burstLimit: 500 }, keys: ['k3'] },
  { id: 'plan-4', limits: { rateLimit: 0.9, burstLimit: 200 }, keys: ['k4'] },
  { id: 'plan-unlimited', keys: ['unlimited'] },
  { id: 'plan-multi', limits: { rateLimit: 80, burstLimit: 160 }, keys: ['multi-a', 'multi-b'] },
  { id: 'plan-exempt', limits: { rateLimit: 90, burstLimit: 90 }, keys: ['exempt'] },
  { id: 'plan-shared', limits: { rateLimit: 100, burstLimit: 200 }, keys: ['shared-a', 'shared-b'] },
  { id: 'plan-quiet-a', limits: { rateLimit: 60, burstLimit: 60 }, keys: ['quiet-a'] },
  { id: 'plan-quiet-b', limits: { rateLimit: 61, burstLimit: 61 }, keys: ['quiet-b'] },
]

const stage = 'api:prod'
export const penaltyPlan = 'plan-penalty'
/** By its id, with the plan that it is in. */
export const penaltyKeys = [
  { id: 'penalty-a', rateLimit: 1.5, burstLimit: 3 },
  { id: 'penalty-b', rateLimit: 4, burstLimit: 8 },
] as const

const waysOfKeys: Readonly<Record<string, WayName>> = {
  k2: 'penalty-plan',
  'shared-a': 'penalty-plan',
  k4: 'authorizer-table',
}

/** How the limit of a key is lowered in a story of these ways. */
export const wayOf = (ways: Ways, keyId: string): WayName =>
  (ways === 'mixed' ? waysOfKeys[keyId] : undefined) ?? 'own-plan'

export function planSetupsOf(ways: Ways): readonly PlanSetup[] {
  if (ways === 'own') return ownPlans
  const methods = [
    { apiStage: stage, method: '/pay/POST', limits: { rateLimit: 120.5, burstLimit: 240 } },
    { apiStage: stage, method: '/refund/POST', limits: { rateLimit: 9, burstLimit: 10 } },
  ]
  return [
    ...ownPlans.map(plan => ({ ...plan, stages: [stage], ...(plan.id === 'plan-3' && { methods }) })),
    { id: penaltyPlan, stages: [stage], limits: { rateLimit: 2.5, burstLimit: 5 } },
    ...penaltyKeys.map(({ id, ...limits }) => ({ id: `plan-${id}`, stages: [stage], limits, keys: [id] })),
  ]
}

/** Of each key of the cast the plan that it is in by nobody's doing. */
export const homeOf: ReadonlyMap<string, string> = new Map(
  ownPlans.flatMap(({ id, keys = [] }) => keys.map(keyId => [keyId, id] as const)),
)

/** Other limits than Weir would ever set, so that nobody takes a person's change for one of ours. */
export const personsLimits: readonly (PlanLimits | undefined)[] = [
  { rateLimit: 77.125, burstLimit: 177 },
  { rateLimit: 41.375, burstLimit: 91 },
  { rateLimit: 500.125, burstLimit: 1_001 },
  undefined,
]

export const tenantOf = (keyId: string): string => (keyId.startsWith('multi-') ? 'multi' : keyId)

/** tenants.yaml while these tenants are exempt. */
export function tenantsWith(exempt: ReadonlySet<string>, ways: Ways = 'own'): TenantsConfig {
  const tenants: Record<string, { keys: string[]; exempt: boolean; way: WayName }> = {}
  for (const { keyId } of players) {
    const id = tenantOf(keyId)
    const keys = [...(tenants[id]?.keys ?? []), keyId]
    tenants[id] = { keys, exempt: exempt.has(id), way: wayOf(ways, keyId) }
  }
  return tenantsSchema.parse({ tenants })
}

export interface ConfigChoice {
  readonly maxTenants: number
  readonly mode: Mode
  readonly ways?: Ways
  readonly hasSwitch?: boolean
}

/** As in life, with shorter times: a story of a quarter of an hour shall see a throttle expire several times. */
export function configOf({ maxTenants, mode, ways = 'own', hasSwitch = false }: ConfigChoice) {
  return weirSchema.parse({
    mode,
    gateway: {
      ...(ways === 'mixed' && { penaltyPlan, authorizerTable: { table: authorizerTable, penaltyKeys } }),
      // Nothing is lowered that would stay lowered without Weir: so that a story may end with its death.
      ...(hasSwitch && { deadMansSwitch: { functionArn, schedulerRoleArn, margin: `${marginMs}ms`, required: true } }),
    },
    alerts: { sns: { topicArn: topic } },
    time: { delivery: '10s' },
    throttle: { expiresAfter: `${expiresAfterMs}ms`, calmFor: '20s', probation: `${probationMs}ms`, maxTenants },
    incident: { closesAfter: '20s' },
    // Six of twelve: so that three storms at once are three storms.
    platform: { keys: 6, share: 0.6 },
  })
}

const functionArn = 'arn:aws:lambda:eu-central-1:123456789012:function:weir-dead-man'
const schedulerRoleArn = 'arn:aws:iam::123456789012:role/weir-scheduler'
export const authorizerTable = 'weir-penalties'
export const marginMs = 120 * SECOND_MS
export const topic = 'arn:aws:sns:eu-central-1:123456789012:weir'
export const expiresAfterMs = 90 * SECOND_MS
export const probationMs = 20 * SECOND_MS

export const startsAt = Date.UTC(2026, 10, 20, 12, 0, 0)
export const folder = '/state'
