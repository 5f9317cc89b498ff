/**
 * What a worker's state says of each key's need, where there are no calls to be played: an estimate. The state has no calls,
 * but of each key the upper end of its band, its busiest ten seconds and minute, and how often and how far it goes beyond its band
 * (`core/state/own-reach.ts`):
 *
 *   rate    its busiest minute, or the band's upper end        burst   its busiest ten seconds, as if they came at once
 *   refused a week   n = perWeek · (what the bucket lets through ÷ upper end)^-tail  times, each what a Pareto tail brings beyond it
 */
import type { OwnReach, Usual } from '../../../detectors/contract.ts'
import type { Engine } from '../engine-state.ts'
import { engineStatus } from '../engine-status.ts'
import { callsOfLastWeek, slotOf } from '../state/baseline.ts'
import { FIRST_MINUTE, idOf, isKnown, read, SLOT } from '../state/known-keys.ts'
import type { Owner } from '../state/owner.ts'
import { usualOf } from '../state/usual.ts'
import {
  ANONYMOUS,
  type ApiKeyId,
  BASELINE_DAYS,
  DAY_MS,
  type EpochMs,
  MINUTE_MS,
  type PlanLimits,
  SLOTS_PER_DAY,
} from '../vocabulary.ts'
import { type Sizing, type SizingPolicy, withHeadroom, withheld } from './sizing.ts'

export interface KnownNeed {
  readonly keyId: ApiKeyId
  /** Of the last seven days. */
  readonly calls: number
  readonly knownDays: number
  /** At the time of day that brings most. */
  readonly usual: Usual | undefined
}

/** Of all keys that an engine knows, those without a key apart. */
export function knownNeeds(engine: Engine): readonly KnownNeed[] {
  const until = engineStatus(engine).knownUntil
  if (until === undefined) return []
  return [...engine.state.owners.values()].flatMap(owner =>
    Array.from({ length: owner.keys.records.cells }, (_, key) => key)
      .filter(key => isKnown(owner.keys, key) && idOf(owner.keys, key) !== ANONYMOUS)
      .map(key => needOf(owner, key, until)),
  )
}

/** So many times of the day are asked. */
const TIMES_A_DAY = 24

function needOf({ keys, coverage }: Owner, key: number, until: EpochMs): KnownNeed {
  const next = slotOf(until)
  let usual: Usual | undefined
  for (let time = 0; time < TIMES_A_DAY; time++) {
    const one = usualOf(keys, key, coverage, next + (time * SLOTS_PER_DAY) / TIMES_A_DAY)
    if (one !== undefined && !(usual !== undefined && usual.upperPerMinute >= one.upperPerMinute)) usual = one
  }
  const knownDays = Math.min(BASELINE_DAYS, (until - read(keys, key, FIRST_MINUTE) * MINUTE_MS) / DAY_MS)
  const calls = callsOfLastWeek(keys, key, read(keys, key, SLOT)) ?? 0
  return { keyId: idOf(keys, key), calls, knownDays, usual }
}

export function sizeKnown({ keyId, calls, knownDays, usual }: KnownNeed, policy: SizingPolicy): Sizing {
  const none = withheld({ keyId, knownDays, calls }, policy)
  const about = { keyId, basis: 'state', calls, knownDays, latencyMs: usual?.latencyMs } as const
  if (none !== undefined || usual === undefined) {
    const busiest = { second: undefined, tenSeconds: undefined, minute: undefined }
    return {
      ...about,
      busiest,
      upperPerMinute: usual?.upperPerMinute,
      suggestion: none ?? { kind: 'none', because: 'no-calls' },
    }
  }
  const [tenSeconds, minute] = usual.reaches
  const busiestMinute = Math.max(minute?.busiestCalls ?? 0, usual.upperPerMinute)
  const busiestTen = Math.max(tenSeconds?.busiestCalls ?? 0, usual.upperPerMinute / 6)
  const limits = withHeadroom({ rateLimit: busiestMinute / 60, burstLimit: busiestTen }, policy)
  return {
    ...about,
    upperPerMinute: usual.upperPerMinute,
    busiest: { second: undefined, tenSeconds: tenSeconds?.busiestCalls, minute: minute?.busiestCalls },
    suggestion: { kind: 'limits', limits, refused: refusedAWeek(usual.reaches, limits), leftOut: [] },
  }
}

/** Tails as heavy as this have no mean; what lies beyond is then taken as if they were a little lighter. */
const LEAST_TAIL = 1.2

/** How many calls a week a bucket would refuse, by the tail of the window that is worst. */
export function refusedAWeek(reaches: readonly OwnReach[], { rateLimit, burstLimit }: PlanLimits): number {
  const through = (seconds: number): number => burstLimit + rateLimit * seconds
  // Of what lies below a window's upper end, which is never less than some calls, the tail says nothing.
  const telling = reaches.filter(({ seconds, upperCalls }) => through(seconds) >= upperCalls)
  const expected = (telling.length > 0 ? telling : reaches).map(({ seconds, upperCalls, perWeek, tail }) => {
    const times = perWeek * Math.max(1, through(seconds) / upperCalls) ** -tail
    return (times * through(seconds)) / (Math.max(tail, LEAST_TAIL) - 1)
  })
  return Math.max(0, ...expected)
}
