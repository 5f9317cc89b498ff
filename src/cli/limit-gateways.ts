/** The gateways that a configuration names, as whoever lowers limits or gives them back is handed them: clients, queue, and ways. */
import type { ControlPlaneQueue } from '../actions/control-plane-queue.ts'
import { apiGatewayClient } from '../actions/usage-plan-client.ts'
import { authorizerRows } from '../actions/ways/authorizer-rows.ts'
import type { GatewayControl } from '../actions/ways/way.ts'
import type { WeirConfig } from '../core/config/config.ts'
import { MINUTE_MS } from '../core/vocabulary.ts'
import { namedGateways } from './dead-mans-switch.ts'

/** By name; that of `gateway` has none. */
export type LimitGateways = ReadonlyMap<string | undefined, GatewayControl>

export function limitGateways(
  config: WeirConfig,
  queueOf: (gateway: string | undefined) => ControlPlaneQueue,
): LimitGateways {
  return new Map(
    namedGateways(config).map(([name, { stages, way, penaltyPlan, authorizerTable, ...aws }]) => [
      name,
      {
        ...{ client: apiGatewayClient(aws), queue: queueOf(name), stages, region: aws.region, way, penaltyPlan },
        authorizerTable: authorizerTable && {
          // In the gateway's account and region, unless it says another; at its own endpoint.
          rows: authorizerRows({ ...aws, endpoint: undefined, ...authorizerTable }),
          penaltyKeys: authorizerTable.penaltyKeys,
          // A minute for what decides on it: a worker that has just begun anew, a table that is slow.
          beyondMs: config.throttle.probation + MINUTE_MS,
        },
      },
    ]),
  )
}
