/**
 * A batch job: from one second to the next ten times the usual calls (at least two a second), for minutes, then none of it. Every
 * day or every hour at the same time, so that the week has seen it; and once for the first time. On earlier days it
 * began up to half a minute earlier or later, as whatever it waited for did.
 */
import { BASELINE_DAYS, DAY_MS, HOUR_MS, SECOND_MS, SLOT_MS } from '../../../core/vocabulary.ts'
import { type BusyDay, type HistoryRow, judgedFrom, type Play, type Scene } from '../contract.ts'
import { addedPlay, arrivalsIn } from '../misbehaviour/added-calls.ts'
import { type Manner, mannerOf } from '../misbehaviour/manner.ts'

const MULTIPLE = 10
const LEAST_PER_SECOND = 2
const EARLIER_OR_LATER_MS = 30 * SECOND_MS
/** After its end, while whatever was told of it closes. */
const QUIET_SECONDS = 300

interface Batch {
  readonly lastsSeconds: number
  /** Undefined: it never came before. */
  readonly everyMs: number | undefined
}

const daily: Batch = { lastsSeconds: 1_200, everyMs: DAY_MS }
const hourly: Batch = { lastsSeconds: 300, everyMs: HOUR_MS }
const first: Batch = { lastsSeconds: 1_200, everyMs: undefined }

export const batches: readonly BusyDay[] = [
  {
    name: 'daily-batch',
    sentence: `a job makes ${MULTIPLE} times the usual calls for twenty minutes, at this time of every day`,
    seconds: daily.lastsSeconds + QUIET_SECONDS,
    scope: 'tenant',
    before: (rows, scene) => withBatches(rows, scene, daily),
    start: scene => startBatch(scene, daily),
  },
  {
    name: 'hourly-batch',
    sentence: `a job makes ${MULTIPLE} times the usual calls for five minutes of every hour; it comes twice`,
    seconds: HOUR_MS / SECOND_MS + hourly.lastsSeconds + QUIET_SECONDS,
    scope: 'tenant',
    before: (rows, scene) => withBatches(rows, scene, hourly),
    start: scene => startBatch(scene, hourly),
  },
  {
    name: 'first-batch',
    sentence: `a job makes ${MULTIPLE} times the usual calls for twenty minutes; it never ran before`,
    seconds: first.lastsSeconds + QUIET_SECONDS,
    scope: 'tenant',
    start: scene => startBatch(scene, first),
  },
]

function startBatch(scene: Scene, { lastsSeconds, everyMs }: Batch): Play {
  const manner = mannerOf(scene)
  const callsPerSecond = addedPerSecond(scene)
  return addedPlay(scene, (second, index) => {
    const secondOfBatch = everyMs === undefined ? index : index % (everyMs / SECOND_MS)
    return secondOfBatch < lastsSeconds ? arrivalsIn(second, callsPerSecond, scene.random).map(manner.call) : []
  })
}

const addedPerSecond = ({ usualPerSecond }: Scene): number =>
  Math.max(MULTIPLE * usualPerSecond, LEAST_PER_SECOND) - usualPerSecond

/** The week as it would have been with the job in it, oldest first. Five minutes without a row get one where the job ran. */
function withBatches(rows: readonly HistoryRow[], scene: Scene, batch: Batch): readonly HistoryRow[] {
  const manner = mannerOf(scene)
  const byStart = new Map(rows.map(row => [row.start, row]))
  for (const [start, seconds] of batchSecondsBySlot(scene, batch)) {
    const calls = scene.random.poisson(seconds * addedPerSecond(scene))
    byStart.set(start, withCalls(byStart.get(start) ?? emptyRow(start), calls, manner))
  }
  return [...byStart.values()].sort((one, other) => one.start - other.start)
}

/** By the start of five minutes: for how many seconds of them the job ran in the week before. */
function batchSecondsBySlot(
  { from, historyTo = judgedFrom, random }: Scene,
  { lastsSeconds, everyMs = DAY_MS }: Batch,
): Map<number, number> {
  const seconds = new Map<number, number>()
  const weekFrom = historyTo - BASELINE_DAYS * DAY_MS
  for (let planned = from - everyMs; planned >= weekFrom; planned -= everyMs) {
    const began = planned + (2 * random.uniform() - 1) * EARLIER_OR_LATER_MS
    const ended = Math.min(began + lastsSeconds * SECOND_MS, historyTo)
    for (let start = Math.floor(began / SLOT_MS) * SLOT_MS; start < ended; start += SLOT_MS) {
      const overlapMs = Math.min(ended, start + SLOT_MS) - Math.max(began, start)
      if (start >= weekFrom) seconds.set(start, (seconds.get(start) ?? 0) + overlapMs / SECOND_MS)
    }
  }
  return seconds
}

const emptyRow = (start: number): HistoryRow => ({
  start,
  seconds: 300,
  calls: 0,
  status2xx: 0,
  status4xx: 0,
  status429: 0,
  status5xx: 0,
  latencySumMs: 0,
  latencyCount: 0,
})

function withCalls(row: HistoryRow, calls: number, { failureShare, rejectedShare, latencyMs }: Manner): HistoryRow {
  const status5xx = Math.round(calls * failureShare)
  const status4xx = Math.round(calls * rejectedShare)
  return {
    ...row,
    calls: row.calls + calls,
    status2xx: row.status2xx + calls - status4xx - status5xx,
    status4xx: row.status4xx + status4xx,
    status5xx: row.status5xx + status5xx,
    latencySumMs: row.latencySumMs + Math.round(calls * latencyMs),
    latencyCount: row.latencyCount + calls,
  }
}
