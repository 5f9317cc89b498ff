/**
 * Teaches a fresh engine what is usual, before it sees its first live call: recorded logs or counts, in their canonical
 * order, through the same decoder and the same `advance`. Whatever it would have decided about last week is left unsaid.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import type { CallBatch } from '../core/call-batch.ts'
import { advance, type Engine, engineStatus } from '../core/engine.ts'
import { StreamError } from '../core/errors.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { type BareLog, type BatchInput, createTally, type LogTally, readCanonically } from './bare-log.ts'
import type { Telemetry } from './telemetry.ts'

/** Some tens of milliseconds: whoever asks a worker that learns how it is must not wait for a piece of a file. */
const rowsInOneGo = 1_000

/** `engine` is one made `withHistory`. After it the engine keeps its baselines, and no incident. */
export async function teachHistory(
  engine: Engine,
  decoder: Decoder,
  logs: readonly BareLog[],
  telemetry: Telemetry,
): Promise<void> {
  const tally = createTally()
  telemetry({ name: 'historyBegun', logs: logs.length })
  await teachLogs(engine, decoder, logs, tally)
  const { calls, paneRows } = tally
  const rejected = [...tally.rejected.values()].reduce((sum, count) => sum + count, 0)
  telemetry({ name: 'historyTaught', calls, paneRows, rejected, keys: engineStatus(engine).keys })
}

/** The same without a word. `progressed` is called now and then; `tally` counts as it goes. */
export async function teachLogs(
  engine: Engine,
  decoder: Decoder,
  logs: readonly BareLog[],
  tally: LogTally,
  progressed?: () => void,
): Promise<void> {
  let inputs = 0
  let rows = 0
  const teach = (input: BatchInput): void => {
    advance(engine, input)
    rows += input.to - input.from + input.panesTo - input.panesFrom
    if (++inputs % 64 === 0) progressed?.()
  }
  const pause = (): Promise<void> | undefined => {
    if (rows < rowsInOneGo) return undefined
    rows = 0
    return breathe()
  }
  await readCanonically(logs, decoder, tally, teach, { lastMayJump: false, pause })
  advance(engine, { kind: 'history-ended' })
}

/**
 * Whether a stream goes back into its history, judged by its first calls: when most of them are older than what was
 * taught. One wild clock, and what comes a little late, is no overlap.
 */
export function goesBackInto(
  until: EpochMs,
  { time, length }: Pick<CallBatch, 'time' | 'length'>,
): EpochMs | undefined {
  let older = 0
  let oldest = until
  for (let row = 0; row < length; row++) {
    const at = time[row] ?? until
    if (at >= until) continue
    older++
    oldest = Math.min(oldest, at)
  }
  return older * 2 > length ? oldest : undefined
}

export function historyOverlaps(from: EpochMs, until: EpochMs): StreamError {
  const iso = (at: EpochMs): string => new Date(at).toISOString()
  return new StreamError(
    'HISTORY_OVERLAPS',
    `The log begins at ${iso(from)}, before the history ends at ${iso(until)}`,
    {
      retry: 'never',
      hint: 'Give --history only what lies before the log: a call that counts in both would be taken for usual and for new',
    },
  )
}
