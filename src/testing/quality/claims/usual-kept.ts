/**
 * Whether what is called usual is: of each judged minute whether it lies in the band that the days before it had made, and of each
 * second how rare it is called by the key's own past. Nothing that is judged has taught what it is judged by.
 */
import type { Usual } from '../../../../detectors/contract.ts'
import { timesAWeek } from '../../../../detectors/statistics.ts'
import { type Engine, watching } from '../../../core/engine-state.ts'
import { slotOf } from '../../../core/state/baseline.ts'
import { findKey } from '../../../core/state/known-keys.ts'
import { usualOf } from '../../../core/state/usual.ts'
import { type EpochMs, MINUTE_MS, SECOND_MS } from '../../../core/vocabulary.ts'

/** Whole minutes. */
export interface BandKept {
  readonly minutes: number
  readonly above: number
  readonly below: number
}

/** So often a week something is said to come. */
export const timesStated = [10, 1, 0.1, 0.01] as const

export interface UsualKept {
  readonly band: BandKept
  readonly weeks: number
  /** How often it came, as `timesStated`: what lies within half an hour is one time. */
  readonly came: readonly number[]
}

/** One client's, while its seconds go by. */
export interface UsualWatch {
  /** What is called usual in the slot under way. */
  usual: Usual | undefined
  seconds: number
  minutes: number
  above: number
  below: number
  minuteCalls: number
  readonly came: number[]
  /** When it was last as rare as stated. */
  readonly lastAt: number[]
  /** Calls of the last five minutes, second by second, and their sums over the windows. */
  readonly ring: Uint32Array
  readonly sums: number[]
}

const WINDOWS = [10, 60, 300] as const
const RING_SECONDS = 300
/** Peaks closer than this are one (own-reach.ts). */
const ONE_TIME_MS = 30 * MINUTE_MS

export const createUsualWatch = (): UsualWatch => ({
  ...{ usual: undefined, seconds: 0, minutes: 0, above: 0, below: 0, minuteCalls: 0 },
  came: timesStated.map(() => 0),
  lastAt: timesStated.map(() => Number.NEGATIVE_INFINITY),
  ring: new Uint32Array(RING_SECONDS),
  sums: WINDOWS.map(() => 0),
})

/** As the engine knows it when the slot begins. */
export function usualNow(engine: Engine, keyId: string, at: EpochMs): Usual | undefined {
  for (const { keys, coverage } of watching(engine.state)) {
    const key = findKey(keys, keyId)
    if (key !== undefined) return usualOf(keys, key, coverage, slotOf(at))
  }
  return undefined
}

/** A second with so many calls, each in its order. `at`: its beginning. */
export function watchSecond(watch: UsualWatch, at: EpochMs, calls: number): void {
  const second = Math.floor(at / SECOND_MS)
  watch.seconds++
  roll(watch, second, calls)
  if (watch.usual !== undefined) noteRarity(watch, watch.usual, at)
  watch.minuteCalls += calls
  if (second % 60 !== 59) return
  if (watch.usual !== undefined && watch.seconds >= 60) noteMinute(watch, watch.usual, watch.minuteCalls)
  watch.minuteCalls = 0
}

function roll({ ring, sums }: UsualWatch, second: number, calls: number): void {
  for (const [index, length] of WINDOWS.entries())
    sums[index] += calls - ring[(second - length + RING_SECONDS) % RING_SECONDS]
  ring[second % RING_SECONDS] = calls
}

function noteMinute(watch: UsualWatch, { lowerPerMinute, upperPerMinute }: Usual, calls: number): void {
  watch.minutes++
  if (calls > upperPerMinute) watch.above++
  if (calls < lowerPerMinute) watch.below++
}

function noteRarity({ sums, came, lastAt }: UsualWatch, { reaches }: Usual, at: EpochMs): void {
  let rarest = Number.POSITIVE_INFINITY
  for (const [index, reach] of reaches.entries())
    if (sums[index] > reach.upperCalls) rarest = Math.min(rarest, timesAWeek(reach, sums[index]))
  if (rarest === Number.POSITIVE_INFINITY) return
  for (const [index, times] of timesStated.entries()) {
    if (rarest > times) continue
    if (at - lastAt[index] > ONE_TIME_MS) came[index]++
    lastAt[index] = at
  }
}

const WEEK_SECONDS = 7 * 86_400

export const keptOf = ({ minutes, above, below, seconds, came }: UsualWatch): UsualKept => ({
  band: { minutes, above, below },
  weeks: seconds / WEEK_SECONDS,
  came,
})
