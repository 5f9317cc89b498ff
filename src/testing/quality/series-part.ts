/** Labelled series through the same engine: one configuration for all of them, none made for any. */
import type { Configuration } from './configuration.ts'
import type { LabelledSeries } from './contract.ts'
import type { SeriesScore } from './goals.ts'
import { readMicrosoft } from './series/microsoft.ts'
import { readNab } from './series/nab.ts'
import { bestNabScore, nabProfiles, type ScoredSeries } from './series/nab-score.ts'
import { scoresOfSeries } from './series/scores-of-series.ts'

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
    const scored: ScoredSeries[] = []
    for (const series of all) {
      scored.push({ series, scores: scoresOfSeries(series, settings) })
      say(series.name)
    }
    return Object.entries(nabProfiles).map(([key, profile]) => ({
      configuration,
      what: `${name}${small ? ` (${SMALL_SERIES} series)` : ''}, ${profile.name} profile`,
      score: bestNabScore(scored, profile).score,
      ...(goal !== undefined && key === 'standard' && { goal }),
    }))
  })
}

const SMALL_SERIES = 3

/** By the seconds that they cover, with something to find in them. */
const shortest = (all: readonly LabelledSeries[]): readonly LabelledSeries[] =>
  all
    .filter(({ anomalies }) => anomalies.length > 0)
    .toSorted((one, other) => one.times.length * one.stepSeconds - other.times.length * other.stepSeconds)
    .slice(0, SMALL_SERIES)
