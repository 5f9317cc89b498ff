/** A minute as it closed: what each of the chosen keys called in it, and what is usual then. Metrics are made of these. */
import type { WeirConfig } from './config/config.ts'
import type { Owner } from './state/owner.ts'
import type { ApiKeyId, EpochMs } from './vocabulary.ts'

/** Columns: the same place in each belongs to one key. */
export interface MeasuredMinute {
  /** Event time, a whole UTC minute. */
  readonly startsAt: EpochMs
  readonly keys: readonly ApiKeyId[]
  /** Every call that had come when the minute closed, refused ones too; 0 of a key that was silent. */
  readonly calls: readonly number[]
  /** The robust middle of what a minute at this time of day brings; undefined while nothing is known. */
  readonly usual: readonly (number | undefined)[]
  /** Keys that were not chosen, because there are more than may be. */
  readonly leftOut: number
}

/** Which keys are told of, until they are chosen anew. */
export interface Measuring {
  readonly keys: 'listed' | 'busiest'
  readonly maxKeys: number
  /** Hour (epoch h) in which they were chosen, and how many keys were known then; -1 before the first time. */
  chosenIn: number
  known: number
  chosen: ReadonlyMap<Owner, readonly ChosenKey[]>
  leftOut: number
}

/** By its number among the owner's known keys, which may be another key's once this one is forgotten. */
export interface ChosenKey {
  readonly keyId: ApiKeyId
  readonly number: number
}

/** undefined where nobody wants to know: then nothing is measured, and nothing is spent on it. */
export function createMeasuring({ metrics }: WeirConfig): Measuring | undefined {
  const { enabled, keys, maxKeys } = metrics.cloudWatch.rates
  return enabled ? { keys, maxKeys, chosenIn: -1, known: -1, chosen: new Map(), leftOut: 0 } : undefined
}
