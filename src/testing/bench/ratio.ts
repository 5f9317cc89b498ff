/** What a few rounds of two programs say, as a ratio: absolute times are the machine's, the ratio is ours. */

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

/** The median of an even number is the mean of the middle two. At least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  return { min: at(0), median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, max: at(sorted.length - 1) }
}
