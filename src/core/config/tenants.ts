/** Who owns a key: tenants.yaml turned round, so that a key seen in the log finds its tenant in one look-up. */

import type { ApiKeyId, TenantId } from '../vocabulary.ts'
import type { TenantsConfig } from './config.ts'

export interface TenantEntry {
  readonly tenantId: TenantId
  readonly name: string | undefined
  readonly contact: string | undefined
  readonly escalation: string | undefined
  readonly exempt: boolean
  /** All its keys, as listed. */
  readonly keys: readonly ApiKeyId[]
}

/** Where a key is, as far as tenants.yaml says. */
export interface KeyPlace {
  /** Name in `gateways`; undefined: `gateway`. */
  readonly gateway: string | undefined
  /** Id of its usage plan; undefined: the gateway is asked. */
  readonly usagePlan: string | undefined
}

export interface TenantDirectory {
  readonly byKey: ReadonlyMap<ApiKeyId, TenantEntry>
  readonly places: ReadonlyMap<ApiKeyId, KeyPlace>
  /** From what a raw key value in the log was hashed to (`hash:…`) to the key's id. */
  readonly keyOfHash: ReadonlyMap<string, ApiKeyId>
}

export function tenantDirectory({ tenants }: TenantsConfig): TenantDirectory {
  const byKey = new Map<ApiKeyId, TenantEntry>()
  const places = new Map<ApiKeyId, KeyPlace>()
  const keyOfHash = new Map<string, ApiKeyId>()
  for (const [tenantId, { name, contact, escalation, usagePlan, exempt, keys }] of Object.entries(tenants)) {
    const entry = { tenantId, name, contact, escalation, exempt, keys: keys.map(({ id }) => id) }
    for (const key of keys) {
      byKey.set(key.id, entry)
      places.set(key.id, { gateway: key.gateway, usagePlan: key.usagePlan ?? usagePlan })
      if (key.hash !== undefined) keyOfHash.set(key.hash, key.id)
    }
  }
  return { byKey, places, keyOfHash }
}
