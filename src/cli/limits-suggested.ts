/** What `weir limits suggest` has found, for whoever renders it. */
import type { EngineSettings } from '../core/engine.ts'
import type { SizedPlan, totalsOf } from '../core/limits/plan-sizing.ts'
import type { Sizing, SizingPolicy } from '../core/limits/sizing.ts'
import type { PlayedLogs } from '../worker/limits-history.ts'

/** All that is known and suggested, to be rendered as a table, as JSON and as a patch. */
export interface Suggested {
  readonly basis: Basis
  readonly policy: SizingPolicy
  /** All keys, neediest first. */
  readonly sizings: readonly Sizing[]
  readonly plans: readonly SizedPlan[]
  /** In no plan that is known. */
  readonly unplaced: readonly Sizing[]
  readonly totals: ReturnType<typeof totalsOf>
  readonly settings: EngineSettings
  readonly notes: readonly string[]
}

export type Basis =
  | { readonly kind: 'logs'; readonly files: readonly string[]; readonly played: PlayedLogs }
  | { readonly kind: 'state'; readonly directory: string; readonly writtenAt: number }
