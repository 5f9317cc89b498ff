/**
 * A key in a plan that it shares is lowered by itself: it is moved into a penalty plan, whose limits hold for each of its keys. No
 * UpdateUsagePlan, so not one in 20 s but as many as the shared limit on calls lets through; but between leaving and entering the key is in
 * no plan, and the gateway answers all its calls with 403. So it is the user's choice, and how long it took is told.
 *
 *   journal (from which plans, to which) ─► DeleteUsagePlanKey (202: takes effect later) ─► CreateUsagePlanKey ─► in the penalty plan
 *                                               ↑                                                │ Conflict: not yet · no answer
 *                                               └────────────── read where it is ◄──────────────┘
 *
 * The journal says what was begun, the gateway says where the key is, and what is next follows from the two (`move-step.ts`):
 * so whoever goes on after a crash ends in the right place. Once a key has left its plan nothing is given up before it is in one: if
 * the penalty plan does not take it, it goes back. A key that somebody else has put elsewhere stays there.
 *
 * There is no half of a move. For the probation the key stays where it is, and the full step moves it back: it would
 * otherwise have its whole limit at once, and each relapse would cost its owner two more gaps.
 *
 * CreateUsagePlanKey answers with the key's value. It is dropped where the answer is read.
 */
import type { Outcome, RestoreEffect, ThrottleEffect } from '../../core/incident/effect.ts'
import { placeName } from '../../core/incident/limit-story.ts'
import type { MovePlace, MoveStory } from '../../core/incident/move-story.ts'
import type { LimitsOrNone } from '../../core/incident/plan-story.ts'
import { type EpochMs, MINUTE_MS, SECOND_MS } from '../../core/vocabulary.ts'
import type { MoveEntry } from '../../stores/journal-entry.ts'
import type { Want } from '../control-plane-queue.ts'
import { withPlan } from '../lowered-plans.ts'
import { type Asking, backoffMs, type Failure, type Refusal, type Silence } from '../usage-plan-client.ts'
import { nextStep, possibleMove } from './move-step.ts'
import {
  isNewHold,
  type KnownGateway,
  type LimitEffect,
  mendEveryMs,
  noGateway,
  notConfigured,
  type Part,
  type Performed,
  type Run,
  refused,
  silent,
  superseded,
  type Targets,
  type Way,
  type WayWorld,
} from './way.ts'

interface Moving extends MovePlace, Pick<MoveStory, 'from' | 'to' | 'stages'> {
  readonly before: LimitsOrNone
  readonly after: LimitsOrNone
}

export interface MoveTarget extends Moving {
  /** Whether `after` is all that it lets through by then: a method with a limit of its own would let through more beside it. */
  readonly isWhole: boolean
}

/** A plan that a key was told to leave is left by then, or has to be told again. */
const leavesWithinMs = 3 * MINUTE_MS
/** So often it is looked whether it is on its way still. */
const lookAgainMs = 10 * SECOND_MS
/** While a key is in no plan each second costs its owner calls. */
const longestGapWaitMs = 5 * SECOND_MS

export interface PenaltyPlan extends Way<MoveTarget, MoveStory> {
  /** Keys that an earlier life has left between two plans: in none of them, each goes back to where it came from. */
  resume(signal: AbortSignal): Promise<void>
}

export function penaltyPlan(world: WayWorld): PenaltyPlan {
  const { gateways, ledger, clock, random, onTrouble } = world
  /** One at a time for each key: what comes later finds it where the one before has left it. */
  const lastOf = new Map<string, Promise<unknown>>()

  const storyOf = (place: MovePlace): MoveStory | undefined => {
    const story = ledger.stories().get(placeName(place))
    return story?.kind === 'move' ? story : undefined
  }

  async function find(
    _effect: ThrottleEffect,
    { gateway: name, keys }: Part,
    asking: Asking,
  ): Promise<Targets<MoveTarget> | Silence> {
    const gateway = gateways.get(name)
    const because = gateway === undefined ? noGateway(name) : penaltyPlanWanting(gateway)
    if (gateway?.penaltyPlan === undefined || because !== undefined || keys.length === 0)
      return { kind: 'found', targets: [], missed: because === undefined || keys.length === 0 ? [] : [because] }
    const penalty = await gateway.plans.plan(gateway.penaltyPlan, asking)
    if (penalty.kind === 'silent') return penalty
    if (penalty.kind === 'refused') return { kind: 'found', targets: [], missed: [`penalty plan: ${penalty.because}`] }
    const targets: MoveTarget[] = []
    const missed: string[] = []
    for (const { keyId } of keys) {
      const place = { ...(name !== undefined && { gateway: name }), movedKey: keyId }
      const story = storyOf(place)
      const { limits: after, methods } = penalty.value.settings
      const isWhole = methods.length === 0 && (story === undefined || story.to === penalty.value.id)
      // Begun before: it came from where it came from then.
      if (story !== undefined) {
        targets.push({ ...place, from: story.from, to: story.to, stages: story.stages, before: null, after, isWhole })
        continue
      }
      const asked = await gateway.plans.plansOf(keyId, asking)
      if (asked.kind === 'silent') return asked
      const possible = asked.kind === 'ok' ? possibleMove(penalty.value, asked.value, gateway.stages) : asked
      if (possible.kind === 'refused') missed.push(possible.because)
      else {
        const { from, stages, before } = possible
        missed.push(...possible.missed)
        targets.push({ ...place, from, to: penalty.value.id, stages, before, after, isWhole })
      }
    }
    return { kind: 'found', targets, missed: [...new Set(missed)] }
  }

  async function lower(effect: ThrottleEffect, target: MoveTarget, run: Run): Promise<Performed> {
    const { gateway, movedKey } = target
    const place = { ...(gateway !== undefined && { gateway }), movedKey }
    const moved = await inTurn(place, () => move(effect, place, target, run))
    if (!target.isWhole) return moved
    const { to, stages } = target
    const region = gateways.get(gateway)?.region
    return { place, outcome: withPlan(moved.outcome, { gateway, region, planId: to, stages, keys: [movedKey] }) }
  }

  async function restore(effect: RestoreEffect, { gateway, movedKey }: MoveStory, run: Run): Promise<Performed> {
    const place = { ...(gateway !== undefined && { gateway }), movedKey }
    return inTurn(place, async () => {
      const story = storyOf(place)
      if (story === undefined) return { place, outcome: { kind: 'already' } }
      if (ledger.isHeldByOthers(effect.keyId, place)) {
        if (effect.step === 'full') await note('move-let-go', effect, place)
        return { place, outcome: { kind: 'already' } }
      }
      if (effect.step === 'half' && story.state === 'there')
        return { place, outcome: { kind: 'already', wholeOnly: true } }
      return move(effect, place, { ...story, before: null, after: null }, run)
    })
  }

  function inTurn(place: MovePlace, work: () => Promise<Performed>): Promise<Performed> {
    const name = placeName(place)
    const mine = (lastOf.get(name) ?? Promise.resolve()).catch(() => {}).then(work)
    lastOf.set(name, mine)
    const forget = (): void => {
      if (lastOf.get(name) === mine) lastOf.delete(name)
    }
    mine.then(forget, forget)
    return mine
  }

  async function move(effect: LimitEffect, place: MovePlace, target: Moving, run: Run): Promise<Performed> {
    const gateway = gateways.get(place.gateway)
    const want = run.wants.get(place.gateway)
    if (gateway === undefined || want === undefined)
      return { place, outcome: notConfigured(place.gateway, stillMoved(target)) }
    return { place, outcome: await carry(effect, place, target, { gateway, want }, run) }
  }

  /** Until it is where it is wanted, or somebody else's, or a person is needed and it is in a plan. */
  async function carry(
    effect: LimitEffect,
    place: MovePlace,
    target: Moving,
    { gateway: { plans }, want }: { readonly gateway: KnownGateway; readonly want: Want | undefined },
    { signal, isMissed }: Run,
  ): Promise<Outcome> {
    const { movedKey } = place
    const { from, to, stages } = target
    const wanted = effect.kind === 'throttle' ? 'away' : 'back'
    let towards: 'away' | 'back' = wanted
    /** Why it is not brought where it was wanted, but to where it was. */
    let turnedBack: string | undefined
    /** Where it is, by the last answer; unknown after one that did not say. */
    let here: readonly string[] | undefined
    const told = new Map<string, EpochMs>()
    let gapSince: EpochMs | undefined
    let failures = 0
    /** What the plan that it came from gives it. */
    let limitsBack: LimitsOrNone | undefined
    let limitsThere: LimitsOrNone | undefined
    const startedAs = storyOf(place)?.state ?? 'there'
    const doubtUntil = clock.now() + leavesWithinMs

    const wait = async (because: string, afterMs: number): Promise<void> => {
      onTrouble({ effectId: effect.id, error: because, nextTryInMs: afterMs })
      await clock.sleep(afterMs, signal)
      signal.throwIfAborted()
      here = undefined
    }
    const isInGap = (): boolean => gapSince !== undefined
    const retryMs = (failure: Failure): number => {
      const asked = failure.kind === 'passing' ? failure.afterMs : undefined
      const afterMs = asked ?? backoffMs(failures++, random)
      return isInGap() ? Math.min(afterMs, longestGapWaitMs) : afterMs
    }
    /** A person is needed. In a plan it can wait for them; in none it is tried on and on, and first of all where it was. */
    const needsPerson = async ({ because }: Refusal): Promise<Outcome | undefined> => {
      if (!isInGap()) {
        if (wanted === 'away') {
          // It still has all it had, unless an earlier life had begun.
          if (from.every(planId => here?.includes(planId))) await note('move-left', effect, place)
          return refused(turnedBack ?? because)
        }
        await wait(because, mendEveryMs)
        return undefined
      }
      turnedBack ??= because
      towards = towards === 'away' ? 'back' : 'away'
      await wait(because, longestGapWaitMs)
      return undefined
    }
    const finish = async (): Promise<Outcome> => {
      const gapMs = gapSince === undefined ? undefined : clock.now() - gapSince
      const isAway = towards === 'away'
      // Also where it was to come back and could not: it is still owed its way back.
      if (isAway) await note('move-set', effect, place)
      else await note('move-left', effect, place)
      if (towards !== wanted) return refused(turnedBackText(target, towards, turnedBack ?? 'not possible'))
      if (gapMs === undefined && wanted === 'back') return { kind: 'already' }
      const limits = isAway
        ? { before: target.before ?? undefined, after: target.after ?? undefined }
        : { before: limitsThere ?? undefined, after: limitsBack ?? undefined }
      return { kind: 'applied', ...limits, ...(gapMs !== undefined && { gapMs }), wholeOnly: true }
    }

    for (;;) {
      signal.throwIfAborted()
      if (here === undefined) {
        const read = await plans.plansOfNow(movedKey, signal, isInGap())
        if (read.kind === 'refused' && !read.isMendable) {
          await note('move-left', effect, place)
          return refused(`${read.because}: the key is gone`)
        }
        if (read.kind !== 'ok') {
          if (!isInGap() && wanted === 'away') {
            if (want?.isSuperseded()) return superseded
            if (read.kind === 'refused') return refused(read.because)
            if (isMissed(place.gateway)) return refused(silent(place.gateway, read.because))
          }
          await wait(read.because, retryMs(read))
          continue
        }
        here = read.value.filter(plan => plan.stages.some(stage => stages.includes(stage))).map(({ id }) => id)
      }
      const story = storyOf(place)
      const now = clock.now()
      const leaving = new Set([...told].filter(([, at]) => now - at < leavesWithinMs).map(([planId]) => planId))
      const step = nextStep(towards, { from, to, state: story?.state, here, leaving })
      if (step.kind === 'others') {
        await note('move-left', effect, place)
        return refused(`moved meanwhile by someone else, to ${here.join(', ') || 'no plan'}; left there`)
      }
      if (step.kind === 'there') {
        // What an earlier life told it to leave may still show it, and be left only now.
        if (now < doubtUntil && told.size === 0 && startedAs !== 'there' && startedAs !== towards) {
          await wait(`key ${movedKey} may still be on its way`, lookAgainMs)
          continue
        }
        if (story?.state === 'there' && towards === 'away' && gapSince === undefined) {
          if (effect.kind === 'throttle' && isNewHold(story, effect)) await note('move-held', effect, place)
          return { kind: 'already', after: target.after ?? undefined, wholeOnly: true }
        }
        return finish()
      }
      // Whoever came later finds in the journal and at the gateway how far it is. No await between this and the story.
      if (want?.isSuperseded()) return superseded
      // An earlier life has left its plan, at the earliest when it said that it would.
      if (story !== undefined && story.state !== 'there' && here.every(planId => leaving.has(planId)))
        gapSince ??= story.since
      if (story?.state !== towards) {
        const origins = towards === 'back' && !isInGap() ? await lookAtPlans(plans, { from, to }, signal) : undefined
        if (origins?.gone !== undefined) {
          await note('move-left', effect, place)
          return refused(`plan ${origins.gone}, which the key came from, is gone: it stays in the penalty plan ${to}`)
        }
        limitsBack = origins?.limits
        limitsThere = origins?.penalty
        const unwatched = await announce(effect, place, target, towards, gapSince ?? now)
        if (unwatched !== undefined && !isInGap()) return refused(unwatched)
      }

      if (step.kind === 'leave') {
        const failure = await plans.leave(step.planId, movedKey, signal)
        if (failure === undefined || isNotThere(failure)) {
          told.set(step.planId, clock.now())
          gapSince ??= clock.now()
          here = here.filter(planId => planId !== step.planId)
          if (failure !== undefined) here = undefined
        } else if (failure.kind === 'refused') {
          const outcome = await needsPerson(failure)
          if (outcome !== undefined) return outcome
        } else await wait(failure.because, retryMs(failure))
        continue
      }
      const failure = await plans.enter(step.planId, movedKey, signal)
      if (failure === undefined) {
        told.delete(step.planId)
        here = [...here.filter(planId => planId !== step.planId), step.planId]
      } else if (failure.kind === 'refused') {
        // The plan is gone, or the key: which, the next read tells.
        gapSince ??= clock.now()
        const outcome = await needsPerson(failure)
        if (outcome !== undefined) return outcome
      } else await wait(failure.because, retryMs(failure))
    }
  }

  async function announce(
    effect: LimitEffect,
    place: MovePlace,
    { from, to, stages }: Moving,
    towards: 'away' | 'back',
    since: EpochMs,
  ): Promise<string | undefined> {
    const until = effect.kind === 'throttle' ? { expiresAt: effect.expiresAt } : {}
    const about = { at: clock.now(), effectId: effect.id, keyId: effect.keyId, ...place, ...until }
    return ledger.write({ kind: 'move-changing', ...about, towards, from, to, stages, since })
  }

  async function note(
    kind: Exclude<MoveEntry['kind'], 'move-changing'>,
    effect: LimitEffect,
    place: MovePlace,
  ): Promise<void> {
    if (storyOf(place) === undefined) return
    const until = effect.kind === 'throttle' && kind === 'move-held' ? { expiresAt: effect.expiresAt } : {}
    await ledger.write({ kind, at: clock.now(), effectId: effect.id, keyId: effect.keyId, ...place, ...until })
  }

  async function isTaken(story: MoveStory, asking: Asking): ReturnType<Way<MoveTarget, MoveStory>['isTaken']> {
    const read = await gateways.get(story.gateway)?.plans.plansOf(story.movedKey, asking)
    if (read === undefined) return notConfigured(story.gateway, stillMoved(story))
    if (read.kind === 'ok') {
      const isBack = story.from.every(planId => read.value.some(({ id }) => id === planId))
      return { kind: 'known', isTaken: !isBack }
    }
    return { kind: 'known', isTaken: read.kind === 'silent' || read.isMendable }
  }

  async function resume(signal: AbortSignal): Promise<void> {
    const stories = [...ledger.stories().values()].filter(story => story.kind === 'move' && story.state !== 'there')
    await Promise.all(
      stories.map(story => {
        if (story.kind !== 'move') return undefined
        // It stays owed, and whoever looks for what no incident holds asks again.
        return putBack(story, signal).catch((failure: unknown) => {
          const error = failure instanceof Error ? failure.message : String(failure)
          if (!signal.aborted) onTrouble({ effectId: story.effectId, error, nextTryInMs: mendEveryMs })
        })
      }),
    )
  }

  /** What was begun is gone on with by whoever performs it again; until then the key must not be left without a plan. */
  async function putBack(begun: MoveStory, signal: AbortSignal): Promise<void> {
    const { gateway: name, movedKey, effectId, holders, stages } = begun
    const place = { ...(name !== undefined && { gateway: name }), movedKey }
    const gateway = gateways.get(name)
    const [keyId = movedKey] = holders
    const about = { id: effectId, incidentId: effectId, keyId, decidedAt: begun.since }
    const until = clock.now() + leavesWithinMs
    while (gateway !== undefined && clock.now() < until && !signal.aborted) {
      const isOver = await inTurn(place, async () => {
        const story = storyOf(place)
        if (story === undefined || story.state === 'there') return { place, outcome: { kind: 'already' } }
        const read = await gateway.plans.plansOfNow(movedKey, signal, true)
        const isInNone =
          read.kind === 'ok' && !read.value.some(plan => plan.stages.some(stage => stages.includes(stage)))
        if (!isInNone) return { place, outcome: refused('in a plan, as far as is known') }
        const run: Run = { signal, wants: new Map(), isMissed: () => false }
        const target = { ...story, before: null, after: null }
        const effect: RestoreEffect = { kind: 'restore', ...about, step: 'full' }
        return { place, outcome: await carry(effect, place, target, { gateway, want: undefined }, run) }
      })
      if (isOver.outcome.kind !== 'refused') return
      await clock.sleep(lookAgainMs, signal)
    }
  }

  return { name: 'penalty-plan', find, lower, restore, isTaken, resume }
}

const penaltyPlanWanting = ({ penaltyPlan }: KnownGateway): string | undefined =>
  penaltyPlan === undefined ? 'no `penaltyPlan` is configured to move the key to' : undefined

/** A key cannot go back into what is not there: before it leaves the penalty plan that is looked at. */
async function lookAtPlans(
  plans: KnownGateway['plans'],
  { from, to }: Pick<MoveStory, 'from' | 'to'>,
  signal: AbortSignal,
): Promise<{ readonly gone?: string; readonly limits?: LimitsOrNone; readonly penalty?: LimitsOrNone }> {
  let limits: LimitsOrNone | undefined
  for (const planId of from) {
    const read = await plans.settingsNow(planId, signal)
    if (read.kind === 'refused' && read.isMalformed) return { gone: planId }
    if (read.kind === 'ok' && limits === undefined) limits = read.value.limits
  }
  const penalty = await plans.settingsNow(to, signal)
  return {
    ...(limits !== undefined && { limits }),
    ...(penalty.kind === 'ok' && { penalty: penalty.value.limits }),
  }
}

/** Not in that plan, or left already: where it is the next read tells. */
const isNotThere = (failure: Failure): boolean => failure.kind === 'refused' && failure.isMalformed === true

function turnedBackText({ from, to }: Moving, towards: 'away' | 'back', because: string): string {
  return towards === 'back'
    ? `${because}. The key is back in ${from.join(', ')}`
    : `${because}. The key could not go back to ${from.join(', ')} and is in the penalty plan ${to} again: a person must move it`
}

const stillMoved = ({ movedKey, from, to }: MovePlace & Pick<MoveStory, 'from' | 'to'>): string =>
  `key ${movedKey} is still in the penalty plan ${to} (it came from ${from.join(', ')})`
