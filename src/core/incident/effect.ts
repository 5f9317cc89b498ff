/**
 * What the core wants done outside (`Effect`), and what came of it (`Outcome`, an input of the core).
 * An effect's id is made of its incident and step, so the same decision taken again after a crash has the same id.
 */
import type { Explanation } from '../explanation/explanation.ts'
import type { ApiKeyId, EpochMs, PlanLimits } from '../vocabulary.ts'
import type { OthersLimit } from './plan-story.ts'
import type { LoweredPlan } from './verification.ts'
import type { QueueStanding } from './waiting.ts'

export type { PlanLimits } from '../vocabulary.ts'

export type Effect = AlertEffect | ThrottleEffect | RestoreEffect

interface EffectBase {
  /** `<incident id>/<step>`, e.g. `key_abc123#1/throttle-1`. */
  readonly id: string
  readonly incidentId: string
  readonly keyId: ApiKeyId
  /** The core's clock (arrival time) when it was decided, epoch ms. */
  readonly decidedAt: EpochMs
}

export interface AlertEffect extends EffectBase {
  readonly kind: 'alert'
  readonly explanation: Explanation
}

export interface ThrottleEffect extends EffectBase {
  readonly kind: 'throttle'
  /** What the tenant is to get. The performer never raises: it takes the lower of this and the plan's own. */
  readonly limits: PlanLimits
  /** The API keys that are to get less, and what each of them needs. One, unless the incident is a whole tenant's. */
  readonly keys: readonly KeyNeed[]
  /** The tenant's other keys: a plan that holds one of these too is the tenant's own, and leaves it what it needs. */
  readonly siblings: readonly KeyNeed[]
  /** Until when (arrival time) it is to be lower; whoever gives it back when we cannot goes by this. */
  readonly expiresAt: EpochMs
  /** How dangerous: calls a minute beyond usual. The queue serves the highest first. */
  readonly urgency: number
}

/** What a key normally needs now, a second; undefined where that is unknown. A plan's limits hold for each of its keys by itself. */
export interface KeyNeed {
  readonly keyId: ApiKeyId
  readonly limits: PlanLimits | undefined
}

export interface RestoreEffect extends EffectBase {
  readonly kind: 'restore'
  /**
   * Half way between the throttled and the original limit (probation), or the original to the byte. What has no half
   * (a key that was moved) stays as it is for the half.
   */
  readonly step: 'half' | 'full'
  /** On whose word; left out where it is Weir's own. */
  readonly by?: string
  /** What was lowered, as the core was told; left out where it was told of nothing. */
  readonly lowered?: Lowered
}

/** What a throttle has done. undefined limits = no throttle set. */
export interface Lowered {
  readonly throttleId: string
  /** Before the first throttle of the incident. */
  readonly before: PlanLimits | undefined
  readonly after: PlanLimits | undefined
}

/** An effect without what the engine adds to all of them. */
export type Planned =
  | { readonly kind: 'throttle'; readonly id: string; readonly limits: PlanLimits; readonly expiresAt: EpochMs }
  | { readonly kind: 'restore'; readonly id: string; readonly step: 'half' | 'full'; readonly by?: string }

export type Outcome =
  /** Done now. For a throttle `before` is what the plan had, `after` what it has. undefined limits = no throttle set. */
  | {
      readonly kind: 'applied'
      readonly before?: PlanLimits | undefined
      readonly after?: PlanLimits | undefined
      /** Of several plans or keys: which it could not be done to, and why, for people. */
      readonly missed?: string
      /** Of a throttle: all that is lowered now. Left out where no gateway was asked, as in a replay. */
      readonly plans?: readonly LoweredPlan[]
      /** Of a key that was moved: how long it was in no plan, and its calls were refused with 403, as far as we know. */
      readonly gapMs?: number
      /** It can only be given back as a whole: while half of it is asked for, it stays. */
      readonly wholeOnly?: true
    }
  /** It was so already (a retry after a crash, or a plan that is lower anyway). */
  | {
      readonly kind: 'already'
      readonly after?: PlanLimits | undefined
      readonly missed?: string
      readonly plans?: readonly LoweredPlan[]
      readonly wholeOnly?: true
    }
  /** It will not be done: the reason is for people. */
  | {
      readonly kind: 'refused'
      readonly because: string
      /** Of a restore: all that was not given back is somebody else's by now, and has this. */
      readonly others?: readonly OthersLimit[]
    }

export interface OutcomeReport {
  readonly effectId: string
  readonly outcome: Outcome
}

/** How a throttle stands that has no outcome yet. */
export interface ProgressReport extends QueueStanding {
  readonly effectId: string
}
