/**
 * The patch that `weir limits suggest --out` writes and `weir limits apply` reads: for each plan what it has, what is
 * suggested, and why, so that a person can read it, strike plans out and change numbers before anything is done.
 */
import { z } from 'zod'
import { placeName } from '../incident/limit-story.ts'
import type { LimitsOrNone, PlanPlace } from '../incident/plan-story.ts'
import type { PlanLimits } from '../vocabulary.ts'

const limits = z.strictObject({
  rateLimit: z.number().min(0.001).max(1_000_000),
  burstLimit: z.number().int().min(1).max(10_000_000),
})

const plan = z.strictObject({
  plan: z.string().min(1),
  gateway: z.string().min(1).optional(),
  name: z.string().optional(),
  present: limits.nullable(),
  suggested: limits,
  reason: z.string().optional(),
  keys: z.array(z.unknown()).optional(),
})

export const patchSchema = z.strictObject({
  schema: z.literal('weir.limits/1'),
  madeAt: z.string().optional(),
  basis: z.string().optional(),
  plans: z.array(plan).min(1),
})

export interface PatchedPlan extends PlanPlace {
  /** null: no limit. */
  readonly present: LimitsOrNone
  readonly suggested: PlanLimits
  readonly reason: string | undefined
}

export type ReadPatch =
  | { readonly kind: 'good'; readonly plans: readonly PatchedPlan[] }
  | { readonly kind: 'bad'; readonly because: string }

/** What a file says, once it is parsed. */
export function readPatch(value: unknown): ReadPatch {
  const parsed = patchSchema.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return { kind: 'bad', because: `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'it is no patch'}` }
  }
  const plans = parsed.data.plans.map(
    ({ plan: planId, gateway, present, suggested, reason }): PatchedPlan => ({
      ...(gateway !== undefined && { gateway }),
      ...{ planId, present, suggested, reason },
    }),
  )
  const names = plans.map(placeName)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  return twice === undefined ? { kind: 'good', plans } : { kind: 'bad', because: `plan ${twice} is in it twice` }
}
