/** What a throttle has lowered, plan by plan: the core holds the log against it (core/incident/verification.ts). */
import type { Outcome } from '../core/incident/effect.ts'
import type { LoweredPlan } from '../core/incident/verification.ts'

/** An outcome at one plan, with the plan as it is by then. */
export function withPlan(outcome: Outcome, plan: Omit<LoweredPlan, 'limits'>): Outcome {
  if (outcome.kind === 'refused' || outcome.after === undefined) return outcome
  return { ...outcome, plans: [{ ...plan, limits: outcome.after }] }
}

/** Of all plans of one throttle; left out where there are none, so that nothing is verified then. */
export function plansTogether(outcomes: readonly Outcome[]): { readonly plans?: readonly LoweredPlan[] } {
  const plans = outcomes.flatMap(outcome => (outcome.kind === 'refused' ? [] : (outcome.plans ?? [])))
  return plans.length === 0 ? {} : { plans }
}
