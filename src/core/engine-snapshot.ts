/**
 * What a checkpoint holds of an engine: the state as plain data, beside it the slabs with what is known of the keys, which are
 * too large to be written each time, and the keys that something is going on with, which are taken while the stream goes on
 * (`state/taking.ts`). State and slabs are the live ones, not copies: copy them before the next `advance`. The keys are as of
 * that moment whenever they are asked for.
 */
import type { Engine, EngineState } from './engine-state.ts'
import type { Incident } from './incident/incident.ts'
import { idOf, type KnownKeysKept, keepKnownKeys, restoreKnownKeys } from './state/known-keys.ts'
import { placesOf } from './state/live-keys.ts'
import type { Owner } from './state/owner.ts'
import type { Plans } from './state/peers.ts'
import type { Slab } from './state/slab.ts'
import { beginTaking, bringBack, type KeptLists, type TakenKeys, type Taking } from './state/taking.ts'
import type { ApiKeyId } from './vocabulary.ts'

type KeptOwner = Omit<Owner, 'keys' | 'place' | 'plans' | Exclude<keyof KeptLists, 'strays'>> & {
  readonly keys: KnownKeysKept
  readonly lists: KeptLists
}

export interface BegunSnapshot {
  readonly state: Omit<EngineState, 'owners' | 'tenantWide'> & {
    readonly owners: ReadonlyMap<string, KeptOwner>
    readonly tenantWide: KeptOwner | undefined
  }
  /** By owner and what they hold. */
  readonly slabs: ReadonlyMap<string, Slab>
  readonly keys: KeysLeft
}

/** Keys that are still to be taken. Each time some milliseconds' worth, until none are left. */
export interface KeysLeft {
  isLeft(): boolean
  next(): TakenKeys
  /** To be said when they are not all wanted: until then the stream does what it costs to keep them. */
  abandon(): void
}

export interface EngineSnapshot extends Omit<BegunSnapshot, 'keys'> {
  readonly keys: readonly TakenKeys[]
}

/** Of an owner by its name, and of the one of whole tenants. */
const slabsNamed = (id: string): SlabNames => ({ records: `records ${id}`, rows: `rows ${id}`, places: `places ${id}` })
const tenantSlabs: SlabNames = { records: 'tenant records', rows: 'tenant rows', places: 'tenant places' }

interface SlabNames {
  readonly records: string
  readonly rows: string
  readonly places: string
}

export function beginSnapshot({ state }: Pick<Engine, 'state'>): BegunSnapshot {
  const owners = new Map<string, KeptOwner>()
  const takings: Taking[] = []
  const keep = (owner: Owner, name: string | undefined): KeptOwner => {
    const taking = beginTaking(name, owner)
    takings.push(taking)
    return keptOwner(owner, taking.lists)
  }
  for (const [id, owner] of state.owners) owners.set(id, keep(owner, id))
  const tenantWide = state.tenantWide && keep(state.tenantWide, undefined)
  return { state: { ...state, owners, tenantWide }, slabs: slabsOf({ state }), keys: inTurn(takings) }
}

/** All at once. */
export function snapshot(engine: Pick<Engine, 'state'>): EngineSnapshot {
  const { keys: left, ...rest } = beginSnapshot(engine)
  const keys: TakenKeys[] = []
  while (left.isLeft()) keys.push(left.next())
  return { ...rest, keys }
}

export function slabsOf({ state }: Pick<Engine, 'state'>): ReadonlyMap<string, Slab> {
  const slabs = new Map<string, Slab>()
  const add = ({ keys }: Owner, names: SlabNames): void => {
    slabs.set(names.records, keys.records)
    slabs.set(names.rows, keys.rows)
    slabs.set(names.places, keys.places.slab)
  }
  for (const [id, owner] of state.owners) add(owner, slabsNamed(id))
  if (state.tenantWide) add(state.tenantWide, tenantSlabs)
  return slabs
}

function keptOwner(owner: Owner, lists: KeptLists): KeptOwner {
  const { keys, place: _, plans: __, ...rest } = owner
  const { live, active, incidents, limited, wrong, awaited, dirty, minuteKeys, openSeconds, keysByMinute, ...plain } =
    rest
  return { ...plain, keys: keepKnownKeys(keys), lists }
}

const inTurn = (takings: readonly Taking[]): KeysLeft => ({
  isLeft: () => takings.some(taking => taking.isLeft()),
  next() {
    const taking = takings.find(taking => taking.isLeft())
    if (taking === undefined) throw new Error('all keys are taken')
    return taking.next()
  },
  abandon() {
    for (const taking of takings) taking.abandon()
  },
})

/** `plans`: of the settings that it goes on with. */
export function restoreState({ state, slabs, keys: taken }: EngineSnapshot, plans: Plans): EngineState {
  const owners = new Map<string, Owner>()
  const back = ({ lists, ...owner }: KeptOwner, name: string | undefined, names: SlabNames): Owner => {
    const records = slabs.get(names.records)
    const rows = slabs.get(names.rows)
    const places = slabs.get(names.places)
    if (records === undefined || rows === undefined || places === undefined)
      throw new Error(`the checkpoint has no ${names.records}`)
    const keys = restoreKnownKeys(owner.keys, { records, rows, places })
    const ofOwner = taken.filter(some => some.owner === name)
    const listed = bringBack(lists, ofOwner, number => idOf(keys, number))
    return { ...owner, ...listed, keys, plans, place: placesOf(listed.live, keys) }
  }
  for (const [id, owner] of state.owners) owners.set(id, back(owner, id, slabsNamed(id)))
  return { ...state, owners, tenantWide: state.tenantWide && back(state.tenantWide, undefined, tenantSlabs) }
}

/** Of the keys that have one, for whoever only wants to know of these. */
export const incidentsIn = (
  keys: readonly TakenKeys[],
): readonly { readonly keyId: ApiKeyId; readonly incident: Incident }[] => keys.flatMap(({ rare }) => rare.incidents)
