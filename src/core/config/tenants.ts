/** Who owns a key: tenants.yaml turned round, so that a key seen in the log finds its tenant in one look-up. */

import type { PlannedEvent, PlannedEvents } from '../planned/planned-event.ts'
import type { ApiKeyId, TenantId } from '../vocabulary.ts'
import type { TenantsConfig } from './config.ts'
import type { WayName } from './way-schema.ts'

export type { WayName } from './way-schema.ts'

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
  /** undefined: as its gateway says. */
  readonly way?: WayName | undefined
  /** Under which id the API's authorizer knows it: the keyed hash, where it sees the key's value and makes one of it. */
  readonly row?: string | undefined
}

/** Under this name a tenant with several keys is watched as a whole: where a key id stands otherwise. */
export const tenantWideId = (tenantId: TenantId): ApiKeyId => `${tenantPrefix}${tenantId}`
export const isTenantWide = (keyId: ApiKeyId): boolean => keyId.startsWith(tenantPrefix)
const tenantPrefix = 'tenant:'

export interface TenantDirectory {
  /** By key id, and by `tenantWideId`. */
  readonly byKey: ReadonlyMap<ApiKeyId, TenantEntry>
  /** Of each key of a tenant that has several: under which name they are watched together. */
  readonly tenantWide: ReadonlyMap<ApiKeyId, ApiKeyId>
  readonly places: ReadonlyMap<ApiKeyId, KeyPlace>
  /** From what a raw key value in the log was hashed to (`hash:…`) to the key's id. */
  readonly keyOfHash: ReadonlyMap<string, ApiKeyId>
  readonly planned: PlannedEvents
}

export function tenantDirectory({ tenants, planned: fleet }: TenantsConfig): TenantDirectory {
  const byKey = new Map<ApiKeyId, TenantEntry>()
  const places = new Map<ApiKeyId, KeyPlace>()
  const tenantWide = new Map<ApiKeyId, ApiKeyId>()
  const keyOfHash = new Map<string, ApiKeyId>()
  const byTenant = new Map<TenantId, readonly PlannedEvent[]>()
  for (const [tenantId, tenant] of Object.entries(tenants)) {
    const { name, contact, escalation, usagePlan, way, exempt, keys, planned } = tenant
    if (planned.length > 0) byTenant.set(tenantId, planned)
    const entry = { tenantId, name, contact, escalation, exempt, keys: keys.map(({ id }) => id) }
    if (keys.length > 1) {
      byKey.set(tenantWideId(tenantId), entry)
      for (const { id } of keys) tenantWide.set(id, tenantWideId(tenantId))
    }
    for (const key of keys) {
      byKey.set(key.id, entry)
      places.set(key.id, {
        ...{ gateway: key.gateway, usagePlan: key.usagePlan ?? usagePlan, way: key.way ?? way },
        row: key.hash ?? key.id,
      })
      if (key.hash !== undefined) keyOfHash.set(key.hash, key.id)
    }
  }
  return { byKey, tenantWide, places, keyOfHash, planned: { fleet, byTenant } }
}
