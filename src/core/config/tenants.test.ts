import { expect, test } from 'vitest'
import { tenantsSchema } from './config.ts'
import { tenantDirectory } from './tenants.ts'

test('a key finds its tenant, and a hashed key finds its id', () => {
  const directory = tenantDirectory(
    tenantsSchema.parse({
      tenants: {
        'client-a': {
          name: 'Client A',
          keys: [
            'k1',
            { id: 'k2', hash: 'hash:0123456789abcdef' },
            { id: 'k3', gateway: 'eu', usagePlan: 'plan-eu', way: 'own-plan' },
          ],
          usagePlan: 'plan-a',
          way: 'penalty-plan',
          exempt: true,
          planned: [{ when: 'daily 02:00-03:00', upTo: '20x' }],
        },
      },
      planned: [{ from: '2026-11-27 00:00', to: '2026-11-28 00:00', upTo: '500 per second', note: 'sale' }],
    }),
  )
  const clientA = {
    tenantId: 'client-a',
    name: 'Client A',
    contact: undefined,
    escalation: undefined,
    exempt: true,
    keys: ['k1', 'k2', 'k3'],
  }
  expect([...directory.byKey]).toEqual([
    ['tenant:client-a', clientA],
    ['k1', clientA],
    ['k2', clientA],
    ['k3', clientA],
  ])
  expect([...directory.places]).toEqual([
    ['k1', { gateway: undefined, usagePlan: 'plan-a', way: 'penalty-plan', row: 'k1' }],
    ['k2', { gateway: undefined, usagePlan: 'plan-a', way: 'penalty-plan', row: 'hash:0123456789abcdef' }],
    ['k3', { gateway: 'eu', usagePlan: 'plan-eu', way: 'own-plan', row: 'k3' }],
  ])
  expect([...directory.tenantWide.keys()]).toEqual(['k1', 'k2', 'k3'])
  expect([...directory.keyOfHash]).toEqual([['hash:0123456789abcdef', 'k2']])
  const nightly = {
    kind: 'recurring',
    days: { kind: 'daily' },
    startMinute: 120,
    length: { kind: 'until', endMinute: 180 },
    zone: 'UTC',
  }
  const upTo = { kind: 'rate', callsPerMinute: 30_000 }
  const once = { kind: 'once', from: Date.UTC(2026, 10, 27), to: Date.UTC(2026, 10, 28) }
  expect(directory.planned).toEqual({
    fleet: [{ when: once, upTo, note: 'sale' }],
    byTenant: new Map([['client-a', [{ when: nightly, upTo: { kind: 'times', times: 20 }, note: undefined }]]]),
  })
})
