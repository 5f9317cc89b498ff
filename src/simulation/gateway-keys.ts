/**
 * Which API keys are in which usage plans, as the control plane says and as the data plane has heard. A key is in one plan of
 * a stage at most. Taken out, it is so only after a while, and until then it can be put into no other plan of that stage.
 */
import type { Clock } from '../clock.ts'
import type { EpochMs } from '../core/vocabulary.ts'

interface PlanOfStages {
  readonly id: string
  /** `apiId:stage`. */
  readonly stages: readonly string[]
}

interface Stay {
  readonly keyId: string
  readonly plan: PlanOfStages
  leftAt: EpochMs
  /** In the data plane. */
  readonly reachesFrom: EpochMs
  reachesTo: EpochMs
}

export interface MembershipOptions {
  readonly clock: Clock
  readonly propagationDelayMs: () => number
  readonly leavingDelayMs: () => number
}

export interface Membership {
  isIn(keyId: string, planId: string): boolean
  keysIn(planId: string): readonly string[]
  /** The plans whose limits the data plane holds the key to at that time. */
  reaching(keyId: string, at: EpochMs): readonly string[]
  /** The plan that keeps the key from being put into this one. */
  conflict(keyId: string, plan: PlanOfStages): string | undefined
  /** Throws where it may not. The data plane hears of it after a while, unless it is said from when on it knows. */
  enter(keyId: string, plan: PlanOfStages, reachesFrom?: EpochMs): void
  /** False: it is not in the plan, or is leaving it already. */
  leave(keyId: string, planId: string): boolean
  leaveAtOnce(keyId: string, planId: string): void
}

export function createMembership({ clock, propagationDelayMs, leavingDelayMs }: MembershipOptions): Membership {
  const stays = new Map<string, readonly Stay[]>()
  const staysOf = (keyId: string): readonly Stay[] => stays.get(keyId) ?? []
  const isThere = ({ leftAt }: Stay): boolean => clock.now() < leftAt

  function conflict(keyId: string, plan: PlanOfStages): string | undefined {
    const other = staysOf(keyId).find(
      stay => isThere(stay) && stay.plan.stages.some(stage => plan.stages.includes(stage)),
    )
    return other?.plan.id
  }

  function leaveIn(keyId: string, planId: string, leavesInMs: number): boolean {
    const now = clock.now()
    const stay = staysOf(keyId).find(({ plan, leftAt }) => plan.id === planId && leftAt === Number.POSITIVE_INFINITY)
    if (stay === undefined) return false
    stay.leftAt = now + leavesInMs
    stay.reachesTo = stay.leftAt + propagationDelayMs()
    return true
  }

  return {
    isIn: (keyId, planId) => staysOf(keyId).some(stay => stay.plan.id === planId && isThere(stay)),
    keysIn: planId =>
      [...stays]
        .filter(([, all]) => all.some(stay => stay.plan.id === planId && isThere(stay)))
        .map(([keyId]) => keyId),
    reaching: (keyId, at) =>
      staysOf(keyId)
        .filter(({ reachesFrom, reachesTo }) => reachesFrom <= at && at < reachesTo)
        .map(({ plan }) => plan.id),
    conflict,
    enter(keyId, plan, reachesFrom = clock.now() + propagationDelayMs()) {
      const other = conflict(keyId, plan)
      if (other !== undefined)
        throw new Error(`ConflictException: key ${keyId} is in plan ${other}, and cannot be in ${plan.id} too`)
      const stay = { keyId, plan, leftAt: Number.POSITIVE_INFINITY, reachesFrom, reachesTo: Number.POSITIVE_INFINITY }
      const remembered = staysOf(keyId).filter(({ reachesTo }) => reachesTo > clock.now())
      stays.set(keyId, [...remembered, stay])
    },
    leave: (keyId, planId) => leaveIn(keyId, planId, leavingDelayMs()),
    leaveAtOnce(keyId, planId) {
      leaveIn(keyId, planId, 0)
    },
  }
}
