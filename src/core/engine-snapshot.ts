/**
 * What a checkpoint holds of an engine: the state as plain data, and beside it the slabs with what is known of the keys,
 * which are too large to be written each time. Both are the live ones, not copies: take them before the next `advance`.
 */
import type { Engine, EngineState } from './engine-state.ts'
import { type KnownKeysKept, keepKnownKeys, restoreKnownKeys } from './state/known-keys.ts'
import { placesOf } from './state/live-keys.ts'
import type { Owner } from './state/owner.ts'
import type { Slab } from './state/slab.ts'

type KeptOwner = Omit<Owner, 'keys' | 'place'> & { readonly keys: KnownKeysKept }

export interface EngineSnapshot {
  readonly state: Omit<EngineState, 'owners'> & { readonly owners: ReadonlyMap<string, KeptOwner> }
  /** By owner and what they hold. */
  readonly slabs: ReadonlyMap<string, Slab>
}

const recordsOf = (owner: string): string => `records ${owner}`
const rowsOf = (owner: string): string => `rows ${owner}`

export function snapshot({ state }: Engine): EngineSnapshot {
  const owners = new Map<string, KeptOwner>()
  const slabs = new Map<string, Slab>()
  for (const [id, { place: _, ...owner }] of state.owners) {
    owners.set(id, { ...owner, keys: keepKnownKeys(owner.keys) })
    slabs.set(recordsOf(id), owner.keys.records)
    slabs.set(rowsOf(id), owner.keys.rows)
  }
  return { state: { ...state, owners }, slabs }
}

export function restoreState({ state, slabs }: EngineSnapshot): EngineState {
  const owners = new Map<string, Owner>()
  for (const [id, owner] of state.owners) {
    const records = slabs.get(recordsOf(id))
    const rows = slabs.get(rowsOf(id))
    if (records === undefined || rows === undefined) throw new Error(`the checkpoint has no keys of owner "${id}"`)
    const keys = restoreKnownKeys(owner.keys, { records, rows })
    owners.set(id, { ...owner, keys, place: placesOf(owner.live, keys) })
  }
  return { ...state, owners }
}
