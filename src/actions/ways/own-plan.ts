/**
 * A key's own plan: one UpdateUsagePlan lowers its rate and burst, and with them each method that the plan lets through above
 * them; the way back sets every one of them to what it was.
 *
 *   find the plans (its own?) ─► [turn in the queue] read → decide → journal → PATCH → applied
 *                                     ↑                                          │ no answer, 5xx
 *                                     └────────── later, with back-off ←── read back: has it what we set? → applied
 *
 * Shared plans are refused: lowering one would lower the neighbours. A throttle is refused where a person must mend
 * something; a restore goes on trying, and is refused only where somebody else changed the plan, or it is gone, or its
 * gateway is not in the configuration any more: then it stays owed, and is given back once the gateway has its name again.
 *
 * How a method's path is to be written is not certain (AWS's reference and what its users send differ), so what a
 * patch of methods has brought is read back; what no way of writing it brings is told as missed, and the plan's own is lowered all the same.
 */
import { limitsText } from '../../core/explanation/text.ts'
import type { Outcome, ThrottleEffect } from '../../core/incident/effect.ts'
import { placeName } from '../../core/incident/limit-story.ts'
import {
  type LimitsOrNone,
  owesNothing,
  type PlanPlace,
  type PlanSettings,
  type PlanStory,
} from '../../core/incident/plan-story.ts'
import type { PlanEntry } from '../../stores/journal-entry.ts'
import { type Attempt, changeEveryMs, type Want } from '../control-plane-queue.ts'
import { withPlan } from '../lowered-plans.ts'
import { type Asking, backoffMs, type Failure, type Refusal } from '../usage-plan-client.ts'
import {
  type Change,
  decidePlan,
  hasArrived,
  methodsText,
  type PathForm,
  type PlanDecision,
  sameChange,
  unsetMethods,
} from './own-plan-decision.ts'
import { findPlans, type PlanTarget } from './own-plan-targets.ts'
import {
  applied,
  done,
  isNewHold,
  type KnownGateway,
  type LimitEffect,
  mendEveryMs,
  notConfigured,
  type Performed,
  type Run,
  refused,
  silent,
  superseded,
  type Way,
  type WayWorld,
} from './way.ts'

/** A conflict is somebody else's change in the same moment: it passes, or a person has to look. */
const maxConflicts = 5

const forms: readonly PathForm[] = ['raw', 'escaped']

export function ownPlan(world: WayWorld): Way<PlanTarget, PlanStory> {
  const { gateways, ledger, clock, random, onTrouble } = world
  /** As each gateway was last seen to take it. */
  const formOf = new Map<string | undefined, PathForm>()
  /** Plans that were last seen to give some of their methods limits of their own. */
  const withMethods = new Set<string>()

  const storyOf = (place: PlanPlace): PlanStory | undefined => {
    const story = ledger.stories().get(placeName(place))
    return story?.kind === 'plan' ? story : undefined
  }

  async function lower(effect: ThrottleEffect, target: PlanTarget, run: Run): Promise<Performed> {
    const before = storyOf(target) === undefined ? underLostName(target) : undefined
    if (before !== undefined) return { place: target, outcome: notConfigured(before.gateway, stillLowered(before)) }
    const { gateway, planId, stages, keys } = target
    const lowered = await change({ ...effect, limits: target.limits }, target, run)
    // A method with a limit of its own has a bucket of its own: what all let through together is not the plan's limit.
    if (withMethods.has(placeName(target))) return lowered
    const region = gateways.get(gateway)?.region
    return { ...lowered, outcome: withPlan(lowered.outcome, { gateway, region, planId, stages, keys }) }
  }

  /** Most likely the same plan, whose gateway has another name by now: what it has is not its original. */
  const underLostName = (target: PlanTarget): PlanStory | undefined =>
    [...ledger.stories().values()].find(
      (story): story is PlanStory =>
        story.kind === 'plan' && story.planId === target.planId && !gateways.has(story.gateway),
    )

  async function change(effect: LimitEffect, { gateway: name, planId }: PlanPlace, run: Run): Promise<Performed> {
    const place: PlanPlace = name === undefined ? { planId } : { gateway: name, planId }
    const gateway = gateways.get(name)
    const want = run.wants.get(name)
    if (gateway === undefined || want === undefined)
      return { place, outcome: notConfigured(name, stillLowered(storyOf(place) ?? place)) }
    const rank = { kind: effect.kind, urgency: effect.kind === 'throttle' ? effect.urgency : 0 }
    const changed = await gateway.queue.change(want, rank, triesOf(effect, place, { gateway, want }, run), run.signal)
    return { place, outcome: changed.kind === 'superseded' ? superseded : changed.value }
  }

  /** The tries of one effect at one plan: each reads what the plan has by then, and remembers what the one before it announced. */
  function triesOf(
    effect: LimitEffect,
    place: PlanPlace,
    { gateway: { plans }, want }: { readonly gateway: KnownGateway; readonly want: Want },
    { signal, isMissed }: Run,
  ): () => Promise<Attempt<Outcome>> {
    const { gateway, planId } = place
    let announced: Change | undefined
    let left: string | undefined
    let failures = 0
    let conflicts = 0
    /** Forms in which the gateway has not taken the methods. */
    let tried: readonly PathForm[] = []
    /** What the plan had before the first patch that it took without its methods. */
    let before: LimitsOrNone | undefined

    const again = (because: string, afterMs: number, holdMs: number): Attempt<Outcome> => {
      onTrouble({ effectId: effect.id, error: because, nextTryInMs: afterMs })
      return { kind: 'again', afterMs, holdMs }
    }
    const backOff = (failure: Exclude<Failure, Refusal>, holdMs: number): Attempt<Outcome> => {
      // Whether a change arrived that was not answered is not known: it stays owed, and is given back with the others.
      if (failure.kind === 'unknown' && isMissed(gateway))
        return done(refused(silent(gateway, failure.because)), holdMs)
      const asked = failure.kind === 'passing' ? failure.afterMs : undefined
      return again(failure.because, asked ?? backoffMs(failures++, random), holdMs)
    }
    // What we took is owed until it is given back: a restore waits for the person who mends the role or the quota.
    const giveUp = async (
      { because, isMendable }: Pick<Refusal, 'because' | 'isMendable'>,
      holdMs: number,
    ): Promise<Attempt<Outcome>> => {
      if (effect.kind === 'restore' && isMendable) return again(because, mendEveryMs, holdMs)
      const story = storyOf(place)
      if (story === undefined || isMendable) return done(refused(because), holdMs)
      // The plan is gone, or has what we never set: nothing is owed to it any more, and the journal may forget its limit.
      await note('plan-left', effect, place)
      return done(refused(`${because} (its limit was ${limitsText(story.original ?? undefined)})`), holdMs)
    }

    const arrived = async (change: Change, current: PlanSettings, holdMs: number): Promise<Attempt<Outcome>> => {
      const unset = unsetMethods(change, current)
      // Of what did not arrive it is known that it may be either: so it stays written.
      if (unset.length === 0) await note('plan-set', effect, place)
      const story = storyOf(place)
      if (story && owesNothing(story, current)) await note('plan-left', effect, place)
      const missed = [left, unset.length === 0 ? undefined : keptMethods(unset)].filter(text => text !== undefined)
      const whole = { before: before === undefined ? change.before : before, after: change.after }
      const outcome = { ...applied(whole), ...(missed.length > 0 && { missed: missed.join('; ') }) }
      return done(outcome, holdMs)
    }
    /** After a patch of methods: it may have been taken and not stored. */
    const readBack = async (change: Change, form: PathForm): Promise<Attempt<Outcome>> => {
      const now = await plans.settingsNow(planId, signal)
      if (now.kind !== 'ok') return again(now.because, changeEveryMs, changeEveryMs)
      if (hasArrived(change, now.value)) {
        formOf.set(gateway, form)
        return arrived(change, now.value, changeEveryMs)
      }
      tried = [...tried, form]
      if (before === undefined) before = change.before
      if (nextForm() !== undefined)
        return again('the gateway did not store the limits of methods', changeEveryMs, changeEveryMs)
      return effect.kind === 'throttle'
        ? arrived(change, now.value, changeEveryMs)
        : forAnotherRound(keptMethods(unsetMethods(change, now.value)))
    }
    const forAnotherRound = (because: string): Attempt<Outcome> => {
      tried = []
      return again(because, mendEveryMs, changeEveryMs)
    }
    const nextForm = (): PathForm | undefined => {
      const known = formOf.get(gateway)
      return [...(known === undefined ? [] : [known]), ...forms].find(form => !tried.includes(form))
    }

    return async () => {
      if (effect.kind === 'restore' && ledger.isHeldByOthers(effect.keyId, place)) {
        if (effect.step === 'full') await note('plan-let-go', effect, place)
        return done({ kind: 'already' }, 0)
      }
      const current = await plans.settingsNow(planId, signal)
      if (current.kind === 'refused') return giveUp(current, 0)
      if (current.kind !== 'ok') return backOff(current, 0)
      if (current.value.methods.length > 0) withMethods.add(placeName(place))
      else withMethods.delete(placeName(place))
      if (announced && hasArrived(announced, current.value)) return arrived(announced, current.value, 0)
      const story = storyOf(place)
      const form = nextForm()
      const decision = asFarAsKnown(decidePlan(effect, current.value, story), form)
      if (decision.kind === 'answer') {
        if (story && owesNothing(story, current.value)) await note('plan-left', effect, place)
        else if (story && effect.kind === 'throttle' && isNewHold(story, effect)) await note('plan-held', effect, place)
        return done(
          effect.kind === 'restore' && story ? withOthers(decision.outcome, story, current.value) : decision.outcome,
          0,
        )
      }
      // No await between this and the story: whoever supersedes us later finds it.
      if (want.isSuperseded()) return done(superseded, 0)
      const { change } = decision
      left = decision.left
      if (!announced || !sameChange(announced, change)) {
        const unwatched = await announce(effect, place, change)
        if (unwatched !== undefined) return done(refused(unwatched), 0)
        announced = change
      }

      const failure = await plans.set(planId, change, form ?? 'raw', signal)
      if (failure === undefined)
        return change.methods.length > 0
          ? readBack(change, form ?? 'raw')
          : arrived(change, { limits: change.after, methods: current.value.methods }, changeEveryMs)
      switch (failure.kind) {
        case 'refused':
          // It may be the methods' paths that it does not know.
          if (failure.isMalformed && change.methods.length > 0 && form !== undefined) {
            tried = [...tried, form]
            if (effect.kind === 'restore' && nextForm() === undefined) return forAnotherRound(failure.because)
            return again(failure.because, changeEveryMs, changeEveryMs)
          }
          if (effect.kind === 'throttle') await leaveUntouched(effect, place, signal)
          return giveUp(failure, changeEveryMs)
        case 'passing': {
          const afterMs = failure.afterMs ?? changeEveryMs
          return again(failure.because, afterMs, afterMs)
        }
        case 'conflict': {
          conflicts += 1
          if (conflicts < maxConflicts) return backOff(failure, changeEveryMs)
          if (effect.kind === 'throttle') await leaveUntouched(effect, place, signal)
          const because = `someone else kept changing the plan (${conflicts} tries)`
          return giveUp({ because, isMendable: true }, changeEveryMs)
        }
        case 'unknown': {
          const now = await plans.settingsNow(planId, signal)
          if (now.kind === 'ok' && hasArrived(change, now.value)) return arrived(change, now.value, changeEveryMs)
          return backOff(failure, changeEveryMs)
        }
        default:
          return failure satisfies never
      }
    }
  }

  /** What a person needs who wants to undo what somebody else has set. */
  function withOthers(
    outcome: Outcome,
    { gateway, planId, original }: PlanStory,
    { limits: now }: PlanSettings,
  ): Outcome {
    if (outcome.kind !== 'refused') return outcome
    const region = gateways.get(gateway)?.region
    const at = { ...(gateway !== undefined && { gateway }), ...(region !== undefined && { region }) }
    return { ...outcome, others: [{ ...at, planId, original, now }] }
  }

  /** On disk before the gateway hears of it; or why it must not hear of it. */
  async function announce(effect: LimitEffect, place: PlanPlace, change: Change): Promise<string | undefined> {
    const { before, after, methods } = change
    const until = effect.kind === 'throttle' ? { expiresAt: effect.expiresAt } : {}
    const about = { at: clock.now(), effectId: effect.id, keyId: effect.keyId, ...place, ...until }
    return ledger.write({
      ...{ kind: 'plan-changing', ...about, before, after },
      ...(methods.length > 0 && { methods }),
    })
  }

  /** On disk too: after a restart, and whatever the plan has by then, our old original is not put over it. */
  async function note(
    kind: Exclude<PlanEntry['kind'], 'plan-changing'>,
    effect: LimitEffect,
    place: PlanPlace,
  ): Promise<void> {
    const until = effect.kind === 'throttle' && kind === 'plan-held' ? { expiresAt: effect.expiresAt } : {}
    await ledger.write({ kind, at: clock.now(), effectId: effect.id, keyId: effect.keyId, ...place, ...until })
  }

  /**
   * A throttle that was refused has mostly changed nothing; unless an earlier try of it arrived after all. Its incident
   * will not give back for it, so a plan that is lowered for others must not wait for it. Where the plan is lowered for
   * nobody else and does not tell what it has, it stays owed: whoever looks for limits that no incident holds asks again.
   */
  async function leaveUntouched(effect: LimitEffect, place: PlanPlace, signal: AbortSignal): Promise<void> {
    const story = storyOf(place)
    const now = await gateways.get(place.gateway)?.plans.settingsNow(place.planId, signal)
    if (story && now?.kind === 'ok' && owesNothing(story, now.value)) await note('plan-left', effect, place)
    else if (ledger.isHeldByOthers(effect.keyId, place)) await note('plan-let-go', effect, place)
  }

  async function isTaken(story: PlanStory, asking: Asking): ReturnType<Way<PlanTarget, PlanStory>['isTaken']> {
    const read = await gateways.get(story.gateway)?.plans.settings(story.planId, asking)
    if (read === undefined) return notConfigured(story.gateway, stillLowered(story))
    // Gone, it is lowered no more; where the gateway does not tell, it may be.
    if (read.kind === 'ok') return { kind: 'known', isTaken: !owesNothing(story, read.value) }
    return { kind: 'known', isTaken: read.kind === 'silent' || read.isMendable }
  }

  return {
    name: 'own-plan',
    find: (effect, part, asking) => findPlans(effect, part, gateways.get(part.gateway), asking),
    lower,
    restore: change,
    isTaken,
  }
}

/** Where no form of their paths is left to be tried, methods keep what they have; of a throttle that is told. */
function asFarAsKnown(decision: PlanDecision, form: PathForm | undefined): PlanDecision {
  if (decision.kind === 'answer' || form !== undefined || decision.change.methods.length === 0) return decision
  const { change } = decision
  const left = [...(decision.left === undefined ? [] : [decision.left]), keptMethods(change.methods)].join('; ')
  if (JSON.stringify(change.before) === JSON.stringify(change.after))
    return { kind: 'answer', outcome: { kind: 'already', after: change.after ?? undefined, missed: left } }
  return { kind: 'set', change: { ...change, methods: [] }, left }
}

const keptMethods = (methods: Parameters<typeof methodsText>[0]): string =>
  `the gateway did not take the limits of ${methodsText(methods)}`

function stillLowered(story: PlanPlace & { readonly original?: PlanStory['original'] }): string {
  return `plan ${story.planId} is still lowered (its limit was ${limitsText(story.original ?? undefined)})`
}
