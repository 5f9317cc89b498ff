/** What the log has by now of a throttled key: its closed seconds, as they stand in its panes, judged by verification.ts. */
import type { Engine } from '../engine-state.ts'
import type { KeyActivity, KeyState } from '../state/key-state.ts'
import type { Owner } from '../state/owner.ts'
import { paneCalls, paneCount, paneSecond, STATUS_2XX, STATUS_5XX, STATUS_429 } from '../state/pane.ts'
import { type SecondSeen, type Verification, verify } from './verification.ts'

/** Undefined where nothing is to be verified, or nothing new can be said of it. */
export function verified(
  { state, settings }: Engine,
  { closedToSecond }: Owner,
  { incident, activity }: KeyState,
): Verification | undefined {
  const before = incident.phase === 'mitigated' ? incident.story.verification : undefined
  if (before === undefined) return undefined
  // Without a further closed second only the clock can say something, and only of what is still open.
  if (closedToSecond <= before.lookedTo && before.verdict.kind !== 'too-early') return undefined
  const seconds = activity === undefined ? [] : secondsSeen(activity.panes)
  const deliveryMs = settings.config.time.delivery
  return verify(before, { seconds, closedTo: closedToSecond, now: state.now, deliveryMs })
}

function secondsSeen(panes: KeyActivity['panes']): readonly SecondSeen[] {
  const seconds: SecondSeen[] = []
  for (let index = panes.first; index < panes.firstOpen; index++) {
    const accepted = paneCount(panes, index, STATUS_2XX) + paneCount(panes, index, STATUS_5XX)
    const refused = paneCount(panes, index, STATUS_429)
    const unclear = paneCalls(panes, index) - accepted - refused
    seconds.push({ second: paneSecond(panes, index), accepted, refused, unclear })
  }
  return seconds
}
