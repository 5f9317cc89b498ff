/** What a key did in one closed minute, read off its panes: what its baseline learns, and may have to take back. */
import {
  type KeyPanes,
  paneCalls,
  paneCount,
  paneLatencyCount,
  paneLatencySumMs,
  paneSecond,
  STATUS_4XX,
  STATUS_5XX,
  STATUS_429,
} from './pane.ts'

/** Of a minute, or of the minutes of a row. */
export interface MinuteSeen {
  readonly calls: number
  /** 4xx but 429. */
  readonly status4xx: number
  readonly status429: number
  readonly status5xx: number
  readonly latencySumMs: number
  readonly latencyCount: number
}

/** What closed panes hold of a minute. */
export function seenInMinute(panes: KeyPanes, minute: number): MinuteSeen {
  let last = panes.firstOpen
  while (last > panes.first && paneSecond(panes, last - 1) >= (minute + 1) * 60) last--
  let first = last
  while (first > panes.first && paneSecond(panes, first - 1) >= minute * 60) first--
  const seen = { calls: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0 }
  for (let index = first; index < last; index++) {
    seen.calls += paneCalls(panes, index)
    seen.status4xx += paneCount(panes, index, STATUS_4XX)
    seen.status429 += paneCount(panes, index, STATUS_429)
    seen.status5xx += paneCount(panes, index, STATUS_5XX)
    seen.latencySumMs += paneLatencySumMs(panes, index)
    seen.latencyCount += paneLatencyCount(panes, index)
  }
  return seen
}
