/**
 * What `weir limits` has set where, told from its journal, and what may be done to a plan now: pure, so that a crash
 * between any two lines can be shown to be harmless.
 *
 *   apply → changing (before B, after S) → set → … → changing (before S, after B; undoing) → undone
 *              └ a crash: the plan has B or S, and whoever goes on sees which ─────┘
 *
 * A person's change wins: what has neither of the two is left as it is.
 */
import { placeName } from '../incident/limit-story.ts'
import { type LimitsOrNone, type PlanPlace, sameLimits } from '../incident/plan-story.ts'
import type { EpochMs } from '../vocabulary.ts'

export type LimitsEntry =
  | {
      readonly kind: 'apply'
      readonly id: string
      readonly at: EpochMs
      readonly by: string
      readonly file: string
      /** Of what the file held: the same file given again goes on with the same apply. */
      readonly digest: string
    }
  | ({ readonly kind: 'changing'; readonly id: string; readonly at: EpochMs; readonly isUndo: boolean } & LimitsChange)
  /** The gateway has it. */
  | ({ readonly kind: 'changed'; readonly id: string; readonly at: EpochMs; readonly isUndo: boolean } & PlanPlace)
  /** Nothing more is to be done about this plan: it had something else by then, or is gone. */
  | ({ readonly kind: 'left'; readonly id: string; readonly at: EpochMs; readonly because: string } & PlanPlace)

export interface LimitsChange extends PlanPlace {
  readonly before: LimitsOrNone
  readonly after: LimitsOrNone
}

export interface AppliedLimits {
  readonly id: string
  readonly at: EpochMs
  readonly by: string
  readonly file: string
  readonly digest: string
  /** By `placeName`, in the order in which they were changed. */
  readonly plans: ReadonlyMap<string, AppliedPlan>
}

export interface AppliedPlan extends PlanPlace {
  /** What it had before the apply, and what it was set to. */
  readonly before: LimitsOrNone
  readonly after: LimitsOrNone
  /** changing, undoing: announced, and not known to have arrived. left: somebody else's by now. */
  readonly state: 'changing' | 'set' | 'undoing' | 'undone' | 'left'
}

/** Oldest first. */
export function appliedLimits(entries: readonly LimitsEntry[]): readonly AppliedLimits[] {
  const applied = new Map<string, AppliedLimits>()
  for (const entry of entries) {
    if (entry.kind === 'apply') {
      const { id, at, by, file, digest } = entry
      applied.set(id, { ...{ id, at, by, file, digest }, plans: applied.get(id)?.plans ?? new Map() })
      continue
    }
    const known = applied.get(entry.id)
    if (known === undefined) continue
    const plan = advancePlan(known.plans.get(placeName(entry)), entry)
    if (plan !== undefined) applied.set(entry.id, { ...known, plans: new Map(known.plans).set(placeName(entry), plan) })
  }
  return [...applied.values()]
}

function advancePlan(
  plan: AppliedPlan | undefined,
  entry: Exclude<LimitsEntry, { kind: 'apply' }>,
): AppliedPlan | undefined {
  switch (entry.kind) {
    case 'changing': {
      if (entry.isUndo) return plan && { ...plan, state: 'undoing' }
      const { gateway, planId, before, after } = entry
      return { ...(gateway !== undefined && { gateway }), planId, before, after, state: 'changing' }
    }
    case 'changed':
      return plan && { ...plan, state: entry.isUndo ? 'undone' : 'set' }
    case 'left':
      return plan && { ...plan, state: 'left' }
    default:
      return entry satisfies never
  }
}

/** The one that a file has begun and that was not undone since: it goes on. */
export const begunWith = (applied: readonly AppliedLimits[], digest: string): AppliedLimits | undefined =>
  applied.findLast(one => one.digest === digest && ![...one.plans.values()].some(isBack))

const isBack = ({ state }: AppliedPlan): boolean => state === 'undoing' || state === 'undone'

export type LimitsDecision =
  | { readonly kind: 'set'; readonly after: LimitsOrNone }
  /** It has what it is to have. */
  | { readonly kind: 'already' }
  | { readonly kind: 'left'; readonly because: 'changed-meanwhile' }

/** From what a plan is expected to have to what it is to have, given what it has. */
export function decideLimits(
  { before, after }: Pick<LimitsChange, 'before' | 'after'>,
  current: LimitsOrNone,
): LimitsDecision {
  if (sameLimits(current, after)) return { kind: 'already' }
  if (sameLimits(current, before)) return { kind: 'set', after }
  return { kind: 'left', because: 'changed-meanwhile' }
}
