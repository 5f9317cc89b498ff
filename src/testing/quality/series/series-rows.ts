/** What the labelled sets have in common: comma-separated rows of time, value and something more, and rows that are not scored. */
import { readFileSync } from 'node:fs'

export interface SeriesRow {
  /** Epoch seconds. */
  readonly second: number
  /** `undefined` where the row has none. */
  readonly value: number | undefined
  readonly label: string
}

export function readRows(path: string): readonly SeriesRow[] {
  const [, ...lines] = readFileSync(path, 'utf8').trim().split('\n')
  return lines.map(line => {
    const [second, value = '', label = ''] = line.trim().split(',')
    return { second: Number(second), value: value === '' ? undefined : Number(value), label }
  })
}

/** Numenta's rule, for all series: 15 % of the rows, 750 at most. */
export const probationRowsOf = (rows: number): number => Math.min(Math.floor(0.15 * rows), 750)
