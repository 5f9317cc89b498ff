/** How much was found, how soon, how severe and under what name: by misbehaviour, by the tenant's size and by configuration. */
import { quantileSorted } from 'simple-statistics'
import { type Size, sizeOf, sizes } from './size.ts'
import { type Case, type Found, foundCases, judgedCases } from './verdict.ts'

export interface Delay {
  readonly median: number
  readonly p95: number
  readonly p99: number
  readonly worst: number
}

export interface FoundRow {
  readonly configuration: string
  /** A misbehaviour's name, or `all`. */
  readonly of: string
  readonly tenants: Size | 'all'
  /** Played while no incident of the tenant was open. */
  readonly cases: number
  /** Left out of all that follows: an incident was open before. */
  readonly openBefore: number
  /** Shares of the cases. */
  readonly found: number
  readonly paged: number
  readonly throttled: number
  /** Seconds from onset to decision, of those found. */
  readonly delaySeconds: Delay | undefined
  /** Share of those found whose misbehaviour has a name; undefined where none was. */
  readonly kindRight: number | undefined
}

export function foundRows(cases: readonly Case[]): readonly FoundRow[] {
  const names = ['all', ...new Set(cases.map(({ name }) => name))]
  const configurations = Object.keys(cases[0]?.verdicts ?? {})
  return configurations.flatMap(configuration =>
    names.flatMap(of =>
      (['all', ...sizes] as const).flatMap(tenants => {
        const some = cases.filter(each => isOf(each, of) && isAmong(each, tenants))
        return some.length === 0 ? [] : [foundRow(some, { configuration, of, tenants })]
      }),
    ),
  )
}

const isOf = ({ name }: Case, of: string): boolean => of === 'all' || name === of

const isAmong = ({ callsPerMinute }: Case, tenants: FoundRow['tenants']): boolean =>
  tenants === 'all' || sizeOf(callsPerMinute) === tenants

function foundRow(cases: readonly Case[], about: Pick<FoundRow, 'configuration' | 'of' | 'tenants'>): FoundRow {
  const judged = judgedCases(cases, about.configuration)
  const found = foundCases(judged, about.configuration)
  const named = found.filter(({ each }) => each.kind !== undefined)
  return {
    ...about,
    cases: judged.length,
    openBefore: cases.length - judged.length,
    found: shareOf(found.length, judged.length),
    paged: shareOf(found.filter(({ verdict }) => verdict.isPaged).length, judged.length),
    throttled: shareOf(found.filter(({ verdict }) => verdict.throttles).length, judged.length),
    delaySeconds: delayOf(found.map(({ each, verdict }) => delaySeconds(each.onsetAt, verdict))),
    kindRight:
      named.length === 0
        ? undefined
        : shareOf(named.filter(({ each, verdict }) => each.kind === verdict.named).length, named.length),
  }
}

/** What was told before the onset (a loop that was still closing) was told at once. */
export const delaySeconds = (since: number, { at }: Found): number => Math.max(0, at - since) / 1_000

export function delayOf(seconds: readonly number[]): Delay | undefined {
  if (seconds.length === 0) return undefined
  const sorted = [...seconds].sort((one, other) => one - other)
  const at = (share: number): number => quantileSorted(sorted, share)
  return { median: at(0.5), p95: at(0.95), p99: at(0.99), worst: at(1) }
}

export const shareOf = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
