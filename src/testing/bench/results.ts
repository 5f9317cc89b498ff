/** A run's figures, and the documentation's table made of them: the table is never written by hand. */
import type { Figure } from './part.ts'
import type { Spread } from './ratio.ts'

export interface Results {
  readonly schema: 'weir.bench/1'
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string }
  readonly small: boolean
  readonly rounds: number
  readonly passed: boolean
  readonly parts: readonly { readonly name: string; readonly compares: string; readonly figures: readonly Figure[] }[]
}

const begin = '<!-- bench: made by `npm run bench -- --keep` -->'
const end = '<!-- /bench -->'

/** The README with its table of figures replaced. Throws where the two marks are not there. */
export function readmeWith(readme: string, results: Results): string {
  const from = readme.indexOf(begin)
  const to = readme.indexOf(end)
  if (from < 0 || to < from) throw new Error(`README.md should hold ${begin} and ${end}`)
  return `${readme.slice(0, from + begin.length)}\n${tableOf(results)}\n${readme.slice(to)}`
}

/** One row a figure: what, median with its spread, what was aimed at. */
export function tableOf({ machine, parts, rounds }: Results): string {
  const rows = parts.flatMap(({ figures }) =>
    figures.map(
      figure => `| ${figure.what} | ${valueText(figure.value)} ${figure.unit} | ${limitText(figure) ?? ''} |`,
    ),
  )
  return [
    '| measured | median (least to most) | goal |',
    '|---|---|---|',
    ...rows,
    '',
    `${machine.cores} cores (${machine.cpu}), Node ${machine.node}, ${rounds} rounds.`,
  ].join('\n')
}

export const figureText = (figure: Figure): string =>
  [`${figure.what}: ${valueText(figure.value)} ${figure.unit}`, limitText(figure)].filter(Boolean).join(', goal ')

function limitText({ limit, unit }: Figure): string | undefined {
  if (limit === undefined) return undefined
  return 'atMost' in limit ? `≤ ${numberText(limit.atMost)} ${unit}` : `≥ ${numberText(limit.atLeast)} ${unit}`
}

const valueText = ({ min, median, max }: Spread): string =>
  min === max ? numberText(median) : `${numberText(median)} (${numberText(min)} to ${numberText(max)})`

const numberText = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(3)).toString()
