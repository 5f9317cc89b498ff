/**
 * The settings of the ways to lower a limit, and what no schema can say of them: a way that is chosen needs what it works with.
 * None takes the place of another that cannot be gone, so a choice that lacks something is a complaint at the start.
 */
import { z } from 'zod'

export const wayNames = ['own-plan', 'penalty-plan', 'authorizer-table'] as const
export type WayName = (typeof wayNames)[number]

const keyId = z.string().min(1)

/** `awsClient`: region, endpoint, role, as everything on AWS has them. */
export const waySettings = <Client extends z.core.$ZodLooseShape>(awsClient: Client) => ({
  way: z
    .enum(wayNames)
    .optional()
    .describe(
      'how a limit is lowered (own-plan without it): in the key’s own usage plan, by moving it to penaltyPlan (its calls get 403 for seconds to minutes), or by a row that the API’s authorizer reads',
    ),
  penaltyPlan: z
    .string()
    .min(1)
    .optional()
    .describe(
      'id of the usage plan that keys are moved to, for `way: penalty-plan`: of lower limits, for the same stages',
    ),
  authorizerTable: z
    .strictObject({
      table: z
        .string()
        .regex(/^[A-Za-z0-9_.-]{3,255}$/)
        .describe('name of the DynamoDB table: partition key keyId (text), TTL attribute expiresAt')
        .meta({ expected: 'the name of a table, 3 to 255 letters, digits and _ . -' }),
      penaltyKeys: z
        .array(
          z.strictObject({
            id: keyId.describe('its id, as the authorizer knows it; never its value'),
            rateLimit: z.number().positive().describe('calls a second that its plan allows'),
            burstLimit: z.number().int().min(1).describe('burst that its plan allows'),
          }),
        )
        .min(1)
        .describe('keys to answer with instead of a tenant’s own, one for each that may be throttled at once')
        .meta({ expected: 'a list of {id, rateLimit, burstLimit}' }),
      ...awsClient,
    })
    .optional()
    .describe('table that the API’s Lambda authorizer reads, for `way: authorizer-table`'),
})

export const tenantWay = z
  .enum(wayNames)
  .optional()
  .describe('how its limit is lowered, where it is not as its gateway says')

interface WayComplaint {
  readonly file: 'weir' | 'tenants'
  readonly path: readonly (string | number)[]
  readonly value: string
  readonly right: string
}

interface RawGateway {
  readonly path: readonly string[]
  readonly settings: Readonly<Record<string, unknown>>
}

/** Of values as the files have them. `keys`: each with the way and the gateway that tenants.yaml says, where it does. */
export function wayComplaints(
  gateways: ReadonlyMap<string | undefined, RawGateway>,
  keys: readonly { readonly path: readonly (string | number)[]; readonly way: unknown; readonly gateway: unknown }[],
): readonly WayComplaint[] {
  const ofGateways = [...gateways.values()].flatMap(({ path, settings }): readonly WayComplaint[] => {
    const wanting = wantingFor(settings.way, settings)
    const right = `another way, or have \`${wanting}\` beside it`
    return wanting === undefined ? [] : [{ file: 'weir', path: [...path, 'way'], value: `"${settings.way}"`, right }]
  })
  const ofKeys = keys.flatMap(({ path, way, gateway }): readonly WayComplaint[] => {
    const known = gateways.get(typeof gateway === 'string' ? gateway : undefined)
    const wanting = known && wantingFor(way, known.settings)
    if (wanting === undefined) return []
    const right = `another way, or \`${wanting}\` has to stand in \`${known?.path.join('.')}\` of weir.yaml`
    return [{ file: 'tenants', path, value: `"${way}"`, right }]
  })
  return [...ofGateways, ...ofKeys]
}

function wantingFor(way: unknown, settings: Readonly<Record<string, unknown>>): string | undefined {
  if (way === 'penalty-plan' && settings.penaltyPlan === undefined) return 'penaltyPlan'
  return way === 'authorizer-table' && settings.authorizerTable === undefined ? 'authorizerTable' : undefined
}
