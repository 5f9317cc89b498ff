/**
 * What the engine says of each row of a series: the highest rank that any look at a second of it gave, of the
 * detectors that may open an incident, as the settings have them. It is the engine of the worker; its jury is only listened
 * to. Which of these rows somebody would be told of: `told-rows.ts`.
 *
 * Beside the series somebody calls steadily, once in ten seconds, while it has values: so a gap in the series is a gap in what
 * was delivered.
 */
import type { Finding, TenantView } from '../../../../detectors/contract.ts'
import { createBatch, type KeyTable, type PaneRow } from '../../../core/call-batch.ts'
import { advance, createEngine, type EngineSettings } from '../../../core/engine.ts'
import type { ConfiguredDetector, Jury } from '../../../core/judge.ts'
import { type ApiKeyId, type PartitionId, SECOND_MS } from '../../../core/vocabulary.ts'
import type { LabelledSeries } from '../contract.ts'
import { callsPerMinuteOf, evenCounts, scaleOf, secondsOfRow } from './panes-of-series.ts'

const SERIES = 'series' as ApiKeyId
const STEADY = 'steady' as ApiKeyId
const STEADY_EVERY_SECONDS = 10
/** The engine takes no pane from more than a minute beyond its arrival, and closes by it: a batch is what came in a minute. */
const BATCH_SECONDS = 60

/** 0..1 for each row: a score of 1, the threshold, is 0.5; above it by rarity (`rankOf`). */
export function scoresOfSeries(series: LabelledSeries, settings: EngineSettings): Float64Array {
  const scores = new Float64Array(series.values.length)
  const hear = ({ keyId, at }: TenantView, finding: Finding): void => {
    if (keyId !== SERIES || finding.score <= 0) return
    const row = rowAt(series.times, at - SECOND_MS)
    scores[row] = Math.max(scores[row], rankOf(finding))
  }
  const engine = createEngine(settings)
  const heard = { ...engine, jury: listening(engine.jury, hear) }
  const scale = scaleOf(series)
  const keys: KeyTable = { ids: [SERIES, STEADY] }
  for (let row = 0; row < scores.length; row++) {
    const counts = evenCounts(callsPerMinuteOf(series.values[row], scale), secondsOfRow(series, row))
    for (let from = 0; from < counts.length; from += BATCH_SECONDS)
      advance(heard, batchOf(keys, series.times[row] + from * SECOND_MS, counts.subarray(from, from + BATCH_SECONDS)))
  }
  advance(heard, { kind: 'end' })
  return scores.map(score => score / (1 + score))
}

/**
 * What puts findings in order. Above the threshold it is what the engine compares keys by, where it knows that: in how many
 * weeks the key would once go so far by itself, in decades. How many times its limit a count is says less: of two limits, each
 * for a key of its own, one is soon exceeded tenfold.
 */
export const rankOf = ({ score, timesAWeek }: Finding): number =>
  score <= 1 || timesAWeek === undefined ? score : 1 + Math.log10(1 + 1 / timesAWeek)

/** The row that is under way at this time. */
function rowAt(times: Float64Array, at: number): number {
  let [from, to] = [0, times.length - 1]
  while (from < to) {
    const middle = (from + to + 1) >>> 1
    if (times[middle] <= at) from = middle
    else to = middle - 1
  }
  return from
}

type Heard = (view: TenantView, finding: Finding) => void

/**
 * The same jury, overheard. It is asked about a key as soon as there is any evidence, where the engine would let it rest
 * until a score can be of interest: low scores put rows in order too, and change nothing else.
 */
function listening(jury: Jury, heard: Heard): Jury {
  const overheard = (configured: ConfiguredDetector): ConfiguredDetector => ({
    ...configured,
    detector: {
      ...configured.detector,
      evaluate(view, values) {
        const finding = configured.detector.evaluate(view, values)
        if (finding !== undefined) heard(view, finding)
        return finding
      },
    },
  })
  const noEvidence = {
    ...{ nats: 0, failures: 0, clientErrors: { count: 0, share: 0 }, refused: 0, executions: 0 },
    ...{ routes: 0, oneRoute: { evenness: 0, calls: 0, partOfUsual: 0 }, callsFromNew: 0 },
  }
  return {
    ...jury,
    openEarly: jury.openEarly.map(overheard),
    open: jury.open.map(overheard),
    calmEarly: jury.calmEarly && noEvidence,
    calm: jury.calm && noEvidence,
  }
}

function batchOf(keys: KeyTable, start: number, counts: Uint32Array): Parameters<typeof advance>[1] {
  const batch = createBatch(keys, 1)
  for (let second = 0; second < counts.length; second++) {
    const at = start + second * SECOND_MS
    if (counts[second] > 0) batch.panes.push(paneOf(0, at, counts[second]))
    if ((at / SECOND_MS) % STEADY_EVERY_SECONDS === 0) batch.panes.push(paneOf(1, at, 1))
  }
  return {
    kind: 'batch',
    partition: 'series' as PartitionId,
    batch,
    from: 0,
    to: 0,
    panesFrom: 0,
    panesTo: batch.panes.length,
    arrivedAt: start + (counts.length - 1) * SECOND_MS,
  }
}

const paneOf = (key: number, start: number, calls: number): PaneRow => ({
  key,
  start,
  seconds: 1,
  calls,
  status2xx: calls,
  status4xx: 0,
  status429: 0,
  status5xx: 0,
  latencySumMs: 0,
  latencyCount: 0,
  bytes: 0,
})
