/**
 * Throttles and restores through the key's own usage plan: one UpdateUsagePlan with rate and burst.
 *
 *   throttle: find the plan (its own?) ─┐
 *   restore:  what did we do to it? ────┴→ [turn in the queue] read → decide → journal → PATCH → applied
 *                                               ↑                                        │ no answer, 5xx
 *                                               └────────── later, with back-off ←── read back: has it what we set? → applied
 *
 * The journal has what the plan had before the gateway is asked to change it, so a crash anywhere loses no original.
 * Shared plans are refused: lowering one would lower the neighbours. A throttle is refused where a person must mend
 * something; a restore goes on trying, and is refused only where somebody else changed the plan, or it is gone.
 */
import type { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import type { Clock } from '../clock.ts'
import type { Outcome, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import {
  advanceStories,
  type LimitsOrNone,
  owesNothing,
  type PlanStory,
  planStories,
  sameLimits,
} from '../core/incident/plan-story.ts'
import { type ApiKeyId, MINUTE_MS } from '../core/vocabulary.ts'
import type { AuditLog } from '../stores/audit.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { type Attempt, type ControlPlaneQueue, changeEveryMs, type Want } from './control-plane-queue.ts'
import type { Performer } from './performer.ts'
import { backoffMs, type Failure, type Refusal, type UsagePlans, usagePlans } from './usage-plan-client.ts'
import { decidePlan } from './usage-plan-decision.ts'

export { apiGatewayClient } from './usage-plan-client.ts'

export interface UsagePlanPerformerOptions {
  readonly client: APIGatewayClient
  /** The account's and region's one queue. */
  readonly queue: ControlPlaneQueue
  readonly clock: Clock
  readonly random: () => number
  readonly journal: EffectJournal
  /** The plan that the configuration names for a key; without it the gateway is asked. */
  readonly planOf?: (keyId: ApiKeyId) => string | undefined
  readonly audit?: AuditLog
  /** Told of each failed try that will be made again. */
  readonly onTrouble?: (trouble: PlanTrouble) => void
}

export interface PlanTrouble {
  readonly effectId: string
  readonly error: string
  readonly nextTryInMs: number
}

type PlanEffect = ThrottleEffect | RestoreEffect

/** An outcome, and the plan it is about where one was found. */
interface Performed {
  readonly planId: string | undefined
  readonly outcome: Outcome
}

/** A conflict is somebody else's change in the same moment: it passes, or a person has to look. */
const maxConflicts = 5

/** So often a restore is tried that only a person can make possible. */
const mendEveryMs = 5 * MINUTE_MS

export function usagePlanPerformer({
  client,
  queue,
  clock,
  random,
  journal,
  planOf = () => undefined,
  audit,
  onTrouble = () => {},
}: UsagePlanPerformerOptions): Performer<PlanEffect> {
  const plans = usagePlans({ client, queue, clock, random })
  let stories = planStories(journal.recovered)

  async function perform(effect: PlanEffect, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted()
    const want = queue.want(effect.keyId)
    try {
      const performed =
        effect.kind === 'throttle' ? await throttle(effect, want, signal) : await restore(effect, want, signal)
      await audit?.record(auditEntry(effect, performed, clock))
      return performed.outcome
    } finally {
      want.end()
    }
  }

  async function throttle(effect: ThrottleEffect, want: Want, signal: AbortSignal): Promise<Performed> {
    const found = await findOwnPlan(plans, effect.keyId, planOf(effect.keyId), signal)
    if (found.kind === 'refused') return { planId: undefined, outcome: found }
    const { planId } = found
    const story = stories.get(effect.keyId)
    if (story && story.planId !== planId && (await isStillLowered(plans, story, signal)))
      return {
        planId,
        outcome: refused(
          `plan ${story.planId}, which the key was in before, is still lowered for it: restore that first`,
        ),
      }
    return change(effect, planId, want, signal)
  }

  async function restore(effect: RestoreEffect, want: Want, signal: AbortSignal): Promise<Performed> {
    const story = stories.get(effect.keyId)
    if (story === undefined) return { planId: undefined, outcome: { kind: 'already' } }
    return change(effect, story.planId, want, signal)
  }

  async function change(effect: PlanEffect, planId: string, want: Want, signal: AbortSignal): Promise<Performed> {
    const rank = { kind: effect.kind, urgency: effect.kind === 'throttle' ? effect.urgency : 0 }
    const tries = triesOf(effect, planId, want, signal)
    const changed = await queue.change(want, rank, tries, signal)
    const outcome = changed.kind === 'superseded' ? superseded : changed.value
    stories = advanceStories(stories, { kind: 'outcome', effectId: effect.id, outcome })
    return { planId, outcome }
  }

  /** The tries of one effect: each reads what the plan has by then, and remembers what the one before it announced. */
  function triesOf(
    effect: PlanEffect,
    planId: string,
    want: Want,
    signal: AbortSignal,
  ): () => Promise<Attempt<Outcome>> {
    let announced: { readonly before: LimitsOrNone; readonly after: LimitsOrNone } | undefined
    let failures = 0
    let conflicts = 0

    const again = (because: string, afterMs: number, holdMs: number): Attempt<Outcome> => {
      onTrouble({ effectId: effect.id, error: because, nextTryInMs: afterMs })
      return { kind: 'again', afterMs, holdMs }
    }
    const backOff = (failure: { readonly because: string; readonly afterMs?: number | undefined }, holdMs: number) =>
      again(failure.because, failure.afterMs ?? backoffMs(failures++, random), holdMs)
    // What we took is owed until it is given back: a restore waits for the person who mends the role or the quota.
    const giveUp = ({ because, isMendable }: Omit<Refusal, 'kind'>, holdMs: number) =>
      effect.kind === 'restore' && isMendable ? again(because, mendEveryMs, holdMs) : done(refused(because), holdMs)

    return async () => {
      const current = await plans.limitsNow(planId, signal)
      if (current.kind === 'refused') return giveUp(current, 0)
      if (current.kind !== 'ok') return backOff(withReason(current), 0)
      if (announced && sameLimits(current.value, announced.after)) return done(applied(announced), 0)
      const story = storyOfPlan(effect.keyId, planId)
      const decision = decidePlan(effect, current.value, story)
      if (decision.kind === 'answer') {
        if (story && owesNothing(story, current.value)) await leave(effect, planId)
        return done(decision.outcome, 0)
      }
      // No await between this and the story: whoever supersedes us later finds it.
      if (want.isSuperseded()) return done(superseded, 0)
      const change = { before: current.value, after: decision.after }
      if (!announced || !sameLimits(announced.before, change.before) || !sameLimits(announced.after, change.after)) {
        await announce(effect, planId, change)
        announced = change
      }

      const failure = await plans.set(planId, change.after, signal)
      if (failure === undefined) return done(applied(change), changeEveryMs)
      switch (failure.kind) {
        case 'refused':
          if (effect.kind === 'throttle') await leaveUntouched(effect, planId, signal)
          return giveUp(failure, changeEveryMs)
        case 'passing': {
          const afterMs = failure.afterMs ?? changeEveryMs
          return again(failure.because, afterMs, afterMs)
        }
        case 'conflict': {
          conflicts += 1
          if (conflicts < maxConflicts) return backOff(withReason(failure), changeEveryMs)
          const because = `someone else kept changing the plan (${conflicts} tries)`
          return giveUp({ because, isMendable: true }, changeEveryMs)
        }
        case 'unknown': {
          const now = await plans.limitsNow(planId, signal)
          if (now.kind === 'ok' && sameLimits(now.value, change.after)) return done(applied(change), changeEveryMs)
          return backOff(failure, changeEveryMs)
        }
        default:
          return failure satisfies never
      }
    }
  }

  /** On disk before the gateway hears of it. */
  async function announce(
    { id: effectId, keyId }: PlanEffect,
    planId: string,
    { before, after }: { readonly before: LimitsOrNone; readonly after: LimitsOrNone },
  ): Promise<void> {
    const entry = { kind: 'plan-changing', at: clock.now(), effectId, keyId, planId, before, after } as const
    stories = advanceStories(stories, entry)
    await journal.append([entry])
  }

  /** A throttle that was refused has mostly changed nothing; unless an earlier try of it arrived after all. */
  async function leaveUntouched(effect: PlanEffect, planId: string, signal: AbortSignal): Promise<void> {
    const story = storyOfPlan(effect.keyId, planId)
    const now = await plans.limitsNow(planId, signal)
    if (story && now.kind === 'ok' && owesNothing(story, now.value)) await leave(effect, planId)
  }

  /** On disk too: after a restart, and whatever the plan has by then, our old original is not put over it. */
  async function leave({ id: effectId, keyId }: PlanEffect, planId: string): Promise<void> {
    const entry = { kind: 'plan-left', at: clock.now(), effectId, keyId, planId } as const
    stories = advanceStories(stories, entry)
    await journal.append([entry])
  }

  function storyOfPlan(keyId: ApiKeyId, planId: string): PlanStory | undefined {
    const story = stories.get(keyId)
    return story?.planId === planId ? story : undefined
  }

  return { perform }
}

async function isStillLowered(plans: UsagePlans, story: PlanStory, signal: AbortSignal): Promise<boolean> {
  const read = await plans.limits(story.planId, signal)
  // Gone, it is lowered no more; where the gateway does not tell, it may be.
  return read.kind === 'ok' ? !owesNothing(story, read.value) : read.isMendable
}

type Found =
  | { readonly kind: 'found'; readonly planId: string }
  | { readonly kind: 'refused'; readonly because: string }

/** The plan that holds this key and no other. */
async function findOwnPlan(
  plans: UsagePlans,
  keyId: ApiKeyId,
  configured: string | undefined,
  signal: AbortSignal,
): Promise<Found> {
  let planId = configured
  if (planId === undefined) {
    const found = await plans.plansOf(keyId, signal)
    if (found.kind === 'refused') return refused(found.because)
    planId = found.value[0]
    if (planId === undefined) return refused('key is in no usage plan')
    if (found.value.length > 1)
      return refused(`key is in ${found.value.length} usage plans: name the one to lower in tenants.yaml (usagePlan)`)
  }
  const keys = await plans.firstKeys(planId, signal)
  if (keys.kind === 'refused') return refused(keys.because)
  if (keys.value.length > 1) return refused(`plan is shared: ${planId} holds other keys too`)
  if (keys.value[0] !== keyId) return refused(`key is not in usage plan ${planId}`)
  return { kind: 'found', planId }
}

/** A conflict gives no reason of its own. */
function withReason(failure: Exclude<Failure, Refusal>): { because: string; afterMs?: number | undefined } {
  return failure.kind === 'conflict' ? { because: 'someone else is changing the plan' } : failure
}

function refused(because: string): { readonly kind: 'refused'; readonly because: string } {
  return { kind: 'refused', because }
}

const superseded = refused('a newer change for the same key took its place')

function applied({ before, after }: { readonly before: LimitsOrNone; readonly after: LimitsOrNone }): Outcome {
  return { kind: 'applied', before: before ?? undefined, after: after ?? undefined }
}

function done(value: Outcome, holdMs: number): Attempt<Outcome> {
  return { kind: 'done', value, holdMs }
}

function auditEntry(effect: PlanEffect, { planId, outcome }: Performed, clock: Clock) {
  const change = effect.kind === 'throttle' ? 'throttle' : (`restore-${effect.step}` as const)
  const { id: effectId, incidentId, keyId } = effect
  const from = outcome.kind === 'applied' ? outcome.before : undefined
  const to = outcome.kind === 'refused' ? undefined : outcome.after
  const because = outcome.kind === 'refused' ? outcome.because : undefined
  return {
    at: clock.now(),
    by: 'weir',
    change,
    keyId,
    planId,
    incidentId,
    effectId,
    from,
    to,
    result: outcome.kind,
    because,
  } as const
}
