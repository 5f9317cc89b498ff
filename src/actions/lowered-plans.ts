/** What a throttle has lowered, plan by plan: the core holds the log against it (core/incident/verification.ts). */
import type { Outcome } from '../core/incident/effect.ts'
import type { LoweredPlan } from '../core/incident/verification.ts'

/** An outcome at one plan, with the plan as it is by then. */
export function withPlan(outcome: Outcome, plan: Omit<LoweredPlan, 'limits'>): Outcome {
  if (outcome.kind === 'refused' || outcome.after === undefined) return outcome
  return { ...outcome, plans: [{ ...plan, limits: outcome.after }] }
}

/**
 * Of all that one throttle has lowered; left out where of a part of it the limits are not known, so that nothing is verified
 * then: the log is held against all of them together, and what is not counted would look like a limit that does not hold.
 */
export function plansTogether(outcomes: readonly Outcome[]): { readonly plans?: readonly LoweredPlan[] } {
  const plans: LoweredPlan[] = []
  for (const outcome of outcomes) {
    if (outcome.kind === 'refused') continue
    if (outcome.plans === undefined) return {}
    plans.push(...outcome.plans)
  }
  return plans.length === 0 ? {} : { plans }
}
