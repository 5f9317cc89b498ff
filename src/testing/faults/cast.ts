/** Who takes part in each simulated story: a dozen keys, and how their usage plans are made. */
import { type Mode, type TenantsConfig, tenantsSchema, weirSchema } from '../../core/config/config.ts'
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

/** Plans that hold the keys of several tenants: nobody's to lower. */
export const sharedPlans: ReadonlySet<string> = new Set(['plan-shared'])

export const planSetups: readonly PlanSetup[] = [
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

/** Other limits than Weir would ever set, so that nobody takes a person's change for one of ours. */
export const personsLimits: readonly (PlanLimits | undefined)[] = [
  { rateLimit: 77.125, burstLimit: 177 },
  { rateLimit: 41.375, burstLimit: 91 },
  { rateLimit: 500.125, burstLimit: 1_001 },
  undefined,
]

export const tenantOf = (keyId: string): string => (keyId.startsWith('multi-') ? 'multi' : keyId)

/** tenants.yaml while these tenants are exempt. */
export function tenantsWith(exempt: ReadonlySet<string>): TenantsConfig {
  const tenants: Record<string, { keys: string[]; exempt: boolean }> = {}
  for (const { keyId } of players) {
    const id = tenantOf(keyId)
    tenants[id] = { keys: [...(tenants[id]?.keys ?? []), keyId], exempt: exempt.has(id) }
  }
  return tenantsSchema.parse({ tenants })
}

/** As in life, with shorter times: a story of a quarter of an hour shall see a throttle expire several times. */
export function configOf({ maxTenants, mode }: { readonly maxTenants: number; readonly mode: Mode }) {
  return weirSchema.parse({
    mode,
    gateway: {},
    alerts: { sns: { topicArn: topic } },
    time: { delivery: '10s' },
    throttle: { expiresAfter: `${expiresAfterMs}ms`, calmFor: '20s', probation: `${probationMs}ms`, maxTenants },
    incident: { closesAfter: '20s' },
    // Six of twelve: so that three storms at once are three storms.
    platform: { keys: 6, share: 0.6 },
  })
}

export const topic = 'arn:aws:sns:eu-central-1:123456789012:weir'
export const expiresAfterMs = 90 * SECOND_MS
export const probationMs = 20 * SECOND_MS

export const startsAt = Date.UTC(2026, 10, 20, 12, 0, 0)
export const folder = '/state'
