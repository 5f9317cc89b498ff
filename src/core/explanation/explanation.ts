/**
 * Every decision carries its evidence as data. Alert text, `--json`, terminal, page and audit render this one value;
 * none of them derives it again.
 */
import type { Evidence, Kind, Peers } from '../../../detectors/contract.ts'
import type { Mode } from '../config/config.ts'
import type { OthersLimit } from '../incident/plan-story.ts'
import type { Verification } from '../incident/verification.ts'
import type { Waiting } from '../incident/waiting.ts'
import type { PlannedUse } from '../planned/planned-event.ts'
import type { ApiKeyId, EpochMs, PlanLimits, TenantId } from '../vocabulary.ts'

export type Severity = 'low' | 'high'
export type IncidentKind = Kind | 'platform'

/** Why nothing is done to the tenant's limit. */
export type HeldReason =
  | 'observe-mode'
  | 'no-harm'
  | 'exempt'
  | 'anonymous'
  | 'key-id-unknown'
  | 'platform-incident'
  | 'too-many-throttled'
  | 'halted'
  | 'history-unknown'
  | 'too-old'

export type Action =
  | {
      readonly kind: 'held'
      readonly because: HeldReason
      /** Who has halted throttling. */
      readonly by?: string
      /** Its limit was given back before, and it is bad again. */
      readonly again?: true
    }
  | { readonly kind: 'suggest'; readonly limits: PlanLimits }
  | {
      readonly kind: 'throttle'
      readonly limits: PlanLimits
      readonly expiresAt: EpochMs
      /** Left out where the gateway is to make it next. */
      readonly waiting?: Waiting | undefined
      /** Which of its throttles in 7 days it is, where that makes it longer. */
      readonly ofWeek?: number
    }
  | {
      readonly kind: 'throttled'
      readonly limits: PlanLimits | undefined
      readonly before: PlanLimits | undefined
      readonly expiresAt: EpochMs
      readonly ofWeek?: number
      /** Of several plans or keys: which could not be lowered, and why, for people. */
      readonly missed?: string
      /** Its key was moved to another plan: so long it was in none, and its calls were refused with 403. */
      readonly gapMs?: number
      /** It is given back as a whole, and stays for the half. */
      readonly wholeOnly?: true
    }
  | {
      readonly kind: 'throttle-refused'
      readonly because: string
      /** Who has released it, where that is why. */
      readonly by?: string
      /** Its limit was given back before, and it is bad again. */
      readonly again?: true
    }
  | {
      readonly kind: 'restore'
      readonly step: 'half' | 'full'
      readonly because: 'expired' | 'calm' | 'platform-incident' | 'operator'
      /** Who asked for it, where somebody did. */
      readonly by?: string
      /** There is no half of it: for the probation the limit stays lowered. */
      readonly wholeOnly?: true
      /** What lowering it has cost: so long its calls were refused with 403. */
      readonly gapMs?: number
      /** Left out until the gateway has let it wait. */
      readonly waiting?: Waiting
    }
  | {
      readonly kind: 'restore-refused'
      readonly because: string
      /** Where somebody else has set it: all of these. */
      readonly others?: readonly OthersLimit[]
      /** What else is to be given back is still on its way. */
      readonly waiting?: Waiting
    }
  | {
      readonly kind: 'restored'
      readonly limits: PlanLimits | undefined
      /** Nothing was raised now. Without limits it is not known what the plan has then. */
      readonly wasSo?: true
      /** Who asked for it, where somebody did. */
      readonly by?: string
      readonly gapMs?: number
    }
  | { readonly kind: 'none' }

export interface Explanation {
  readonly incidentId: string
  readonly keyId: ApiKeyId
  readonly tenant:
    | {
        readonly id: TenantId
        readonly name: string | undefined
        readonly contact: string | undefined
        readonly escalation: string | undefined
      }
    | undefined
  readonly phase: 'open' | 'mitigated' | 'recovering' | 'closed'
  readonly kind: IncidentKind
  readonly severity: Severity
  /**
   * alerted: people are told; with-platform: a part of a platform incident, which is told in its place; noted: a surge that
   * the alert budget leaves to whoever looks; history: decided long after the fact, while the worker caught up.
   */
  readonly telling: 'alerted' | 'with-platform' | 'noted' | 'history'
  /** An alert goes out with it. */
  readonly isAlert?: true
  /** Best guess of the first misbehaving moment, event time. */
  readonly onsetAt: EpochMs
  /** Highest event time seen when it was decided. */
  readonly decidedAt: EpochMs
  /** Calls counted since onset (over 1 to 60 s, the last 60 where it is longer). */
  readonly current: { readonly calls: number; readonly seconds: number; readonly callsPerMinute: number }
  /** What a minute usually brings here, or undefined without history. `days`: how many of the last 7 it rests on. */
  readonly expected:
    | {
        readonly callsPerMinute: number
        readonly lowerPerMinute: number
        readonly upperPerMinute: number
        readonly days: number
        readonly peers?: Peers
      }
    | undefined
  /** Left out where nothing was planned of this minute. */
  readonly planned?: PlannedUse | undefined
  readonly detectors: readonly { readonly name: string; readonly score: number }[]
  readonly evidence: readonly Evidence[]
  readonly mode: Mode
  readonly action: Action
  /** Of the last throttle, whether it holds; left out where none was set. */
  readonly verification?: Verification | undefined
  /** A person wants the limit lowered until then; left out where nobody does. */
  readonly extended?: OperatorWord
  /** … whatever the key does. */
  readonly held?: OperatorWord
}

/** What a person has said of how long a limit stays lowered. */
export interface OperatorWord {
  readonly by: string
  readonly until: EpochMs
}
