/** What is learned of how far a key goes by itself (own-reach.ts): of each minute that closes, and of each slot that is complete. */
import type { Usual } from '../../../detectors/contract.ts'
import { MINUTES_PER_SLOT } from './coverage.ts'
import type { KeyState, Taught } from './key-state.ts'
import { type KnownKeys, read, SLOT, SLOT_CALLS } from './known-keys.ts'
import { MINUTE, notePaneMinute, noteReach, SLOT_LONG, TEN_SECONDS } from './own-reach.ts'
import { type KeyPanes, paneCalls, paneSecond } from './pane.ts'
import { usualOf } from './usual.ts'

/** How far a minute that closes goes, and its busiest ten seconds, against what is usual in its slot. */
export function noteMinuteReach(
  { number, activity, finalSlot }: KeyState,
  keys: KnownKeys,
  minute: number,
  calls: number,
): void {
  const slot = Math.floor(minute / MINUTES_PER_SLOT)
  if (activity === undefined) return
  notePaneMinute(keys, number)
  const upperPerMinute = finalSlot?.slot === slot ? slotUpper(finalSlot.usual) : Number.POSITIVE_INFINITY
  noteReach(keys, number, { length: MINUTE, slot, calls, upperPerMinute })
  noteReach(keys, number, {
    length: TEN_SECONDS,
    slot,
    calls: busiestTenSeconds(activity.panes, minute),
    upperPerMinute,
  })
}

/** The most calls in any ten seconds that end in this minute. */
function busiestTenSeconds(panes: KeyPanes, minute: number): number {
  let last = panes.firstOpen - 1
  while (last >= panes.first && paneSecond(panes, last) >= (minute + 1) * 60) last--
  let most = 0
  let calls = 0
  let first = last
  for (let newest = last; newest >= panes.first && paneSecond(panes, newest) >= minute * 60; newest--) {
    const from = paneSecond(panes, newest) - 10
    while (first >= panes.first && paneSecond(panes, first) > from) calls += paneCalls(panes, first--)
    if (calls > most) most = calls
    calls -= paneCalls(panes, newest)
  }
  return most
}

/** The slot that was being learned is complete when a minute of a later one comes. */
export function noteSlotReach(
  { keys, coverage }: Pick<Taught, 'keys' | 'coverage'>,
  key: number,
  minute: number,
): void {
  const slot = read(keys, key, SLOT)
  if (Math.floor(minute / MINUTES_PER_SLOT) <= slot) return
  const calls = read(keys, key, SLOT_CALLS)
  if (calls === 0 || keys.excluded.get(key)?.has(slot) === true) return
  noteReach(keys, key, {
    length: SLOT_LONG,
    slot,
    calls,
    upperPerMinute: slotUpper(usualOf(keys, key, coverage, slot)),
  })
}

/** Where no day tells what is usual nothing goes beyond it. */
const slotUpper = (usual: Usual | undefined): number =>
  usual === undefined || usual.days === 0 ? Number.POSITIVE_INFINITY : usual.slotUpperPerMinute
