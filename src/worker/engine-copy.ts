/**
 * An engine's state as plain data that a recording holds and an engine can be made of again, and what two of them are
 * compared by.
 */
import { type Engine, type EngineSettings, type EngineSnapshot, restore, slabsOf, snapshot } from '../core/engine.ts'
import { cellsOf, slabWith } from '../core/state/slab.ts'
import { stateDigest } from './state-digest.ts'

/** Plain, structured-cloneable; but for the cells and the keys the live state, not a copy of it: serialise it before the next `advance`. */
export interface EngineCopy {
  readonly state: EngineSnapshot['state']
  readonly keys: EngineSnapshot['keys']
  readonly slabs: readonly { readonly name: string; readonly cellBytes: number; readonly cells: Uint8Array }[]
}

export function copyOf(engine: Engine): EngineCopy {
  const { state, slabs, keys } = snapshot(engine)
  return {
    state,
    keys,
    slabs: [...slabs].map(([name, slab]) => ({ name, cellBytes: slab.cellBytes, cells: cellsOf(slab) })),
  }
}

/** Bytes of the cells that a copy would hold. */
export const copyBytes = (engine: Engine): number =>
  [...slabsOf(engine).values()].reduce((sum, { cells, cellBytes }) => sum + cells * cellBytes, 0)

/** An engine that goes on from it. What was read back is the engine's from then on. */
export function engineFrom(settings: EngineSettings, { state, keys, slabs }: EngineCopy): Engine {
  const whole = slabs.map(({ name, cellBytes, cells }) => [name, slabWith(cellBytes, cells)] as const)
  return restore(settings, { state, keys, slabs: new Map(whole) })
}

export const digestOf = (copy: EngineCopy): string => stateDigest(copy)
