/**
 * Whether a key has become so quiet that somebody may want to ask why. What is missing leaves no evidence, and looking for it
 * in every second of every key would cost more than all else. So it is looked for once in a slot, in the first final look
 * at the key (a walk over its panes until enough calls are found, which for a key as it should be is most of five minutes
 * of seconds); and only where somebody then finds it of interest in all looks, until nobody does or there are enough again.
 */
import { SECOND_MS, SLOT_MS } from '../vocabulary.ts'
import type { KeyActivity, SlotKnowledge } from './key-state.ts'
import { CALLS, countSince, KEPT_SECONDS, type KeyPanes, paneSecond } from './pane.ts'

const SLOT_SECONDS = SLOT_MS / SECOND_MS
/** After so long a pause nothing goes on as before: it may have been a gap in delivery. */
const PAUSE_SECONDS = 60

/** To be told of each closed pane, as soon as it is closed: `second` is its. Answers for how long the key paused before it; 0 where no pane tells. */
export function noteSteady(activity: KeyActivity, second: number): number {
  const { panes } = activity
  const before = panes.firstOpen - 2
  const paused = before < panes.first ? 0 : second - paneSecond(panes, before) - 1
  if (before < panes.first || paused >= PAUSE_SECONDS) activity.steadySince = second
  return paused
}

/** Whether, at the pane that was closed last, the last five minutes have at most this share of the usual calls. */
export function isLull(activity: KeyActivity, { usual }: SlotKnowledge, second: number, share: number): boolean {
  if (second < activity.lullFrom) return false
  const enough = usual === undefined || usual.days === 0 ? 0 : share * usual.callsPerMinute * (SLOT_SECONDS / 60)
  if (enough > 0 && callsUpTo(activity.panes, second, enough) <= enough) return true
  restFromLull(activity, second)
  return false
}

/** There is nothing to be said of it: not before the next slot. */
export function restFromLull(activity: KeyActivity, second: number): void {
  activity.lullFrom = (Math.floor(second / SLOT_SECONDS) + 1) * SLOT_SECONDS
}

/** For how long the key has called without such a pause, up to the end of its newest closed pane; 0 where it pauses now. */
export function steadySeconds({ panes, steadySince }: KeyActivity, endSecond: number): number {
  const newest = panes.firstOpen - 1
  if (newest < panes.first) return 0
  const second = paneSecond(panes, newest)
  return endSecond - second > PAUSE_SECONDS ? 0 : second + 1 - steadySince
}

const callsUpTo = (panes: KeyPanes, second: number, enough: number): number =>
  countSince(panes, { count: CALLS, last: panes.firstOpen - 1, fromSecond: second + 1 - KEPT_SECONDS, enough })
