/** Incidents and labels in a line each, for the tests of what is made of them. Only tests import this file. */
import type { ApiKeyId } from '../vocabulary.ts'
import type { Label, Verdict } from './label.ts'
import type { ToldIncident } from './told-incident.ts'

const SECOND_MS = 1_000

/** Seconds; opened a second after its onset and over a minute later unless the story says otherwise. */
export function told(
  keyId: string,
  onset: number,
  {
    opened = onset + 1,
    ended = opened + 60,
    ...more
  }: Partial<ToldIncident> & { opened?: number; ended?: number } = {},
): ToldIncident {
  return {
    ...{ incidentId: `${keyId}#1`, keyId: keyId as ApiKeyId, tenant: undefined, kind: 'surge', severity: 'low' },
    ...{ onsetAt: onset * SECOND_MS, openedAt: opened * SECOND_MS, endedAt: ended * SECOND_MS },
    ...{ detectors: ['sequential-surge'], telling: 'alerted', isThrottled: false },
    ...more,
  }
}

export function labelled(keyId: string, verdict: Verdict, from: number, to = from + 60): Label {
  return {
    ...{ at: 0, incidentId: `${keyId}#9`, keyId: keyId as ApiKeyId, kind: 'surge', verdict, note: undefined },
    ...{ from: from * SECOND_MS, to: to * SECOND_MS },
  }
}
