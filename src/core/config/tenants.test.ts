import { expect, test } from 'vitest'
import { tenantsSchema } from './config.ts'
import { tenantDirectory } from './tenants.ts'

test('a key finds its tenant, and a hashed key finds its id', () => {
  const directory = tenantDirectory(
    tenantsSchema.parse({
      tenants: {
        'client-a': { name: 'Client A', keys: ['k1', { id: 'k2', hash: 'hash:0123456789abcdef' }], exempt: true },
      },
    }),
  )
  const clientA = {
    tenantId: 'client-a',
    name: 'Client A',
    contact: undefined,
    escalation: undefined,
    usagePlan: undefined,
    exempt: true,
  }
  expect([...directory.byKey]).toEqual([
    ['k1', clientA],
    ['k2', clientA],
  ])
  expect([...directory.keyOfHash]).toEqual([['hash:0123456789abcdef', 'k2']])
})
