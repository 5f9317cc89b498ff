/** Whose the alerts are: each detector's share, the tenants that are told of most, and how they fall over time. */
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS } from '../vocabulary.ts'
import { type Stretch, WEEK_MS } from './bill.ts'
import { type Label, verdictOn } from './label.ts'
import { isPage, type ToldIncident } from './told-incident.ts'

export interface DetectorShare {
  readonly detector: string
  /** Incidents in which its score was above its threshold; pages among them. */
  readonly spoke: number
  readonly pages: number
  /** … and no other's was that may open one: without it they would not have been told. */
  readonly alone: number
  readonly labelledTrue: number
  readonly labelledFalse: number
}

/** `openers`: the detectors that may open an incident. Those that only corroborate are shares too, and never alone. */
export function detectorShares(
  told: readonly ToldIncident[],
  openers: readonly string[],
  labels: readonly Label[],
): readonly DetectorShare[] {
  const names = new Set([...openers, ...told.flatMap(({ detectors }) => detectors)])
  return [...names].map(detector => {
    const spoke = told.filter(({ detectors }) => detectors.includes(detector))
    const verdicts = spoke.map(incident => verdictOn(incident, labels))
    return {
      detector,
      spoke: spoke.length,
      pages: spoke.filter(isPage).length,
      alone: openers.includes(detector) ? spoke.filter(one => isAlone(one, detector, openers)).length : 0,
      labelledTrue: verdicts.filter(verdict => verdict === 'true').length,
      labelledFalse: verdicts.filter(verdict => verdict === 'false-alarm').length,
    }
  })
}

const isAlone = ({ detectors }: ToldIncident, detector: string, openers: readonly string[]): boolean =>
  detectors.every(other => other === detector || !openers.includes(other))

/** Under this name the API itself stands where a key's id does otherwise. */
const WHOLE_FLEET = '*'

export interface TenantShare {
  /** The tenant's name, or the key's id where it is nobody's. */
  readonly who: string
  readonly pages: number
  readonly low: number
  readonly afterPages: number
  readonly afterLow: number
}

/** Those of whom most is told, pages before the rest; beside it what another setting tells of them. */
export function noisiest(before: readonly ToldIncident[], after: readonly ToldIncident[]): readonly TenantShare[] {
  const shares = new Map<string, { -readonly [name in keyof TenantShare]: TenantShare[name] }>()
  const shareOf = ({ tenant, keyId }: ToldIncident) => {
    const who = keyId === WHOLE_FLEET ? 'the API itself' : (tenant ?? keyId)
    const share = shares.get(who) ?? { who, pages: 0, low: 0, afterPages: 0, afterLow: 0 }
    shares.set(who, share)
    return share
  }
  for (const incident of before) shareOf(incident)[isPage(incident) ? 'pages' : 'low']++
  for (const incident of after) shareOf(incident)[isPage(incident) ? 'afterPages' : 'afterLow']++
  return [...shares.values()].sort(
    (one, other) =>
      other.pages - one.pages ||
      other.low - one.low ||
      other.afterPages - one.afterPages ||
      other.afterLow - one.afterLow ||
      (one.who < other.who ? -1 : 1),
  )
}

export interface Timeline {
  /** Begin of each stretch, epoch ms, and how long one is. */
  readonly starts: readonly EpochMs[]
  readonly lengthMs: number
  /** Incidents that opened in it, by detector. */
  readonly byDetector: ReadonlyMap<string, readonly number[]>
}

const SHORTEST = 5 * MINUTE_MS
const LENGTHS = [WEEK_MS, DAY_MS, HOUR_MS] as const

/** By week; by day, hour or less where there would be fewer than seven of it. */
export function timelineOf(told: readonly ToldIncident[], { from, to }: Stretch): Timeline {
  const lengthMs = LENGTHS.find(length => to - from > 6 * length) ?? SHORTEST
  const first = Math.floor(from / lengthMs)
  const count = Math.max(1, Math.ceil(to / lengthMs) - first)
  const byDetector = new Map<string, number[]>()
  for (const { detectors, openedAt } of told) {
    const index = Math.floor(openedAt / lengthMs) - first
    if (index < 0 || index >= count) continue
    for (const detector of detectors) {
      const counts = byDetector.get(detector) ?? new Array<number>(count).fill(0)
      counts[index] = (counts[index] ?? 0) + 1
      byDetector.set(detector, counts)
    }
  }
  return { starts: Array.from({ length: count }, (_, index) => (first + index) * lengthMs), lengthMs, byDetector }
}
