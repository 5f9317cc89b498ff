/**
 * What a small run must not fall back behind: what detection reached when this was written, with a margin. Shares alone,
 * so that no machine's speed shows. Whoever makes detection better raises them.
 */
import type { Figure, Limit } from '../bench/figure.ts'

const floors: Readonly<Record<string, Limit>> = {
  '500× at ≥ 60/min: found': { atLeast: 1 },
  '500× at ≥ 60/min: 99th percentile of the delay': { atMost: 2 },
  '500× at 1–60/min, from an excess of 20 calls: found': { atLeast: 1 },
  '≥ 10× at ≥ 60/min, beyond its own week: found': { atLeast: 1 },
  'all misbehaviour: found': { atLeast: 0.7 },
  'kind named right': { atLeast: 0.8 },
  'clean traffic of 20 tenants, 1 day: pages': { atMost: 400 },
  'clean traffic of 20 tenants, 1 day: incidents of low severity': { atMost: 15_000 },
  'clean traffic of 20 tenants, 1 day: alerts of low severity': { atMost: 2_500 },
  'clean traffic of 20 tenants, 1 day: suggested throttles': { atMost: 0 },
  'rises as stated: seen within 5 s': { atLeast: 0.95 },
  'rises as stated: seen within 15 s': { atLeast: 0.95 },
  'rises as stated: seen within 60 s': { atLeast: 0.95 },
  'rises as stated, of the least seen within 15 s': { atMost: 1.5 },
  'what is called 1 a week came': { atMost: 3 },
  'busy days: throttled': { atMost: 0 },
  'busy days: paged': { atMost: 0.05 },
  'busy days: told': { atMost: 0.4 },
  'sick API: told once': { atLeast: 1 },
  'sick API: clients throttled': { atMost: 0 },
  'precision of throttles': { atLeast: 0.9 },
  'precision of pages': { atLeast: 0.9 },
}

/** The same figures with floors for limits. Throws where a floor has no figure: it would guard nothing. */
export function againstFloors(figures: readonly Figure[], isWhole: boolean): readonly Figure[] {
  const missing = Object.keys(floors).filter(what => !figures.some(figure => figure.what === what))
  if (isWhole && missing.length > 0) throw new Error(`no figure is called ${missing.join(', ')}`)
  return figures.map(({ limit: _, ...figure }) => {
    const floor = floors[figure.what]
    return floor === undefined ? figure : { ...figure, limit: floor }
  })
}
