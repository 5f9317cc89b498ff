/**
 * Of what the engine says of each row, what is news. A score stays high as long as a trouble lasts, and comes back when it
 * wavers; whoever is told of it is told once. So a row keeps its score where that is half as much again as anything told
 * in the twelve hours before it (an opening, or an escalation), and has 0 otherwise.
 *
 * Without it a benchmark that counts rows counts a bad afternoon as a hundred false alarms: the engine of that time hit 41
 * of 57 windows at its own threshold and got less than nothing for them. It is kinder than the product in one thing: an
 * incident that closes and opens again within the twelve hours is told of twice there; and harder in another: a score
 * below the threshold that is chosen hides what is less than half as much again above it.
 */
import { HOUR_MS } from '../../../core/vocabulary.ts'

const TOLD_FOR_MS = 12 * HOUR_MS
const TIMES_TOLD = 1.5

/** `times`: of the rows, ascending, epoch ms. `scores`: 0 is nothing to say. */
export function newlyTold(times: Float64Array, scores: Float64Array): Float64Array {
  const news = new Float64Array(scores.length)
  let told = 0
  let toldAt = Number.NEGATIVE_INFINITY
  for (const [row, score] of scores.entries()) {
    if (times[row] - toldAt > TOLD_FOR_MS) told = 0
    if (score <= TIMES_TOLD * told) continue
    news[row] = score
    told = score
    toldAt = times[row]
  }
  return news
}
