/** A run of the quality bench as data, and the page of tables that is made of it: neither is written by hand. */
import { type Figure, figureRow, numberText } from '../bench/figure.ts'
import { marksOf, withSection } from '../bench/marked-section.ts'
import type { BusyRow, SickRow } from './busy-row.ts'
import type { ClaimsRow } from './claims-row.ts'
import { type Clean, sharedRun, stretchText } from './clean-run.ts'
import type { FoundRow } from './found-row.ts'
import type { SeriesScore } from './goals.ts'
import { type PrecisionRow, precision } from './precision-row.ts'
import { sizes } from './size.ts'

export interface QualityResults {
  readonly schema: 'weir.quality/1'
  readonly small: boolean
  readonly heldOut: boolean
  readonly passed: boolean
  /** Of Weir as it comes. */
  readonly goals: readonly Figure[]
  readonly found: readonly FoundRow[]
  readonly clean: readonly Clean[]
  readonly busy: readonly BusyRow[]
  readonly sick: readonly SickRow[]
  readonly precision: readonly PrecisionRow[]
  readonly series: readonly SeriesScore[]
  readonly claims: readonly ClaimsRow[]
}

const marks = marksOf('quality', 'npm run bench:quality -- --keep')

/** The page with its tables replaced. Throws where the two marks are not there. */
export const pageWith = (page: string, results: QualityResults): string =>
  withSection(page, marks, tablesOf(results).join('\n\n'))

/** One row a line, so that a change shows which figures moved. */
export const jsonOf = (results: QualityResults): string =>
  `{\n${Object.entries(results)
    .map(([name, value]) => `${JSON.stringify(name)}: ${Array.isArray(value) ? rowsOf(value) : JSON.stringify(value)}`)
    .join(',\n')}\n}\n`

const rowsOf = (rows: readonly unknown[]): string => `[\n${rows.map(row => JSON.stringify(row)).join(',\n')}\n]`

function tablesOf(results: QualityResults): readonly string[] {
  const { clean, found, busy, sick, goals, heldOut, claims } = results
  return [
    heldOut ? 'Judged: the clients that are held out.' : 'Judged: the clients that are not held out.',
    '### Goals, of Weir as it comes',
    table(['measured', 'value', 'goal'], goals.map(figureRow)),
    '### Side by side',
    sideBySide(results),
    ...(found.length === 0 ? [] : ['### Each misbehaviour', misbehaviours(found)]),
    ...(busy.length === 0 ? [] : ['### Busy days', busyDays(busy)]),
    ...(sick.length === 0 ? [] : ['### Days on which the API itself is sick', sickDays(sick)]),
    ...(clean.length === 0 ? [] : ['### Clean traffic', cleanRuns(clean)]),
    ...(claims.length === 0 ? [] : ['### What Weir says of its own knowledge', claimsKept(claims)]),
  ]
}

const whole = 'whole'
const original = 'the original three'

/** Measures down, configurations across. */
function sideBySide({ found, clean, busy, sick, precision: precisions, series }: QualityResults): string {
  const names = [
    ...new Set([found, clean, busy, precisions].flatMap(rows => rows.map(({ configuration }) => configuration))),
  ]
  const row = (what: string, cell: (configuration: string) => string | undefined): readonly string[] => {
    const cells = names.map(name => cell(name) ?? '')
    return cells.every(text => text === '') ? [] : [line([what, ...cells])]
  }
  const foundIn = (configuration: string, tenants: FoundRow['tenants']): FoundRow | undefined =>
    found.find(each => each.configuration === configuration && each.of === 'all' && each.tenants === tenants)
  const all = (configuration: string) => foundIn(configuration, 'all')
  const shared = sharedRun(clean)
  const cleanOf = (name: string): Clean | undefined => shared.find(({ configuration }) => configuration === name)
  const perWeeks = (count: (clean: Clean) => number) => (configuration: string) => {
    const run = cleanOf(configuration)
    return run && numberText((1_000 * count(run)) / run.tenantWeeks)
  }
  const busyOf = (configuration: string) => busy.find(each => each.configuration === configuration && each.of === 'all')
  const sickOf = (configuration: string) => sick.find(each => each.configuration === configuration && each.of === 'all')
  const precisionOf = (configuration: string) => precisions.find(each => each.configuration === configuration)
  return table(
    ['', ...names],
    [
      ...sizes.flatMap(size => row(`found, ${size}`, name => percent(foundIn(name, size)?.found))),
      ...row('delay: median / 95th / worst', name => delayText(all(name))),
      ...row('paged', name => percent(all(name)?.paged)),
      ...row('throttled', name => percent(all(name)?.throttled)),
      ...row('kind right', name => percent(all(name)?.kindRight)),
      ...row('open before it began', name => openBefore(all(name))),
      ...row(
        `low incidents per 1,000 tenant-weeks, ${shared[0]?.tenants ?? 0} clean tenants`,
        perWeeks(({ low }) => low),
      ),
      ...row(
        '… of these alerted, and not only noted',
        perWeeks(({ lowAlerted }) => lowAlerted),
      ),
      ...row(
        '… pages',
        perWeeks(({ high, platform }) => high + platform),
      ),
      ...row(
        '… suggested throttles',
        perWeeks(({ throttles }) => throttles),
      ),
      ...row('busy days: told', name => percent(busyOf(name)?.told)),
      ...row('… paged', name => percent(busyOf(name)?.paged)),
      ...row('… throttled', name => percent(busyOf(name)?.throttled)),
      ...row('sick API: told once', name => percentOf(sickOf(name))),
      ...row('precision of throttles', name => precisionText(precisionOf(name)?.throttles)),
      ...row('precision of pages', name => precisionText(precisionOf(name)?.pages)),
      ...[...new Set(series.map(each => each.what))].flatMap(benchmark =>
        row(benchmark, name => {
          const score = series.find(each => each.what === benchmark && each.configuration === name)?.score
          return score === undefined ? undefined : numberText(score)
        }),
      ),
    ],
  )
}

function misbehaviours(found: readonly FoundRow[]): string {
  const names = [...new Set(found.map(({ of }) => of))].filter(name => name !== 'all')
  const rowOf = (configuration: string, of: string, tenants: FoundRow['tenants']): FoundRow | undefined =>
    found.find(each => each.configuration === configuration && each.of === of && each.tenants === tenants)
  return table(
    [
      'misbehaviour',
      ...sizes.map(size => `found, ${size}`),
      'delay: median / 95th / worst',
      'paged',
      'kind right',
      `found by ${original}`,
    ],
    names.map(name => {
      const all = rowOf(whole, name, 'all')
      return line([
        name,
        ...sizes.map(size => shareText(rowOf(whole, name, size))),
        delayText(all) ?? '',
        percent(all?.paged) ?? '',
        percent(all?.kindRight) ?? '',
        shareText(rowOf(original, name, 'all')),
      ])
    }),
  )
}

function busyDays(busy: readonly BusyRow[]): string {
  const names = [...new Set(busy.map(({ of }) => of))].filter(name => name !== 'all')
  const cells = (configuration: string, name: string): readonly string[] => {
    const row = busy.find(each => each.configuration === configuration && each.of === name)
    return [percent(row?.told) ?? '', percent(row?.paged) ?? '', percent(row?.throttled) ?? '']
  }
  return table(
    ['busy day', 'told', 'paged', 'throttled', `${original}: told`, 'paged', 'throttled'],
    names.map(name => line([name, ...cells(whole, name), ...cells(original, name)])),
  )
}

function sickDays(sick: readonly SickRow[]): string {
  return table(
    ['day', 'configuration', 'days', 'told once', 'clients told of', 'clients throttled'],
    sick
      .filter(({ configuration, of }) => of !== 'all' && (configuration === whole || configuration === original))
      .map(({ of, configuration, days, toldOnce, clientsTold, clientsThrottled }) =>
        line([of, configuration, `${days}`, `${toldOnce}`, numberText(clientsTold), numberText(clientsThrottled)]),
      ),
  )
}

function cleanRuns(clean: readonly Clean[]): string {
  return table(
    [
      'tenants',
      'for',
      'configuration',
      'low incidents',
      'of these alerted',
      'pages',
      'platform pages',
      'suggested throttles',
      'tenant-weeks',
    ],
    clean.map(({ tenants, days, configuration, low, lowAlerted, high, platform, throttles, tenantWeeks }) =>
      line([
        tenants.toLocaleString('en'),
        stretchText(days),
        configuration,
        ...[low, lowAlerted, high, platform, throttles, tenantWeeks].map(numberText),
      ]),
    ),
  )
}

/** Clients down; what is stated of them across. */
function claimsKept(claims: readonly ClaimsRow[]): string {
  const [first] = claims
  return table(
    [
      'clients',
      ...(first?.rises ?? []).map(({ seconds }) => `stated rises seen within ${seconds} s`),
      'minutes above the band',
      'below it',
      ...(first?.rarities ?? []).map(({ stated }) => `“${stated} a week” came`),
      'tenant-weeks',
    ],
    claims.map(({ of, rises, above, below, rarities, tenantWeeks }) =>
      line([
        of,
        ...rises.map(
          ({ trials, found, timesLeastSeen }) =>
            `${percent(found)} of ${trials}${timesLeastSeen === undefined ? '' : `; ${numberText(timesLeastSeen)} × the least`}`,
        ),
        ...[above, below].map(share => percent(share) ?? ''),
        ...[...rarities.map(({ came }) => came), tenantWeeks].map(numberText),
      ]),
    ),
  )
}

const table = (head: readonly string[], rows: readonly string[]): string =>
  [line(head), `|${'---|'.repeat(head.length)}`, ...rows].join('\n')

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const percent = (share: number | undefined): string | undefined =>
  share === undefined ? undefined : `${numberText(100 * share)} %`

/** A share and of how many, since of few it says little. */
const shareText = (row: FoundRow | undefined): string =>
  row === undefined || row.cases === 0 ? '' : `${numberText(100 * row.found)} % of ${row.cases}`

const openBefore = (row: FoundRow | undefined): string | undefined =>
  row === undefined ? undefined : percent(row.openBefore / (row.cases + row.openBefore))

const percentOf = (row: SickRow | undefined): string | undefined =>
  row === undefined || row.days === 0 ? undefined : percent(row.toldOnce / row.days)

function precisionText(counts: PrecisionRow['pages'] | undefined): string | undefined {
  const share = counts && precision(counts)
  return share === undefined || counts === undefined ? undefined : `${percent(share)} of ${counts.right + counts.wrong}`
}

function delayText(row: FoundRow | undefined): string | undefined {
  if (row?.delaySeconds === undefined) return undefined
  const { median, p95, worst } = row.delaySeconds
  return `${[median, p95, worst].map(numberText).join(' / ')} s`
}
