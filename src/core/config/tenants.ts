/** Who owns a key: tenants.yaml turned round, so that a key seen in the log finds its tenant in one look-up. */

import type { ApiKeyId, TenantId } from '../vocabulary.ts'
import type { TenantsConfig } from './config.ts'

export interface TenantEntry {
  readonly tenantId: TenantId
  readonly name: string | undefined
  readonly contact: string | undefined
  readonly escalation: string | undefined
  /** Id of the tenant's usage plan; undefined: the gateway is asked. */
  readonly usagePlan: string | undefined
  readonly exempt: boolean
}

export interface TenantDirectory {
  readonly byKey: ReadonlyMap<ApiKeyId, TenantEntry>
  /** From what a raw key value in the log was hashed to (`hash:…`) to the key's id. */
  readonly keyOfHash: ReadonlyMap<string, ApiKeyId>
}

export function tenantDirectory({ tenants }: TenantsConfig): TenantDirectory {
  const byKey = new Map<ApiKeyId, TenantEntry>()
  const keyOfHash = new Map<string, ApiKeyId>()
  for (const [tenantId, { name, contact, escalation, usagePlan, exempt, keys }] of Object.entries(tenants)) {
    const entry = { tenantId, name, contact, escalation, usagePlan, exempt }
    for (const { id, hash } of keys) {
      byKey.set(id, entry)
      if (hash !== undefined) keyOfHash.set(hash, id)
    }
  }
  return { byKey, keyOfHash }
}
