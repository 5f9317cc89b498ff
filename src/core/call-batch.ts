/**
 * Decoded calls as columns: no object a call, so that a batch costs what its bytes cost and a faster decoder can take
 * the first one's place. A batch is reused: `clearBatch` empties it, columns grow and never shrink. Mutable on purpose.
 */
import type { ApiKeyId, Position } from './vocabulary.ts'

/**
 * Why a line was not counted as it stands. Counted by reason, a few kept as redacted excerpts, never thrown.
 * `no-key` is the one that loses nothing: the call counts as anonymous, and is noted, since a log without key ids is
 * usually a log format that forgot them. `duplicate` is a whole record that was delivered twice. `broken-json` loses nothing where key, time and status stood before the break.
 */
export type RejectionReason =
  | 'broken-json'
  | 'not-an-object'
  | 'unknown-format'
  | 'no-key'
  | 'no-time'
  | 'bad-time'
  | 'bad-status'
  | 'future'
  | 'too-old'
  | 'too-large'
  | 'bad-gzip'
  | 'bad-batch'
  | 'bad-zstd'
  | 'bad-envelope'
  | 'bad-kpl'
  | 'bad-pane'
  | 'bad-row'
  | 'no-header'
  | 'duplicate'
  | 'rotated-away'

export interface Rejection {
  readonly reason: RejectionReason
  /** Position of the record (or the line in it) that was refused. */
  readonly position: Position
  /** Length of what was refused, bytes. */
  readonly length: number
  /** The shape of its beginning: letters as x, digits as 9, known field names kept. Holds no value that the log held. */
  readonly excerpt: string
}

/** Append-only table from local number to key id, owned by one decoder; columns hold the numbers. */
export interface KeyTable {
  readonly ids: ApiKeyId[]
}

/** A count of calls that another tool made: `seconds` = 1 is a pane, longer rows teach baselines only. */
export interface PaneRow {
  readonly key: number
  readonly start: number
  readonly seconds: number
  readonly calls: number
  readonly status2xx: number
  readonly status4xx: number
  readonly status429: number
  readonly status5xx: number
  /** Sum over the calls that have one, ms, and how many have. */
  readonly latencySumMs: number
  readonly latencyCount: number
  readonly bytes: number
}

export interface CallBatch {
  /** Calls in the columns. */
  length: number
  readonly keys: KeyTable
  /** Index into `keys.ids`. */
  key: Int32Array
  /** Event time of the request, epoch ms. */
  time: Float64Array
  /** HTTP status; 0 when the line has none. */
  status: Uint16Array
  /** Response latency in ms; -1 when the line has none. */
  latencyMs: Float64Array
  /** Response length in bytes; -1 when the line has none. */
  bytes: Float64Array
  /**
   * Hash of the path that was called, its query left out, and keyed hash of the network that it was called from; 0 where the
   * line has none. Without places where no detector reads them (`wantPlaces`), so that they cost nothing then.
   */
  route: Int32Array
  source: Int32Array
  panes: PaneRow[]
  /** How many lines were refused, by reason; `samples` holds the first few of each. */
  rejected: Map<RejectionReason, number>
  samples: Rejection[]
  /** Well-formed messages that carry no call by nature (CloudWatch CONTROL_MESSAGE): signs of life. */
  controlMessages: number
}

export function createBatch(keys: KeyTable = { ids: [] }, capacity = 1024): CallBatch {
  return {
    length: 0,
    keys,
    ...createColumns(capacity),
    ...noPlaces(),
    panes: [],
    rejected: new Map(),
    samples: [],
    controlMessages: 0,
  }
}

export type Columns = Pick<CallBatch, 'key' | 'time' | 'status' | 'latencyMs' | 'bytes'>
export type PlaceColumns = Pick<CallBatch, 'route' | 'source'>
export type AllColumns = Columns & PlaceColumns

/** `allocate`: where the columns are not to be in memory of their own, but in memory that threads share. */
export function createColumns(
  capacity: number,
  allocate: (bytes: number) => ArrayBufferLike = bytes => new ArrayBuffer(bytes),
): Columns {
  return {
    key: new Int32Array(allocate(4 * capacity)),
    time: new Float64Array(allocate(8 * capacity)),
    status: new Uint16Array(allocate(2 * capacity)),
    latencyMs: new Float64Array(allocate(8 * capacity)),
    bytes: new Float64Array(allocate(8 * capacity)),
  }
}

export const createPlaceColumns = (
  capacity: number,
  allocate: (bytes: number) => ArrayBufferLike = bytes => new ArrayBuffer(bytes),
): PlaceColumns => ({ route: new Int32Array(allocate(4 * capacity)), source: new Int32Array(allocate(4 * capacity)) })

const noPlaces = (): PlaceColumns => createPlaceColumns(0)

export const hasPlaces = ({ route }: PlaceColumns): boolean => route.length > 0

/** Makes sure that the batch has columns for routes and sources; of calls that are in it none is known. */
export function wantPlaces(batch: CallBatch): void {
  if (!hasPlaces(batch)) Object.assign(batch, createPlaceColumns(Math.max(1, batch.key.length)))
}

export function clearBatch(batch: CallBatch): void {
  batch.length = 0
  batch.panes.length = 0
  batch.rejected.clear()
  batch.samples.length = 0
  batch.controlMessages = 0
}

/** So many refused lines of one reason are kept as samples in one batch: a flood of bad lines costs a counter. */
const samplesPerReason = 8

export function reject(
  batch: CallBatch,
  { reason, position, length, excerpt }: Omit<Rejection, 'excerpt'> & { readonly excerpt: () => string },
): void {
  const count = (batch.rejected.get(reason) ?? 0) + 1
  batch.rejected.set(reason, count)
  if (count <= samplesPerReason) batch.samples.push({ reason, position, length, excerpt: excerpt() })
}

/** Makes room for one call more and returns its row. */
export function nextRow(batch: CallBatch): number {
  roomForCall(batch)
  return batch.length++
}

/** Makes sure that row `length` is there to be written: it counts once `length` is raised. */
export function roomForCall(batch: CallBatch): void {
  if (batch.length === batch.key.length) grow(batch)
}

function grow(batch: CallBatch): void {
  const capacity = batch.key.length * 2
  const widen = <T extends Int32Array | Float64Array | Uint16Array>(to: T, from: T): T => {
    to.set(from)
    return to
  }
  batch.key = widen(new Int32Array(capacity), batch.key)
  batch.time = widen(new Float64Array(capacity), batch.time)
  batch.status = widen(new Uint16Array(capacity), batch.status)
  batch.latencyMs = widen(new Float64Array(capacity), batch.latencyMs)
  batch.bytes = widen(new Float64Array(capacity), batch.bytes)
  if (!hasPlaces(batch)) return
  batch.route = widen(new Int32Array(capacity), batch.route)
  batch.source = widen(new Int32Array(capacity), batch.source)
}

/** All columns that the batch has. */
export const columnsOf = (batch: AllColumns) => [
  ...[batch.key, batch.time, batch.status, batch.latencyMs, batch.bytes],
  ...(hasPlaces(batch) ? [batch.route, batch.source] : []),
]

/** Takes the calls of these rows, in ascending order, out of the batch. */
export function removeCalls(batch: CallBatch, rows: readonly number[]): void {
  for (const column of columnsOf(batch)) {
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] as number
      column.copyWithin(row - index, row + 1, rows[index + 1] ?? batch.length)
    }
  }
  batch.length -= rows.length
}

/** Appends what was decoded elsewhere, with key numbers of the same table. */
export function appendCalls(
  batch: CallBatch,
  more: Pick<CallBatch, 'length' | 'panes' | 'rejected' | 'samples'> & { readonly columns: AllColumns },
): void {
  const { columns, length } = more
  while (batch.length + length > batch.key.length) grow(batch)
  batch.key.set(columns.key.subarray(0, length), batch.length)
  batch.time.set(columns.time.subarray(0, length), batch.length)
  batch.status.set(columns.status.subarray(0, length), batch.length)
  batch.latencyMs.set(columns.latencyMs.subarray(0, length), batch.length)
  batch.bytes.set(columns.bytes.subarray(0, length), batch.length)
  appendPlaces(batch, columns, length)
  batch.length += length
  for (const row of more.panes) batch.panes.push(row)
  for (const [reason, count] of more.rejected) batch.rejected.set(reason, (batch.rejected.get(reason) ?? 0) + count)
  batch.samples.push(...more.samples)
}

function appendPlaces(batch: CallBatch, columns: PlaceColumns, length: number): void {
  if (hasPlaces(columns)) {
    wantPlaces(batch)
    batch.route.set(columns.route.subarray(0, length), batch.length)
    batch.source.set(columns.source.subarray(0, length), batch.length)
  } else if (hasPlaces(batch)) {
    batch.route.fill(0, batch.length, batch.length + length)
    batch.source.fill(0, batch.length, batch.length + length)
  }
}
