/** The soak as one HTML file: every measure over time, drawn as the page of `weir tune` draws. It asks no other host for anything. */
import { embeddedJson, html, type Markup, raw } from '../../cli/tune-page/html.ts'
import { pagePolicy, uplotFile } from '../../cli/tune-page/page.ts'
import { type Plot, plotScript } from '../../cli/tune-page/plots.ts'
import { style } from '../../cli/tune-page/style.ts'
import { type Measure, type SoakReport, soakHead, soakRows, totalsText } from './soak-report.ts'

export function soakPage(report: SoakReport): string {
  const { asked, machine, warmUpMinutes, broken, beganAt } = report
  const plots = plotsOf(report)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${pagePolicy}">
<title>Weir: soak of ${asked.minutes} minutes</title>
<style>${raw(uplotFile('uPlot.min.css'))}${raw(style)}</style>
</head>
<body>
<main>
<header>
<h1>A worker left on for ${asked.minutes} minutes</h1>
<p class="soft">From ${new Date(beganAt).toISOString()}; ${asked.callsPerSecond} calls a second of ${asked.keys} clients, a storm every three minutes; ${machine.cores} cores (${machine.cpu}), Node
${machine.node}. Levels and slopes are of what came after ${warmUpMinutes} minutes of warm-up.</p>
<p class="soft">${totalsText(report)}</p>
<p>${broken.length === 0 ? (report.totals === null ? 'So far as it should be.' : 'All as it should be.') : broken.join('; ')}</p>
</header>
<section>
<div class="wide"><table>
<tr>${soakHead.map(cell => html`<th>${cell}</th>`)}</tr>
${soakRows(report).map(row => html`<tr>${row.map(cell => html`<td>${cell}</td>`)}</tr>`)}
</table></div>
<p class="soft">Growth: Theil and Sen's slope of the minutes, with its interval of 95 %. Flat: even the upper end of the interval is within 5 % of the level in an hour.</p>
</section>
${plots.map(sectionOf)}
<footer>Made by npm run soak.</footer>
</main>
<script type="application/json" id="plots">${embeddedJson(plots)}</script>
<script>/* uPlot 1.6, MIT, Leon Sorokin */ ${raw(uplotFile('uPlot.iife.min.js'))}</script>
<script>${raw(plotScript)}</script>
</body>
</html>
`.markup
}

const sectionOf = ({ id, title }: Plot): Markup => html`<section>
<h2>${title}</h2>
<div class="plot" id="${id}"></div>
</section>`

/** Which measures share a picture: those of one unit and one size. */
const pictures: readonly {
  readonly id: string
  readonly title: string
  readonly y: string
  readonly names: readonly string[]
}[] = [
  {
    ...{ id: 'memory', title: 'Memory', y: 'MB' },
    names: ['memory of the process (RSS)', 'heap in use, least of a minute', 'outside the heap (buffers)'],
  },
  { id: 'state', title: 'State directory', y: 'MB', names: ['state directory'] },
  { id: 'lag', title: 'Lag', y: 'ms', names: ['lag', 'event loop held up, longest of 5 s'] },
  { id: 'behind', title: 'Not counted yet', y: 'calls', names: ['calls sent and not counted', 'lag in records'] },
  { id: 'checkpoint', title: 'Writing a checkpoint', y: 'ms', names: ['writing a checkpoint'] },
  { id: 'files', title: 'Files', y: 'files', names: ['open files', 'files in the state directory'] },
]

const plotsOf = ({ measures }: SoakReport): readonly Plot[] =>
  pictures.map(({ id, title, y, names }): Plot => {
    const shown = names.flatMap(name => measures.filter(measure => measure.name === name))
    return {
      ...{ id, title, y, isTime: true, isWide: false, x: '', mark: undefined },
      rows: [(shown[0]?.values ?? []).map(({ at }) => at / 1_000), ...shown.map(rowOf)],
      series: shown.map(({ name }, index) => ({
        ...{ label: name, colour: `--series-${index + 1}`, form: 'line', size: 0 },
      })),
    }
  })

const rowOf = ({ values }: Measure): readonly (number | null)[] =>
  values.map(({ value }) => (Number.isNaN(value) ? null : value))
