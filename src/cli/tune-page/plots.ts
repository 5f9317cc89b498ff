/** The page's two plots: what is in them, made here, and the script that has uPlot draw them in the reader's browser. */

import { allowedIn } from '../../core/tuning/bill.ts'
import type { TuneReport } from '../../core/tuning/report.ts'
import { frontier, spanText } from '../tune-text.ts'

interface PlotSeries {
  readonly label: string
  /** A custom property of the page's style. */
  readonly colour: string
  readonly form: 'points' | 'line' | 'steps'
  /** Radius of its points, px. */
  readonly size: number
}

export interface Plot {
  readonly id: string
  readonly title: string
  readonly isTime: boolean
  readonly x: string
  readonly y: string
  /** First the x values, ascending, then a row for each of `series`; null where it has nothing. */
  readonly rows: readonly (readonly (number | null)[])[]
  readonly series: readonly PlotSeries[]
  /** A line across, at this x. */
  readonly mark: { readonly at: number; readonly label: string } | undefined
}

const WEEK_MS = 604_800_000

interface Point {
  readonly x: number
  readonly y: number
}

/** Each setting that was tried is a point: fewer false alarms to the left, told sooner below. */
export function tradeOffPlot({ trials, present, suggested, against, budgetPerWeek, changed }: TuneReport): Plot {
  const pointOf = ({ tuned }: TuneReport['present'] | NonNullable<TuneReport['against']>): Point => ({
    x: tuned.falseAlarms,
    y: tuned.lateness,
  })
  const groups: readonly (PlotSeries & { readonly points: readonly Point[] })[] = [
    { label: 'tried', colour: '--quiet', form: 'points', size: 7, points: trials.map(pointOf) },
    { label: 'best of their kind', colour: '--quiet', form: 'line', size: 0, points: frontier(trials).map(pointOf) },
    { label: 'as it is', colour: '--accent', form: 'points', size: 13, points: [pointOf(present)] },
    {
      ...{ label: 'suggested', colour: '--good', form: 'points', size: 13 },
      points: changed.length === 0 ? [] : [pointOf(suggested)],
    },
    {
      label: against?.name ?? '',
      colour: '--warn',
      form: 'points',
      size: 13,
      points: against ? [pointOf(against)] : [],
    },
  ]
  const shown = groups.filter(({ points }) => points.length > 0)
  const all = shown
    .flatMap(({ points }, series) => points.map(point => ({ ...point, series })))
    .sort((one, other) => one.x - other.x)
  return {
    ...{ id: 'trade-off', title: 'False alarms against delay', isTime: false },
    ...{ x: `false alarms in ${spanText(present.tuned.weeks * WEEK_MS)}`, y: 'seconds until told' },
    rows: [
      all.map(({ x }) => x),
      ...shown.map((_, series) => all.map(point => (point.series === series ? point.y : null))),
    ],
    series: shown.map(({ points: _, ...series }) => series),
    mark: { at: allowedIn(present.tuned, budgetPerWeek), label: 'budget' },
  }
}

const COLOURS = ['--accent', '--warn', '--good', '--fourth', '--quiet'] as const

/** At the present setting: in how many of the incidents that opened then each detector's score was above its threshold. */
export function timelinePlot({ timeline }: TuneReport): Plot {
  const { starts, lengthMs, byDetector } = timeline
  const names = [...byDetector.keys()].sort()
  return {
    ...{ id: 'timeline', title: `Incidents a ${lengthName(lengthMs)}, by detector`, isTime: true },
    ...{ x: '', y: `incidents a ${lengthName(lengthMs)}`, mark: undefined },
    // A last value where the last step ends.
    rows: [
      [...starts, (starts.at(-1) ?? 0) + lengthMs].map(at => at / 1_000),
      ...names.map(name => {
        const counts = byDetector.get(name) ?? []
        return [...counts, counts.at(-1) ?? 0]
      }),
    ],
    series: names.map((label, index) => ({
      ...{ label, colour: COLOURS[index % COLOURS.length] ?? COLOURS[0], form: 'steps', size: 0 },
    })),
  }
}

export function lengthName(lengthMs: number): string {
  const names: Readonly<Record<number, string>> = { 604800000: 'week', 86400000: 'day', 3600000: 'hour' }
  return names[lengthMs] ?? `${Math.round(lengthMs / 60_000)} minutes`
}

/** Runs in the browser, after uPlot. Colours are the style's, so a plot is drawn anew when the screen turns dark. */
export const plotScript = `
'use strict'
{
  const plots = JSON.parse(document.getElementById('plots').textContent)
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const rounded = value => value == null ? '' : String(Number(value.toPrecision(3)))

  const seriesOf = ({ label, colour: name, form, size }, isTime) => ({
    label,
    stroke: colour(name),
    width: form === 'points' ? 0 : 2,
    spanGaps: form === 'line',
    paths: form === 'points' ? () => null : form === 'steps' ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(),
    points: { show: form === 'points', size, fill: colour(name), stroke: colour('--card'), width: 1 },
    value: (_, value) => rounded(value),
  })

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
    ctx.font = 12 * devicePixelRatio + 'px system-ui, sans-serif'
    const text = ctx.measureText(mark.label).width + 6
    ctx.fillText(mark.label, at + text > bbox.left + bbox.width ? at - text : at + 6, bbox.top + 14 * devicePixelRatio)
    ctx.restore()
  }

  // Zero is a good answer here, and the rest spans thousands: a scale like a logarithm's that has a zero.
  const wide = (least, most) => [Math.min(0, least), Math.max(1, most) * 1.3]
  const scalesOf = ({ isTime, mark }) => isTime
    ? { y: { range: (_, least, most) => [0, Math.max(1, most) * 1.1] } }
    : {
        x: { time: false, distr: 4, asinh: 1, range: (_, least, most) => wide(least, Math.max(most, mark ? mark.at : 0)) },
        y: { distr: 4, asinh: 1, range: (_, least, most) => wide(least, most) },
      }

  const draw = plot => {
    const place = document.getElementById(plot.id)
    place.replaceChildren()
    const width = place.clientWidth
    new uPlot({
      width,
      height: Math.round(Math.min(380, Math.max(260, width * 0.6))),
      scales: scalesOf(plot),
      series: [{ label: plot.isTime ? 'from' : plot.x, ...(plot.isTime ? {} : { value: (_, value) => rounded(value) }) },
        ...plot.series.map(series => seriesOf(series, plot.isTime))],
      axes: [
        axis(plot.x, { values: plot.isTime ? undefined : (_, values) => values.map(rounded), space: 60 }),
        axis(plot.y, { values: (_, values) => values.map(rounded), size: 56 }),
      ],
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
