/**
 * What becomes of an alert that nobody took: it is kept on disk before its outcome is journaled, so that a crash in between
 * leaves it kept and its intent open, and never neither. Such an intent is not tried again: what is kept is a person's to send
 * (`weir alerts`), who may be doing so at this moment.
 *
 *     refused ──► kept on disk ──► outcome journaled ──► … ──► `weir alerts resend` ──► gone
 *                       └─ crash: at the next start its intent is refused as what is kept already
 */
import type { Performer } from '../actions/performer.ts'
import type { AlertEffect, Effect, Outcome } from '../core/incident/effect.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import type { Undelivered } from '../stores/undelivered.ts'
import type { Telemetry } from './telemetry.ts'

export interface Delivery {
  /** The same performer, but for alerts that are kept already. */
  readonly alert: Performer<AlertEffect>
  /** To be awaited before an outcome is journaled. */
  settle(effect: Effect, outcome: Outcome, at: EpochMs): Promise<void>
  /** Alerts that are kept, looked at anew. */
  undelivered(): Promise<number>
}

export interface DeliverySettings {
  readonly alert: Performer<AlertEffect>
  readonly undelivered: Undelivered
  readonly telemetry: Telemetry
}

export function createDelivery({ alert, undelivered, telemetry }: DeliverySettings): Delivery {
  return {
    alert: {
      perform: async (effect, signal) =>
        undelivered.has(effect) ? { kind: 'refused', because: isKept } : await alert.perform(effect, signal),
    },
    async settle(effect, outcome, at) {
      if (effect.kind !== 'alert' || outcome.kind !== 'refused' || undelivered.has(effect)) return
      const { forgotten } = await undelivered.keep({ effect, givenUpAt: at, because: outcome.because })
      if (forgotten > 0) telemetry({ name: 'alertsForgotten', alerts: forgotten })
    },
    async undelivered() {
      await undelivered.look()
      return undelivered.count()
    },
  }
}

const isKept = 'it was given up on before the restart, and is kept'
