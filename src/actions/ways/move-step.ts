/**
 * What is to be done next with a key that is moved, given where the gateway says it is: pure, so that every place in which a crash,
 * a lost answer or a person can leave it is shown to lead to the right one. A key has to be out of one plan before it can be put into
 * another of the same stage; in none, all its calls are refused, so leaving is never the last step.
 */
import { cleanText, limitsText } from '../../core/explanation/text.ts'
import type { MoveStory } from '../../core/incident/move-story.ts'
import { type LimitsOrNone, limitsOf, type MethodPlace, type PlanSettings } from '../../core/incident/plan-story.ts'
import type { PlanLimits } from '../../core/vocabulary.ts'
import type { PlanOfKey } from '../usage-plan-client.ts'

export type Step =
  | { readonly kind: 'leave'; readonly planId: string }
  | { readonly kind: 'enter'; readonly planId: string }
  /** It is where it is wanted. */
  | { readonly kind: 'there' }
  /** Somebody else has put it where it is, or out of where it was. */
  | { readonly kind: 'others' }

export interface Whereabouts {
  readonly from: readonly string[]
  readonly to: string
  /** What the journal says of it; undefined: nothing of ours was begun. */
  readonly state: MoveStory['state'] | undefined
  /** The plans of the stages at stake that it is in. */
  readonly here: readonly string[]
  /** Those it was told to leave: some may still show it. */
  readonly leaving: ReadonlySet<string>
}

export function nextStep(towards: 'away' | 'back', { from, to, state, here, leaving }: Whereabouts): Step {
  if (here.some(planId => planId !== to && !from.includes(planId))) return { kind: 'others' }
  const [wanted, unwanted] = towards === 'away' ? [[to], from] : [from, [to]]
  const isSettled = state === 'there' && leaving.size === 0
  if (isSettled && !here.includes(to))
    return towards === 'back' && from.every(planId => here.includes(planId)) ? { kind: 'there' } : { kind: 'others' }
  const leave = unwanted.find(planId => here.includes(planId) && !leaving.has(planId))
  if (leave !== undefined) return { kind: 'leave', planId: leave }
  const enter = wanted.find(planId => !here.includes(planId) || leaving.has(planId))
  return enter === undefined ? { kind: 'there' } : { kind: 'enter', planId: enter }
}

export type Possible =
  | {
      readonly kind: 'possible'
      readonly from: readonly string[]
      readonly stages: readonly string[]
      readonly before: LimitsOrNone
      readonly after: PlanLimits
      /** Plans of the key that stay as they are, for people. */
      readonly missed: readonly string[]
    }
  | { readonly kind: 'refused'; readonly because: string }

/**
 * Whether a key may be moved to the penalty plan: it must be for every stage that the key's plans of these stages are for, or calls
 * there would be refused; and nowhere, not for a single method, may the key get more than it has.
 */
export function possibleMove(
  penalty: PlanOfKey,
  plans: readonly PlanOfKey[],
  stages: readonly string[] | undefined,
): Possible {
  if (plans.some(({ id }) => id === penalty.id))
    return refused(`key is in the penalty plan ${penalty.id} already, and not by our doing`)
  const isMeant = (plan: PlanOfKey): boolean => stages === undefined || plan.stages.some(one => stages.includes(one))
  const meant = plans.filter(isMeant)
  if (meant.length === 0)
    return refused(plans.length === 0 ? 'key is in no usage plan' : 'key is in no usage plan of gateway.stages')
  // Also those that are not meant: in one of the same stage it cannot stay.
  const from = plans.filter(plan => plan.stages.some(stage => penalty.stages.includes(stage)))
  if (!from.some(isMeant))
    return refused(`the penalty plan ${penalty.id} is for none of the stages of ${namesOf(meant)}: add them to it`)
  for (const plan of from) {
    const wanting = plan.stages.find(stage => !penalty.stages.includes(stage))
    if (wanting !== undefined)
      return refused(
        `the penalty plan ${penalty.id} is not for ${wanting}, where plan ${plan.id} lets the key call: add that stage to it`,
      )
    const above = whereAbove(penalty.settings, plan.settings)
    if (above !== undefined) return refused(`the penalty plan ${penalty.id} ${above} (plan ${plan.id})`)
  }
  const { limits } = penalty.settings
  if (limits === null) return refused(`the penalty plan ${penalty.id} has no limit`)
  const left = meant.filter(plan => !from.includes(plan))
  return {
    kind: 'possible',
    from: from.map(({ id }) => id),
    stages: [...new Set([...penalty.stages, ...from.flatMap(plan => plan.stages)])],
    before: from.find(isMeant)?.settings.limits ?? null,
    after: limits,
    missed: left.map(({ id }) => `plan ${id} is for stages that the penalty plan ${penalty.id} is not for`),
  }
}

/** Never above, and somewhere lower; what is said of it, where that does not hold. */
function whereAbove(penalty: PlanSettings, present: PlanSettings): string | undefined {
  if (penalty.limits === null) return 'has no limit'
  const isLower = (one: LimitsOrNone, other: LimitsOrNone): boolean =>
    one !== null && (other === null || (one.rateLimit <= other.rateLimit && one.burstLimit <= other.burstLimit))
  const isSame = isLower(penalty.limits, present.limits) && isLower(present.limits, penalty.limits)
  if (isSame || !isLower(penalty.limits, present.limits))
    return `does not have a lower limit than the key has now: ${limitsText(penalty.limits)}, and it has ${limitsText(present.limits ?? undefined)}`
  const own = (settings: PlanSettings, method: MethodPlace) => limitsOf(settings.methods, method) ?? settings.limits
  const higher = [...penalty.methods, ...present.methods].find(
    method => !isLower(own(penalty, method), own(present, method)),
  )
  return higher && `would let through more of ${cleanText(higher.method)} than the key may call now`
}

const namesOf = (plans: readonly PlanOfKey[]): string => plans.map(({ id }) => id).join(', ')

function refused(because: string): Possible {
  return { kind: 'refused', because }
}
