import { expect, test } from 'vitest'
import { detectors } from '../../../detectors/index.ts'
import { weirSchema } from '../../core/config/config.ts'
import { knobsOf, presentSetting } from '../../core/tuning/knob.ts'
import { createReckoner, partsOf, reportOf, type TuneReport } from '../../core/tuning/report.ts'
import { labelled, told } from '../../core/tuning/testing-told.ts'
import type { ToldIncident } from '../../core/tuning/told-incident.ts'
import type { ApiKeyId } from '../../core/vocabulary.ts'
import { createTally } from '../../worker/bare-log.ts'
import { spanText, tuneText } from '../tune-text.ts'
import { tunePage } from './page.ts'
import { timelinePlot } from './plots.ts'
import { style } from './style.ts'

const DAY = 86_400
const knobs = knobsOf(weirSchema.parse({}))
const read = { history: createTally(), log: createTally(), firsts: new Map(), files: ['weir.yaml'] }

const hostile = `</script><script src="https://evil.example/x.js"></script><img src=//evil.example onerror='alert(1)'>`

/** Ten days; under the suggestion of `after` one threshold is another. */
function reportFor(before: readonly ToldIncident[], after: readonly ToldIncident[]): TuneReport {
  const labels = [labelled('a', 'true', 2 * DAY)]
  const parts = partsOf({ from: 0, to: 10 * DAY * 1_000 }, { holdOutMs: undefined, hasHistory: true })
  const reckoner = createReckoner(parts, labels)
  const setting = presentSetting(knobs)
  const present = { setting, judged: reckoner.judge(before) }
  const suggested = {
    setting: { ...setting, 'detectors.sequential-surge.natsThreshold': 27 },
    judged: reckoner.judge(after),
  }
  return reportOf({
    ...{ parts, budgetPerWeek: 1, labels, knobs, searched: { present, suggested, trials: [present, suggested] } },
    against: { name: 'other.yaml', judged: reckoner.judge(after) },
    rises: [
      {
        ...{ keyId: 'key_a' as ApiKeyId, tenant: hostile, callsPerMinute: 60 },
        seen: [
          { seconds: 5, callsPerMinute: 1_200, multiple: 20 },
          { seconds: 60, callsPerMinute: 180, multiple: 3 },
        ],
        told: [undefined, { seconds: 60, callsPerMinute: 240, multiple: 4 }],
      },
    ],
  })
}

const before = [
  told('a', 2 * DAY, { severity: 'high', tenant: hostile }),
  told(`b"><iframe src='http://evil.example'>`, 3 * DAY),
  told('c', 8 * DAY, { detectors: ['sequential-surge', hostile] }),
]
const report = reportFor(before, before.slice(0, 1))
const page = tunePage(report, read)

test('the page needs no other file and no host: its policy forbids any, and nothing in it refers to one', () => {
  expect(page).toContain(`http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;;`)
  const elements = page.replaceAll(/<script[^>]*>[\s\S]*?<\/script>/g, '').replaceAll(/<style>[\s\S]*?<\/style>/g, '')
  const markup = (elements.match(/<[^>]*>/g) ?? []).join('\n')
  expect(markup).not.toMatch(/\s(src|href|srcset|action|data|poster|background)\s*=/i)
  expect(markup).not.toMatch(/<(link|img|iframe|object|embed|base|form|video|audio)\b/i)
  expect(markup).not.toMatch(/http-equiv="refresh"/i)
  const styles = [...page.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, text = '']) => text).join('')
  expect(styles).not.toMatch(/@import|url\(/i)
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text = '']) => text).join('')
  expect(scripts).toContain('uPlot')
  expect(scripts.replaceAll(/\/\*[\s\S]*?\*\//g, '')).not.toMatch(
    /https?:|fetch\(|XMLHttpRequest|WebSocket|import\(|sendBeacon/,
  )
})

test('from where on a rise of a client is seen, and told, stands in the page and in the text', () => {
  expect(page).toContain('From where on a rise is seen')
  expect(page).toContain('<td>3 × (180)</td><td>4 × (240)</td>')
  expect(tuneText(report, read, undefined)).toMatch(/ {2}60 {2,}20 × \(1,200\) {2,}3 × \(180\) {2,}4 × \(240\)$/m)
})

test('names out of a log or of tenants.yaml are text in it, wherever they stand', () => {
  expect(page).not.toContain('<iframe')
  expect(page).not.toContain('<img')
  expect(page.match(/<script\b/g)).toHaveLength(3)
  expect(page.match(/<\/script>/g)).toHaveLength(3)
  expect(page).toContain('&lt;/script&gt;&lt;script src=&quot;https://evil.example/x.js&quot;&gt;')
  const [, plots = ''] = /<script type="application\/json" id="plots">([\s\S]*?)<\/script>/.exec(page) ?? []
  const [tradeOff, timeline] = JSON.parse(plots)
  expect(tradeOff.series.map(({ label }: { label: string }) => label)).toEqual([
    ...['tried', 'best of their kind', 'as it is', 'suggested', 'other.yaml'],
  ])
  expect(timeline.series.map(({ label }: { label: string }) => label)).toContain(hostile)
  for (const { rows } of [tradeOff, timeline]) for (const row of rows) expect(row).toHaveLength(rows[0].length)
})

test('each detector there is has a colour of its own, on a light screen and on a dark one', () => {
  const names = detectors.map(({ name }) => name)
  const { series } = timelinePlot(reportFor([told('a', 2 * DAY, { detectors: names })], []))
  const colours = series.map(({ colour }) => colour)
  expect(new Set(colours).size).toBe(names.length)
  for (const colour of colours) expect(style.split(`${colour}: `)).toHaveLength(3)
})

test('a history of a minute is one of seconds', () => {
  expect([spanText(60_000), spanText(1), spanText(600_000)]).toEqual(['60 seconds', '0.001 seconds', '10 minutes'])
})

test('a command that a person may copy is one word for the shell, whatever the key is called', () => {
  expect(tuneText(reportFor([told(`k'; rm -rf ~ #`, 3 * DAY)], []), read, undefined)).toContain(
    `weir label 'k'\\''; rm -rf ~ ##1' true|false-alarm`,
  )
})

test('text and page say the same of the suggestion: its piece of weir.yaml, what goes, and what is lost by it', () => {
  const text = tuneText(report, read, undefined)
  for (const said of [text, page]) {
    expect(said).toContain(
      `natsThreshold: 27 # was ${presentSetting(knobs)['detectors.sequential-surge.natsThreshold']}`,
    )
    expect(said).toContain('It no longer tells 1 of 2 that are told now.')
  }
  expect(text).toContain('The suggestion, of all days judged: 2 go.')
  expect(text).not.toContain('\u001b')
})

test('where nothing is told there is nothing to draw, and the page still stands', () => {
  const quiet = tunePage(reportFor([], []), read)
  expect(quiet).not.toContain('id="timeline"></div>')
  expect(quiet).toContain('false alarms a week, as it is')
})
