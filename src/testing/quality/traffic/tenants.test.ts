import { expect, test } from 'vitest'
import { describeWith } from '../../servers/requirements.ts'
import { judgedFrom, type RealTenant } from '../contract.ts'
import { sumOf } from './arrivals.ts'
import { readErddap } from './erddap.ts'
import { readLcg } from './lcg.ts'
import { readServegen } from './servegen.ts'
import { manyTenants, realTenants } from './tenants.ts'

const idsOf = (tenants: readonly RealTenant[]) => tenants.map(({ id }) => id)

describeWith('shared-data', 'the fleets of the bench', () => {
  const clients = readServegen()

  test('hold each real client once, a third of them apart', () => {
    const [shown, heldOut] = [realTenants({ heldOut: false }), realTenants({ heldOut: true })]
    const all = [...shown, ...heldOut]
    expect(new Set(idsOf(all)).size).toBe(all.length)
    expect(heldOut.length / all.length).toBeCloseTo(1 / 3, 1)
    expect(all.filter(({ set }) => set === 'servegen')).toHaveLength(clients.length)
    for (const tenant of all) expect(tenant.callsPerMinute).toBeLessThan(60 * 60)
  })

  test('lay a log’s calls on the bench’s calendar', () => {
    const [lcg, erddap] = [readLcg(), readErddap()]
    const judged = (tenants: readonly RealTenant[], days: number) =>
      tenants.reduce((sum, { countsOf }) => sum + sumOf(countsOf(judgedFrom, days * 86_400)), 0)
    expect(judged(lcg, 5)).toBe(judged(lcg, 4))
    expect(judged(lcg, 4)).toBeGreaterThan(10_000)
    expect(judged(erddap, 3)).toBe(judged(erddap, 2))
    expect(judged(erddap, 2)).toBeGreaterThan(500)
  })

  test.each([20, 200])('of %i clients have each its own id, and the same whenever they are made', count => {
    const tenants = manyTenants(count, { heldOut: false }, clients)
    expect(new Set(idsOf(tenants)).size).toBe(count)
    expect(idsOf(manyTenants(20, { heldOut: false }, clients))).toEqual(idsOf(tenants).slice(0, 20))
    expect(tenants.some(({ isHeldOut }) => isHeldOut)).toBe(false)
  })
})
