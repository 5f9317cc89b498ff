/** The gateways that a configuration names, each with its client and its one queue. */
import type { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import { type ControlPlaneQueue, controlPlaneQueue } from '../actions/control-plane-queue.ts'
import { apiGatewayClient, type UsagePlans, usagePlans } from '../actions/usage-plan-client.ts'
import type { Clock } from '../clock.ts'
import type { WeirConfig } from '../core/config/config.ts'

export interface ControlledGateway {
  readonly client: APIGatewayClient
  readonly queue: ControlPlaneQueue
  readonly plans: UsagePlans
  /** `apiId/stage`; undefined: plans of any. */
  readonly stages: readonly string[] | undefined
  /** Where keys are moved to that misbehave. */
  readonly penaltyPlan: string | undefined
  /** Ids of the keys that an authorizer answers with instead of a tenant's own. */
  readonly penaltyKeys: readonly string[]
}

/** By name; that of `gateway` has none. Whoever asks closes the clients. */
export function controlledGateways(
  { gateway, gateways }: Pick<WeirConfig, 'gateway' | 'gateways'>,
  clock: Clock,
): ReadonlyMap<string | undefined, ControlledGateway> {
  const named = [...(gateway ? [[undefined, gateway] as const] : []), ...Object.entries(gateways)]
  return new Map(
    named.map(([name, { stages, penaltyPlan, authorizerTable, ...aws }]) => {
      const penaltyKeys = authorizerTable?.penaltyKeys.map(({ id }) => id) ?? []
      const client = apiGatewayClient(aws)
      const queue = controlPlaneQueue({ clock })
      const plans = usagePlans({ client, queue, clock, random: Math.random })
      return [name, { client, queue, plans, stages, penaltyPlan, penaltyKeys }]
    }),
  )
}
