/** One measured thing, what it should reach, and how it is told: the same for what speed is and for how good detection is. */
import type { Spread } from './ratio.ts'

export interface Figure {
  readonly what: string
  readonly value: Spread
  readonly unit: string
  /** Over how many cases, where it is a share of them. */
  readonly cases?: number
  /** What it should reach; a run has failed when a figure has not. Without one it is told for information. */
  readonly limit?: Limit
}

export type Limit = { readonly atMost: number } | { readonly atLeast: number }

/** The median decides. */
export function isMet({ value, limit }: Figure): boolean {
  if (limit === undefined) return true
  return 'atMost' in limit ? value.median <= limit.atMost : value.median >= limit.atLeast
}

export const figureText = (figure: Figure): string =>
  [`${figure.what}: ${measuredText(figure)}`, limitText(figure)].filter(Boolean).join(', goal ')

/** A row of a table of figures: what, value with its spread, goal. */
export const figureRow = (figure: Figure): string =>
  `| ${figure.what} | ${measuredText(figure)} | ${limitText(figure) ?? ''} |`

const measuredText = ({ value, unit, cases }: Figure): string =>
  [valueText(value), unit, cases === undefined ? '' : `of ${cases}`].filter(Boolean).join(' ')

function limitText({ limit, unit }: Figure): string | undefined {
  if (limit === undefined) return undefined
  return ('atMost' in limit ? `≤ ${numberText(limit.atMost)} ${unit}` : `≥ ${numberText(limit.atLeast)} ${unit}`).trim()
}

const valueText = ({ min, median, max }: Spread): string =>
  min === max ? numberText(median) : `${numberText(median)} (${numberText(min)} to ${numberText(max)})`

export const numberText = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(3)).toString()
