/** Who plays what, where: as many tenants of each size, drawn by a seed from those whom it suits. */
import { createRandom } from '../../simulation/random.ts'
import type { RealTenant } from './contract.ts'
import type { Fleet } from './fleet.ts'
import { sizeOf, sizes } from './size.ts'

export interface Cast {
  /** Place in the fleet. */
  readonly key: number
  readonly tenant: RealTenant
}

export function castFor(
  { tenants }: Fleet,
  { suits, perSize, stream }: { suits(tenant: RealTenant): boolean; readonly perSize: number; readonly stream: string },
): readonly Cast[] {
  const random = createRandom(seed, stream)
  return sizes.flatMap(size => {
    const suited = tenants
      .map((tenant, key) => ({ key, tenant }))
      .filter(({ tenant }) => sizeOf(tenant.callsPerMinute) === size && suits(tenant))
    const drawn: Cast[] = []
    while (drawn.length < perSize && suited.length > 0) drawn.push(...suited.splice(random.integer(suited.length), 1))
    return drawn
  })
}

const seed = 52
