/**
 * Which rows of a series somebody is told of, at a threshold: the first one above it, and then for a day only what is so much
 * rarer as is news to the alert budget (core/incident/alert-budget.ts), however long the trouble lasts and however often it wavers. NAB counts
 * rows, and a bad afternoon has a hundred; who is told of it is told once.
 *
 * Telling depends on the threshold: what a low one has told already is news at a higher one. So no score of a row says it
 * once for all, and each threshold is tried for itself. It is kinder than the product in one thing: an incident that closes
 * and opens again within the day is told of twice there.
 */
import { DECADES_RARER, TOLD_FOR_MS } from '../../../core/incident/alert-budget.ts'
import type { LabelledSeries } from '../contract.ts'
import { type NabProfile, type NabScore, nabScoreAt, type ScoredSeries } from './nab-score.ts'

/** Thresholds that are tried: hundredths of the way from nothing to certainty, and halves of them. */
const TRIED = Array.from({ length: 199 }, (_, place) => (place + 1) / 200)

/** What the engine says of each row, 0..1. */
export interface HeardSeries {
  readonly series: LabelledSeries
  readonly scores: Float64Array
}

/** 1 for the rows that are told, 0 for all others. */
export function toldRows({ series: { times }, scores }: HeardSeries, threshold: number): Float64Array {
  const told = new Float64Array(scores.length)
  let last = { at: Number.NEGATIVE_INFINITY, rank: 0 }
  for (let row = 0; row < scores.length; row++) {
    // Above the threshold a rank is in decades of rarity (`rankOf`).
    const rank = scores[row] / (1 - scores[row])
    const isNews = times[row] - last.at > TOLD_FOR_MS || rank >= last.rank + DECADES_RARER
    if (scores[row] < threshold || !isNews) continue
    told[row] = 1
    last = { at: times[row], rank }
  }
  return told
}

/** As the product would be scored with this threshold for all series. */
export function toldScoreAt(heard: readonly HeardSeries[], profile: NabProfile, threshold: number): NabScore {
  const scored: readonly ScoredSeries[] = heard.map(one => ({ series: one.series, scores: toldRows(one, threshold) }))
  return { ...nabScoreAt(scored, profile, 1), threshold }
}

/** At the threshold at which it is highest, as the published scores were made; none at all (infinity) is among them. */
export function bestToldScore(heard: readonly HeardSeries[], profile: NabProfile): NabScore {
  let best = toldScoreAt(heard, profile, Number.POSITIVE_INFINITY)
  for (const threshold of TRIED) {
    const now = toldScoreAt(heard, profile, threshold)
    if (now.score > best.score) best = now
  }
  return best
}
