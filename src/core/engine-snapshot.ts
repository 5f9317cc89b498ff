/**
 * What a checkpoint holds of an engine: the state as plain data, and beside it the slabs with what is known of the keys,
 * which are too large to be written each time. Both are the live ones, not copies: take them before the next `advance`.
 */
import type { Engine, EngineState } from './engine-state.ts'
import { type KnownKeysKept, keepKnownKeys, restoreKnownKeys } from './state/known-keys.ts'
import { placesOf } from './state/live-keys.ts'
import type { Owner } from './state/owner.ts'
import type { Plans } from './state/peers.ts'
import type { Slab } from './state/slab.ts'

type KeptOwner = Omit<Owner, 'keys' | 'place' | 'plans'> & { readonly keys: KnownKeysKept }

export interface EngineSnapshot {
  readonly state: Omit<EngineState, 'owners' | 'tenantWide'> & {
    readonly owners: ReadonlyMap<string, KeptOwner>
    readonly tenantWide: KeptOwner | undefined
  }
  /** By owner and what they hold. */
  readonly slabs: ReadonlyMap<string, Slab>
}

/** Of an owner by its name, and of the one of whole tenants. */
const slabsOf = (id: string): SlabNames => ({ records: `records ${id}`, rows: `rows ${id}`, places: `places ${id}` })
const tenantSlabs: SlabNames = { records: 'tenant records', rows: 'tenant rows', places: 'tenant places' }

interface SlabNames {
  readonly records: string
  readonly rows: string
  readonly places: string
}

export function snapshot({ state }: Engine): EngineSnapshot {
  const owners = new Map<string, KeptOwner>()
  const slabs = new Map<string, Slab>()
  const keep = ({ place: _, plans: __, ...owner }: Owner, names: SlabNames): KeptOwner => {
    slabs.set(names.records, owner.keys.records)
    slabs.set(names.rows, owner.keys.rows)
    slabs.set(names.places, owner.keys.places.slab)
    return { ...owner, keys: keepKnownKeys(owner.keys) }
  }
  for (const [id, owner] of state.owners) owners.set(id, keep(owner, slabsOf(id)))
  const tenantWide = state.tenantWide && keep(state.tenantWide, tenantSlabs)
  return { state: { ...state, owners, tenantWide }, slabs }
}

/** `plans`: of the settings that it goes on with. */
export function restoreState({ state, slabs }: EngineSnapshot, plans: Plans): EngineState {
  const owners = new Map<string, Owner>()
  const bringBack = (owner: KeptOwner, names: SlabNames): Owner => {
    const records = slabs.get(names.records)
    const rows = slabs.get(names.rows)
    const places = slabs.get(names.places)
    if (records === undefined || rows === undefined || places === undefined)
      throw new Error(`the checkpoint has no ${names.records}`)
    const keys = restoreKnownKeys(owner.keys, { records, rows, places })
    return { ...owner, keys, plans, place: placesOf(owner.live, keys) }
  }
  for (const [id, owner] of state.owners) owners.set(id, bringBack(owner, slabsOf(id)))
  return { ...state, owners, tenantWide: state.tenantWide && bringBack(state.tenantWide, tenantSlabs) }
}
