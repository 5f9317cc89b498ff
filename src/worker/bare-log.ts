/**
 * Bare logs as the core's input: recorded files have no arrival times, so they get the one canonical sequence. Each
 * file is a partition; the one whose next call is oldest is read next; a batch ends at each event-time second; arrival is
 * the frontier. So a replay is the same on every machine, however the files were cut or zipped.
 *
 * The files of one folder are one log: one partition, of which a few are open at a time, in order of their names. Objects
 * that Firehose wrote beside each other overlap by some minutes, so they are merged too, but thousands need not be open.
 *
 * A call dated more than a minute past its file's frontier counts only if the next call agrees: a single wild clock must
 * not close every pane before it. `lastMayJump`: whether a file's last call, which has no next, is believed.
 */
import {
  appendCalls,
  type CallBatch,
  clearBatch,
  createBatch,
  type KeyTable,
  type PaneRow,
} from '../core/call-batch.ts'
import type { EngineInput } from '../core/engine-input.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { type EpochMs, MINUTE_MS, type PartitionId, SECOND_MS } from '../core/vocabulary.ts'
import type { FilePiece } from '../sources/file-pieces.ts'
import type { DecodedPiece } from './decode-ahead.ts'

export type BatchInput = Extract<EngineInput, { kind: 'batch' }>

export interface BareLog {
  readonly path: string
  /** That the file was found in. */
  readonly folder?: string | undefined
  readonly pieces: AsyncIterable<LogPiece>
  /** Where pieces come decoded: the table that their key numbers are of. */
  readonly keys?: KeyTable
}

/** A piece to be decoded, a fault, or a piece that was decoded ahead. */
export type LogPiece = FilePiece | DecodedPiece

/** What became of the lines, as they are read. */
export interface LogTally {
  records: number
  bytes: number
  calls: number
  paneRows: number
  readonly rejected: Map<string, number>
}

export const createTally = (): LogTally => ({ records: 0, bytes: 0, calls: 0, paneRows: 0, rejected: new Map() })

/** A jump ahead that the next call must confirm. */
const JUMP_MS = MINUTE_MS

/** Of one folder. Each takes some mebibytes, and more than a few do not overlap. */
const mostOpen = 16

/** One file as far as it is decoded. */
interface Reader {
  readonly partition: PartitionId
  readonly folder: string | undefined
  readonly pieces: AsyncIterator<LogPiece>
  ahead: Promise<IteratorResult<LogPiece>> | undefined
  readonly batch: CallBatch
  row: number
  pane: number
  frontier: EpochMs
  isDone: boolean
}

/** All of `logs` in canonical order. Columns are valid until the next input is asked for. */
export async function* canonicalInputs(
  logs: readonly BareLog[],
  decoder: Decoder,
  tally: LogTally,
  { lastMayJump = true }: { readonly lastMayJump?: boolean } = {},
): AsyncGenerator<BatchInput> {
  const waiting = [...logs]
  let readers = opened([], waiting, decoder)
  for (;;) {
    for (const reader of readers) await fill(reader, decoder, tally)
    if (readers.some(isOver)) {
      readers = opened(
        readers.filter(reader => !isOver(reader)),
        waiting,
        decoder,
      )
      continue
    }
    let next: Reader | undefined
    let nextAt = Number.POSITIVE_INFINITY
    for (const reader of readers) {
      const at = nextTime(reader)
      if (at < nextAt) {
        next = reader
        nextAt = at
      }
    }
    if (next === undefined) return
    const input = await takeSecond(next, decoder, tally, lastMayJump)
    if (input !== undefined) yield input
  }
}

/** Those that are open, and of the waiting ones (which are taken out) as many as may be. */
function opened(readers: readonly Reader[], waiting: BareLog[], { keys: ownKeys }: Decoder): readonly Reader[] {
  const open = [...readers]
  const inFolder = new Map<string, number>()
  for (const { folder } of readers) if (folder !== undefined) inFolder.set(folder, (inFolder.get(folder) ?? 0) + 1)
  const stay = waiting.filter(({ path, folder, pieces, keys }) => {
    const beside = folder === undefined ? 0 : (inFolder.get(folder) ?? 0)
    if (beside >= mostOpen) return true
    if (folder !== undefined) inFolder.set(folder, beside + 1)
    const partition = (folder ?? path) as PartitionId
    open.push({
      ...{ partition, folder, pieces: pieces[Symbol.asyncIterator](), batch: createBatch(keys ?? ownKeys, 16_384) },
      ...{ ahead: undefined, row: 0, pane: 0, frontier: Number.NEGATIVE_INFINITY, isDone: false },
    })
    return false
  })
  waiting.splice(0, waiting.length, ...stay)
  return open
}

const isOver = ({ isDone, row, pane, batch }: Reader): boolean =>
  isDone && row >= batch.length && pane >= batch.panes.length

/** Makes sure that there is a next call or row, unless the file is over. */
async function fill(reader: Reader, decoder: Decoder, tally: LogTally): Promise<void> {
  while (!reader.isDone && reader.row >= reader.batch.length && reader.pane >= reader.batch.panes.length) {
    clearBatch(reader.batch)
    reader.row = 0
    reader.pane = 0
    await decodeNext(reader, decoder, tally)
  }
}

async function decodeNext(reader: Reader, decoder: Decoder, tally: LogTally): Promise<void> {
  const { done, value: piece } = await (reader.ahead ?? reader.pieces.next())
  if (done) {
    reader.isDone = true
    return
  }
  // The next piece is read while this one is worked through. What goes wrong with it is told when it is asked for.
  reader.ahead = reader.pieces.next()
  reader.ahead.catch(() => {})
  if (piece.kind === 'fault') {
    count(tally, piece.fault.reason, 1)
    return
  }
  const { batch } = reader
  const before = { calls: batch.length, panes: batch.panes.length }
  const rejected = new Map(batch.rejected)
  if (piece.kind === 'decoded') appendCalls(batch, piece)
  else decoder.decode(piece.record.payload, piece.record.position, batch)
  tally.records++
  tally.bytes += piece.kind === 'decoded' ? piece.payloadBytes : piece.record.payload.length
  tally.calls += batch.length - before.calls
  tally.paneRows += batch.panes.length - before.panes
  for (const [reason, total] of batch.rejected) count(tally, reason, total - (rejected.get(reason) ?? 0))
}

function count(tally: LogTally, reason: string, lines: number): void {
  if (lines > 0) tally.rejected.set(reason, (tally.rejected.get(reason) ?? 0) + lines)
}

/** When the next thing of this file belongs: never before what it has shown. Infinity when it is over. */
function nextTime({ batch, row, pane, frontier }: Reader): EpochMs {
  const call = row < batch.length ? (batch.time[row] ?? 0) : Number.POSITIVE_INFINITY
  const start = batch.panes[pane]?.start ?? Number.POSITIVE_INFINITY
  return Math.max(frontier, Math.min(call, start))
}

/** The calls up to the end of the second in which the next one lies, or the count rows that start there. */
async function takeSecond(
  reader: Reader,
  decoder: Decoder,
  tally: LogTally,
  lastMayJump: boolean,
): Promise<BatchInput | undefined> {
  const { batch } = reader
  const row = batch.panes[reader.pane]
  const call = reader.row < batch.length ? (batch.time[reader.row] ?? 0) : Number.POSITIVE_INFINITY
  if (row !== undefined && row.start <= call) return takeRows(reader, row)

  if (!(await isBelievable(reader, decoder, tally, lastMayJump))) {
    count(tally, 'future', 1)
    tally.calls--
    reader.row++
    return undefined
  }
  let from = reader.row
  const passesSecond = Math.floor(call / SECOND_MS) > Math.floor(reader.frontier / SECOND_MS)
  reader.frontier = Math.max(reader.frontier, call)
  if (passesSecond) {
    // A batch of its own: what is decided as the second passes is answered at that moment, and not a second later.
    reader.row++
    return inputOf(reader, { from, to: reader.row, panesFrom: 0, panesTo: 0 })
  }
  const endOfSecond = (Math.floor(reader.frontier / SECOND_MS) + 1) * SECOND_MS
  let to = from + 1
  for (;;) {
    for (; to < batch.length; to++) {
      const at = batch.time[to] ?? 0
      if (at >= endOfSecond) break
      if (at > reader.frontier) reader.frontier = at
    }
    if (to < batch.length || reader.isDone) break
    // The second may go on in the file's next piece: where pieces were cut must not show.
    to -= dropTaken(reader)
    from = reader.row
    await decodeNext(reader, decoder, tally)
  }
  reader.row = to
  return inputOf(reader, { from, to, panesFrom: 0, panesTo: 0 })
}

/** Makes room in the batch by what was taken of it already. Returns how many calls that is. */
function dropTaken(reader: Reader): number {
  const { batch, row } = reader
  for (const column of [batch.key, batch.time, batch.status, batch.latencyMs, batch.bytes])
    column.copyWithin(0, row, batch.length)
  batch.length -= row
  batch.panes.splice(0, reader.pane)
  reader.row = 0
  reader.pane = 0
  return row
}

function takeRows(reader: Reader, first: PaneRow): BatchInput {
  const { panes } = reader.batch
  const from = reader.pane
  let to = from + 1
  for (; to < panes.length && panes[to]?.start === first.start; to++);
  reader.pane = to
  reader.frontier = Math.max(reader.frontier, first.start)
  return inputOf(reader, { from: 0, to: 0, panesFrom: from, panesTo: to })
}

const inputOf = (
  { partition, batch, frontier }: Reader,
  range: Pick<BatchInput, 'from' | 'to' | 'panesFrom' | 'panesTo'>,
): BatchInput => ({ kind: 'batch', partition, batch, ...range, arrivedAt: frontier })

/** Whether the next call's time is near the frontier, or the call after it bears it out. */
async function isBelievable(reader: Reader, decoder: Decoder, tally: LogTally, lastMayJump: boolean): Promise<boolean> {
  const { batch } = reader
  const at = batch.time[reader.row] ?? 0
  if (at <= reader.frontier + JUMP_MS) return true
  while (reader.row + 1 >= batch.length && !reader.isDone) await decodeNext(reader, decoder, tally)
  // The last call of a file has nobody to contradict it, or to bear it out. In a history it would blind what follows.
  if (reader.row + 1 >= batch.length) return lastMayJump || reader.frontier === Number.NEGATIVE_INFINITY
  return (batch.time[reader.row + 1] ?? 0) >= at - JUMP_MS
}
