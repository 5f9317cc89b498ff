/**
 * What each change of a limit rests on, for the audit log: the explanation of its incident as it stood when the change was
 * decided. Effects carry ids; the explanation is told just before them, so whoever hears both can put them together.
 *
 * Bounded: of incidents the last 10,000 told of, of effects those that have no outcome yet. After a restart it is what the
 * journal's alerts say; a limit that is given back for an incident of long ago has its grounds where it was lowered.
 */
import type { Explanation } from '../core/explanation/explanation.ts'
import type { JournalEntry } from '../stores/journal-entry.ts'
import type { TelemetryEvent } from './telemetry.ts'

export interface GroundsBook {
  note(event: TelemetryEvent): void
  /** As of the moment at which the effect was decided, or the last that is known of its incident. */
  of(about: {
    readonly effectId?: string | undefined
    readonly incidentId?: string | undefined
  }): Explanation | undefined
}

const mostIncidents = 10_000

export function createGroundsBook(recovered: readonly JournalEntry[]): GroundsBook {
  const ofIncident = new Map<string, Explanation>()
  const ofEffect = new Map<string, Explanation>()

  function tell(explanation: Explanation): void {
    // Anew at the end, so that those told of longest ago are forgotten first.
    ofIncident.delete(explanation.incidentId)
    ofIncident.set(explanation.incidentId, explanation)
    const [oldest] = ofIncident.size > mostIncidents ? ofIncident.keys() : []
    if (oldest !== undefined) ofIncident.delete(oldest)
  }

  for (const entry of recovered)
    if (entry.kind === 'intent' && entry.effect.kind === 'alert') tell(entry.effect.explanation)

  return {
    note(event) {
      switch (event.name) {
        case 'incidentChanged':
          tell(event.explanation)
          break
        case 'effectIntended': {
          const { kind, id, incidentId } = event.effect
          const explanation = kind === 'alert' ? undefined : ofIncident.get(incidentId)
          if (explanation !== undefined) ofEffect.set(id, explanation)
          break
        }
        case 'effectPerformed':
        case 'effectRefused':
          ofEffect.delete(event.effect.id)
          break
        default:
      }
    },
    of({ effectId, incidentId }) {
      const decided = effectId === undefined ? undefined : ofEffect.get(effectId)
      return decided ?? (incidentId === undefined ? undefined : ofIncident.get(incidentId))
    },
  }
}
