/** Keys that have stopped calling: which of them are asked about, for how long, and when they shrink to their records. */
import { type Coverage, isCovered } from './coverage.ts'
import { beforeCalls, type KeyActivity, type KeyState } from './key-state.ts'
import { type OwnedKeys, retire } from './live-keys.ts'
import { isDelivered, longestPause } from './own-silence.ts'

/** What an owner keeps of keys that may have stopped. */
export interface PausingKeys extends OwnedKeys {
  readonly coverage: Coverage
  /** Keys with panes: those that called in the last five minutes. */
  readonly active: Set<KeyState>
  /** Keys with closed panes in each of the minutes before the one under way, until the last of these may be idle. */
  readonly keysByMinute: Map<number, readonly KeyState[]>
  /** Silent for longer than that, and by themselves for as long: still asked why. */
  readonly awaited: Set<KeyState>
}

const byKeyId = (one: KeyState, other: KeyState): number => (one.keyId < other.keyId ? -1 : 1)

/** A key that has not called for so many whole minutes shrinks to its incident, and without one to its record. */
export const IDLE_MINUTES = 5

/** Each key stands under the minutes it called in: so that of a minute in which it does not, it is found under its last one. */
export function silentKeys({ keysByMinute, coverage, awaited }: PausingKeys, minute: number): readonly KeyState[] {
  const silent: KeyState[] = []
  for (const key of awaited) if (isDelivered(coverage, lastMinuteOf(key), minute)) silent.push(key)
  for (let last = minute - 1; last >= minute - IDLE_MINUTES && isCovered(coverage, last); last--) {
    for (const key of keysByMinute.get(last) ?? []) if (key.activity?.minute === last) silent.push(key)
  }
  return silent
}

/** Minute of the newest closed pane of a key that is awaited. */
const lastMinuteOf = ({ activity }: KeyState): number => activity?.minute ?? Number.NEGATIVE_INFINITY

/** So many times its longest pause a key is awaited, and not above so many minutes: then it is gone, and not late. */
const AWAITED_TIMES = 3
const MOST_AWAITED_MINUTES = 90

/** Only keys whose newest closed pane may be so old are asked for their panes: those of one minute, each once a minute of theirs. */
export function forgetIdle(owner: PausingKeys, minute: number): void {
  const idleSince = minute - IDLE_MINUTES - 1
  for (const key of owner.keysByMinute.get(idleSince) ?? []) {
    if (key.activity?.minute === idleSince && !hasOpenPanes(key.activity)) owner.awaited.add(key)
  }
  owner.keysByMinute.delete(idleSince)
  for (const key of owner.awaited) {
    const last = key.activity?.minute
    const isBack = last === undefined || last > idleSince
    if (!isBack && (hasOpenPanes(key.activity) || isAwaited(owner, key, minute - 1 - last))) continue
    owner.awaited.delete(key)
    if (!isBack) forgetActivity(owner, key)
  }
  const idle = owner.live.filter(
    key => key.activity === undefined && key.incident.phase === 'quiet' && key.wrong === undefined,
  )
  // In the order of their ids, so that none of arrival shows when some are to be forgotten.
  for (const key of idle.sort(byKeyId)) retire(owner, key, minute)
}

const hasOpenPanes = (activity: KeyActivity | undefined): boolean =>
  activity !== undefined && activity.panes.end > activity.panes.firstOpen

/** Whether a key that has been silent for so many minutes may still be told of for it. */
function isAwaited({ keys, coverage }: PausingKeys, { number }: KeyState, minutes: number): boolean {
  if (minutes >= MOST_AWAITED_MINUTES) return false
  const longest = longestPause(keys, number, coverage.newestSlot) ?? 0
  return 60 * minutes < AWAITED_TIMES * longest
}

function forgetActivity({ active }: PausingKeys, key: KeyState): void {
  // One that has gone to another owner is that one's to forget.
  if (!active.delete(key)) return
  beforeCalls(key)
  key.activity = undefined
  key.earlySlot = undefined
  key.finalSlot = undefined
}
