/** Facts of a key's last seconds for people, whatever the detectors asked: read off its panes when something is told. */
import type { Evidence } from '../../../detectors/contract.ts'
import type { Explanation } from '../explanation/explanation.ts'
import type { KeyActivity, KeyState } from '../state/key-state.ts'
import { busiestTenth, paneBytes, paneCalls, paneSecond } from '../state/pane.ts'
import { latencyQuantile, mergedLatency } from '../state/sketches.ts'
import { type EpochMs, SECOND_MS } from '../vocabulary.ts'
import type { PoolOutlook } from './response.ts'

/** Calls since onset, over 1 to 60 s. */
export function currentOf(key: KeyState, onsetAt: EpochMs, at: EpochMs): Explanation['current'] {
  const seconds = Math.min(60, Math.max(1, Math.round((at - onsetAt) / SECOND_MS)))
  const calls = callsIn(key, at, seconds)
  return { calls, seconds, callsPerMinute: (calls * 60) / seconds }
}

/** Calls in the `seconds` that end at `at`. */
export function callsIn(key: KeyState, at: EpochMs, seconds: number): number {
  let calls = 0
  forRecentPanes(key, at, seconds, (panes, index) => {
    calls += paneCalls(panes, index)
  })
  return calls
}

/** Facts of the last seconds that help a person, whatever the detectors asked: shape, size, latency. */
export function measured(key: KeyState, at: EpochMs): readonly Evidence[] {
  let busiest = 0
  let bytes = 0
  forRecentPanes(key, at, 10, (panes, index) => {
    busiest = Math.max(busiest, busiestTenth(panes, index))
    bytes += paneBytes(panes, index)
  })
  const evidence: Evidence[] = [{ measure: 'calls in the busiest 100 ms', observed: busiest, usual: undefined }]
  if (bytes > 0) evidence.push({ measure: 'bytes in 10 s', observed: bytes, usual: undefined })
  const latency = key.activity?.latency
  if (latency !== undefined) {
    const end = at / SECOND_MS
    const p99 = latencyQuantile(mergedLatency(latency, end - 60, end), 0.99)
    if (p99 !== undefined)
      evidence.push({ measure: 'p99 latency in 60 s, ms', observed: Math.round(p99), usual: undefined })
  }
  return evidence
}

/** How full the pool is that all share, and how long it lasts where it fills up. */
export function poolEvidence(pool: PoolOutlook | undefined): readonly Evidence[] {
  if (pool === undefined) return []
  const { concurrency, executions, secondsLeft } = pool
  const evidence = [{ measure: `executions of all, of ${concurrency}`, observed: executions, usual: undefined }]
  if (!Number.isFinite(secondsLeft)) return evidence
  return [...evidence, { measure: 'seconds until the pool runs out', observed: secondsLeft, usual: undefined }]
}

function forRecentPanes(
  key: KeyState,
  at: EpochMs,
  seconds: number,
  take: (panes: KeyActivity['panes'], index: number) => void,
): void {
  const panes = key.activity?.panes
  if (panes === undefined) return
  const end = at / SECOND_MS
  for (let index = panes.end - 1; index >= panes.first; index--) {
    const second = paneSecond(panes, index)
    if (second < end - seconds) break
    if (second < end) take(panes, index)
  }
}
