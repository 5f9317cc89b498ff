import { expect, test } from 'vitest'
import { tenantsSchema } from '../core/config/config.ts'
import { tenantDirectory } from '../core/config/tenants.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { sentenceOf } from '../worker/telemetry-text.ts'
import { tellSplitTenants } from './shared-lives.ts'

function toldOf(tenants: Readonly<Record<string, { readonly keys: readonly string[] }>>): readonly TelemetryEvent[] {
  const told: TelemetryEvent[] = []
  tellSplitTenants(tenantDirectory(tenantsSchema.parse({ tenants })), event => told.push(event))
  return told
}

test('who shares a stream is told at the start how many tenants have keys that may be in several partitions', () => {
  const told = toldOf({ acme: { keys: ['a', 'b', 'c'] }, globex: { keys: ['d', 'e'] }, initech: { keys: ['f'] } })
  expect(told).toEqual([{ name: 'tenantsSplit', tenants: 2 }])
  expect(sentenceOf(told[0]!)).toContain('2 tenants of tenants.yaml have several keys')
  expect(toldOf({ initech: { keys: ['f'] } })).toEqual([])
})
