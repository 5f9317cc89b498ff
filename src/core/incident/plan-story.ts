/**
 * What we did to a usage plan, told from the entries of the effect journal: for whom it is lowered, which limits are the
 * originals, what was set last, and what the plan may have if nobody else touched it. Pure, because the journal's
 * compaction and the performer must never disagree about which original is still owed.
 *
 *   changing(before O, after T) → {original O, may have O or T} → set → {may have T} → changing(T, H) → … → set(O) → over
 *                                        └ seen with its original, with what somebody else set, or gone: left ──────┘
 *
 * A plan may be lowered for several keys of its tenant at once: they all hold it, and it is raised for the last of them.
 * Each method that the plan gives a limit of its own is followed by itself, so that somebody else's change of one of them
 * is left alone and the others come back.
 */
import type { ApiKeyId, EpochMs, PlanLimits } from '../vocabulary.ts'

/** What a plan may have; null = no throttle set, as in the journal. */
export type LimitsOrNone = PlanLimits | null

/** Where a plan is: ids are unique in an account and region. */
export interface PlanPlace {
  /** Name in `gateways`; undefined: `gateway`. */
  readonly gateway?: string | undefined
  readonly planId: string
}

/** A method of an API's stage, as usage plans name it. */
export interface MethodPlace {
  /** `apiId:stage`. */
  readonly apiStage: string
  /** Path and HTTP method, `/payments/POST`. */
  readonly method: string
}

export interface MethodLimits extends MethodPlace {
  readonly limits: PlanLimits
}

/** All limits of a plan: its own, and those of the methods that have one of their own. */
export interface PlanSettings {
  readonly limits: LimitsOrNone
  readonly methods: readonly MethodLimits[]
}

export interface MethodChange extends MethodPlace {
  readonly before: PlanLimits
  readonly after: PlanLimits
}

/** One change of a plan: its own limits, which may stay, and the methods whose limits change with them. */
export interface SettingsChange {
  readonly before: LimitsOrNone
  readonly after: LimitsOrNone
  readonly methods?: readonly MethodChange[]
}

export interface PlanChange extends PlanPlace, SettingsChange {
  readonly effectId: string
  /** For whom: the key, or the tenant, that the incident is about. */
  readonly keyId: ApiKeyId
  /** Until when it is to be lower; only where it is lowered. Journals of before have none. */
  readonly expiresAt?: EpochMs
}

/** The part of a journal entry that a plan's story is made of. */
export type PlanStoryEntry =
  | ({ readonly kind: 'plan-changing' } & PlanChange)
  /** The change is known to have arrived. */
  | ({ readonly kind: 'plan-set' } & PlanPlace)
  /** It is low enough for one key more. */
  | ({ readonly kind: 'plan-held'; readonly keyId: ApiKeyId; readonly expiresAt?: EpochMs } & PlanPlace)
  /** One key needs it no longer, and others still do. */
  | ({ readonly kind: 'plan-let-go'; readonly keyId: ApiKeyId } & PlanPlace)
  /** We saw that nothing of ours is in the plan any more, or that there is no such plan. */
  | ({ readonly kind: 'plan-left' } & PlanPlace)

/** A plan whose limit somebody else has set after us. */
export interface OthersLimit extends PlanPlace {
  readonly region?: string
  /** As we found it, before we lowered it. */
  readonly original: LimitsOrNone
  readonly now: LimitsOrNone
}

/** One limit since it last was the original. */
interface Followed<Limits> {
  readonly original: Limits
  /** What the last change was to set. */
  readonly lastSet: Limits
  /** Two values while it is unknown whether the last change arrived. */
  readonly mayHave: readonly Limits[]
}

export interface MethodStory extends MethodPlace, Followed<PlanLimits> {}

/** What we did to a plan since it last had its originals. */
export interface PlanStory extends PlanPlace, Followed<LimitsOrNone> {
  readonly kind: 'plan'
  /** For whom it is lowered, in the order they came. */
  readonly holders: readonly ApiKeyId[]
  /** The effect that the last change was made for. */
  readonly effectId: string
  /** Until when the last of them wants it; undefined in journals of before. */
  readonly expiresAt?: EpochMs
  /** Those that we have changed and that are not known to have their original. */
  readonly methods: readonly MethodStory[]
}

/** `undefined`: nothing of ours is left. */
export function advancePlan(story: PlanStory | undefined, entry: PlanStoryEntry): PlanStory | undefined {
  if (entry.kind === 'plan-changing') return changing(story, entry)
  if (story === undefined) return undefined
  switch (entry.kind) {
    case 'plan-set':
      return arrived(story)
    case 'plan-held':
      return { ...story, holders: withHolder(story.holders, entry.keyId), ...latest(story, entry) }
    case 'plan-let-go':
      return { ...story, holders: story.holders.filter(keyId => keyId !== entry.keyId) }
    case 'plan-left':
      return undefined
    default:
      return entry satisfies never
  }
}

/**
 * Whether a change owes nothing to what came before it. Where somebody else set the plan in between, their value is the
 * original from there on, and ours is not put back over it; but a method of it may still be ours.
 */
export function beginsAnew(story: PlanStory | undefined, change: PlanChange): boolean {
  return story === undefined || (story.methods.length === 0 && !mayHave(story, change.before))
}

/**
 * Whether nothing is owed to a plan that has these limits: it has its originals, or what somebody else set, and our old
 * original must never be put over that, not even when they come back to our value later.
 */
export function owesNothing(story: PlanStory, current: PlanSettings): boolean {
  const isOver = <Limits extends LimitsOrNone>(one: Followed<Limits>, limits: Limits): boolean =>
    sameLimits(limits, one.original) || !mayHave(one, limits)
  return (
    isOver(story, current.limits) &&
    story.methods.every(method => {
      const limits = limitsOf(current.methods, method)
      return limits === undefined || isOver(method, limits)
    })
  )
}

/** Whether it may have these limits without anybody else's doing. */
export function mayHave(followed: Followed<PlanLimits> | Followed<LimitsOrNone>, limits: LimitsOrNone): boolean {
  return followed.mayHave.some(possible => sameLimits(possible, limits))
}

export function sameLimits(one: LimitsOrNone, other: LimitsOrNone): boolean {
  if (one === null || other === null) return one === other
  return one.rateLimit === other.rateLimit && one.burstLimit === other.burstLimit
}

export const isMethod = (one: MethodPlace, other: MethodPlace): boolean =>
  one.apiStage === other.apiStage && one.method === other.method

/** undefined: the method has no limit of its own. */
export const limitsOf = (methods: readonly MethodLimits[], place: MethodPlace): PlanLimits | undefined =>
  methods.find(method => isMethod(method, place))?.limits

export const withHolder = (holders: readonly ApiKeyId[], keyId: ApiKeyId): readonly ApiKeyId[] =>
  holders.includes(keyId) ? holders : [...holders, keyId]

/** The later of two ends, where one is known. */
export function latest(
  one: { readonly expiresAt?: EpochMs } | undefined,
  other: { readonly expiresAt?: EpochMs },
): { readonly expiresAt?: EpochMs } {
  const ends = [one?.expiresAt, other.expiresAt].filter(end => end !== undefined)
  return ends.length === 0 ? {} : { expiresAt: Math.max(...ends) }
}

function changing(earlier: PlanStory | undefined, change: PlanChange): PlanStory {
  const { keyId, gateway, planId, before, after, effectId } = change
  const goesOn = beginsAnew(earlier, change) ? undefined : earlier
  return {
    kind: 'plan',
    ...(gateway !== undefined && { gateway }),
    planId,
    holders: goesOn ? withHolder(goesOn.holders, keyId) : [keyId],
    original: goesOn && mayHave(goesOn, before) ? goesOn.original : before,
    lastSet: after,
    effectId,
    mayHave: [before, after],
    ...latest(goesOn, change),
    methods: changingMethods(goesOn?.methods ?? [], change.methods ?? []),
  }
}

function changingMethods(earlier: readonly MethodStory[], changes: readonly MethodChange[]): readonly MethodStory[] {
  const untouched = earlier.filter(method => !changes.some(change => isMethod(change, method)))
  const changed = changes.map(({ apiStage, method, before, after }): MethodStory => {
    const own = earlier.find(one => isMethod(one, { apiStage, method }))
    const original = own && mayHave(own, before) ? own.original : before
    return { apiStage, method, original, lastSet: after, mayHave: [before, after] }
  })
  return [...untouched, ...changed]
}

function arrived(story: PlanStory): PlanStory | undefined {
  const methods = story.methods
    .filter(({ lastSet, original }) => !sameLimits(lastSet, original))
    .map((method): MethodStory => ({ ...method, mayHave: [method.lastSet] }))
  if (methods.length === 0 && sameLimits(story.lastSet, story.original)) return undefined
  return { ...story, methods, mayHave: [story.lastSet] }
}
