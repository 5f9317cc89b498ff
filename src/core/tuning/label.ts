/**
 * What a person says of an incident: it was one, or it was a false alarm. A label names the key and the time as well as
 * the incident, since in a replay the same misbehaviour is another number, begins a second sooner, or is two.
 */
import type { IncidentKind } from '../explanation/explanation.ts'
import { type ApiKeyId, type EpochMs, MINUTE_MS } from '../vocabulary.ts'
import type { ToldIncident } from './told-incident.ts'

export type Verdict = 'true' | 'false-alarm'

export interface Label {
  /** When it was given. */
  readonly at: EpochMs
  readonly incidentId: string
  readonly keyId: ApiKeyId
  /** undefined where the incident was named by a time alone. */
  readonly kind: IncidentKind | undefined
  /** From its onset to its end, event time. */
  readonly from: EpochMs
  readonly to: EpochMs
  readonly verdict: Verdict
  readonly note: string | undefined
}

/** Other settings find the same thing somewhat sooner or later. */
export const LEEWAY_MS = MINUTE_MS

/** Whether both speak of the same key at about the same time. */
export function isOfSame(
  label: Pick<Label, 'keyId' | 'from' | 'to'>,
  { keyId, onsetAt, openedAt, endedAt }: Pick<ToldIncident, 'keyId' | 'onsetAt' | 'openedAt' | 'endedAt'>,
): boolean {
  return (
    label.keyId === keyId && Math.min(onsetAt, openedAt) <= label.to + LEEWAY_MS && endedAt >= label.from - LEEWAY_MS
  )
}

/**
 * What people say of an incident: the last word on each that they named. Of two that are one here and contradict each other, that it
 * was one: it is not to be missed. `labels`: in the order given.
 */
export function verdictOn(incident: ToldIncident, labels: readonly Label[]): Verdict | undefined {
  // Named by a moment in it, one incident may have been named by two.
  const lastWords = new Map(
    labels.filter(label => isOfSame(label, incident)).map(({ incidentId, verdict }) => [incidentId, verdict]),
  )
  const given = [...lastWords.values()]
  return given.includes('true') ? 'true' : given[0]
}

/** One label an incident: the last that was given. */
export function lastLabels(given: readonly Label[]): readonly Label[] {
  // An incident's number may come again when a worker has lost its state: its time is part of its name.
  const last = new Map<string, Label>()
  for (const label of given) {
    const name = `${label.incidentId} ${label.from}`
    // In the order of the last words, and not of the first.
    last.delete(name)
    last.set(name, label)
  }
  return [...last.values()]
}
