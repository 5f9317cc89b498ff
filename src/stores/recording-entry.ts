/**
 * What a recording holds: the core's input sequence with the decisions that it led to, in segments. Key ids and counts,
 * settings and tenants; never a payload, a raw key, or the settings of what is read and written (they may hold credentials).
 */
import type { WeirConfig } from '../core/config/config.ts'
import type { EngineSettings } from '../core/engine.ts'
import type { EngineInput } from '../core/engine-input.ts'
import type { ApiKeyId, EpochMs, PartitionId } from '../core/vocabulary.ts'

/** After input number `input` of a life: 0 is before its first. */
export interface RecordedPlace {
  /** One run of a worker, from its start to its stop. */
  readonly life: string
  readonly input: number
}

export interface RecordedSettings extends Omit<EngineSettings, 'config'> {
  readonly config: Omit<WeirConfig, 'source' | 'alerts' | 'gateway' | 'gateways'>
}

/** A segment opens with it; the engine's state at `place` follows, and then the inputs from there on. */
export interface SegmentHead {
  readonly place: RecordedPlace
  readonly startedAt: EpochMs
  /** Where the life's state came from, if from a checkpoint of a life that was recorded too. */
  readonly resumedFrom: RecordedPlace | undefined
  /** The life began without an earlier one's state: with nothing, or with what it was taught. */
  readonly isAnew: boolean
  readonly settings: RecordedSettings
  /** The same settings, the same hash. */
  readonly settingsHash: string
}

/** Calls as columns, each as narrow as its values allow. */
export interface RecordedBatch {
  readonly kind: 'batch'
  readonly partition: PartitionId
  readonly arrivedAt: EpochMs
  readonly length: number
  /** Number of the key among those that the segment has named so far. */
  readonly key: Column
  /** Less `timeFrom`, ms. */
  readonly time: Column
  readonly timeFrom: EpochMs
  readonly status: Column
  readonly latencyMs: Column
  readonly bytes: Column
  /** Where somebody read them, and any call had one. */
  readonly route?: Int32Array | undefined
  readonly source?: Int32Array | undefined
  readonly panes: Extract<EngineInput, { kind: 'batch' }>['batch']['panes']
  /** Keys not named before in this segment, in the order of their numbers. */
  readonly newKeys: readonly ApiKeyId[]
}

export type Column = Int16Array | Uint16Array | Int32Array | Float64Array

export type RecordedInput = Exclude<EngineInput, { kind: 'batch' }> | RecordedBatch

export type RecordedEntry =
  /** `decided`: the decisions as text (`decisionsText`), where there were any. */
  | { readonly kind: 'input'; readonly input: RecordedInput; decided: string | undefined }
  /** The worker stopped cleanly: nothing is missing. */
  | { readonly kind: 'closed' }
