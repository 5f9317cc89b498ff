/** Two settings over the same history: which incidents come, go, or move in time, kind or severity. */
import { MINUTE_MS, SECOND_MS } from '../vocabulary.ts'
import type { ToldIncident } from './told-incident.ts'

export type Difference =
  | { readonly kind: 'comes'; readonly after: ToldIncident }
  | { readonly kind: 'goes'; readonly before: ToldIncident }
  | {
      readonly kind: 'moves'
      readonly before: ToldIncident
      readonly after: ToldIncident
      readonly how: readonly Move[]
    }

export type Move = 'sooner' | 'later' | 'kind' | 'severity' | 'telling'

/** Incidents of one key that are open at the same time, or a minute apart, are the same. Each has one counterpart at most. */
export function differences(before: readonly ToldIncident[], after: readonly ToldIncident[]): readonly Difference[] {
  const left = new Map<string, ToldIncident[]>()
  for (const incident of after) left.set(incident.keyId, [...(left.get(incident.keyId) ?? []), incident])
  const found: Difference[] = []
  for (const incident of before) {
    const others = left.get(incident.keyId) ?? []
    const index = counterpart(incident, others)
    const other = others[index]
    if (other === undefined) {
      found.push({ kind: 'goes', before: incident })
      continue
    }
    others.splice(index, 1)
    const how = movesOf(incident, other)
    if (how.length > 0) found.push({ kind: 'moves', before: incident, after: other, how })
  }
  for (const others of left.values()) for (const incident of others) found.push({ kind: 'comes', after: incident })
  return found.filter(isTold).sort((one, other) => timeOf(one) - timeOf(other))
}

/** What nobody was told of before or after is no difference to anybody. */
function isTold(difference: Difference): boolean {
  const sides = [
    ...(difference.kind === 'comes' ? [] : [difference.before]),
    ...(difference.kind === 'goes' ? [] : [difference.after]),
  ]
  return sides.some(({ telling }) => telling !== 'noted')
}

/** The one that began nearest in time, of those that overlap; -1 where none does. */
function counterpart(incident: ToldIncident, others: readonly ToldIncident[]): number {
  let nearest = -1
  let least = Number.POSITIVE_INFINITY
  for (const [index, other] of others.entries()) {
    const overlaps =
      other.onsetAt <= incident.endedAt + MINUTE_MS &&
      other.endedAt >= Math.min(incident.onsetAt, incident.openedAt) - MINUTE_MS
    const apart = Math.abs(other.openedAt - incident.openedAt)
    if (!overlaps || apart >= least) continue
    nearest = index
    least = apart
  }
  return nearest
}

function movesOf(before: ToldIncident, after: ToldIncident): readonly Move[] {
  const moves: Move[] = []
  if (after.openedAt <= before.openedAt - SECOND_MS) moves.push('sooner')
  if (after.openedAt >= before.openedAt + SECOND_MS) moves.push('later')
  if (after.kind !== before.kind) moves.push('kind')
  if (after.severity !== before.severity) moves.push('severity')
  if (after.telling !== before.telling) moves.push('telling')
  return moves
}

const timeOf = (difference: Difference): number =>
  difference.kind === 'comes' ? difference.after.openedAt : difference.before.openedAt
