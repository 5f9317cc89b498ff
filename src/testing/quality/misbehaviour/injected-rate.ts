/**
 * How often injected calls come.
 *
 *     demand = max( multiple × usual, 20 calls a minute )
 *
 * A tenant may make next to nothing at this hour, and three times nothing would be nothing that anyone could mind. Where the
 * floor holds, demand is above the stated multiple; so that this stays the exception of quiet hours, a multiple is
 * put only into tenants whose week as a whole brings that much.
 */
import type { RealTenant, Scene } from '../contract.ts'

const LEAST_PER_MINUTE = 20

/** Calls a second, the tenant's own included. */
export const demandAt = (multiple: number, { usualPerSecond }: Pick<Scene, 'usualPerSecond'>): number =>
  Math.max(multiple * usualPerSecond, LEAST_PER_MINUTE / 60)

export const canMultiply =
  (multiple: number) =>
  ({ callsPerMinute }: RealTenant): boolean =>
    multiple * callsPerMinute >= LEAST_PER_MINUTE
