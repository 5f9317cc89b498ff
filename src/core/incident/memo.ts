/**
 * What a decision that the world hears of leaves in the core's memory. It is journaled with the decision's effects, before
 * the first of them is begun. A worker that was killed before the next checkpoint is given it back (`recall.ts`) and goes on
 * from there: it need not come to the same decision again, which it might see in other steps, and nobody is told twice.
 *
 * Plain data that survives JSON. What leads to no effect leaves none: that is decided again, and nobody has heard of it. What
 * is known otherwise is as if nobody had been killed, but for this: minutes between checkpoint and crash in which a limit was
 * lowered, and was given back before the crash, may be learned.
 */
import type { Kind } from '../../../detectors/contract.ts'
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'
import type { Incident, Signal } from './incident.ts'
import type { PlatformIncident } from './platform-incident.ts'

export type Memo =
  | {
      readonly kind: 'key'
      readonly keyId: ApiKeyId
      /** Whose key it is; undefined for a tenant as a whole. */
      readonly owner: string | undefined
      /** How far event time had come. */
      readonly at: EpochMs
      readonly incident: Incident
      /** How many incidents the key has had. */
      readonly incidents: number
      /** It opened with this decision. */
      readonly isOpening: boolean
      /** What people were alerted of: it counts against the alert budget. */
      readonly alerted: Alerted | undefined
    }
  | {
      readonly kind: 'platform'
      readonly at: EpochMs
      readonly platform: PlatformIncident
      /** How many there have been. */
      readonly incidents: number
    }

export interface Alerted extends Pick<Signal, 'severity' | 'at' | 'timesAWeek'> {
  readonly kind: Kind
}
