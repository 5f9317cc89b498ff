/**
 * Lowers limits and gives them back, each in the way that the configuration names for its key (`ways/`).
 *
 *   throttle: by gateway and way ─► find what is there to be lowered ─► is something else still lowered? ─► lower
 *   restore:  all that is lowered for the key ─► give each back in the way it was taken
 *
 * No gateway waits for another. One that does not answer is asked for as long as the limit is wanted lower: the storm may
 * outlast its trouble, and each failed try is told. But where another has lowered its plans, the incident goes on without
 * it, and what it was asked for is missed; as a half of a limit that one plan does not take is left for the full step.
 */
import type { Clock } from '../clock.ts'
import type { KeyPlace, WayName } from '../core/config/tenants.ts'
import { limitsText } from '../core/explanation/text.ts'
import type { Outcome, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import { type ByHand, type GiveBackWatch, giveBackOf } from '../core/incident/give-back.ts'
import { type LimitPlace, type LimitStory, placeName } from '../core/incident/limit-story.ts'
import type { QueueStanding } from '../core/incident/waiting.ts'
import { type ApiKeyId, type EpochMs, SECOND_MS } from '../core/vocabulary.ts'
import type { AuditLog } from '../stores/audit.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { changeEveryMs } from './control-plane-queue.ts'
import { plansTogether } from './lowered-plans.ts'
import type { Performer } from './performer.ts'
import { type Asking, usagePlans } from './usage-plan-client.ts'
import { authorizerTable } from './ways/authorizer-table.ts'
import type { Claims } from './ways/claims.ts'
import { createLedger } from './ways/ledger.ts'
import { ownPlan } from './ways/own-plan.ts'
import { penaltyPlan } from './ways/penalty-plan.ts'
import {
  type GatewayControl,
  type KnownGateways,
  type LimitEffect,
  missed,
  type Part,
  type Performed,
  type PlacedKey,
  type Refused,
  type Run,
  refused,
  silent,
  superseded,
  type Trouble,
  type Way,
} from './ways/way.ts'

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
  /** Told of what is owed before it is taken, and when it is given back. */
  readonly watch?: GiveBackWatch
  /** Of a shared stream: what no two parts of it may take. */
  readonly claims?: Claims
  /** Told of each failed try that will be made again. */
  readonly onTrouble?: (trouble: PlanTrouble) => void
  /** As `UsagePlansOptions` has it. */
  readonly patience?: Clock
  readonly stillOurs?: () => Promise<void>
}

export type PlanTrouble = Trouble

export interface LimitPerformer extends Performer<LimitEffect> {
  /** Once, at the start: what a crash must not leave as it is until its effect is performed again. */
  resume(signal: AbortSignal): Promise<void>
}

/** So long a throttle that has lowered something asks the gateways that do not answer. */
const answersWithinMs = 10 * SECOND_MS

/** What the gateways of one throttle know of each other. */
interface Lowering {
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
  watch,
  claims,
  onTrouble = () => {},
  patience,
  stillOurs,
}: UsagePlanPerformerOptions): LimitPerformer {
  const known: KnownGateways = new Map(
    [...gateways].map(([name, control]) => {
      const { client, queue } = control
      const bounds = { ...(patience && { patience }), ...(stillOurs && { stillOurs }) }
      return [name, { ...control, plans: usagePlans({ client, queue, clock, random, ...bounds }) }]
    }),
  )
  const ledger = createLedger(journal, watch, claims)
  const world = { gateways: known, ledger, clock, random, onTrouble: troubled }
  const ways = { plan: ownPlan(world), move: penaltyPlan(world), row: authorizerTable(world) }
  /** Of the effects in hand, and why the last try of each came to nothing. */
  const inHand = new Map<string, { readonly effect: LimitEffect; readonly wants: Run['wants']; because?: string }>()
  /** Until when a person wants what is lowered for these; until it is given back. */
  const prolonged = new Map<ApiKeyId, EpochMs>()

  async function perform(effect: LimitEffect, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted()
    if (effect.kind === 'restore') prolonged.delete(effect.keyId)
    const wants = new Map([...known].map(([name, { queue }]) => [name, queue.want(effect.keyId)]))
    inHand.set(effect.id, { effect, wants })
    try {
      const performed =
        effect.kind === 'throttle' ? await throttle(effect, wants, signal) : await restore(effect, wants, signal)
      if (effect.kind === 'throttle') ledger.noteThrottle(effect.id)
      for (const one of performed) await audit?.record(auditEntry(effect, one, clock))
      // Said while it was on its way.
      const until = effect.kind === 'throttle' ? prolonged.get(effect.keyId) : undefined
      if (until !== undefined) await prolong(effect.keyId, until, signal)
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
    const asked = inHand.get(effectId)
    if (asked === undefined) return undefined
    let longest = { ahead: 0, waitMs: 0 }
    for (const [name, want] of asked.wants) {
      const standing = known.get(name)?.queue.standing(want)
      if (standing !== undefined && standing.waitMs > longest.waitMs) longest = standing
    }
    const { effect, because } = asked
    return { ...longest, because, ...(effect.kind === 'restore' && { byHand: byHandOf(effect.keyId) }) }
  }

  /** What others hold as well is not this key’s to give back. */
  const byHandOf = (keyId: ApiKeyId): readonly ByHand[] =>
    ledger
      .heldBy(keyId)
      .filter(({ holders }) => holders.length === 1)
      .map(story => {
        const region = known.get(story.gateway)?.region
        return { giveBack: giveBackOf(story), ...(region !== undefined && { region }) }
      })

  async function prolong(keyId: ApiKeyId, until: EpochMs, signal: AbortSignal): Promise<void> {
    prolonged.set(keyId, until)
    const shorter = ledger.heldBy(keyId).filter(({ expiresAt = 0 }) => expiresAt < until)
    await Promise.all(
      shorter.map(async story => {
        const held = { at: clock.now(), effectId: story.effectId, keyId, expiresAt: until }
        const at = story.gateway === undefined ? {} : { gateway: story.gateway }
        switch (story.kind) {
          case 'plan':
            await ledger.write({ kind: 'plan-held', ...held, ...at, planId: story.planId })
            return
          case 'move':
            await ledger.write({ kind: 'move-held', ...held, ...at, movedKey: story.movedKey })
            return
          case 'row':
            return ways.row.prolong(story, { keyId, until }, signal)
          default:
            return story satisfies never
        }
      }),
    )
  }

  async function throttle(
    effect: ThrottleEffect,
    wants: Run['wants'],
    signal: AbortSignal,
  ): Promise<readonly Performed[]> {
    const lowering: Lowering = { since: clock.now(), lowered: new Set() }
    const run: Run = {
      ...{ signal, wants },
      isMissed: gateway =>
        clock.now() - lowering.since >= answersWithinMs && [...lowering.lowered].some(other => other !== gateway),
    }
    const parts = partsOf(effect).map(({ way, ...part }) => {
      switch (way) {
        case 'own-plan':
          return throttlePart(ways.plan, effect, part, run, lowering)
        case 'penalty-plan':
          return throttlePart(ways.move, effect, part, run, lowering)
        case 'authorizer-table':
          return throttlePart(ways.row, effect, part, run, lowering)
        default:
          return way satisfies never
      }
    })
    return (await Promise.all(parts)).flat()
  }

  /** By gateway and way; also where none of its keys is any more, and something is still lowered. */
  function partsOf({ keyId, keys }: ThrottleEffect): readonly (Part & { readonly way: WayName })[] {
    const parts = new Map<string, Part & { readonly way: WayName; readonly keys: PlacedKey[] }>()
    const partAt = (gateway: string | undefined, way: WayName) => {
      const name = `${way} ${gateway ?? ''}`
      const part = parts.get(name) ?? { gateway, way, keys: [] }
      parts.set(name, part)
      return part
    }
    for (const need of keys) {
      const { gateway, usagePlan, way, row = need.keyId } = placeOf(need.keyId) ?? {}
      const chosen = way ?? known.get(gateway)?.way ?? 'own-plan'
      partAt(gateway, chosen).keys.push({ keyId: need.keyId, usagePlan, row })
    }
    for (const { gateway, kind } of ledger.heldBy(keyId))
      if (![...parts.values()].some(part => part.gateway === gateway)) partAt(gateway, ways[kind].name)
    return [...parts.values()]
  }

  async function throttlePart<Target extends LimitPlace, Story extends LimitStory>(
    way: Way<Target, Story>,
    effect: ThrottleEffect,
    part: Part,
    run: Run,
    lowering: Lowering,
  ): Promise<readonly Performed[]> {
    const { gateway } = part
    const asking = askingFor(effect, gateway, run)
    const found = await way.find(effect, part, asking)
    if (found.kind === 'silent') return [missed(silent(gateway, found.because))]
    const owed = await leftLowered(effect.keyId, gateway, found.targets, asking)
    if (owed !== undefined) return [owed]
    const lowered = found.targets.map(async target => {
      const one = await way.lower(effect, target, run)
      if (one.outcome.kind !== 'refused') lowering.lowered.add(gateway)
      return one
    })
    return [...(await Promise.all(lowered)), ...found.missed.map(missed)]
  }

  function askingFor(effect: ThrottleEffect, gateway: string | undefined, { signal, isMissed, wants }: Run): Asking {
    return {
      signal,
      triesAgain(because, nextTryInMs) {
        if (isMissed(gateway) || wants.get(gateway)?.isSuperseded()) return false
        troubled({ effectId: effect.id, error: because, nextTryInMs })
        return true
      },
    }
  }

  /** What the key has lowered at a gateway, elsewhere or in another way: nothing else is lowered there until that is given back. */
  async function leftLowered(
    keyId: ApiKeyId,
    gateway: string | undefined,
    targets: readonly LimitPlace[],
    asking: Asking,
  ): Promise<Performed | undefined> {
    const names = new Set(targets.map(placeName))
    for (const story of ledger.heldBy(keyId)) {
      if (story.gateway !== gateway || names.has(placeName(story))) continue
      const taken = await isTaken(story, asking)
      if (taken.kind === 'refused') return { place: story, outcome: taken }
      if (taken.isTaken) return { place: story, outcome: refused(leftText(story)) }
    }
    return undefined
  }

  function isTaken(story: LimitStory, asking: Asking) {
    switch (story.kind) {
      case 'plan':
        return ways.plan.isTaken(story, asking)
      case 'move':
        return ways.move.isTaken(story, asking)
      case 'row':
        return ways.row.isTaken(story, asking)
      default:
        return story satisfies never
    }
  }

  async function restore(
    effect: RestoreEffect,
    wants: Run['wants'],
    signal: AbortSignal,
  ): Promise<readonly Performed[]> {
    const lowered = ledger.heldBy(effect.keyId)
    if (lowered.length === 0) return [{ place: undefined, outcome: nothingOwed(effect) }]
    const run: Run = { signal, wants, isMissed: () => false }
    const changes = lowered.map(story => giveBack(effect, story, run))
    if (effect.step === 'full') return Promise.all(changes)
    await mostOf(changes)
    for (const want of wants.values()) want.end()
    const halves = await Promise.all(changes)
    return halves.map(half => (half.outcome === superseded ? { ...half, outcome: leftForFull } : half))
  }

  /** Nothing is: unless the core was told of a throttle that the journal has never heard of. */
  function nothingOwed({ lowered }: RestoreEffect): Outcome {
    if (lowered === undefined || ledger.knowsThrottle(lowered.throttleId)) return { kind: 'already' }
    const [before, after] = [limitsText(lowered.before), limitsText(lowered.after)]
    return refused(
      `the effect journal has nothing of what was lowered, so it is not known what to give back; when it was lowered the limit went from ${before} to ${after}`,
    )
  }

  function giveBack(effect: RestoreEffect, story: LimitStory, run: Run): Promise<Performed> {
    switch (story.kind) {
      case 'plan':
        return ways.plan.restore(effect, story, run)
      case 'move':
        return ways.move.restore(effect, story, run)
      case 'row':
        return ways.row.restore(effect, story, run)
      default:
        return story satisfies never
    }
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

  async function resume(signal: AbortSignal): Promise<void> {
    await Promise.all([ledger.resume(), ways.move.resume(signal)])
  }

  return { perform, progress, prolong, resume }
}

function leftText(story: LimitStory): string {
  switch (story.kind) {
    case 'plan':
      return `plan ${placeName(story)}, which the key was in before, is still lowered for it: restore that first`
    case 'move':
      return `key ${story.movedKey} is still in the penalty plan ${story.to} (it came from ${story.from.join(', ')}): restore that first`
    case 'row':
      return `the authorizer’s table still has a row for ${story.row}: restore that first`
    default:
      return story satisfies never
  }
}

/** One answer for all plans. A throttle has done what it could; a limit is given back only when all of it is. */
function outcomeOf(effect: LimitEffect, performed: readonly Performed[]): Outcome {
  const reasons = performed.flatMap(({ place, outcome }) => {
    const because = outcome.kind === 'refused' ? outcome.because : outcome.missed
    if (because === undefined) return []
    return [place === undefined || performed.length === 1 ? because : `${placeName(place)}: ${because}`]
  })
  const because = [...new Set(reasons)].join('; ')
  const outcomes = performed.map(({ outcome }) => outcome)
  const good = outcomes.find(({ kind }) => kind === 'applied') ?? outcomes.find(({ kind }) => kind === 'already')
  const isOwed = outcomes.some(outcome => outcome.kind === 'refused' && outcome !== leftForFull)
  if (good === undefined || good.kind === 'refused' || (effect.kind === 'restore' && isOwed))
    return { ...refused(because === '' ? 'none of its keys is known any more' : because), ...othersOf(outcomes) }
  const gaps = outcomes.flatMap(outcome => (outcome.kind === 'applied' ? (outcome.gapMs ?? []) : []))
  const told = { ...good, ...plansTogether(outcomes), ...(because !== '' && { missed: because }) }
  return told.kind === 'applied' && gaps.length > 0 ? { ...told, gapMs: Math.max(...gaps) } : told
}

/** Only where nothing else was refused: what is ours still is another story. */
function othersOf(outcomes: readonly Outcome[]): Pick<Refused, 'others'> {
  const kept = outcomes.flatMap(outcome => (outcome.kind === 'refused' && outcome !== leftForFull ? [outcome] : []))
  const others = kept.flatMap(({ others = [] }) => others)
  return kept.length > 0 && kept.every(outcome => outcome.others !== undefined) ? { others } : {}
}

/** Of a half that other plans have: they go on to the full step, and this plan with them. */
const leftForFull = refused('did not take half of the limit in time: all of it is given back with the others')

/** undefined: through the plan that the key is in. */
function wayOf(place: LimitPlace): WayName | undefined {
  if ('planId' in place) return undefined
  return 'movedKey' in place ? 'penalty-plan' : 'authorizer-table'
}

function auditEntry(effect: LimitEffect, { place, outcome }: Performed, clock: Clock) {
  const change = effect.kind === 'throttle' ? 'throttle' : (`restore-${effect.step}` as const)
  const { id: effectId, incidentId, keyId } = effect
  const from = outcome.kind === 'applied' ? outcome.before : undefined
  const to = outcome.kind === 'refused' ? undefined : outcome.after
  const because = outcome.kind === 'refused' ? outcome.because : outcome.missed
  return {
    at: clock.now(),
    by: effect.kind === 'restore' ? (effect.by ?? 'weir') : 'weir',
    change,
    way: place && wayOf(place),
    keyId,
    gateway: place?.gateway,
    planId: place === undefined ? undefined : 'planId' in place ? place.planId : placeName(place),
    incidentId,
    effectId,
    from,
    to,
    result: outcome.kind,
    because,
    gapMs: outcome.kind === 'applied' ? outcome.gapMs : undefined,
  } as const
}
