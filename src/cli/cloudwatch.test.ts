import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { tenantsSchema, weirSchema } from '../core/config/config.ts'
import { tenantDirectory } from '../core/config/tenants.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { openPublisher } from './cloudwatch.ts'

/** Whether there is a publisher, and what it is said to cost. */
async function opened(cloudWatch: object, listedKeys: readonly string[] = []) {
  const told: TelemetryEvent[] = []
  const tenants = listedKeys.length === 0 ? {} : { t: { keys: listedKeys } }
  const publisher = await openPublisher(weirSchema.parse({ metrics: { cloudWatch } }), {
    directory: tenantDirectory(tenantsSchema.parse({ tenants })),
    clock: systemClock(),
    telemetry: event => told.push(event),
  })
  await publisher?.finish(0)
  return { isOpen: publisher !== undefined, priced: told.map(event => event.name === 'metricsPriced' && event.metrics) }
}

test('metrics are off unless they are turned on, and then nothing is told of their cost', async () => {
  expect(await opened({})).toEqual({ isOpen: false, priced: [] })
  expect(await opened({ region: 'us-east-1', rates: { maxKeys: 10 } })).toEqual({ isOpen: false, priced: [] })
})

test('turned on, rates and the worker’s own state are priced each for itself, by the keys that there may be', async () => {
  const region = 'us-east-1'
  const on = { enabled: true }
  expect(await opened({ region, rates: on })).toEqual({ isOpen: true, priced: [400] })
  expect(await opened({ region, health: on })).toEqual({ isOpen: true, priced: [7] })
  expect(await opened({ region, rates: { ...on, maxKeys: 50 }, health: on })).toEqual({ isOpen: true, priced: [107] })
  const listed = { ...on, keys: 'listed' }
  expect(await opened({ region, rates: listed }, ['a', 'b', 'c'])).toEqual({ isOpen: true, priced: [6] })
})
