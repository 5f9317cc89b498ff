import { expect, test } from 'vitest'
import { tenantsSchema } from './config.ts'
import { tenantDirectory } from './tenants.ts'

test('a key finds its tenant, and a hashed key finds its id', () => {
  const directory = tenantDirectory(
    tenantsSchema.parse({
      tenants: {
        'client-a': {
          name: 'Client A',
          keys: ['k1', { id: 'k2', hash: 'hash:0123456789abcdef' }, { id: 'k3', gateway: 'eu', usagePlan: 'plan-eu' }],
          usagePlan: 'plan-a',
          exempt: true,
        },
      },
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
    ['k1', { gateway: undefined, usagePlan: 'plan-a' }],
    ['k2', { gateway: undefined, usagePlan: 'plan-a' }],
    ['k3', { gateway: 'eu', usagePlan: 'plan-eu' }],
  ])
  expect([...directory.tenantWide.keys()]).toEqual(['k1', 'k2', 'k3'])
  expect([...directory.keyOfHash]).toEqual([['hash:0123456789abcdef', 'k2']])
})
