/**
 * What a small run must not fall back behind: what detection reached when this was written, with a margin. Shares alone,
 * so that no machine's speed shows. Whoever makes detection better raises them.
 */
import type { Figure, Limit } from '../bench/figure.ts'

const floors: Readonly<Record<string, Limit>> = {}

/** The same figures with floors for limits. Throws where a floor has no figure: it would guard nothing. */
export function againstFloors(figures: readonly Figure[], isWhole: boolean): readonly Figure[] {
  const missing = Object.keys(floors).filter(what => !figures.some(figure => figure.what === what))
  if (isWhole && missing.length > 0) throw new Error(`no figure is called ${missing.join(', ')}`)
  return figures.map(({ limit: _, ...figure }) => {
    const floor = floors[figure.what]
    return floor === undefined ? figure : { ...figure, limit: floor }
  })
}
