/** What must hold of limits, whoever changes them and in whichever way: by the gateway's and the table's own word. */
import type { Mode } from '../../core/config/config.ts'
import type { PlanLimits } from '../../core/incident/effect.ts'
import { isMethod, type MethodLimits } from '../../core/incident/plan-story.ts'
import type { ApiKeyId } from '../../core/vocabulary.ts'
import { SECOND_MS } from '../../core/vocabulary.ts'
import type { Gateway } from '../../simulation/gateway.ts'
import type { JournalEntry } from '../../stores/journal-entry.ts'
import type { SimulatedTable } from './authorizer-table.ts'
import { homeOf, penaltyPlan, planSetupsOf, players, sharedPlans, tenantOf } from './cast.ts'
import { type Edges, type Lowering, onItsWayMs } from './edges.ts'
import type { GatewayChange, GatewayWatch, TableWatch } from './faulty-aws.ts'
import type { Schedule } from './schedule.ts'

/** Who changes a limit: a life of the worker, or the function behind the dead man's switch. */
export interface Changer {
  /** All that it has announced, oldest first; undefined: it announces nothing. */
  announced(): readonly JournalEntry[] | undefined
  /** Whether what it acts upon is still its own. */
  owns(): boolean
}

interface Surroundings {
  readonly schedule: Schedule
  readonly gateway: Gateway
  readonly table: SimulatedTable
  readonly now: () => number
  readonly note: (text: string) => void
  readonly breakLaw: (says: string) => void
  readonly edges: Edges
  /** A tenant has less than before. */
  readonly lowered: (lowering: Lowering) => void
}

export type LimitsLaw = ReturnType<typeof createLimitsLaw>

export function createLimitsLaw({ schedule, gateway, table, now, note, breakLaw, edges, lowered }: Surroundings) {
  const setups = planSetupsOf(schedule.ways)
  /** What each plan has by nobody's doing but people's. */
  const base = new Map(setups.map(({ id, limits }) => [id, limits]))
  const baseMethods = new Map(setups.map(({ id, methods = [] }) => [id, methods]))
  const tenantOfPlan = new Map(setups.map(({ id, keys = [] }) => [id, tenantOf(keys[0] ?? '')]))
  const lastPerson = new Map<string, number>()
  /** Overwritten in the moment of a person's change. */
  const crossed = new Set<string>()
  const exempt = new Set<string>()
  const knownExempt = new Map<string, number>()
  const quiet = new Set(
    players
      .filter(({ keyId }) => !schedule.storms.some(storm => tenantOf(storm.keyId) === tenantOf(keyId)))
      .map(({ keyId }) => tenantOf(keyId)),
  )
  let observingSince: number | undefined

  function mayBeLowered(tenant: string, effectId: string | undefined): void {
    if (observingSince !== undefined && now() > observingSince + onItsWayMs)
      breakLaw(`${tenant} was lowered by a worker that only observes`)
    const since = knownExempt.get(tenant)
    if (since !== undefined && now() > since + onItsWayMs)
      breakLaw(`${tenant} is exempt since ${seconds(since)}, and was lowered`)
    lowered({ tenant, effectId })
  }

  function checkBound(): void {
    const now = loweredTenants()
    if (now.size > schedule.maxTenants)
      breakLaw(`${[...now].join(', ')} are lowered at once: more than ${schedule.maxTenants}`)
  }

  function loweredTenants(): ReadonlySet<string> {
    const tenants = new Set<string>()
    for (const [id, limits] of base)
      if (!crossed.has(id) && !isWithin(limits, gateway.planLimits(id))) tenants.add(tenantOfPlan.get(id) ?? id)
    if (schedule.ways === 'own') return tenants
    for (const [keyId, home] of homeOf) if (!gateway.plansOfKey(keyId).includes(home)) tenants.add(tenantOf(keyId))
    for (const keyId of table.inForce()) tenants.add(tenantOf(keyId))
    return tenants
  }

  function isTouched(tenant: string, what: string): void {
    if (quiet.has(tenant)) breakLaw(`${tenant} has done nothing, and ${what} was changed`)
  }

  function planChanged(planId: string, effectId: string | undefined): void {
    const change = gateway.changes().at(-1)
    if (change === undefined) return
    const tenant = tenantOfPlan.get(planId) ?? ''
    note(`gateway: ${planId} ${text(change.before)} → ${text(change.after)}`)
    if (sharedPlans.has(planId)) breakLaw(`${planId} holds the keys of several tenants, and was changed`)
    if (planId === penaltyPlan) breakLaw('the penalty plan itself was changed')
    isTouched(tenant, 'its plan')
    checkMethods(planId)
    if (crossed.has(planId)) return
    const original = base.get(planId)
    if (!isWithin(change.after, original))
      breakLaw(`${planId} was set to ${text(change.after)}, above its ${text(original)}`)
    if (change.after !== undefined && change.after.rateLimit < Math.min(1, original?.rateLimit ?? 1))
      breakLaw(`${planId} was set to ${text(change.after)}, below the floor`)
    if (!isWithin(change.before, change.after)) mayBeLowered(tenant, effectId)
    checkBound()
  }

  function checkMethods(planId: string): void {
    const has = gateway.planMethods(planId)
    for (const own of baseMethods.get(planId) ?? []) {
      const limits = has.find(one => isMethod(one, own))?.limits
      if (!isWithin(limits, own.limits))
        breakLaw(`${own.method} of ${planId} was set to ${text(limits)}, above its own`)
    }
  }

  function keyMoved({ kind, planId, keyId }: Extract<GatewayChange, { keyId: string }>, effectId: string | undefined) {
    note(`gateway: ${keyId} ${kind === 'enter' ? 'enters' : 'leaves'} ${planId}`)
    const tenant = tenantOf(keyId)
    isTouched(tenant, 'its key')
    if (planId !== penaltyPlan && planId !== homeOf.get(keyId)) breakLaw(`${keyId} is put into ${planId} or out of it`)
    if (kind === 'enter' && planId === penaltyPlan) mayBeLowered(tenant, effectId)
    checkBound()
  }

  /** `changer` has a watch of its own: what it has read is its own knowledge. */
  function watchOf(changer: Changer): GatewayWatch {
    const lastRead = new Map<string, number>()
    return {
      read: planId => void lastRead.set(planId, now()),
      changing(change) {
        if (!changer.owns())
          breakLaw(`${placeOf(change)} is changed by a worker that does not own its partition any more`)
        const announced = announcedFor(change, changer.announced())
        if (announced === undefined && changer.announced() !== undefined)
          breakLaw(`${placeOf(change)} is changed, and the journal does not say so`)
        if (change.kind !== 'plan') return () => keyMoved(change, announced?.effectId)
        const { planId } = change
        const readAt = lastRead.get(planId) ?? -1
        return () => {
          const { before, after } = gateway.changes().at(-1) ?? {}
          if (announced?.kind === 'plan-changing') checkAnnounced(planId, announced, after)
          if ((lastPerson.get(planId) ?? -1) >= readAt && !same(before, after)) {
            crossed.add(planId)
            edges.changesCrossed++
          } else if (changer.announced() === undefined && !same(after, base.get(planId)))
            breakLaw(
              `the dead man’s switch has set ${planId} to ${text(after)}, and its own is ${text(base.get(planId))}`,
            )
          planChanged(planId, announced?.effectId)
        }
      },
    }
  }

  function checkAnnounced(
    planId: string,
    { after, methods = [] }: Extract<JournalEntry, { kind: 'plan-changing' }>,
    has: PlanLimits | undefined,
  ): void {
    if (!same(after ?? undefined, has))
      breakLaw(`${planId} is set to ${text(has)}, and the journal says ${text(after ?? undefined)}`)
    for (const method of methods) {
      const own = gateway.planMethods(planId).find(one => isMethod(one, method))?.limits
      if (!same(own, method.after))
        breakLaw(`${method.method} of ${planId} is set to ${text(own)}, and the journal says ${text(method.after)}`)
    }
  }

  function tableWatchOf(changer: Changer): TableWatch {
    return {
      changing(row) {
        const announced = changer.announced()?.findLast(entry => entry.kind === 'row-changing' && entry.row === row)
        if (announced === undefined) breakLaw(`the row of ${row} is changed, and the journal does not say so`)
        return isInForce => {
          note(`table: ${row} ${isInForce ? `until ${seconds(table.endsAt(row) ?? 0)}` : 'has ended'}`)
          isTouched(tenantOf(row), 'its row')
          if (isInForce)
            mayBeLowered(tenantOf(row), announced?.kind === 'row-changing' ? announced.effectId : undefined)
          checkBound()
        }
      },
    }
  }

  const isBack = (): boolean =>
    [...base].every(([id, limits]) => same(gateway.planLimits(id), limits)) &&
    [...homeOf].every(([keyId, home]) => gateway.plansOfKey(keyId).includes(home)) &&
    table.inForce().length === 0

  function end(): void {
    for (const [id, limits] of base) {
      const has = gateway.planLimits(id)
      if (!crossed.has(id) && !same(has, limits))
        breakLaw(`${id} has ${text(has)} at the end of all, and its own limit is ${text(limits)}`)
      const methods = gateway.planMethods(id)
      if (!sameMethods(methods, baseMethods.get(id) ?? []))
        breakLaw(`${id} has ${JSON.stringify(methods)} of its methods at the end of all`)
    }
    for (const [keyId, home] of homeOf) {
      const plans = gateway.plansOfKey(keyId as ApiKeyId)
      if (plans.length !== 1 || plans[0] !== home)
        breakLaw(`${keyId} is in ${plans.join(', ') || 'no plan'} at the end of all, and belongs in ${home}`)
    }
    for (const row of table.inForce()) breakLaw(`the row of ${row} is in force at the end of all`)
  }

  return {
    ...{ watchOf, tableWatchOf, isBack, end },
    personChanged(planId: string, limits: PlanLimits | undefined) {
      base.set(planId, limits)
      crossed.delete(planId)
      lastPerson.set(planId, now())
    },
    exempted(tenant: string, isExempt: boolean) {
      if (isExempt) exempt.add(tenant)
      else exempt.delete(tenant)
      if (!isExempt) knownExempt.delete(tenant)
    },
    isExempt: (tenant: string) => exempt.has(tenant),
    /** A life begins that may lower limits, or not. */
    lifeBegins(mode: Mode) {
      observingSince = mode === 'enforce' ? undefined : now()
    },
    /** The worker of now knows who is exempt. */
    exemptionsTaken() {
      for (const tenant of exempt) if (!knownExempt.has(tenant)) knownExempt.set(tenant, now())
    },
  }
}

const placeOf = (change: GatewayChange): string => (change.kind === 'plan' ? change.planId : change.keyId)

function announcedFor(change: GatewayChange, known: readonly JournalEntry[] | undefined) {
  const announced = known?.findLast(entry =>
    change.kind === 'plan'
      ? entry.kind === 'plan-changing' && entry.planId === change.planId
      : entry.kind === 'move-changing' && entry.movedKey === change.keyId,
  )
  return announced?.kind === 'plan-changing' || announced?.kind === 'move-changing' ? announced : undefined
}

/** Whether no number of `limits` is above `bound`; undefined is without bound. */
function isWithin(limits: PlanLimits | undefined, bound: PlanLimits | undefined): boolean {
  if (bound === undefined) return true
  if (limits === undefined) return false
  return limits.rateLimit <= bound.rateLimit && limits.burstLimit <= bound.burstLimit
}

const same = (one: PlanLimits | undefined, other: PlanLimits | undefined): boolean =>
  one?.rateLimit === other?.rateLimit && one?.burstLimit === other?.burstLimit

const sameMethods = (one: readonly MethodLimits[], other: readonly MethodLimits[]): boolean =>
  one.length === other.length &&
  other.every(method => same(one.find(own => isMethod(own, method))?.limits, method.limits))

const text = (limits: PlanLimits | undefined): string =>
  limits === undefined ? 'no limit' : `${limits.rateLimit}/${limits.burstLimit}`

const seconds = (ms: number): string => `${(ms / SECOND_MS).toFixed(1)} s`
