/** What was told of a history under one setting: incidents from their opening to their end, made of the changes that a replay tells. */

import type { Explanation, IncidentKind, Severity } from '../explanation/explanation.ts'
import { isPartOfPlatform } from '../explanation/text.ts'
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'

export interface ToldIncident {
  readonly incidentId: string
  readonly keyId: ApiKeyId
  /** The tenant's name, or its id. */
  readonly tenant: string | undefined
  /** What it was called last. */
  readonly kind: IncidentKind
  /** The highest it came to. */
  readonly severity: Severity
  /** When it began as far as could be told, when it was opened, and when it was over (or the log was). Event time. */
  readonly onsetAt: EpochMs
  readonly openedAt: EpochMs
  readonly endedAt: EpochMs
  /** Whatever detector's score was above its threshold whenever something was told of it. */
  readonly detectors: readonly string[]
  /** It was told as part of a platform incident only: nobody was woken for it. */
  readonly isMerged: boolean
  /** A limit was lowered, or would have been. */
  readonly isThrottled: boolean
}

/** A page wakes somebody; the rest is read when there is time. */
export const isPage = ({ severity, isMerged }: ToldIncident): boolean => severity === 'high' && !isMerged

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
  const { incidentId, keyId, tenant, kind, severity, onsetAt, decidedAt, detectors, action, phase } = change
  const names = new Set([...(before?.detectors ?? []), ...detectors.map(({ name }) => name)])
  const isMerged = phase === 'open' ? isPartOfPlatform(change) : true
  return {
    ...{ incidentId, keyId, tenant: tenant?.name ?? tenant?.id, kind },
    severity: before?.severity === 'high' ? 'high' : severity,
    onsetAt: Math.min(before?.onsetAt ?? onsetAt, onsetAt),
    openedAt: before?.openedAt ?? decidedAt,
    endedAt: Math.max(before?.endedAt ?? decidedAt, decidedAt),
    detectors: [...names],
    isMerged: (before?.isMerged ?? true) && isMerged,
    isThrottled: before?.isThrottled === true || throttling.has(action.kind),
  }
}

const inOrder = (one: ToldIncident, other: ToldIncident): number =>
  one.openedAt - other.openedAt || (one.incidentId < other.incidentId ? -1 : one.incidentId > other.incidentId ? 1 : 0)
