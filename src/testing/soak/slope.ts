/**
 * Whether a measure grows, told by Theil and Sen: the median of the slopes between all pairs of points, which a third of
 * wild points does not move, and its interval of 95 % by the ranks of those slopes (Sen 1968, by Kendall's variance). The
 * points are a minute each, since readings of a few seconds hang together and would make the interval too narrow.
 */
import { median } from 'simple-statistics'
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../core/vocabulary.ts'

export interface Point {
  readonly at: EpochMs
  readonly value: number
}

export interface Slope {
  /** A hour; all in the unit of the values. */
  readonly perHour: number
  /** The interval of 95 %. */
  readonly from: number
  readonly to: number
  /** The middle of all points. */
  readonly level: number
  readonly points: number
}

/** Fewer minutes say nothing of a slope. */
export const fewestPoints = 10
const z95 = 1.959964

/** undefined: too few minutes. */
export function slopeOf(points: readonly Point[], each: (values: number[]) => number = median): Slope | undefined {
  const minutes = byMinute(points, each)
  const count = minutes.length
  if (count < fewestPoints) return undefined
  const slopes: number[] = []
  for (const [index, one] of minutes.entries())
    for (const other of minutes.slice(index + 1))
      slopes.push(((other.value - one.value) / (other.at - one.at)) * HOUR_MS)
  slopes.sort((a, b) => a - b)
  const half = (z95 * Math.sqrt((count * (count - 1) * (2 * count + 5)) / 18)) / 2
  const middle = (slopes.length - 1) / 2
  const at = (rank: number): number => slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))] ?? Number.NaN
  return {
    ...{ perHour: median(slopes), from: at(middle - half), to: at(middle + half) },
    ...{ level: median(minutes.map(({ value }) => value)), points: count },
  }
}

function byMinute(points: readonly Point[], each: (values: number[]) => number): readonly Point[] {
  const minutes = new Map<number, number[]>()
  for (const { at, value } of points) {
    if (Number.isNaN(value)) continue
    const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
    const values = minutes.get(minute) ?? []
    values.push(value)
    minutes.set(minute, values)
  }
  return [...minutes].map(([at, values]) => ({ at, value: each(values) }))
}

/** The rule: even the upper end of the interval is within this share of the level in an hour. */
export const flatShare = 0.05

export type Verdict = 'flat' | 'grows' | 'not shown'

/** `grows`: even the lower end is beyond the share. Between the two an hour was too short, or too noisy, to say. */
export function verdictOn({ from, to, level }: Slope): Verdict {
  const allowed = flatShare * Math.abs(level)
  if (to <= allowed) return 'flat'
  return from > allowed ? 'grows' : 'not shown'
}
