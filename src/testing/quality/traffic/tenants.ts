/**
 * The fleets that the bench judges. `realTenants` are all clients of the real sets, once. `manyTenants` is a fleet of any
 * size out of ServeGen's, the one set with a whole judged week: a seeded choice of the real ones while they last, then copies.
 *
 * A copy is its original shifted by whole days around the two weeks (its time of day stays; at the seam the last day is
 * followed by the first), with each window's count drawn anew: Poisson around the original's times a factor of spread
 * 0.25, a silent window stays silent. There are 13 shifts; beyond them copies of one client swell at the same
 * times, as clients of one kind do.
 */
import { createRandom } from '../../../simulation/random.ts'
import type { RealTenant } from '../contract.ts'
import { readErddap } from './erddap.ts'
import { isHeldOut } from './held-out.ts'
import { readLcg } from './lcg.ts'
import { MOST_PER_SECOND, readServegen, servegenTenant, type WindowedClient } from './servegen.ts'

export interface Fleet {
  /** Those held out, or those that are not: never both. */
  readonly heldOut: boolean
  /** Calls a second that a client makes at most, on average: larger ones are made smaller (servegen.ts). */
  readonly mostPerSecond?: number
}

export function realTenants({ heldOut, mostPerSecond = MOST_PER_SECOND }: Fleet): readonly RealTenant[] {
  const servegen = readServegen().map(client => servegenTenant(client, { mostPerSecond }))
  return [...servegen, ...readLcg(), ...readErddap()].filter(tenant => tenant.isHeldOut === heldOut)
}

export function manyTenants(
  count: number,
  { heldOut, mostPerSecond = MOST_PER_SECOND }: Fleet,
  clients = readServegen(),
): readonly RealTenant[] {
  const originals = inChosenOrder(clients.filter(({ id }) => isHeldOut(id) === heldOut))
  return Array.from({ length: count }, (_, place) => {
    const number = Math.floor(place / originals.length)
    const client = originals[place % originals.length]
    return servegenTenant(client, number === 0 ? { mostPerSecond } : { mostPerSecond, copy: copyOf(number) })
  })
}

const SEED = 2

const inChosenOrder = (clients: readonly WindowedClient[]): readonly WindowedClient[] =>
  clients
    .map(client => ({ client, place: createRandom(SEED, client.id).uniform() }))
    .sort((one, other) => one.place - other.place)
    .map(({ client }) => client)

/** Copies 1 to 13 are shifted by 5, 10, 2, 7 … days: as far from each other as the two weeks allow, and never by none. */
const copyOf = (number: number) => ({ number, shiftDays: 1 + ((5 * number - 1) % 13) })
