/** What was told of a history under one setting: incidents from their opening to their end, made of the changes that a replay tells. */

import type { Explanation, IncidentKind, Severity } from '../explanation/explanation.ts'
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'

export interface ToldIncident {
  readonly incidentId: string
  readonly keyId: ApiKeyId
  /** The tenant's name, or its id. */
  readonly tenant: string | undefined
  /** What it was called last. */
  readonly kind: IncidentKind
  /** The highest that people were alerted with; of one that they were not, the highest it came to. */
  readonly severity: Severity
  /** Whether people were alerted, or whether it was told as a part of a platform incident, or only noted. */
  readonly telling: Explanation['telling']
  /** When it began as far as could be told, when it was told (of one that is only noted: opened), and when it was over, or the log was. */
  readonly onsetAt: EpochMs
  readonly openedAt: EpochMs
  readonly endedAt: EpochMs
  /** Whatever detector's score was above its threshold whenever something was told of it. */
  readonly detectors: readonly string[]
  /** A limit was lowered, or would have been. */
  readonly isThrottled: boolean
}

export const isAlerted = ({ telling }: Pick<ToldIncident, 'telling'>): boolean => telling === 'alerted'

/** A page wakes somebody; the rest is read when there is time. */
export const isPage = (incident: ToldIncident): boolean => incident.severity === 'high' && isAlerted(incident)

/** Takes changes in the order told; `end` is where the log ends, for incidents that were open then. */
export function createToldIncidents() {
  const byId = new Map<string, ToldIncident>()
  const open = new Set<string>()
  return {
    take(change: Explanation): void {
      const { incidentId, phase } = change
      byId.set(incidentId, joined(byId.get(incidentId), change))
      if (phase === 'closed') open.delete(incidentId)
      else open.add(incidentId)
    },
    read: (end: EpochMs): readonly ToldIncident[] =>
      [...byId.values()]
        .map(told => (open.has(told.incidentId) ? { ...told, endedAt: Math.max(told.endedAt, end) } : told))
        .sort(inOrder),
  }
}

const throttling: ReadonlySet<Explanation['action']['kind']> = new Set(['suggest', 'throttle', 'throttled'])

function joined(before: ToldIncident | undefined, change: Explanation): ToldIncident {
  const { incidentId, keyId, tenant, kind, severity, telling, onsetAt, decidedAt, detectors, action } = change
  if (before === undefined)
    return {
      ...{ incidentId, keyId, tenant: tenant?.name ?? tenant?.id, kind, severity, telling },
      ...{ onsetAt, openedAt: decidedAt, endedAt: decidedAt, detectors: detectors.map(({ name }) => name) },
      isThrottled: throttling.has(action.kind),
    }
  const isNowHeard = isAlerted(change) && !isAlerted(before)
  return {
    ...before,
    ...{ kind, telling: isAlerted(before) ? before.telling : telling },
    severity: isNowHeard ? severity : before.severity === 'high' ? 'high' : severity,
    onsetAt: Math.min(before.onsetAt, onsetAt),
    openedAt: isNowHeard ? decidedAt : before.openedAt,
    endedAt: Math.max(before.endedAt, decidedAt),
    detectors: [...new Set([...before.detectors, ...detectors.map(({ name }) => name)])],
    isThrottled: before.isThrottled || throttling.has(action.kind),
  }
}

const inOrder = (one: ToldIncident, other: ToldIncident): number =>
  one.openedAt - other.openedAt || (one.incidentId < other.incidentId ? -1 : one.incidentId > other.incidentId ? 1 : 0)
