/** What `weir limits suggest` found, for machines (`weir.limit-suggestions/1`), and as the patch that `weir limits apply` reads. */
import { terminalSafe } from '../core/explanation/json.ts'
import { cleanText } from '../core/explanation/text.ts'
import type { SizedKey } from '../core/limits/plan-sizing.ts'
import type { Sizing } from '../core/limits/sizing.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import type { Suggested } from './limits-suggested.ts'
import { basisText, isChanged, reasonText } from './limits-words.ts'

export function limitsJson(suggested: Suggested, madeAt: EpochMs): string {
  const { basis, policy, plans, unplaced, totals, settings, notes } = suggested
  const about = (sizing: Sizing) => keyBody(sizing, settings.tenants.byKey.get(sizing.keyId)?.tenantId)
  const body = {
    ...{ schema: 'weir.limit-suggestions/1', madeAt: new Date(madeAt).toISOString(), basis: basisText(basis), policy },
    plans: plans.map(plan => ({
      ...{ gateway: plan.gateway ?? null, plan: plan.planId, name: plan.name ?? null, stages: plan.stages },
      ...{ present: plan.present, isLowered: plan.isLowered, verdict: plan.verdict },
      reason: reasonText(plan, basis),
      keys: plan.keys.map(({ sizing, refusedNow, betterIn }) => ({
        ...{ ...about(sizing), refusedNow: refusedNow ?? null, betterIn: betterIn ?? null },
      })),
      silent: plan.silent,
    })),
    inNoPlan: unplaced.map(about),
    ...{ totals, notes },
  }
  return `${terminalSafe(JSON.stringify(body))}\n`
}

/** YAML, or JSON where the file is called so; undefined where no plan would be changed. */
export async function patchText(path: string, suggested: Suggested, madeAt: EpochMs): Promise<string | undefined> {
  const { basis, plans, settings } = suggested
  const changed = plans.filter(isChanged)
  if (changed.length === 0) return undefined
  const patch = {
    schema: 'weir.limits/1',
    ...{ madeAt: new Date(madeAt).toISOString(), basis: basisText(basis) },
    plans: changed.map(plan => ({
      plan: plan.planId,
      ...(plan.gateway !== undefined && { gateway: plan.gateway }),
      ...(plan.name !== undefined && { name: cleanText(plan.name) }),
      ...{ present: plan.present, suggested: plan.verdict.suggested, reason: reasonText(plan, basis) },
      keys: plan.keys.map(key => patchKey(key, settings.tenants.byKey.get(key.sizing.keyId)?.tenantId)),
    })),
  }
  if (path.endsWith('.json')) {
    const lines = JSON.stringify(patch, undefined, 2).split('\n')
    return `${lines.map(terminalSafe).join('\n')}\n`
  }
  const { stringify } = await import('yaml')
  return `${patchHead}${stringify(patch, { lineWidth: 0 })}`
}

const patchHead = `# What weir limits apply would set. A plan's limits hold for each of its keys by itself. Strike plans out, or change
# \`suggested\`; \`present\` is what the plan must still have by then, or it is left alone. Nothing else is read.
`

function patchKey({ sizing, refusedNow }: SizedKey, tenantId: string | undefined) {
  const { keyId, calls, knownDays, busiest, suggestion } = sizing
  return {
    key: keyId,
    ...(tenantId !== undefined && { tenant: tenantId }),
    ...{ calls: Math.round(calls), knownDays: round(knownDays), ...busiestBody(busiest) },
    ...(suggestion.kind === 'limits' && { needs: suggestion.limits, refused: round(suggestion.refused) }),
    ...(refusedNow !== undefined && { refusedNow }),
  }
}

const busiestBody = ({ second, tenSeconds, minute }: Sizing['busiest']) => ({
  ...(second !== undefined && { busiestSecond: round(second) }),
  ...(tenSeconds !== undefined && { busiestTenSeconds: round(tenSeconds) }),
  ...(minute !== undefined && { busiestMinute: round(minute) }),
})

function keyBody(sizing: Sizing, tenantId: string | undefined) {
  const { keyId, basis, calls, knownDays, busiest, upperPerMinute, latencyMs, suggestion } = sizing
  return {
    ...{ keyId, tenantId: tenantId ?? null, basis, calls: Math.round(calls), knownDays: round(knownDays) },
    ...{ busiest: busiestBody(busiest), usualUpToPerMinute: upperPerMinute ?? null, latencyMs: latencyMs ?? null },
    suggestion:
      suggestion.kind === 'none'
        ? suggestion
        : {
            ...suggestion,
            leftOut: suggestion.leftOut.map(({ at, ...day }) => ({
              day: new Date(at).toISOString().slice(0, 10),
              ...day,
            })),
          },
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
