/**
 * What must hold however often worker, brokers and AWS die: no alert lost, none doubled beyond what SNS's interface lets us know, every
 * limit back to the digit, no quiet client's plan touched, every call counted once. Pure: it judges what the world showed.
 */
import type { EpochMs, PlanLimits } from '../../core/vocabulary.ts'

export interface SeenAlert {
  /** `<incident>/alert-<n>` */
  readonly id: string
  readonly keyId: string
  readonly phase: string
  /** When SNS took it. */
  readonly publishedAt: EpochMs
}

/** What the worker wrote of an alert. */
export interface ToldAlert {
  readonly id: string
  readonly at: EpochMs
}

export interface AlertsJudged {
  readonly expected: number
  readonly received: number
  readonly lost: readonly string[]
  /** Sent again although it was journaled that it had been. */
  readonly doubled: readonly string[]
  /** Sent again because the answer was lost, or the worker died before it had journaled it: nobody can know better. */
  readonly atTheEdge: readonly string[]
  /** Incidents whose end was not told. */
  readonly unclosed: readonly string[]
}

/**
 * `intended`: journaled as to be sent; `done`: journaled as sent. Alerts of an incident are numbered without a gap, so one that is
 * missing below one that is there was lost as well.
 */
export function judgeAlerts(
  seen: readonly SeenAlert[],
  { intended, done }: { readonly intended: readonly ToldAlert[]; readonly done: readonly ToldAlert[] },
): AlertsJudged {
  const highest = new Map<string, number>()
  for (const { id } of [...seen, ...intended]) {
    const { incident, number } = partsOf(id)
    highest.set(incident, Math.max(highest.get(incident) ?? 0, number))
  }
  const expected = [...highest].flatMap(([incident, most]) =>
    Array.from({ length: most }, (_, index) => `${incident}/alert-${index + 1}`),
  )
  const received = new Set(seen.map(({ id }) => id))
  const copies = [...received].flatMap(id => copiesOf(id, seen, done))
  return {
    ...{ expected: expected.length, received: received.size, lost: expected.filter(id => !received.has(id)) },
    doubled: copies.filter(({ wasKnown }) => wasKnown).map(({ id }) => id),
    atTheEdge: copies.filter(({ wasKnown }) => !wasKnown).map(({ id }) => id),
    unclosed: [...highest.keys()].filter(
      incident => !seen.some(({ id, phase }) => partsOf(id).incident === incident && phase === 'closed'),
    ),
  }
}

/** Every copy but the first, and whether it was sent although the first was known to be. */
function copiesOf(id: string, seen: readonly SeenAlert[], done: readonly ToldAlert[]) {
  const times = seen.filter(alert => alert.id === id).map(({ publishedAt }) => publishedAt)
  const knownAt = Math.min(...done.filter(told => told.id === id).map(({ at }) => at))
  return times
    .toSorted((one, other) => one - other)
    .slice(1)
    .map(at => ({ id, wasKnown: knownAt < at }))
}

function partsOf(id: string): { readonly incident: string; readonly number: number } {
  const at = id.lastIndexOf('/alert-')
  return { incident: id.slice(0, at), number: Number(id.slice(at + '/alert-'.length)) }
}

export interface PlanNow {
  readonly keyId: string
  readonly original: PlanLimits
  readonly limits: PlanLimits
}

/** Plans that have not what they had, in words. */
export const notRestored = (plans: readonly PlanNow[]): readonly string[] =>
  plans
    .filter(({ original, limits }) => !areSame(original, limits))
    .map(({ keyId, original, limits }) => `${keyId} has ${limitsText(limits)} instead of ${limitsText(original)}`)

export const areSame = (one: PlanLimits, other: PlanLimits): boolean =>
  one.rateLimit === other.rateLimit && one.burstLimit === other.burstLimit

export const limitsText = ({ rateLimit, burstLimit }: PlanLimits): string => `${rateLimit}/${burstLimit}`

export interface LimitSeen {
  readonly keyId: string
  readonly at: EpochMs
  readonly limits: PlanLimits
}

/** Of limits as they were seen to change while `stormer` stormed: what should not have been, in words. */
export function judgeChanges(
  seen: readonly LimitSeen[],
  { stormer, original }: { readonly stormer: string; readonly original: PlanLimits },
): readonly string[] {
  return seen.flatMap(({ keyId, limits }) => [
    ...(keyId === stormer ? [] : [`${keyId}, who was quiet, was set to ${limitsText(limits)}`]),
    ...(limits.rateLimit <= original.rateLimit && limits.burstLimit <= original.burstLimit
      ? []
      : [`${keyId} was set above its own limit, to ${limitsText(limits)}`]),
  ])
}
