import { expect, test } from 'vitest'
import { deploy } from './busy/deploy.ts'
import { outages } from './busy/outage.ts'
import { busy } from './busy-part.ts'
import { whole } from './configuration.ts'
import { judgedFrom } from './contract.ts'
import { steadyTenant } from './testing-tenant.ts'

test('a sick API is told of once, under whatever name it is sick, and nobody’s limit would be lowered', () => {
  const tenants = Array.from({ length: 8 }, (_, place) => steadyTenant(`client ${place}`, { perSecond: 3 }))
  const days = [deploy, ...outages].map(day => ({ ...day, seconds: 240 }))
  const at = judgedFrom + 36_000_000
  const { sick } = busy({ tenants, days, configurations: [whole], stage: 0, at, perSize: 0, say: () => {} })
  expect(sick.map(({ name, platformAlerts, told, throttled }) => ({ name, platformAlerts, told, throttled }))).toEqual(
    days.map(({ name }) => ({ name, platformAlerts: 1, told: 0, throttled: 0 })),
  )
})
