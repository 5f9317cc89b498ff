/**
 * A tenant with several keys is watched twice: each key by itself, and all of them together. What one key does is told as
 * that key's, what only their sum shows as the tenant's, and nothing twice: whoever of a tenant opens first has the incident.
 */
import type { Evidence } from '../../../detectors/contract.ts'
import { isTenantWide } from '../config/tenants.ts'
import type { Engine } from '../engine-state.ts'
import type { KeyState } from '../state/key-state.ts'
import { findLive } from '../state/live-keys.ts'
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'
import { callsIn } from './measure.ts'

/** Whether an incident of its tenant, or of one of the tenant's keys, tells what this one does. */
export const isToldByKin = (engine: Engine, key: KeyState): boolean => kinTelling(engine, key) !== undefined

/** Whose incident tells what this key does: its tenant's, or that of one of the tenant's keys. */
export function kinTelling(engine: Engine, { keyId, incident }: KeyState): KeyState | undefined {
  const { tenants } = engine.settings
  if (tenants.tenantWide.size === 0 || isOpen(incident)) return undefined
  const all = engine.state.tenantWide
  if (all === undefined) return undefined
  const tells = ({ incident }: KeyState): boolean => isOpen(incident) || hasTold(incident, all.time.highest)
  if (isTenantWide(keyId)) return keysOf(engine, keyId).find(tells)
  const name = tenants.tenantWide.get(keyId)
  const tenant = name === undefined ? undefined : findLive(all, name)
  return tenant !== undefined && tells(tenant) ? tenant : undefined
}

/** It was over in an earlier life, and what it was about is read again. */
const hasTold = (incident: KeyState['incident'], at: EpochMs): boolean =>
  incident.phase === 'quiet' && incident.judgedTo !== undefined && at <= incident.judgedTo

const isOpen = (incident: KeyState['incident']): boolean => incident.phase !== 'quiet' && incident.phase !== 'suspected'

/** Of a tenant as a whole: what each of its busiest keys called in ten seconds, so that people see where to look. */
export function sharesOf(engine: Engine, keyId: ApiKeyId, at: EpochMs): readonly Evidence[] {
  if (!isTenantWide(keyId)) return []
  return keysOf(engine, keyId)
    .map(key => ({ measure: `calls in 10 s of ${key.keyId}`, observed: callsIn(key, at, 10), usual: undefined }))
    .sort((one, other) => other.observed - one.observed)
    .slice(0, SHOWN_KEYS)
}

const SHOWN_KEYS = 5

/** Those of the tenant's keys that call, or have an incident. */
function keysOf({ state, settings }: Engine, tenantWide: ApiKeyId): readonly KeyState[] {
  const listed = settings.tenants.byKey.get(tenantWide)?.keys ?? []
  return listed.flatMap(keyId => [...state.owners.values()].flatMap(owner => findLive(owner, keyId) ?? []))
}
