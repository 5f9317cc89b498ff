/** What goes before a throttle at its gateway, as far as the core knows: for the alert that opens the incident (waiting.ts). */
import { type Engine, watching } from '../engine-state.ts'
import type { Action } from '../explanation/explanation.ts'
import type { KeyState } from '../state/key-state.ts'
import type { ApiKeyId } from '../vocabulary.ts'
import { CHANGE_EVERY_MS, type Waiting } from './waiting.ts'

/** What is to be done about a signal, with how long it takes. */
export function queued(
  engine: Engine,
  key: KeyState,
  { action, signal }: { readonly action: Action; readonly signal: Rates },
): Action {
  if (action.kind !== 'throttle') return action
  const waiting = queueBefore(engine, key, urgencyOf(signal))
  return waiting === undefined ? action : { ...action, waiting }
}

/**
 * By the throttles of the same gateway that are under way and more dangerous, and by those that it has just made: what the core
 * has decided and heard, so that a replay says the same. Undefined where nothing goes before it.
 */
function queueBefore(engine: Engine, key: KeyState, urgency: number): Waiting | undefined {
  const { now } = engine.state
  const gateway = gatewayOf(engine, key.keyId)
  let ahead = 0
  let freeAt = now
  for (const { limited } of watching(engine.state)) {
    for (const other of limited) {
      const { incident } = other
      if (other === key || gatewayOf(engine, other.keyId) !== gateway) continue
      if (incident.phase === 'open' && urgencyOf(incident.story.signal) >= urgency) ahead++
      else if (incident.phase === 'mitigated' && incident.story.verification?.wasSo === false)
        freeAt = Math.max(freeAt, incident.story.verification.changedAt + CHANGE_EVERY_MS)
    }
  }
  const waitMs = freeAt - now + ahead * CHANGE_EVERY_MS
  return waitMs === 0 ? undefined : { askedAt: now, asOf: now, ahead, waitMs }
}

interface Rates {
  readonly current: { readonly callsPerMinute: number }
  readonly expected: { readonly callsPerMinute: number } | undefined
}

/** Calls a minute beyond the usual: the queue serves the highest first. */
export const urgencyOf = ({ current, expected }: Rates): number =>
  Math.max(0, current.callsPerMinute - (expected?.callsPerMinute ?? 0))

/** Of a tenant as a whole, that of its first key. */
function gatewayOf({ settings: { tenants } }: Engine, keyId: ApiKeyId): string | undefined {
  const place = tenants.places.get(keyId) ?? tenants.places.get(tenants.byKey.get(keyId)?.keys[0] ?? keyId)
  return place?.gateway
}
