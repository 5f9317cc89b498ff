/** Which minutes of a key are no example of what is usual: those in which it was wrong, and what was planned once. */
import { holdsLimit } from '../incident/incident-questions.ts'
import { DAY_MS, MINUTE_MS } from '../vocabulary.ts'
import type { KeyState, SlotKnowledge } from './key-state.ts'

const MINUTES_PER_DAY = 1_440

/**
 * Minutes in which a key is wrong are not learned, from the onset on; nor are those in which its limit is lowered. But for
 * one day only: a tenant that has grown for good would else stay a stranger for ever.
 */
export function isNotLearned({ incident, wrong }: KeyState, minute: number): boolean {
  const at = minute * MINUTE_MS
  if (wrong !== undefined && at <= wrong.until && at + MINUTE_MS > wrong.onsetAt) {
    return minute - Math.floor(wrong.foundAt / MINUTE_MS) < MINUTES_PER_DAY
  }
  return holdsLimit(incident) && 'story' in incident && at + MINUTE_MS > incident.story.signal.onsetAt
}

/**
 * Whether a minute brought what was planned once: no example of the usual. What recurs is learned like anything else, and so is
 * what has lasted for a day, or nothing would be known of a key after a week of it.
 */
export function isOnlyPlanned(known: SlotKnowledge | undefined, minute: number, callsInMinute: number): boolean {
  const planned = known?.planned
  if (planned?.usual === undefined || callsInMinute <= planned.usual.upperPerMinute) return false
  const at = minute * MINUTE_MS
  return planned.plan.stretches.some(({ event, from }) => event.when.kind === 'once' && at < from + DAY_MS)
}
