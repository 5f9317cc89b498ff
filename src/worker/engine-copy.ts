/**
 * An engine's state as plain data that a recording holds and an engine can be made of again, and what two of them are
 * compared by.
 */
import { type Engine, type EngineSettings, restore, snapshot } from '../core/engine.ts'
import { stateDigest } from './state-digest.ts'

/** Plain, structured-cloneable; the live state, not a copy of it: serialise it before the next `advance`. */
export type EngineCopy = ReturnType<typeof snapshot>

export const copyOf = (engine: Engine): EngineCopy => snapshot(engine)

/** An engine that goes on from it. What was read back is the engine's from then on. */
export const engineFrom = (settings: EngineSettings, copy: EngineCopy): Engine => restore(settings, copy)

export const digestOf = (copy: EngineCopy): string => stateDigest(copy)
