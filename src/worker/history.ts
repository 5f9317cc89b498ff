/**
 * Teaches a fresh engine what is usual, before it sees its first live call: recorded logs or counts, in their canonical
 * order, through the same decoder and the same `advance`. Whatever it would have decided about last week is left unsaid.
 */
import { advance, type Engine, engineStatus } from '../core/engine.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { type BareLog, canonicalInputs, createTally } from './bare-log.ts'
import type { Telemetry } from './telemetry.ts'

/** `engine` is one made `withHistory`. After it the engine keeps its baselines, and no incident. */
export async function teachHistory(
  engine: Engine,
  decoder: Decoder,
  logs: readonly BareLog[],
  telemetry: Telemetry,
): Promise<void> {
  const tally = createTally()
  for await (const input of canonicalInputs(logs, decoder, tally)) advance(engine, input)
  advance(engine, { kind: 'history-ended' })
  const { calls, paneRows } = tally
  const rejected = [...tally.rejected.values()].reduce((sum, count) => sum + count, 0)
  telemetry({ name: 'historyTaught', calls, paneRows, rejected, keys: engineStatus(engine).keys })
}
