/** What a few rounds of two programs say, as a ratio: absolute times are the machine's, the ratio is ours. */

import { median } from 'simple-statistics'

export interface Round {
  readonly yardstickMs: number
  readonly ownMs: number
}

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** Own time over the yardstick's of the same round: below 1 we are faster. */
export const ratioOf = (rounds: readonly Round[]): Spread =>
  spreadOf(rounds.map(({ ownMs, yardstickMs }) => ownMs / yardstickMs))

/** At least one value. */
export const spreadOf = (values: readonly number[]): Spread => ({
  min: Math.min(...values),
  median: median([...values]),
  max: Math.max(...values),
})
