import { expect, test } from 'vitest'
import { cleanRun } from './clean-run.ts'
import { whole } from './configuration.ts'
import { judgedFrom } from './contract.ts'
import { steadyTenant } from './testing-tenant.ts'

const day = 86_400_000
/** Calls a hundred times as often for ten minutes of the first hour. */
const restless = {
  ...steadyTenant('restless'),
  countsOf: (from: number, seconds: number) =>
    Uint32Array.from({ length: seconds }, (_, second) => {
      const minute = (from + second * 1_000 - judgedFrom) / 60_000
      return minute >= 20 && minute < 30 ? 100 : 1
    }),
}

test('whatever is told of clean traffic is counted, by the worst that was told of it', () => {
  const tenants = [restless, ...['a', 'b', 'c'].map(id => steadyTenant(id))].map(tenant => ({
    ...tenant,
    judgedTo: judgedFrom + day / 24,
  }))
  const {
    clean: [clean],
  } = cleanRun({ tenants, days: 1 / 24, configurations: [whole], say: () => {} })
  const { low, high, ...rest } = clean!
  expect(low + high).toBe(1)
  expect(rest).toMatchObject({ configuration: 'whole', tenants: 4, platform: 0 })
  expect(rest.tenantWeeks).toBeCloseTo(4 / 24 / 7, 10)
})
