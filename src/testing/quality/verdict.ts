/** What became of one tenant's misbehaviour, or busy day, under one configuration. */
import type { Kind } from '../../../detectors/contract.ts'
import type { TrafficSet } from './contract.ts'
import type { Watched } from './quality-run.ts'
import type { Telling } from './telling.ts'

export type Verdict =
  /** An incident of it was open already: what was told of it before says nothing of this. */
  | { readonly kind: 'open before' }
  /** `isMerged`: it was seen, and told as a part of a sick platform only. */
  | { readonly kind: 'missed'; readonly isMerged: boolean }
  | Found

export interface Found {
  readonly kind: 'found'
  /** Event time of the first telling, epoch ms. */
  readonly at: number
  /** What it was called last. */
  readonly named: Telling['kind']
  readonly isPaged: boolean
  readonly throttles: boolean
  /** With their scores, when it was told first. */
  readonly detectors: Telling['detectors']
}

export function verdictOf({ openBefore, tellings }: Watched, keyId: string): Verdict {
  if (openBefore.has(keyId)) return { kind: 'open before' }
  const all = tellings.filter(telling => telling.keyId === keyId)
  const own = all.filter(({ isPlatforms }) => !isPlatforms)
  const [first] = own
  const last = own.at(-1)
  if (first === undefined || last === undefined) return { kind: 'missed', isMerged: all.length > 0 }
  return {
    kind: 'found',
    at: first.at,
    named: last.kind,
    isPaged: own.some(({ severity }) => severity === 'high'),
    throttles: own.some(({ throttles }) => throttles),
    detectors: first.detectors,
  }
}

/** Something that one tenant played, as every configuration judged it. */
export interface Judged {
  readonly stage: number
  readonly name: string
  readonly tenant: string
  readonly set: TrafficSet
  /** Of its week, and of this time of day. */
  readonly callsPerMinute: number
  readonly usualPerMinute: number
  readonly verdicts: Readonly<Record<string, Verdict>>
}

/** A misbehaviour. */
export interface Case extends Judged {
  readonly kind: Kind | undefined
  readonly multiple: number | undefined
  readonly harms: boolean
  /** Nine of ten of its five-minute counts lie within half and twice their median. */
  readonly isSteady: boolean
  /** Whether it goes beyond what the tenant did by itself in the week before. */
  readonly isBeyondOwn: boolean
  /** Epoch ms. */
  readonly onsetAt: number
  /** When twenty calls beyond the usual had come; undefined if they never did. */
  readonly excessAt: number | undefined
}

export const judgedCases = <T extends Judged>(cases: readonly T[], configuration: string): readonly T[] =>
  cases.filter(({ verdicts }) => verdicts[configuration]?.kind !== 'open before')

export function foundCases<T extends Judged>(
  cases: readonly T[],
  configuration: string,
): readonly { readonly each: T; readonly verdict: Found }[] {
  return cases.flatMap(each => {
    const verdict = each.verdicts[configuration]
    return verdict?.kind === 'found' ? [{ each, verdict }] : []
  })
}

/** Somebody who did nothing that was played (or the platform itself, by its name `*`), told of meanwhile: the same traffic is counted once, whatever was played beside it. */
export interface Bystander {
  readonly stage: number
  readonly keyId: string
  readonly isPaged: boolean
  readonly throttles: boolean
  /** What was told first. */
  readonly told: Telling
}

export function bystandersOf({ tellings }: Watched, stage: number, played: ReadonlySet<string>): readonly Bystander[] {
  const byKey = new Map<string, Bystander>()
  for (const told of tellings) {
    const { keyId, severity, throttles, isPlatforms } = told
    if (played.has(keyId) || isPlatforms) continue
    const before = byKey.get(keyId)
    byKey.set(keyId, {
      ...{ stage, keyId },
      isPaged: severity === 'high' || before?.isPaged === true,
      throttles: throttles || before?.throttles === true,
      told: before?.told ?? told,
    })
  }
  return [...byKey.values()]
}

/** Of the same stage and key once; the worse counts. */
export function distinct(bystanders: readonly Bystander[]): readonly Bystander[] {
  const known = new Map<string, Bystander>()
  for (const each of bystanders) {
    const name = `${each.stage} ${each.keyId}`
    const before = known.get(name)
    known.set(name, {
      ...each,
      isPaged: each.isPaged || before?.isPaged === true,
      throttles: each.throttles || before?.throttles === true,
    })
  }
  return [...known.values()]
}
