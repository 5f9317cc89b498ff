/**
 * Who was throttled how often lately: with `throttle.repeatFactor`, a client that does it again is held longer. A limit that
 * was given back because it was not this client's doing (a platform incident, a person's word) counts as none.
 *
 * Bounded: of a key the last 16 throttles within 7 days, of 10,000 keys; then who was throttled longest ago is forgotten.
 */
import type { EngineState } from '../engine-state.ts'
import { type ApiKeyId, DAY_MS } from '../vocabulary.ts'
import type { Incident } from './incident.ts'

const WEEK_MS = 7 * DAY_MS
const MOST_TIMES = 16
const MOST_KEYS = 10_000

type Throttled = Pick<EngineState, 'throttled' | 'now'>

/** How often within the last 7 days. */
export const throttlesOfWeek = ({ throttled, now }: Throttled, keyId: ApiKeyId): number =>
  throttled.get(keyId)?.filter(at => at > now - WEEK_MS).length ?? 0

/** A key's incident has moved: whether that was a throttle more, or one that was none after all. */
export function noteThrottles(state: Throttled, keyId: ApiKeyId, before: Incident, after: Incident): void {
  if (before.phase === 'open' && after.phase === 'mitigated') add(state, keyId)
  const isForgiven =
    after.phase === 'recovering' &&
    (after.givingBack?.because === 'operator' || after.givingBack?.because === 'platform-incident')
  if (before.phase === 'mitigated' && isForgiven) takeBack(state, keyId)
}

function add({ throttled, now }: Throttled, keyId: ApiKeyId): void {
  const times = [...(throttled.get(keyId) ?? []), now].slice(-MOST_TIMES)
  throttled.delete(keyId)
  throttled.set(keyId, times)
  for (const [longestAgo, [...past]] of throttled) {
    if (throttled.size <= MOST_KEYS && (past.at(-1) ?? 0) > now - WEEK_MS) return
    throttled.delete(longestAgo)
  }
}

function takeBack({ throttled }: Throttled, keyId: ApiKeyId): void {
  const times = throttled.get(keyId)?.slice(0, -1) ?? []
  if (times.length > 0) throttled.set(keyId, times)
  else throttled.delete(keyId)
}
