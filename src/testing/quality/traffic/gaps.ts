/**
 * Calls drawn into the seconds of a window of which only their number and the distribution of the gaps between them are
 * known. Simulation: the number is real, the places are not.
 *
 * Gaps are drawn by the fitted shape, one more than there are calls, and stretched so that they fill the window: the
 * number of calls stays what it was, and the fitted scale is not needed. Each window is drawn by itself; a burst does not
 * go on into the next.
 */
import { gammaln } from 'simple-statistics'
import type { Random } from '../../../simulation/random.ts'

export interface GapShape {
  readonly family: 'gamma' | 'weibull'
  /** 1 is chance (exponential gaps), below it bursts, above it regularity. */
  readonly shape: number
}

/** So many calls in so many seconds. */
export function drawSeconds(calls: number, gaps: GapShape, seconds: number, random: Random): Uint32Array {
  const counts = new Uint32Array(seconds)
  if (calls === 0) return counts
  const next = gapsOf(gaps, random)
  const ends = new Float64Array(calls)
  let end = 0
  for (let call = 0; call < calls; call++) {
    end += next()
    ends[call] = end
  }
  const all = end + next()
  if (!(all > 0)) {
    // So bursty that all gaps are too small for a number: one burst.
    counts[random.integer(seconds)] = calls
    return counts
  }
  for (let call = 0; call < calls; call++) {
    const second = Math.min(seconds - 1, Math.floor((ends[call] / all) * seconds))
    counts[second]++
  }
  return counts
}

/**
 * How many of so many calls come in the first half of their window, without drawing each: for weeks of history, of which
 * nobody asks more. Of N gamma gaps of shape k the middle one ends at a Beta(kN/2, kN/2) of the window, whose standard
 * deviation is 1 ÷ (2√(kN + 1)); k is 1 ÷ cv² of the gaps, for a Weibull too, where that is near enough. Taken for normal.
 */
export function drawFirstHalf(calls: number, gaps: GapShape, random: Random): number {
  const half = calls / 2
  const strayed = half + (half * random.normal()) / Math.sqrt(calls / squaredVariation(gaps) + 1)
  return Math.min(calls, Math.max(0, Math.floor(strayed + random.uniform())))
}

/** Variance of the gaps over the square of their mean. */
const squaredVariation = ({ family, shape }: GapShape): number =>
  family === 'gamma' ? 1 / shape : Math.exp(gammaln(1 + 2 / shape) - 2 * gammaln(1 + 1 / shape)) - 1

function gapsOf({ family, shape }: GapShape, random: Random): () => number {
  switch (family) {
    case 'weibull':
      return () => Math.exp(Math.log(-Math.log(positive(random))) / shape)
    case 'gamma':
      return gammaGaps(shape, random)
    default:
      throw new Error(`no such family: ${family satisfies never}`)
  }
}

/** Marsaglia and Tsang, A simple method for generating gamma variables, 2000; a shape below 1 by way of the shape above. */
function gammaGaps(shape: number, random: Random): () => number {
  const d = (shape < 1 ? shape + 1 : shape) - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  const atLeastOne = (): number => {
    for (;;) {
      const x = random.normal()
      const root = 1 + c * x
      if (root <= 0) continue
      const v = root * root * root
      if (Math.log(positive(random)) < 0.5 * x * x + d * (1 - v + Math.log(v))) return d * v
    }
  }
  return shape < 1 ? () => atLeastOne() * Math.exp(Math.log(positive(random)) / shape) : atLeastOne
}

/** (0, 1). */
const positive = (random: Random): number => random.uniform() + 2 ** -33
