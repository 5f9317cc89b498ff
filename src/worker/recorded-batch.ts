/**
 * A batch of calls as a recording keeps it, and back: the columns, each in the narrowest type that loses nothing (a call
 * takes 14 bytes instead of 30), and the keys that are new.
 */
import { type AllColumns, appendCalls, type CallBatch, createBatch, type KeyTable } from '../core/call-batch.ts'
import type { Column, RecordedBatch } from '../stores/recording-entry.ts'
import type { BatchInput } from './bare-log.ts'

/** A copy of the rows that the input is about. `keysNamed`: keys of its table that were recorded before. */
export function recordedBatch(input: BatchInput, keysNamed: number): RecordedBatch {
  const { partition, arrivedAt, batch, from, to, panesFrom, panesTo } = input
  return {
    kind: 'batch',
    partition,
    arrivedAt,
    length: to - from,
    ...timesOf(batch.time.subarray(from, to)),
    key: narrowed(batch.key.subarray(from, to)),
    status: batch.status.slice(from, to),
    latencyMs: narrowed(batch.latencyMs.subarray(from, to)),
    bytes: narrowed(batch.bytes.subarray(from, to)),
    ...placesOf(batch, from, to),
    panes: batch.panes.slice(panesFrom, panesTo),
    newKeys: batch.keys.ids.slice(keysNamed),
  }
}

/** Nothing where no call has any: an empty column is one that nobody filled. */
function placesOf(batch: CallBatch, from: number, to: number): Pick<RecordedBatch, 'route' | 'source'> {
  const [route, source] = [batch.route.slice(from, to), batch.source.slice(from, to)]
  return route.some(Boolean) || source.some(Boolean) ? { route, source } : {}
}

function timesOf(times: Float64Array): Pick<RecordedBatch, 'time' | 'timeFrom'> {
  const timeFrom = times[0] ?? 0
  const time = narrowed(times.map(at => at - timeFrom))
  // Differences that are no whole numbers may not add up to what they came from.
  return time instanceof Float64Array ? { timeFrom: 0, time: times.slice() } : { timeFrom, time }
}

/** A copy in the narrowest type that loses nothing. */
function narrowed(from: Float64Array | Int32Array): Column {
  let least = 0
  let most = 0
  for (let row = 0; row < from.length; row++) {
    const value = from[row] ?? 0
    // A fraction, a number beyond 32 bits, -0: what the conversion would change.
    if (!Object.is(value | 0, value)) return Float64Array.from(from)
    if (value < least) least = value
    if (value > most) most = value
  }
  return least >= -0x8000 && most < 0x8000 ? Int16Array.from(from) : Int32Array.from(from)
}

/** The input again, its key numbers being of `keys`, which grows by those that it names first. */
export function batchInputOf(recorded: RecordedBatch, keys: KeyTable): BatchInput {
  const { partition, arrivedAt, length, panes, newKeys } = recorded
  keys.ids.push(...newKeys)
  const batch = createBatch(keys, Math.max(1, length))
  appendCalls(batch, { length, panes: [...panes], rejected: new Map(), samples: [], columns: columnsOf(recorded) })
  return { kind: 'batch', partition, batch, from: 0, to: length, panesFrom: 0, panesTo: panes.length, arrivedAt }
}

function columnsOf({ key, time, timeFrom, status, latencyMs, bytes, route, source }: RecordedBatch): AllColumns {
  return {
    route: Int32Array.from(route ?? []),
    source: Int32Array.from(source ?? []),
    key: Int32Array.from(key),
    time: Float64Array.from(time, since => since + timeFrom),
    status: Uint16Array.from(status),
    latencyMs: Float64Array.from(latencyMs),
    bytes: Float64Array.from(bytes),
  }
}
