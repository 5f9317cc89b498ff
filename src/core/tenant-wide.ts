/**
 * Tenants with several keys: each is counted as if all its calls were one key's, over all partitions, since what is spread
 * over ten keys no single one of them shows. And a tenant's new key begins with what is known of the tenant.
 */
import type { CallBatch } from './call-batch.ts'
import type { TenantDirectory } from './config/tenants.ts'
import type { EngineInput } from './engine-input.ts'
import { type Engine, type EngineSettings, type EngineState, type KeyNumbers, lookAnew } from './engine-state.ts'
import { type Baseline, learnHistory } from './state/baseline.ts'
import { findKey, notIdle, removeKey } from './state/known-keys.ts'
import { beginKey, findLive } from './state/live-keys.ts'
import { createHeir, createOwner, type Owner, SHARED_OWNER } from './state/owner.ts'
import type { Plans } from './state/peers.ts'
import { partitionTime } from './state/watermark.ts'
import type { ApiKeyId, EpochMs } from './vocabulary.ts'

/** Of the tenants with several keys, who spread over them what no single key of theirs shows. */
export interface TenantWide {
  readonly owner: Owner
  readonly time: ReturnType<typeof partitionTime>
  /** By the key's number: the tenant whose it is. */
  readonly tenants: KeyNumbers
}

export function tenantWideOf(
  engine: Engine,
  { partition, arrivedAt, batch }: Extract<EngineInput, { kind: 'batch' }>,
): TenantWide | undefined {
  const { settings } = engine
  if (settings.tenants.tenantWide.size === 0) return undefined
  const owner = tenantWideOwner(engine)
  let tenants = engine.tenantLookup.get(batch.keys)
  if (tenants === undefined) {
    tenants = { numbers: new Int32Array(64), asOf: 0 }
    engine.tenantLookup.set(batch.keys, tenants)
  }
  if (tenants.numbers.length < batch.keys.ids.length) lookAnew(tenants, owner, batch.keys.ids.length)
  return { owner, time: partitionTime(owner.time, partition, arrivedAt), tenants }
}

export function tenantWideOwner({ state, settings }: Engine): Owner {
  state.tenantWide ??= beginTenantWide(state, settings.tenants.places)
  return state.tenantWide
}

/** What is known of the stream as a whole, which minutes it delivered, is known of the tenants' too. */
function beginTenantWide({ owners }: EngineState, plans: Plans): Owner {
  const taught = owners.get(SHARED_OWNER) ?? owners.values().next().value
  return taught === undefined ? createOwner(plans) : createHeir(taught)
}

/** The number of the tenant, among those with several keys, whose key this is. */
export function tenantOf(
  engine: Engine,
  { owner, tenants }: TenantWide,
  batch: CallBatch,
  key: number,
  at: EpochMs,
): number | undefined {
  const { settings } = engine
  const known = tenants.numbers[key] as number
  if (known !== 0) return known > 0 ? known - 1 : undefined
  const id = batch.keys.ids[key] as ApiKeyId
  const name = settings.tenants.tenantWide.get(settings.tenants.keyOfHash.get(id) ?? id)
  const tenant = name === undefined ? undefined : beginTenant(engine, owner, name, at)
  tenants.numbers[key] = tenant === undefined ? -1 : tenant + 1
  return tenant
}

/** Known already, or from now on. A tenant that has got a second key, or was listed only now, has a past: that of its keys. */
export function beginTenant({ settings, state }: Engine, owner: Owner, name: ApiKeyId, at: EpochMs): number {
  const known = findKey(owner.keys, name)
  if (known !== undefined) return known
  const tenant = beginKey(owner, name, at)
  if (!state.isHistory)
    learnHistory(owner.keys, tenant, baselinesOf(state, settings.tenants.byKey.get(name)?.keys ?? []))
  return tenant
}

/**
 * After tenants.yaml was read again: who is listed under another id, alone or together with others, is known for what those were
 * under theirs. The sum of the keys would be too much, since one that began with its tenant's history holds that once more.
 */
export function followRenamed({ settings: { tenants }, state }: Engine, before: TenantDirectory): void {
  const owner = state.tenantWide
  if (owner === undefined) return
  for (const name of new Set(tenants.tenantWide.values())) {
    const known = findKey(owner.keys, name)
    if (known !== undefined && (before.byKey.has(name) || findLive(owner, name) !== undefined)) continue
    const keyIds = tenants.byKey.get(name)?.keys ?? []
    const gone = renamedInto(keyIds, before, tenants).filter(former => findKey(owner.keys, former) !== undefined)
    if (gone.length === 0) continue
    const others = keyIds.filter(keyId => !gone.some(former => former === before.tenantWide.get(keyId)))
    // It had this id once, and since then another: what was called under that would be missing here.
    if (known !== undefined) {
      notIdle(owner.keys, known)
      removeKey(owner.keys, known)
    }
    const taught = [...knownIn(owner, gone), ...baselinesOf(state, others)]
    learnHistory(owner.keys, beginKey(owner, name, owner.time.highest), taught)
  }
}

/** The tenants that are listed no more, and all of whose keys are among these. */
function renamedInto(keyIds: readonly ApiKeyId[], before: TenantDirectory, now: TenantDirectory): readonly ApiKeyId[] {
  const formers = new Set(keyIds.flatMap(keyId => before.tenantWide.get(keyId) ?? []))
  return [...formers].filter(
    former => !now.byKey.has(former) && before.byKey.get(former)?.keys.every(keyId => keyIds.includes(keyId)),
  )
}

/** Of those of these keys that are known. */
function baselinesOf({ owners }: EngineState, keyIds: readonly ApiKeyId[]): readonly Baseline[] {
  return [...owners.values()].flatMap(owner => knownIn(owner, keyIds))
}

function knownIn({ keys }: Owner, keyIds: readonly ApiKeyId[]): readonly Baseline[] {
  return keyIds.flatMap(keyId => {
    const key = findKey(keys, keyId)
    return key === undefined ? [] : [{ keys, key }]
  })
}

/**
 * A tenant's new key inherits what the tenant was known for: where a key is rotated, the new one does what the old one did. Of
 * one that only takes its share of the load it is too much, and the tenant as a whole is watched beside it.
 */
export function tenantsHistory({ tenants }: EngineSettings, state: EngineState, keyId: ApiKeyId): readonly Baseline[] {
  const siblings = tenants.byKey.get(keyId)?.keys.filter(other => other !== keyId) ?? []
  const name = tenants.tenantWide.get(keyId)
  const known = name === undefined ? undefined : state.tenantWide && findKey(state.tenantWide.keys, name)
  return state.tenantWide !== undefined && known !== undefined
    ? [{ keys: state.tenantWide.keys, key: known }]
    : baselinesOf(state, siblings)
}
