/** Labelled series through the same engine: one configuration for all of them, none made for any. */
import type { Configuration } from './configuration.ts'
import type { LabelledSeries } from './contract.ts'
import type { SeriesScore } from './goals.ts'
import { readMicrosoft } from './series/microsoft.ts'
import { readNab } from './series/nab.ts'
import { nabProfiles } from './series/nab-score.ts'
import { scoresOfSeries } from './series/scores-of-series.ts'
import { bestToldScore, type HeardSeries, toldScoreAt } from './series/told-rows.ts'

export interface SeriesSet {
  readonly set: LabelledSeries['set']
  readonly configurations: readonly Configuration[]
  /** A few short series instead of all. */
  readonly small: boolean
  readonly say: (line: string) => void
}

const sets = {
  nab: { read: readNab, name: 'NAB, visible half', goal: 55 },
  microsoft: { read: readMicrosoft, name: 'Microsoft, scored as NAB is', goal: undefined },
} as const

export function seriesPart({ set, configurations, small, say }: SeriesSet): readonly SeriesScore[] {
  const { read, name, goal } = sets[set]
  const all = small ? shortest(read()) : read()
  return configurations.flatMap(({ name: configuration, settings }) => {
    const heard: HeardSeries[] = []
    for (const series of all) {
      heard.push({ series, scores: scoresOfSeries(series, settings) })
      say(series.name)
    }
    const title = `${name}${small ? ` (${SMALL_SERIES} series)` : ''}`
    const best = Object.entries(nabProfiles).map(([key, profile]) => ({
      configuration,
      what: `${title}, ${profile.name} profile`,
      score: bestToldScore(heard, profile).score,
      ...(goal !== undefined && key === 'standard' && { goal }),
    }))
    const { score } = toldScoreAt(heard, nabProfiles.standard, AS_IT_COMES)
    return [...best, { configuration, what: `${title}, standard profile, with the thresholds as they come`, score }]
  })
}

/** A score of 1, which is every detector's threshold, between 0 and 1. */
const AS_IT_COMES = 0.5

const SMALL_SERIES = 3

/** By the seconds that they cover, with something to find in them. */
const shortest = (all: readonly LabelledSeries[]): readonly LabelledSeries[] =>
  all
    .filter(({ anomalies }) => anomalies.length > 0)
    .toSorted((one, other) => one.times.length * one.stepSeconds - other.times.length * other.stepSeconds)
    .slice(0, SMALL_SERIES)
