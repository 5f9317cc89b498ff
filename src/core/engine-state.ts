/** What the engine is made of: its settings, of which only the tenants ever change, and its state. */
import type { Kind } from '../../detectors/contract.ts'
import type { KeyTable } from './call-batch.ts'
import type { WeirConfig } from './config/config.ts'
import type { TenantDirectory } from './config/tenants.ts'
import type { Explanation, OperatorWord } from './explanation/explanation.ts'
import type { Effect } from './incident/effect.ts'
import type { OtherParts } from './incident/fleet-sums.ts'
import type { Memo } from './incident/memo.ts'
import type { Openings } from './incident/openings.ts'
import type { Surveys } from './incident/owner-survey.ts'
import type { PlatformIncident } from './incident/platform-incident.ts'
import type { Jury } from './judge.ts'
import type { MeasuredMinute, Measuring } from './measured-minute.ts'
import type { Schedule } from './planned/schedule.ts'
import type { Owner } from './state/owner.ts'
import type { ApiKeyId, EpochMs } from './vocabulary.ts'

export interface EngineSettings {
  readonly config: WeirConfig
  readonly tenants: TenantDirectory
  /** On a keyed stream each partition owns its keys; otherwise one owner merges all. */
  readonly keyed: boolean
}

/** All that changes. Plain data: maps, sets, arrays, typed arrays; `engine-snapshot.ts` says what of it a checkpoint holds. */
export interface EngineState {
  readonly owners: Map<string, Owner>
  /** Tenants with several keys, each as if all its calls were one key's; over all partitions. Made with the first of them. */
  tenantWide: Owner | undefined
  platform: PlatformIncident
  platformIncidents: number
  /** Of a stream that is shared with other workers, or in parts of this one. */
  others: OtherParts | undefined
  /** How often clients turn wrong; undefined until the first look. */
  openings: Openings | undefined
  /** What was told at low severity lately, by kind: what is common in this fleet is no news (alert-budget.ts). */
  readonly alertsSpent: Map<Kind, Spent>
  /** Arrival clock: the latest arrival or tick, epoch ms. */
  now: EpochMs
  isHistory: boolean
  /** While a person wants nobody throttled: who, and since when. */
  halted: Halt | undefined
  /** Released when they had no incident here: one that opens until then is the one that was meant (operator.ts). */
  readonly spared: Map<ApiKeyId, OperatorWord>
  /** When keys were throttled lately, in the order of their last time (incident/repeaters.ts). */
  readonly throttled: Map<ApiKeyId, readonly EpochMs[]>
  readonly rejected: { future: number; tooOld: number }
  /** Calls of new keys that there was no room for: they count as anonymous. */
  unplaced: number
}

export interface Halt {
  readonly by: string
  readonly since: EpochMs
}

/** Alerts of one kind, the older the less they count: as of `at`. */
export interface Spent {
  readonly at: EpochMs
  readonly alerts: number
}

export interface Engine {
  settings: EngineSettings
  readonly jury: Jury
  /** What is planned when, of the settings’ tenants. */
  schedule: Schedule
  /** Which keys' minutes are told. A cache: chosen anew after a restart. Undefined where nobody asked for them. */
  readonly measuring: Measuring | undefined
  readonly state: EngineState
  /** Numbers of known keys by a decoder's key numbers, for each owner. A cache: rebuilt after a restart. */
  lookup: WeakMap<KeyTable, Map<Owner, KeyNumbers>>
  /** The same for the tenants whose keys they are. */
  tenantLookup: WeakMap<KeyTable, KeyNumbers>
  /** What decisions of this moment have asked about. A cache: never asked for what has changed since. */
  readonly surveys: Surveys
}

export interface KeyNumbers {
  /** The owner's number of the key + 1, by the decoder's number; 0 = not looked up yet, -1 = there is none. */
  numbers: Int32Array<ArrayBuffer>
  /** How many keys the owner had forgotten by then: numbers are given to other keys afterwards. */
  asOf: number
}

/** All whose incidents there may be. */
export function* watching({ owners, tenantWide }: EngineState): Generator<Owner> {
  yield* owners.values()
  if (tenantWide !== undefined) yield tenantWide
}

/** Decisions under construction. */
export interface Out {
  readonly effects: Effect[]
  readonly changes: Explanation[]
  readonly memos: Memo[]
  readonly measured: MeasuredMinute[]
}

/** Room for so many ids; what was found before keys were forgotten has to be found again. */
export function lookAnew(known: KeyNumbers, owner: Owner, ids: number): void {
  let length = known.numbers.length
  while (length < ids) length *= 2
  const before = known.asOf === owner.keys.forgotten ? known.numbers : undefined
  known.numbers = new Int32Array(length)
  if (before !== undefined) known.numbers.set(before)
  known.asOf = owner.keys.forgotten
}
