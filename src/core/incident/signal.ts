/** What a look says of a key that misbehaves, as decisions are made on it (decision.ts). */
import type { Evidence } from '../../../detectors/contract.ts'
import type { Explanation, IncidentKind, Severity } from '../explanation/explanation.ts'
import type { EpochMs } from '../vocabulary.ts'

/** What one look at a misbehaving key found. */
export interface Signal {
  /** End of the view that showed it, event time; `decidedAt` is how far event time had come when it was looked at. */
  readonly at: EpochMs
  readonly decidedAt: EpochMs
  readonly onsetAt: EpochMs
  readonly kind: IncidentKind
  readonly severity: Severity
  readonly detectors: Explanation['detectors']
  readonly evidence: readonly Evidence[]
  readonly current: Explanation['current']
  readonly expected: Explanation['expected']
  readonly planned?: Explanation['planned']
  /** How often a week the key would do this by itself, by its own past; undefined where that is not what it is about. */
  readonly timesAWeek: number | undefined
  /** Whether people are alerted: not where the alert budget says that it is not rare enough. */
  readonly isHeard: boolean
}
