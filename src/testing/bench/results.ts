/** A run's figures, and the documentation's table made of them: the table is never written by hand. */
import { type Figure, figureRow } from './figure.ts'
import { marksOf, withSection } from './marked-section.ts'

export interface Results {
  readonly schema: 'weir.bench/1'
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string }
  readonly small: boolean
  readonly rounds: number
  readonly passed: boolean
  readonly parts: readonly { readonly name: string; readonly compares: string; readonly figures: readonly Figure[] }[]
}

const marks = marksOf('bench', 'npm run bench -- --keep')

/** The README with its table of figures replaced. Throws where the two marks are not there. */
export const readmeWith = (readme: string, results: Results): string => withSection(readme, marks, tableOf(results))

/** One row a figure: what, median with its spread, what was aimed at. */
export function tableOf({ machine, parts, rounds }: Results): string {
  return [
    '| measured | median (least to most) | goal |',
    '|---|---|---|',
    ...parts.flatMap(({ figures }) => figures.map(figureRow)),
    '',
    `${machine.cores} cores (${machine.cpu}), Node ${machine.node}, ${rounds} rounds.`,
  ].join('\n')
}
