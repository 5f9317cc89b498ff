/**
 * Throttles and restores through the tenant's own usage plans: one UpdateUsagePlan each, with rate and burst.
 *
 *   throttle: find the plans (its own?) ─┐
 *   restore:  what did we do to which? ──┴→ [turn in the queue] read → decide → journal → PATCH → applied
 *                                               ↑                                        │ no answer, 5xx
 *                                               └────────── later, with back-off ←── read back: has it what we set? → applied
 *
 * The journal has what the plan had before the gateway is asked to change it, so a crash anywhere loses no original.
 * Shared plans are refused: lowering one would lower the neighbours. A throttle is refused where a person must mend
 * something; a restore goes on trying, and is refused only where somebody else changed the plan, or it is gone, or its
 * gateway is not in the configuration any more: then it stays owed, and is given back once the gateway has its name again.
 *
 * No gateway waits for another. One that does not answer is asked for as long as the limit is wanted lower: the storm may
 * outlast its trouble, and each failed try is told. But where another has lowered its plans, the incident goes on without
 * it, and what it was asked for is missed; as a half of a limit that one plan does not take is left for the full step.
 */
import type { Clock } from '../clock.ts'
import type { KeyPlace } from '../core/config/tenants.ts'
import { limitsText } from '../core/explanation/text.ts'
import type { Outcome, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import {
  advanceStories,
  type LimitsOrNone,
  owesNothing,
  type PlanPlace,
  type PlanStory,
  placeName,
  planStories,
  sameLimits,
} from '../core/incident/plan-story.ts'
import type { QueueStanding } from '../core/incident/waiting.ts'
import { type ApiKeyId, type EpochMs, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import type { AuditLog } from '../stores/audit.ts'
import type { EffectJournal, PlanEntry } from '../stores/journal-entry.ts'
import { type Attempt, changeEveryMs, type Want } from './control-plane-queue.ts'
import { plansTogether, withPlan } from './lowered-plans.ts'
import type { Performer } from './performer.ts'
import { type Asking, backoffMs, type Failure, type Refusal, type UsagePlans, usagePlans } from './usage-plan-client.ts'
import { decidePlan } from './usage-plan-decision.ts'
import {
  findTargets,
  type GatewayControl,
  type KnownGateways,
  keysByGateway,
  type Target,
} from './usage-plan-targets.ts'

export { apiGatewayClient } from './usage-plan-client.ts'

export interface UsagePlanPerformerOptions {
  /** By name; that of `gateway` has none. */
  readonly gateways: ReadonlyMap<string | undefined, GatewayControl>
  readonly clock: Clock
  readonly random: () => number
  readonly journal: EffectJournal
  /** What the configuration says of a key; without it the one gateway is asked. */
  readonly placeOf?: (keyId: ApiKeyId) => KeyPlace | undefined
  readonly audit?: AuditLog
  /** Told of each failed try that will be made again. */
  readonly onTrouble?: (trouble: PlanTrouble) => void
  /** As `UsagePlansOptions` has it. */
  readonly patience?: Clock
}

export interface PlanTrouble {
  readonly effectId: string
  readonly error: string
  readonly nextTryInMs: number
}

type PlanEffect = ThrottleEffect | RestoreEffect

/** What came of an effect at one plan; undefined where none was found. */
interface Performed {
  readonly place: PlanPlace | undefined
  readonly outcome: Outcome
}

/** A conflict is somebody else's change in the same moment: it passes, or a person has to look. */
const maxConflicts = 5

/** So often a restore is tried that only a person can make possible. */
const mendEveryMs = 5 * MINUTE_MS

/** So long a throttle that has lowered something asks the gateways that do not answer. */
const answersWithinMs = 10 * SECOND_MS

/** What the gateways of one throttle know of each other. */
interface Progress {
  readonly since: EpochMs
  /** The gateways at which something is lowered. */
  readonly lowered: Set<string | undefined>
}

export function usagePlanPerformer({
  gateways,
  clock,
  random,
  journal,
  placeOf = () => undefined,
  audit,
  onTrouble = () => {},
  patience,
}: UsagePlanPerformerOptions): Performer<PlanEffect> {
  const known: KnownGateways = new Map(
    [...gateways].map(([name, control]) => {
      const { client, queue } = control
      return [name, { ...control, plans: usagePlans({ client, queue, clock, random, ...(patience && { patience }) }) }]
    }),
  )
  let stories = planStories(journal.recovered)
  /** Of the effects in hand, and why the last try of each came to nothing. */
  const inHand = new Map<string, { readonly wants: Wants; because?: string }>()

  async function perform(effect: PlanEffect, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted()
    const wants = new Map([...known].map(([name, { queue }]) => [name, queue.want(effect.keyId)]))
    inHand.set(effect.id, { wants })
    try {
      const performed =
        effect.kind === 'throttle' ? await throttle(effect, wants, signal) : await restore(effect, wants, signal)
      for (const one of performed) await audit?.record(auditEntry(effect, one, clock))
      return outcomeOf(effect, performed)
    } finally {
      inHand.delete(effect.id)
      for (const want of wants.values()) want.end()
    }
  }

  function troubled(trouble: PlanTrouble): void {
    const effect = inHand.get(trouble.effectId)
    if (effect !== undefined) effect.because = trouble.error
    onTrouble(trouble)
  }

  /** The longest wait of its changes; where none of them waits for its turn, why it is not made is all there is to say. */
  function progress(effectId: string): QueueStanding | undefined {
    const effect = inHand.get(effectId)
    if (effect === undefined) return undefined
    let longest = { ahead: 0, waitMs: 0 }
    for (const [name, want] of effect.wants) {
      const standing = known.get(name)?.queue.standing(want)
      if (standing !== undefined && standing.waitMs > longest.waitMs) longest = standing
    }
    return { ...longest, because: effect.because }
  }

  async function throttle(effect: ThrottleEffect, wants: Wants, signal: AbortSignal): Promise<readonly Performed[]> {
    const keysAt = keysByGateway(effect, placeOf)
    // Also where none of its keys is any more, and a plan is still lowered.
    for (const { gateway } of storiesOf(effect.keyId)) if (!keysAt.has(gateway)) keysAt.set(gateway, [])
    const progress: Progress = { since: clock.now(), lowered: new Set() }
    const parts = [...keysAt].map(async ([gateway, keys]) => {
      const isMissed = (): boolean =>
        clock.now() - progress.since >= answersWithinMs && [...progress.lowered].some(other => other !== gateway)
      const asking = askingFor(effect, wants.get(gateway), isMissed, signal)
      const found = await findTargets(effect, { gateway, keys }, known, asking)
      if (found.kind === 'silent') return [missed(silent(gateway, found.because))]
      const owed = await leftLowered(effect.keyId, { gateway, targets: found.targets }, asking)
      if (owed !== undefined) return [owed]
      const lowered = found.targets.map(async target => {
        const one = await lower(effect, target, wants, isMissed, signal)
        if (one.outcome.kind !== 'refused') progress.lowered.add(gateway)
        return one
      })
      return [...(await Promise.all(lowered)), ...found.missed.map(missed)]
    })
    return (await Promise.all(parts)).flat()
  }

  function askingFor(
    effect: ThrottleEffect,
    want: Want | undefined,
    isMissed: () => boolean,
    signal: AbortSignal,
  ): Asking {
    return {
      signal,
      triesAgain(because, nextTryInMs) {
        if (isMissed() || want?.isSuperseded()) return false
        troubled({ effectId: effect.id, error: because, nextTryInMs })
        return true
      },
    }
  }

  /** What the key has lowered at a gateway and was in before: nothing else is lowered there until that is given back. */
  async function leftLowered(
    keyId: ApiKeyId,
    { gateway, targets }: { readonly gateway: string | undefined; readonly targets: readonly Target[] },
    asking: Asking,
  ): Promise<Performed | undefined> {
    const names = new Set(targets.map(placeName))
    for (const story of storiesOf(keyId)) {
      if (story.gateway !== gateway || names.has(placeName(story))) continue
      const read = await known.get(gateway)?.plans.limits(story.planId, asking)
      if (read === undefined) return { place: story, outcome: notConfigured(story) }
      // Gone, it is lowered no more; where the gateway does not tell, it may be.
      const isLowered = read.kind === 'ok' ? !owesNothing(story, read.value) : read.kind === 'silent' || read.isMendable
      const because = `plan ${placeName(story)}, which the key was in before, is still lowered for it: restore that first`
      if (isLowered) return { place: story, outcome: refused(because) }
    }
    return undefined
  }

  async function lower(
    effect: ThrottleEffect,
    target: Target,
    wants: Wants,
    isMissed: () => boolean,
    signal: AbortSignal,
  ): Promise<Performed> {
    const before = stories.has(placeName(target)) ? undefined : underLostName(target)
    if (before !== undefined) return { place: target, outcome: notConfigured(before) }
    const { gateway, planId, keys, stages } = target
    const one = await change({ ...effect, limits: target.limits }, target, wants, signal, isMissed)
    const region = known.get(gateway)?.region
    return { ...one, outcome: withPlan(one.outcome, { gateway, region, planId, stages, keys }) }
  }

  /** Most likely the same plan, whose gateway has another name by now: what it has is not its original. */
  const underLostName = (target: Target): PlanStory | undefined =>
    [...stories.values()].find(({ gateway, planId }) => planId === target.planId && !known.has(gateway))

  async function restore(effect: RestoreEffect, wants: Wants, signal: AbortSignal): Promise<readonly Performed[]> {
    const lowered = storiesOf(effect.keyId)
    if (lowered.length === 0) return [{ place: undefined, outcome: { kind: 'already' } }]
    const changes = lowered.map(story => change(effect, story, wants, signal))
    if (effect.step === 'full') return Promise.all(changes)
    await mostOf(changes)
    for (const want of wants.values()) want.end()
    const halves = await Promise.all(changes)
    return halves.map(half => (half.outcome === superseded ? { ...half, outcome: leftForFull } : half))
  }

  /** Until all are made; or one is, and the others have had the time in which an idle gateway would have made them all. */
  async function mostOf(changes: readonly Promise<Performed>[]): Promise<void> {
    const over = new AbortController()
    const patience = Promise.race(changes).then(() => clock.sleep(changes.length * changeEveryMs, over.signal))
    try {
      await Promise.race([Promise.all(changes), patience])
    } finally {
      over.abort()
    }
  }

  const storiesOf = (keyId: ApiKeyId): readonly PlanStory[] =>
    [...stories.values()].filter(({ holders }) => holders.includes(keyId))

  async function change(
    effect: PlanEffect,
    { gateway: name, planId }: PlanPlace,
    wants: Wants,
    signal: AbortSignal,
    isMissed: () => boolean = () => false,
  ): Promise<Performed> {
    const place: PlanPlace = name === undefined ? { planId } : { gateway: name, planId }
    const gateway = known.get(name)
    const want = wants.get(name)
    if (gateway === undefined || want === undefined) return { place, outcome: notConfigured(place) }
    const rank = { kind: effect.kind, urgency: effect.kind === 'throttle' ? effect.urgency : 0 }
    const tries = triesOf(effect, place, { plans: gateway.plans, want, isMissed }, signal)
    const changed = await gateway.queue.change(want, rank, tries, signal)
    return { place, outcome: changed.kind === 'superseded' ? superseded : changed.value }
  }

  /** The tries of one effect at one plan: each reads what the plan has by then, and remembers what the one before it announced. */
  function triesOf(
    effect: PlanEffect,
    place: PlanPlace,
    at: { readonly plans: UsagePlans; readonly want: Want; readonly isMissed: () => boolean },
    signal: AbortSignal,
  ): () => Promise<Attempt<Outcome>> {
    const { plans, want, isMissed } = at
    const { gateway, planId } = place
    let announced: { readonly before: LimitsOrNone; readonly after: LimitsOrNone } | undefined
    let failures = 0
    let conflicts = 0

    const again = (because: string, afterMs: number, holdMs: number): Attempt<Outcome> => {
      troubled({ effectId: effect.id, error: because, nextTryInMs: afterMs })
      return { kind: 'again', afterMs, holdMs }
    }
    const backOff = (failure: Exclude<Failure, Refusal>, holdMs: number): Attempt<Outcome> => {
      // Whether a change arrived that was not answered is not known: it stays owed, and is given back with the others.
      if (failure.kind === 'unknown' && isMissed()) return done(refused(silent(gateway, failure.because)), holdMs)
      const asked = failure.kind === 'passing' ? failure.afterMs : undefined
      return again(failure.because, asked ?? backoffMs(failures++, random), holdMs)
    }
    // What we took is owed until it is given back: a restore waits for the person who mends the role or the quota.
    const giveUp = async (
      { because, isMendable }: Omit<Refusal, 'kind'>,
      holdMs: number,
    ): Promise<Attempt<Outcome>> => {
      if (effect.kind === 'restore' && isMendable) return again(because, mendEveryMs, holdMs)
      const story = stories.get(placeName(place))
      if (story === undefined || isMendable) return done(refused(because), holdMs)
      // The plan is gone, or has what we never set: nothing is owed to it any more, and the journal may forget its limit.
      await note('plan-left', effect, place)
      return done(refused(`${because} (its limit was ${limitsText(story.original ?? undefined)})`), holdMs)
    }

    const arrived = async (change: NonNullable<typeof announced>, holdMs: number): Promise<Attempt<Outcome>> => {
      await note('plan-set', effect, place)
      return done(applied(change), holdMs)
    }

    return async () => {
      if (effect.kind === 'restore' && isHeldByOthers(effect.keyId, place)) {
        if (effect.step === 'full') await note('plan-let-go', effect, place)
        return done({ kind: 'already' }, 0)
      }
      const current = await plans.limitsNow(planId, signal)
      if (current.kind === 'refused') return giveUp(current, 0)
      if (current.kind !== 'ok') return backOff(current, 0)
      if (announced && sameLimits(current.value, announced.after)) return arrived(announced, 0)
      const story = stories.get(placeName(place))
      const decision = decidePlan(effect, current.value, story)
      if (decision.kind === 'answer') {
        if (story && owesNothing(story, current.value)) await note('plan-left', effect, place)
        else if (story && effect.kind === 'throttle' && !story.holders.includes(effect.keyId))
          await note('plan-held', effect, place)
        return done(decision.outcome, 0)
      }
      // No await between this and the story: whoever supersedes us later finds it.
      if (want.isSuperseded()) return done(superseded, 0)
      const change = { before: current.value, after: decision.after }
      if (!announced || !sameLimits(announced.before, change.before) || !sameLimits(announced.after, change.after)) {
        await announce(effect, place, change)
        announced = change
      }

      const failure = await plans.set(planId, change.after, signal)
      if (failure === undefined) return arrived(change, changeEveryMs)
      switch (failure.kind) {
        case 'refused':
          if (effect.kind === 'throttle') await leaveUntouched(effect, place, plans, signal)
          return giveUp(failure, changeEveryMs)
        case 'passing': {
          const afterMs = failure.afterMs ?? changeEveryMs
          return again(failure.because, afterMs, afterMs)
        }
        case 'conflict': {
          conflicts += 1
          if (conflicts < maxConflicts) return backOff(failure, changeEveryMs)
          if (effect.kind === 'throttle') await leaveUntouched(effect, place, plans, signal)
          const because = `someone else kept changing the plan (${conflicts} tries)`
          return giveUp({ because, isMendable: true }, changeEveryMs)
        }
        case 'unknown': {
          const now = await plans.limitsNow(planId, signal)
          if (now.kind === 'ok' && sameLimits(now.value, change.after)) return arrived(change, changeEveryMs)
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
    place: PlanPlace,
    { before, after }: { readonly before: LimitsOrNone; readonly after: LimitsOrNone },
  ): Promise<void> {
    const entry = { kind: 'plan-changing', at: clock.now(), effectId, keyId, ...place, before, after } as const
    stories = advanceStories(stories, entry)
    await journal.append([entry])
  }

  /** On disk too: after a restart, and whatever the plan has by then, our old original is not put over it. */
  async function note(
    kind: Exclude<PlanEntry['kind'], 'plan-changing'>,
    { id: effectId, keyId }: PlanEffect,
    place: PlanPlace,
  ): Promise<void> {
    const entry = { kind, at: clock.now(), effectId, keyId, ...place }
    stories = advanceStories(stories, entry)
    await journal.append([entry])
  }

  /**
   * A throttle that was refused has mostly changed nothing; unless an earlier try of it arrived after all. Its incident
   * will not give back for it, so a plan that is lowered for others must not wait for it. Where the plan is lowered for
   * nobody else and does not tell what it has, it stays owed: whoever looks for limits that no incident holds asks again.
   */
  async function leaveUntouched(
    effect: PlanEffect,
    place: PlanPlace,
    plans: UsagePlans,
    signal: AbortSignal,
  ): Promise<void> {
    const story = stories.get(placeName(place))
    const now = await plans.limitsNow(place.planId, signal)
    if (story && now.kind === 'ok' && owesNothing(story, now.value)) await note('plan-left', effect, place)
    else if (isHeldByOthers(effect.keyId, place)) await note('plan-let-go', effect, place)
  }

  /** For people: how to name the gateway again is all that can be done here. */
  function notConfigured(place: PlanPlace): Outcome {
    const { gateway, planId } = place
    const original = limitsText(stories.get(placeName(place))?.original ?? undefined)
    const wanted = gateway === undefined ? 'Configure `gateway` again' : `Name it ${gateway} in \`gateways\` again`
    return refused(
      `plan ${planId} is still lowered (its limit was ${original}), and ${gatewayText(gateway)} is not configured any more. ${wanted} and start anew: the limit is then given back, or seen to be back`,
    )
  }

  const isHeldByOthers = (keyId: ApiKeyId, place: PlanPlace): boolean =>
    stories.get(placeName(place))?.holders.some(holder => holder !== keyId) ?? false

  return { perform, progress }
}

type Wants = ReadonlyMap<string | undefined, Want>

/** One answer for all plans. A throttle has done what it could; a limit is given back only when all of it is. */
function outcomeOf(effect: PlanEffect, performed: readonly Performed[]): Outcome {
  const reasons = performed.flatMap(({ place, outcome }) => {
    if (outcome.kind !== 'refused') return []
    return [place === undefined || performed.length === 1 ? outcome.because : `${placeName(place)}: ${outcome.because}`]
  })
  const because = [...new Set(reasons)].join('; ')
  const outcomes = performed.map(({ outcome }) => outcome)
  const good = outcomes.find(({ kind }) => kind === 'applied') ?? outcomes.find(({ kind }) => kind === 'already')
  const isOwed = outcomes.some(outcome => outcome.kind === 'refused' && outcome !== leftForFull)
  if (good === undefined || (effect.kind === 'restore' && isOwed))
    return refused(because === '' ? 'none of its keys is known any more' : because)
  if (good.kind === 'refused') return good
  return { ...good, ...plansTogether(outcomes), ...(because !== '' && { missed: because }) }
}

function refused(because: string): { readonly kind: 'refused'; readonly because: string } {
  return { kind: 'refused', because }
}

const missed = (because: string): Performed => ({ place: undefined, outcome: refused(because) })

const gatewayText = (name: string | undefined): string => (name === undefined ? '`gateway`' : `gateway ${name}`)

const silent = (gateway: string | undefined, because: string): string =>
  `${gatewayText(gateway)} does not answer: ${because}`

const superseded = refused('a newer change for the same key took its place')

/** Of a half that other plans have: they go on to the full step, and this plan with them. */
const leftForFull = refused('did not take half of the limit in time: all of it is given back with the others')

function applied({ before, after }: { readonly before: LimitsOrNone; readonly after: LimitsOrNone }): Outcome {
  return { kind: 'applied', before: before ?? undefined, after: after ?? undefined }
}

function done(value: Outcome, holdMs: number): Attempt<Outcome> {
  return { kind: 'done', value, holdMs }
}

function auditEntry(effect: PlanEffect, { place, outcome }: Performed, clock: Clock) {
  const change = effect.kind === 'throttle' ? 'throttle' : (`restore-${effect.step}` as const)
  const { id: effectId, incidentId, keyId } = effect
  const from = outcome.kind === 'applied' ? outcome.before : undefined
  const to = outcome.kind === 'refused' ? undefined : outcome.after
  const because = outcome.kind === 'refused' ? outcome.because : undefined
  return {
    at: clock.now(),
    by: effect.kind === 'restore' ? (effect.by ?? 'weir') : 'weir',
    change,
    keyId,
    gateway: place?.gateway,
    planId: place?.planId,
    incidentId,
    effectId,
    from,
    to,
    result: outcome.kind,
    because,
  } as const
}
