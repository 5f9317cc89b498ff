/** The page's two plots: what is in them, made here, and the script that has uPlot draw them in the reader's browser. */

import { allowedIn, WEEK_MS } from '../../core/tuning/bill.ts'
import type { TuneReport } from '../../core/tuning/report.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/vocabulary.ts'
import { frontier, spanText } from '../tune-text.ts'

interface PlotSeries {
  readonly label: string
  /** A custom property of the page's style. */
  readonly colour: string
  readonly form: 'points' | 'line' | 'bars'
  /** Radius of its points, px. */
  readonly size: number
}

export interface Plot {
  readonly id: string
  readonly title: string
  readonly isTime: boolean
  /** Whether the x values span so much that they are shown by their logarithms. */
  readonly isWide: boolean
  readonly x: string
  readonly y: string
  /** First the x values, ascending, then a row for each of `series`; null where it has nothing. */
  readonly rows: readonly (readonly (number | null)[])[]
  readonly series: readonly PlotSeries[]
  /** A line across, at this x. */
  readonly mark: { readonly at: number; readonly label: string } | undefined
}

interface Point {
  readonly x: number
  readonly y: number
}

/** Each setting that was tried is a point: fewer false alarms to the left, told sooner below. */
export function tradeOffPlot(report: TuneReport): Plot {
  const { trials, present, suggested, against, budgetPerWeek, changed } = report
  const allowed = allowedIn(present.tuned, budgetPerWeek)
  const isWide = Math.max(...trials.map(({ tuned }) => tuned.falseAlarms)) > WIDE * allowed
  const pointOf = ({ tuned }: TuneReport['present'] | NonNullable<TuneReport['against']>): Point => ({
    x: isWide ? Math.max(LEAST_ALARMS, tuned.falseAlarms) : tuned.falseAlarms,
    y: Math.max(LEAST_SECONDS, tuned.lateness),
  })
  const groups: readonly (PlotSeries & { readonly points: readonly Point[] })[] = [
    { label: 'tried', colour: '--soft', form: 'points', size: 7, points: trials.map(pointOf) },
    { label: 'best of their kind', colour: '--quiet', form: 'line', size: 0, points: frontier(report).map(pointOf) },
    { label: 'as it is', colour: '--accent', form: 'points', size: 14, points: [pointOf(present)] },
    {
      ...{ label: 'suggested', colour: '--good', form: 'points', size: 14 },
      points: changed.length === 0 ? [] : [pointOf(suggested)],
    },
    {
      ...{ label: against?.name ?? '', colour: '--warn', form: 'points', size: 14 },
      points: against ? [pointOf(against)] : [],
    },
  ]
  const shown = groups.filter(({ points }) => points.length > 0)
  const all = shown
    .flatMap(({ points }, series) => points.map(point => ({ ...point, series })))
    .sort((one, other) => one.x - other.x)
  return {
    ...{ id: 'trade-off', title: 'False alarms against delay', isTime: false, isWide },
    ...{ x: `false alarms in ${spanText(present.tuned.weeks * WEEK_MS)}`, y: 'seconds until told' },
    rows: [
      all.map(({ x }) => x),
      ...shown.map((_, series) => all.map(point => (point.series === series ? point.y : null))),
    ],
    series: shown.map(({ points: _, ...series }) => series),
    mark: { at: allowed, label: 'budget' },
  }
}

/** So many times the budget at the right edge would leave nothing to be seen of what is near it. */
const WIDE = 30
/** Less is shown as this: a logarithm has no zero. Half of one incident of low severity is 0.05. */
const LEAST_ALARMS = 0.03
const LEAST_SECONDS = 0.5

/** As many as the style has: a colour for each detector there is. */
const COLOURS = 13

/** At the present setting: in how many of the incidents that opened then each detector's score was above its threshold. */
export function timelinePlot({ timeline }: TuneReport): Plot {
  const { starts, lengthMs, byDetector } = timeline
  const names = [...byDetector.keys()].sort()
  const columns = starts.flatMap((start, stretch) =>
    names.map((name, series) => ({
      // Bars of one stretch stand beside one another, with the room of one between stretches.
      at: (start + ((series + 1) * lengthMs) / (names.length + 1)) / 1_000,
      ...{ series, count: byDetector.get(name)?.[stretch] ?? 0 },
    })),
  )
  return {
    ...{ id: 'timeline', title: `Incidents per ${lengthName(lengthMs)}, by detector`, isTime: true, isWide: false },
    ...{ x: '', y: `incidents per ${lengthName(lengthMs)}`, mark: undefined },
    // From the begin of the first stretch to the end of the last one, where nothing stands.
    rows: [
      [(starts[0] ?? 0) / 1_000, ...columns.map(({ at }) => at), ((starts.at(-1) ?? 0) + lengthMs) / 1_000],
      ...names.map((_, index) => [
        null,
        ...columns.map(({ series, count }) => (series === index ? count : null)),
        null,
      ]),
    ],
    series: names.map((label, index) => ({
      ...{ label, colour: `--series-${(index % COLOURS) + 1}`, form: 'bars', size: 0 },
    })),
  }
}

export function lengthName(lengthMs: number): string {
  switch (lengthMs) {
    case WEEK_MS:
      return 'week'
    case DAY_MS:
      return 'day'
    case HOUR_MS:
      return 'hour'
    default:
      return `${Math.round(lengthMs / MINUTE_MS)} minutes`
  }
}

/** Runs in the browser, after uPlot. Colours are the style's, so a plot is drawn anew when the screen turns dark. */
export const plotScript = `
'use strict'
{
  const plots = JSON.parse(document.getElementById('plots').textContent)
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const rounded = value => value == null ? '' : String(Number(value.toPrecision(3)))

  const pathsOf = {
    points: () => null,
    line: uPlot.paths.linear(),
    bars: uPlot.paths.bars({ size: [0.9, 40] }),
  }
  const seriesOf = ({ label, colour: name, form, size }) => ({
    label,
    stroke: colour(name),
    fill: form === 'bars' ? colour(name) : undefined,
    width: form === 'line' ? 2 : 0,
    spanGaps: form === 'line',
    paths: pathsOf[form],
    points: { show: form === 'points', size, fill: colour(name), stroke: colour(name), width: 1 },
    value: (_, value) => rounded(value),
  })

  // uPlot writes 2/28 and 6pm by itself. A row: from so many seconds between two ticks on; then what else is told where a year, month or day begins.
  const day = '{DD} {MMM}'
  const times = [
    [86400, day, '\\n{YYYY}', null, null, null, null, null, 1],
    [1, '{HH}:{mm}', '\\n' + day + ' {YYYY}', null, '\\n' + day, null, null, null, 1],
  ]

  const axis = (label, more) => ({
    label,
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
    font: '12px system-ui, sans-serif',
    labelFont: '12px system-ui, sans-serif',
    ...more,
  })

  const markOf = mark => plot => {
    if (!mark) return
    const { ctx, bbox } = plot
    const at = Math.round(plot.valToPos(mark.at, 'x', true))
    if (at < bbox.left || at > bbox.left + bbox.width) return
    ctx.save()
    ctx.strokeStyle = ctx.fillStyle = colour('--warn')
    ctx.setLineDash([6, 4])
    ctx.beginPath()
    ctx.moveTo(at, bbox.top)
    ctx.lineTo(at, bbox.top + bbox.height)
    ctx.stroke()
    ctx.textAlign = 'left'
    ctx.font = 12 * devicePixelRatio + 'px system-ui, sans-serif'
    const text = ctx.measureText(mark.label).width + 6
    ctx.fillText(mark.label, at + text > bbox.left + bbox.width ? at - text : at + 6, bbox.top + 14 * devicePixelRatio)
    ctx.restore()
  }

  const roomFor = (least, most, isLog) =>
    isLog ? uPlot.rangeLog(least / 1.2, most * 1.2, 10, false) : [0, Math.max(1, most) * 1.1]
  const scalesOf = ({ isTime, isWide, mark }) => isTime
    ? { y: { range: (_, least, most) => roomFor(least, most, false) } }
    : {
        x: {
          time: false,
          distr: isWide ? 3 : 1,
          range: (_, least, most) => roomFor(Math.min(least, mark.at), Math.max(most, mark.at), isWide),
        },
        y: { distr: 3, range: (_, least, most) => roomFor(least, most, true) },
      }

  const draw = plot => {
    const place = document.getElementById(plot.id)
    place.replaceChildren()
    const width = place.clientWidth
    new uPlot({
      width,
      height: Math.round(Math.min(380, Math.max(260, width * 0.6))),
      scales: scalesOf(plot),
      series: [plot.isTime
        ? { label: 'from (UTC)', value: '{YYYY}-{MM}-{DD} {HH}:{mm}' }
        : { label: plot.x, value: (_, value) => rounded(value) },
        ...plot.series.map(seriesOf)],
      axes: [
        axis(plot.x, { values: plot.isTime ? times : (_, values) => values.map(rounded), space: 60 }),
        axis(plot.y, { values: (_, values) => values.map(rounded), size: 56 }),
      ],
      legend: { markers: { width: 0, fill: (_, index) => index === 0 ? undefined : colour(plot.series[index - 1].colour) } },
      cursor: { drag: { setScale: false }, focus: { prox: 24 } },
      tzDate: at => uPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
      hooks: { draw: [markOf(plot.mark)] },
    }, plot.rows, place)
  }

  let width = 0
  const drawAll = () => {
    width = document.body.clientWidth
    for (const plot of plots) draw(plot)
  }
  drawAll()
  addEventListener('resize', () => { if (document.body.clientWidth !== width) drawAll() })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll)
}
`
