/**
 * Teaches a fresh engine what is usual, before it sees its first live call: the same decoder, the same `advance`, and
 * whatever it would have decided about last week is left unsaid.
 */
import { type CallBatch, clearBatch, createBatch } from '../core/call-batch.ts'
import { advance, type Engine, engineStatus } from '../core/engine.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'
import type { SourceBatch } from '../sources/source.ts'
import type { Telemetry } from './telemetry.ts'

/** `engine` is one made `withHistory`. History is over when `batches` is; the engine then keeps its baselines, and no incident. */
export async function teachHistory(
  engine: Engine,
  decoder: Decoder,
  batches: AsyncIterable<SourceBatch>,
  telemetry: Telemetry,
): Promise<void> {
  const batch = createBatch(decoder.keys)
  let calls = 0
  let paneRows = 0
  let rejected = 0
  for await (const { partition, records, faults } of batches) {
    clearBatch(batch)
    for (const { payload, position } of records) decoder.decode(payload, position, batch)
    advance(engine, {
      kind: 'batch',
      partition,
      batch,
      from: 0,
      to: batch.length,
      panesFrom: 0,
      panesTo: batch.panes.length,
      // A bare log has no arrival time: its calls are taken to have come when they were made.
      arrivedAt: newestTime(batch),
    })
    calls += batch.length
    paneRows += batch.panes.length
    rejected += (faults?.length ?? 0) + [...batch.rejected.values()].reduce((sum, count) => sum + count, 0)
  }
  advance(engine, { kind: 'history-ended' })
  telemetry({ name: 'historyTaught', calls, paneRows, rejected, keys: engineStatus(engine).keys })
}

function newestTime({ length, time, panes }: CallBatch): EpochMs {
  let newest = 0
  for (let row = 0; row < length; row++) newest = Math.max(newest, time[row] ?? 0)
  for (const { start, seconds } of panes) newest = Math.max(newest, start + seconds * SECOND_MS)
  return newest
}
