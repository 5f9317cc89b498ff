/** What became of one tenant's misbehaviour, or busy day, under one configuration. */
import type { Kind } from '../../../detectors/contract.ts'
import type { Watched } from './quality-run.ts'
import type { Telling } from './telling.ts'

export type Verdict =
  /** An incident of it was open already: what was told of it before says nothing of this. */
  { readonly kind: 'open before' } | { readonly kind: 'missed' } | Found

export interface Found {
  readonly kind: 'found'
  /** Event time of the first telling, epoch ms. */
  readonly at: number
  /** What it was called last. */
  readonly named: Telling['kind']
  readonly isPaged: boolean
  readonly throttles: boolean
  readonly detectors: readonly string[]
}

export function verdictOf({ openBefore, tellings }: Watched, keyId: string): Verdict {
  if (openBefore.has(keyId)) return { kind: 'open before' }
  const own = tellings.filter(telling => telling.keyId === keyId && !telling.isPlatforms)
  const [first] = own
  const last = own.at(-1)
  if (first === undefined || last === undefined) return { kind: 'missed' }
  return {
    kind: 'found',
    at: first.at,
    named: last.kind,
    isPaged: own.some(({ severity }) => severity === 'high'),
    throttles: own.some(({ throttles }) => throttles),
    detectors: first.detectors,
  }
}

/** One misbehaviour of one tenant, as every configuration judged it. */
export interface Case {
  readonly name: string
  readonly tenant: string
  readonly callsPerMinute: number
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
  readonly verdicts: Readonly<Record<string, Verdict>>
}

/** Somebody who did nothing that was played (or the platform itself, by its name `*`), told of meanwhile: the same traffic is counted once, whatever was played beside it. */
export interface Bystander {
  readonly stage: number
  readonly keyId: string
  readonly isPaged: boolean
  readonly throttles: boolean
}

export function bystandersOf({ tellings }: Watched, stage: number, played: ReadonlySet<string>): readonly Bystander[] {
  const byKey = new Map<string, Bystander>()
  for (const { keyId, severity, throttles, isPlatforms } of tellings) {
    if (played.has(keyId) || isPlatforms) continue
    const before = byKey.get(keyId)
    byKey.set(keyId, {
      ...{ stage, keyId },
      isPaged: severity === 'high' || before?.isPaged === true,
      throttles: throttles || before?.throttles === true,
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
