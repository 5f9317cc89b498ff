/**
 * The page of `weir tune --html`: one file that holds all it needs, opens from a disk, and asks no other host for anything
 * (its own policy forbids it to). The plots are uPlot's, which is put into the page; the tables say the same without them.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Bill, keepsWithin } from '../../core/tuning/bill.ts'
import type { Difference } from '../../core/tuning/difference.ts'
import type { Judged, TuneReport } from '../../core/tuning/report.ts'
import { counted, iso, number } from '../plain-words.ts'
import {
  amount,
  differenceText,
  frontier,
  HASHED,
  isHashed,
  labelCommandFor,
  type Read,
  riseCells,
  secondsText,
  spanText,
  trialCells,
  warningsOf,
  weekly,
} from '../tune-text.ts'
import { embeddedJson, html, type Markup, raw } from './html.ts'
import { type Plot, plotScript, timelinePlot, tradeOffPlot } from './plots.ts'
import { style } from './style.ts'

/** What the page may do: show itself. */
export const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

export function tunePage(report: TuneReport, read: Read): string {
  const plots = [...(report.trials.length > 1 ? [tradeOffPlot(report)] : []), timelinePlot(report)]
  const { span } = report.parts
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${pagePolicy}">
<title>Weir: tuned on ${daysOf(span)}</title>
<style>${raw(uplotFile('uPlot.min.css'))}${raw(style)}</style>
</head>
<body>
<main>
${headOf(report, read)}
${figuresOf(report)}
${billsSection(report)}
${plotSection(report, plots)}
${suggestionSection(report)}
${againstSection(report)}
${trialSection(report)}
${timelineSection(plots)}
${shareSection(report)}
${tenantSection(report)}
${riseSection(report)}
${labelSection(report)}
${footerOf(report)}
</main>
<script type="application/json" id="plots">${embeddedJson(plots)}</script>
<script>/* uPlot 1.6, MIT, Leon Sorokin */ ${raw(uplotFile('uPlot.iife.min.js'))}</script>
<script>${raw(plotScript)}</script>
</body>
</html>
`.markup
}

/** Of uPlot as it is installed. */
export function uplotFile(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), 'utf8')
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10)

function daysOf({ from, to }: TuneReport['parts']['span']): string {
  return day(from) === day(to) ? day(from) : `${day(from)} to ${day(to)}`
}

function headOf({ parts, budgetPerWeek, labels, trials }: TuneReport, { log, files }: Read): Markup {
  const { span, tuned, heldOut } = parts
  return html`<header>
<h1>What Weir would have said, ${daysOf(span)}</h1>
<p class="soft">${counted(log.calls, 'call')}, ${iso(span.from)} to ${iso(span.to)} (UTC). ${counted(trials.length, 'setting')} tried on
${spanText(tuned.to - tuned.from)}; the last ${spanText(heldOut.to - heldOut.from)} were held out, and tell whether the choice was luck.
${labels.true + labels.falseAlarm > 0 ? `${counted(labels.true, 'incident is', 'incidents are')} labelled true, ${counted(labels.falseAlarm, 'false alarm')}.` : 'No incident has been labelled.'}
${files.length > 0 ? `Settings: ${files.join(', ')}.` : ''}</p>
<p class="soft">Wanted: at most ${amount(budgetPerWeek)} false ${budgetPerWeek === 1 ? 'alarm' : 'alarms'} a week for the whole fleet. A page counts one, low severity a
twentieth; what nobody has labelled counts half.</p>
</header>`
}

function figuresOf({ present, suggested, changed, budgetPerWeek }: TuneReport): Markup {
  const isKept = keepsWithin(suggested.tuned, budgetPerWeek)
  const figure = (value: string, words: string, look = '') =>
    html`<div class="figure ${look}"><b>${value}</b><span>${words}</span></div>`
  return html`<div class="figures">
${figure(weekly(present.tuned), 'false alarms a week, as it is')}
${figure(weekly(suggested.tuned), changed.length === 0 ? 'none tried was better' : 'suggested', isKept ? 'good' : 'warn')}
${figure(weekly(suggested.heldOut), 'suggested, on the days held out')}
${figure(suggested.tuned.delay === undefined ? '–' : secondsText(suggested.tuned.delay.median), 'until told, suggested (median)')}
</div>`
}

function billsSection({ present, suggested, against, changed }: TuneReport): Markup {
  return html`<section>
<h2>What it costs, and how soon it tells</h2>
<div class="wide"><table>
<tr><th></th><th>pages</th><th>low<br>severity</th><th>only<br>noted</th><th>limits<br>lowered</th><th>false<br>alarms</th><th>a week</th><th>found</th><th>labelled<br>true, found</th><th>delay:<br>median</th><th>95th</th></tr>
${billRows('As it is', present)}
${changed.length === 0 ? undefined : billRows('Suggested', suggested, true)}
${against && billRows(against.name, against)}
</table></div>
<p class="soft">Found: of what is labelled true, and of what is told now and nobody has called a false alarm. Delay: from its beginning
to the telling, in event time.</p>
</section>`
}

function billRows(name: string, { tuned, heldOut }: Judged, isChosen = false): Markup {
  return html`${billRow(`${name}, tuned on`, tuned, isChosen)}${billRow(`${name}, held out`, heldOut, isChosen)}`
}

function billRow(name: string, bill: Bill, isChosen: boolean): Markup {
  const { pages, low, noted, throttles, falseAlarms, found, due, labelled, labelledFound, delay } = bill
  const cells = [
    ...[number(pages), number(low), number(noted), number(throttles), amount(falseAlarms), weekly(bill)],
    ...[`${number(found)} of ${number(due)}`, labelled === 0 ? '–' : `${number(labelledFound)} of ${number(labelled)}`],
    ...[delay ? secondsText(delay.median) : '–', delay ? secondsText(delay.p95) : '–'],
  ]
  return html`<tr class="${isChosen ? 'chosen' : ''}"><td>${name}</td>${cells.map(cell => html`<td>${cell}</td>`)}</tr>`
}

function plotSection({ trials }: TuneReport, plots: readonly Plot[]): Markup {
  if (!plots.some(({ id }) => id === 'trade-off')) return html``
  return html`<section>
<h2>The trade-off</h2>
<p class="soft">Each of the ${number(trials.length)} points is one setting, replayed over the same history. Left is quieter, low is quicker. The time is a mean
over all that is to be told, where what is not told at all counts as 20 minutes.</p>
<div class="plot" id="trade-off"></div>
</section>`
}

function suggestionSection(report: TuneReport): Markup {
  const { yaml, difference, trials } = report
  if (trials.length < 2) return html``
  if (yaml === '')
    return html`<section><h2>Suggested</h2><p>Nothing: of ${counted(trials.length - 1, 'other setting')} none is better than the present one.</p></section>`
  return html`<section>
<h2>Suggested for weir.yaml</h2>
<pre>${yaml}</pre>
${warningsOf(report).map(warning => html`<p>${warning}</p>`)}
${differenceTable(difference)}
</section>`
}

function againstSection({ against }: TuneReport): Markup {
  if (against === undefined) return html``
  return html`<section><h2>${against.name}, against what it is now</h2>${differenceTable(against.difference)}</section>`
}

const SHOWN = 40

function differenceTable(difference: readonly Difference[]): Markup {
  if (difference.length === 0) return html`<p>The same incidents as now.</p>`
  const count = (kind: Difference['kind']) => number(difference.filter(one => one.kind === kind).length)
  return html`<p>Of all days judged, ${count('goes')} go, ${count('comes')} come, ${count('moves')} move.${difference.length > SHOWN ? ` The first ${SHOWN}:` : ''}</p>
<div class="wide"><table>
${difference.slice(0, SHOWN).map(one => html`<tr><td><span class="tag ${one.kind}">${one.kind}</span></td><td class="words">${differenceText(one).slice(one.kind.length).trim()}</td></tr>`)}
</table></div>`
}

function trialSection(report: TuneReport): Markup {
  const { trials } = report
  if (trials.length < 2) return html``
  const best = frontier(report)
  const rest = trials.filter(trial => !best.includes(trial))
  return html`<section>
<h2>What each setting would have told</h2>
<p class="soft">No setting that was tried has both fewer false alarms and less delay than one of these.</p>
${trialTable(best, report)}
${rest.length === 0 ? undefined : html`<details><summary>The other ${number(rest.length)}</summary>${trialTable(rest, report)}</details>`}
</section>`
}

function trialTable(trials: TuneReport['trials'], report: TuneReport): Markup {
  return html`<div class="wide"><table>
<tr><th>pages</th><th>low<br>severity</th><th>false<br>alarms</th><th>found</th><th>delay</th><th>held out:<br>false alarms</th><th class="words">setting</th></tr>
${trials.map(trial => {
  const cells = trialCells(trial, report)
  const look = trial.setting === report.suggested.setting && report.changed.length > 0 ? 'chosen' : ''
  return html`<tr class="${look}">${cells.slice(0, -1).map(cell => html`<td>${cell}</td>`)}<td class="words">${cells.at(-1)}</td></tr>`
})}
</table></div>`
}

function timelineSection(plots: readonly Plot[]): Markup {
  const plot = plots.find(({ id }) => id === 'timeline')
  if (plot === undefined || plot.series.length === 0) return html``
  return html`<section>
<h2>${plot.title}</h2>
<p class="soft">As it is now. Where several speak of one incident, each has it.</p>
<div class="plot" id="timeline"></div>
</section>`
}

function shareSection({ shares, changed }: TuneReport): Markup {
  return html`<section>
<h2>Each detector's share</h2>
<div class="wide"><table>
<tr><th>detector</th><th>spoke in</th><th>pages</th><th>alone in</th><th>labelled<br>true</th><th>false<br>alarms</th>${changed.length === 0 ? undefined : html`<th>suggested:<br>spoke in</th>`}</tr>
${shares.map(
  ({ present, suggested }) =>
    html`<tr><td>${present.detector}</td>${[
      ...[present.spoke, present.pages, present.alone, present.labelledTrue, present.labelledFalse],
      ...(changed.length === 0 ? [] : [suggested.spoke]),
    ].map(value => html`<td>${number(value)}</td>`)}</tr>`,
)}
</table></div>
<p class="soft">Alone: without it the incident would not have been told.</p>
</section>`
}

const MOST_TENANTS = 25

function tenantSection({ tenants, changed }: TuneReport): Markup {
  if (tenants.length === 0) return html``
  return html`<section>
<h2>Of whom most is told</h2>
<div class="wide"><table>
<tr><th>client</th><th>pages</th><th>low<br>severity</th>${changed.length === 0 ? undefined : html`<th>suggested:<br>pages</th><th>low<br>severity</th>`}</tr>
${tenants
  .slice(0, MOST_TENANTS)
  .map(
    ({ who, pages, low, afterPages, afterLow }) =>
      html`<tr><td class="words">${who}</td>${[pages, low, ...(changed.length === 0 ? [] : [afterPages, afterLow])].map(value => html`<td>${number(value)}</td>`)}</tr>`,
  )}
</table></div>
${tenants.length > MOST_TENANTS ? html`<p class="soft">… of ${counted(tenants.length, 'client')}.</p>` : undefined}
</section>`
}

function riseSection({ rises }: TuneReport): Markup {
  const known = rises.filter(({ seen }) => seen.length > 0)
  if (known.length === 0) return html``
  return html`<section>
<h2>From where on a rise is seen</h2>
<p class="soft">As it is: the least steady rise of a client that opens an incident in so many seconds, as a multiple of its usual (calls a minute), in the middle of the
hours of a day; and the least that people are told of within a minute.</p>
<div class="wide"><table>
<tr><th>client</th><th>usual<br>a minute</th>${known[0]?.seen.map(({ seconds }) => html`<th>within<br>${String(seconds)} s</th>`)}<th>people told,<br>within 60 s</th></tr>
${known.slice(0, MOST_TENANTS).map(one => {
  const [who = '', ...cells] = riseCells(one)
  return html`<tr><td class="words">${who}</td>${cells.map(cell => html`<td>${cell}</td>`)}</tr>`
})}
</table></div>
${known.length > MOST_TENANTS ? html`<p class="soft">… of ${counted(known.length, 'client')}, the busiest.</p>` : undefined}
</section>`
}

const MOST_LABELS = 8

function labelSection({ unlabelled }: TuneReport): Markup {
  if (unlabelled.length === 0) return html``
  return html`<section>
<h2>What nobody has labelled</h2>
<p>${counted(unlabelled.length, 'incident')} told now: half of each counts as a false alarm. A label of one of these says most:</p>
<pre>${unlabelled.slice(0, MOST_LABELS).map(labelCommandFor).join('\n')}</pre>
${unlabelled.some(isHashed) ? html`<p class="soft">${HASHED}</p>` : undefined}
</section>`
}

function footerOf({ trials }: TuneReport): Markup {
  return html`<footer>Made by weir tune. Each of ${counted(trials.length, 'setting')} was replayed as a whole over the same calls, since what is decided
changes what is known later.</footer>`
}
