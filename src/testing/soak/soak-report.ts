/** What a soak says: each measure's level and slope after the warm-up with a verdict, and the laws that hold over all of it. */
import { quantile } from 'simple-statistics'
import { MINUTE_MS } from '../../core/vocabulary.ts'
import { numberText } from '../bench/figure.ts'
import type { Sample } from './probe.ts'
import { type Slope, slopeOf, type Verdict, verdictOn } from './slope.ts'
import type { SoakEnd, SoakRun } from './soak-run.ts'

export interface Measure {
  readonly name: string
  readonly unit: string
  readonly values: readonly { readonly at: number; readonly value: number }[]
  readonly slope: Slope | undefined
  readonly verdict: Verdict | 'too short' | 'not judged'
  readonly median: number
  readonly p99: number
  readonly max: number
}

export interface SoakReport {
  readonly schema: 'weir.soak/1'
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string }
  readonly asked: { readonly minutes: number; readonly keys: number; readonly callsPerSecond: number }
  readonly warmUpMinutes: number
  readonly beganAt: number
  readonly measures: readonly Measure[]
  /** null while it goes on. */
  readonly totals: SoakEnd | null
  /** In words, what should not be. */
  readonly broken: readonly string[]
  readonly passed: boolean
}

/** A quarter of the run, a quarter of an hour at most: buffers grow, code is compiled, the last five minutes fill. */
const warmUpShare = 0.25
const longestWarmUp = 15
/** Reading may be behind by so much, but for one reading in a hundred. */
const mostLagMs = 2_000

type Each = (values: number[]) => number
const least: Each = values => Math.min(...values)

interface Column {
  readonly name: string
  readonly unit: string
  readonly of: (sample: Sample) => number
  /** What stands for a minute; the median unless told. */
  readonly each?: Each
  /** Whether it has to be flat. */
  readonly isJudged: boolean
}

const columns: readonly Column[] = [
  { name: 'memory of the process (RSS)', unit: 'MB', of: each => each.rssBytes / 1e6, isJudged: true },
  // The least of a minute is what is left after a collection.
  {
    name: 'heap in use, least of a minute',
    unit: 'MB',
    of: each => each.heapUsedBytes / 1e6,
    each: least,
    isJudged: true,
  },
  { name: 'outside the heap (buffers)', unit: 'MB', of: each => each.externalBytes / 1e6, isJudged: true },
  { name: 'state directory', unit: 'MB', of: each => each.stateBytes / 1e6, isJudged: true },
  { name: 'files in the state directory', unit: '', of: each => each.stateFiles, isJudged: true },
  { name: 'open files', unit: '', of: each => each.openFiles, isJudged: true },
  { name: 'lag', unit: 'ms', of: each => each.lagMs, isJudged: false },
  { name: 'lag in records', unit: '', of: each => each.lagRecords, isJudged: false },
  { name: 'calls sent and not counted', unit: '', of: each => each.callsBehind, isJudged: false },
  { name: 'event loop held up, longest of 5 s', unit: 'ms', of: each => each.loopLagMs, isJudged: false },
  { name: 'writing a checkpoint', unit: 'ms', of: each => each.checkpointMs, isJudged: false },
  { name: 'age of the checkpoint', unit: 's', of: each => each.checkpointAgeMs / 1_000, isJudged: false },
]

export function soakReport(run: SoakRun, about: Pick<SoakReport, 'machine' | 'asked'>): SoakReport {
  const warmUpMinutes = Math.min(longestWarmUp, about.asked.minutes * warmUpShare)
  const after = run.samples.filter(({ at }) => at >= run.beganAt + warmUpMinutes * MINUTE_MS)
  const measures = columns.map(({ name, unit, of, each, isJudged }): Measure => {
    const points = after
      .map(sample => ({ at: sample.at, value: of(sample) }))
      .filter(({ value }) => !Number.isNaN(value))
    const values = points.map(({ value }) => value)
    const slope = slopeOf(points, each)
    return {
      ...{ name, unit, slope },
      values: run.samples.map(sample => ({ at: sample.at, value: of(sample) })),
      verdict: !isJudged ? 'not judged' : slope === undefined ? 'too short' : verdictOn(slope),
      median: values.length === 0 ? Number.NaN : quantile(values, 0.5),
      p99: values.length === 0 ? Number.NaN : quantile(values, 0.99),
      max: Math.max(...values),
    }
  })
  const { beganAt, end = null } = run
  const broken = [...brokenIn(measures), ...(end === null ? [] : brokenLaws(end))]
  return {
    schema: 'weir.soak/1',
    ...{ ...about, warmUpMinutes, beganAt, measures, totals: end, broken, passed: broken.length === 0 },
  }
}

function brokenIn(measures: readonly Measure[]): readonly string[] {
  const lag = measures.find(({ name }) => name === 'lag')
  return [
    ...measures.flatMap(({ name, verdict }) =>
      verdict === 'grows' ? [`${name} grows`] : verdict === 'not shown' ? [`${name} was not shown to be flat`] : [],
    ),
    ...(lag !== undefined && lag.p99 > mostLagMs ? [`lag: 99th percentile ${numberText(lag.p99)} ms`] : []),
  ]
}

const brokenLaws = (end: SoakEnd): readonly string[] => [
  ...(end.callsCounted === end.callsSent ? [] : [`${end.callsSent} calls were sent, ${end.callsCounted} counted`]),
  ...(end.alertsTwice === 0 ? [] : [`${end.alertsTwice} alerts came twice`]),
  ...(end.limitsNotRestored.length === 0 ? [] : [`limits not restored: ${end.limitsNotRestored.join(', ')}`]),
  ...(end.exitCode === 0 ? [] : [`the worker ended with ${end.exitCode}`]),
]

/** One row a measure: level, spread, slope with its interval, verdict. */
export function soakRows({ measures }: SoakReport): readonly (readonly string[])[] {
  return measures.map(({ name, unit, median, p99, max, slope, verdict }) => [
    name,
    Number.isNaN(median) ? '–' : withUnit(median, unit),
    Number.isNaN(median) ? '–' : `${numberText(p99)} / ${numberText(max)}`,
    slope === undefined
      ? '–'
      : `${withUnit(slope.perHour, unit)} (${numberText(slope.from)} to ${numberText(slope.to)})`,
    verdict === 'not judged' ? '' : verdict,
  ])
}

export const soakHead = ['measured', 'median', '99 % / most', 'growth an hour (95 %)', ''] as const

const withUnit = (value: number, unit: string): string => `${numberText(value)} ${unit}`.trim()

export function totalsText({ totals }: SoakReport): string {
  if (totals === null) return 'It still goes on'
  const { callsSent, callsCounted, storms, alerts, alertsTwice, limitChanges, limitsNotRestored, linesBad } = totals
  return (
    `${callsSent.toLocaleString('en')} calls sent, ${callsCounted.toLocaleString('en')} counted; ${storms} storms, ${alerts} alerts, ${alertsTwice} twice; ` +
    `${limitChanges} changes of limits, ${limitsNotRestored.length} not restored; ${linesBad} lines that were none; exit code ${totals.exitCode}`
  )
}
