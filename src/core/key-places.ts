/** Whose a key's state is, and whether there is room for one that was never seen: owners, and places in them. */
import type { Engine, EngineSettings } from './engine-state.ts'
import { learnHistory } from './state/baseline.ts'
import { findKey } from './state/known-keys.ts'
import { beginKey, forgetLongestIdle } from './state/live-keys.ts'
import { createHeir, createOwner, inherit, type Owner, SHARED_OWNER } from './state/owner.ts'
import { tenantsHistory } from './tenant-wide.ts'
import { ANONYMOUS, type ApiKeyId, type EpochMs, type PartitionId } from './vocabulary.ts'

/** On a keyed stream each partition is an owner; its history, which came in files, is taught to one that they draw from. */
export function ownerOf({ settings, state }: Engine, partition: PartitionId): Owner {
  const id = settings.keyed && !state.isHistory ? partition : SHARED_OWNER
  let owner = state.owners.get(id)
  if (owner === undefined) {
    const taught = state.owners.get(SHARED_OWNER)
    owner = taught === undefined ? createOwner(settings.tenants.places) : createHeir(taught)
    state.owners.set(id, owner)
  }
  return owner
}

/** The number of a key, known or from now on; undefined where there is no room for one that was never seen. */
export const placeOf = (engine: Engine, owner: Owner, keyId: ApiKeyId, at: EpochMs): number | undefined =>
  findKey(owner.keys, keyId) ?? inherited(engine, owner, keyId) ?? placed(engine, owner, keyId, at)

/** So many calls of a key for which there is no room: the number of the key that they count for. */
export function takeAsAnonymous({ state }: Engine, owner: Owner, at: EpochMs, calls: number): number {
  state.unplaced += calls
  return findKey(owner.keys, ANONYMOUS) ?? beginKey(owner, ANONYMOUS, at)
}

function inherited({ settings, state }: Engine, owner: Owner, keyId: ApiKeyId): number | undefined {
  const taught = settings.keyed && !state.isHistory ? state.owners.get(SHARED_OWNER) : undefined
  return taught === undefined ? undefined : inherit(owner, taught, keyId)
}

/** So many may call at once, however many are known: a share of `state.maxKeys`, and at least so many. */
const LIVE_SHARE = 0.03
const LEAST_LIVE = 1_000
/** An idle key's memory is a quarter of what one takes beside it while it calls. */
const LIVE_WORTH = 4

/**
 * A key that was never seen, if there is room for it: known keys that have been idle longest, and are nobody's by
 * tenants.yaml, give way. Those that call cannot, and are dear: a flood of ids that nobody knows is taken for calls without a
 * key as soon as what may be known and is not has no room for so many that call.
 */
function placed({ settings, state }: Engine, owner: Owner, keyId: ApiKeyId, at: EpochMs): number | undefined {
  const { maxKeys } = settings.config.state
  const owners = [...state.owners.values()]
  const isKept = keptBy(settings)
  const live = owners.reduce((sum, { live }) => sum + live.length, 0)
  const known = owners.reduce((sum, { keys }) => sum + keys.size, 0)
  const mayCall = Math.max(LEAST_LIVE, LIVE_SHARE * maxKeys, (maxKeys - known) / LIVE_WORTH)
  const mayBegin = isKept(keyId) || live < mayCall
  const hasRoom = mayBegin && (known < maxKeys || forgetLongestIdle(owners, isKept))
  if (!isKept(keyId) && !hasRoom) return undefined
  const history = state.isHistory ? [] : tenantsHistory(settings, state, keyId)
  const number = beginKey(owner, keyId, at)
  learnHistory(owner.keys, number, history)
  return number
}

/** Whether a key is known for good, however long it is idle. */
export const keptBy =
  ({ tenants }: EngineSettings) =>
  (keyId: ApiKeyId): boolean =>
    keyId === ANONYMOUS || tenants.byKey.has(keyId)
