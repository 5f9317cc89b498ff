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
  columnsOf,
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
  /** A piece that is there already and need not be waited for; where it answers undefined, `pieces` must be asked. */
  readonly waiting?: () => LogPiece | undefined
  /** Told of each piece, before it is decoded where it is not yet. */
  readonly seen?: (piece: LogPiece) => void
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
  readonly log: BareLog
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

function createReader(log: BareLog, decoder: Decoder): Reader {
  return {
    log,
    partition: (log.folder ?? log.path) as PartitionId,
    folder: log.folder,
    pieces: log.pieces[Symbol.asyncIterator](),
    ahead: undefined,
    batch: createBatch(log.keys ?? decoder.keys, 16_384),
    row: 0,
    pane: 0,
    frontier: Number.NEGATIVE_INFINITY,
    isDone: false,
  }
}

interface ReadingOptions {
  readonly lastMayJump?: boolean
  readonly isEnough?: () => boolean
  /** Asked after each input: what is to be waited for before the next. */
  readonly pause?: (() => Promise<void> | undefined) | undefined
}

/** Hands all of `logs` in canonical order to `take`, or as many as are enough. Columns are valid until it returns. */
export async function readCanonically(
  logs: readonly BareLog[],
  decoder: Decoder,
  tally: LogTally,
  take: (input: BatchInput) => void,
  { lastMayJump = true, isEnough, pause }: ReadingOptions = {},
): Promise<void> {
  const waiting = [...logs]
  let readers = opened([], waiting, decoder)
  // Waits only where there is nothing to work on: there are thousands of seconds in a piece of a quiet stream.
  for (;;) {
    let next: Reader | undefined
    let nextAt = Number.POSITIVE_INFINITY
    let isAnyOver = false
    for (const reader of readers) {
      while (isEmpty(reader)) {
        clearBatch(reader.batch)
        reader.row = 0
        reader.pane = 0
        if (!decodeWaiting(reader, decoder, tally)) await decodeNext(reader, decoder, tally)
      }
      const at = nextTime(reader)
      if (at === Number.POSITIVE_INFINITY) isAnyOver = true
      if (at < nextAt) {
        next = reader
        nextAt = at
      }
    }
    if (isAnyOver) {
      readers = opened(
        readers.filter(reader => nextTime(reader) < Number.POSITIVE_INFINITY),
        waiting,
        decoder,
      )
      continue
    }
    if (next === undefined) return
    let input = takeSecond(next, tally, lastMayJump)
    while (input === 'needs more') {
      // The second, or the call that bears out a jump, may be in the file's next piece: where it was cut must not show.
      dropTaken(next)
      if (!decodeWaiting(next, decoder, tally)) await decodeNext(next, decoder, tally)
      input = takeSecond(next, tally, lastMayJump)
    }
    if (input !== undefined) take(input)
    const pausing = pause?.()
    if (pausing !== undefined) await pausing
    if (isEnough?.() === true) {
      for (const reader of readers) leave(reader)
      return
    }
  }
}

/** Closes what is not read to its end. Nobody waits for that, or hears what goes wrong with it: a pipe may never say more. */
function leave({ pieces }: Reader): void {
  pieces.return?.().catch(() => {})
}

/** Those that are open, and of the waiting ones (which are taken out) as many as may be. */
function opened(readers: readonly Reader[], waiting: BareLog[], decoder: Decoder): readonly Reader[] {
  const open = [...readers]
  const inFolder = new Map<string, number>()
  for (const { folder } of readers) if (folder !== undefined) inFolder.set(folder, (inFolder.get(folder) ?? 0) + 1)
  const stay = waiting.filter(log => {
    const { folder } = log
    const beside = folder === undefined ? 0 : (inFolder.get(folder) ?? 0)
    if (beside >= mostOpen) return true
    if (folder !== undefined) inFolder.set(folder, beside + 1)
    open.push(createReader(log, decoder))
    return false
  })
  waiting.splice(0, waiting.length, ...stay)
  return open
}

const isEmpty = ({ isDone, row, pane, batch }: Reader): boolean =>
  !isDone && row >= batch.length && pane >= batch.panes.length

function decodeWaiting(reader: Reader, decoder: Decoder, tally: LogTally): boolean {
  const piece = reader.log.waiting?.()
  if (piece !== undefined) takePiece(reader, piece, decoder, tally)
  return piece !== undefined
}

async function decodeNext(reader: Reader, decoder: Decoder, tally: LogTally): Promise<void> {
  const { done, value: piece } = await (reader.ahead ?? reader.pieces.next())
  if (done) {
    reader.isDone = true
    return
  }
  // The next piece is read while this one is worked through. What goes wrong with it is told when it is asked for.
  if (reader.log.waiting === undefined) {
    reader.ahead = reader.pieces.next()
    reader.ahead.catch(() => {})
  }
  takePiece(reader, piece, decoder, tally)
}

function takePiece({ log, batch }: Reader, piece: LogPiece, decoder: Decoder, tally: LogTally): void {
  log.seen?.(piece)
  if (piece.kind === 'fault') {
    count(tally, piece.fault.reason, 1)
    return
  }
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

/**
 * The calls up to the end of the second in which the next one lies, or the count rows that start there; undefined where the
 * next call is not believed. Where it answers that it needs more, nothing has changed that asking again would not.
 */
function takeSecond(reader: Reader, tally: LogTally, lastMayJump: boolean): BatchInput | 'needs more' | undefined {
  const { batch } = reader
  const row = batch.panes[reader.pane]
  const from = reader.row
  const call = from < batch.length ? (batch.time[from] ?? 0) : Number.POSITIVE_INFINITY
  if (row !== undefined && row.start <= call) return takeRows(reader, row)

  if (call > reader.frontier + JUMP_MS) {
    if (from + 1 >= batch.length && !reader.isDone) return 'needs more'
    if (!isBorneOut(reader, lastMayJump)) {
      count(tally, 'future', 1)
      tally.calls--
      reader.row++
      return undefined
    }
  }
  const passesSecond = Math.floor(call / SECOND_MS) > Math.floor(reader.frontier / SECOND_MS)
  reader.frontier = Math.max(reader.frontier, call)
  if (passesSecond) {
    // A batch of its own: what is decided as the second passes is answered at that moment, and not a second later.
    reader.row++
    return inputOf(reader, { from, to: reader.row, panesFrom: 0, panesTo: 0 })
  }
  const endOfSecond = (Math.floor(reader.frontier / SECOND_MS) + 1) * SECOND_MS
  let to = from + 1
  for (; to < batch.length; to++) {
    const at = batch.time[to] ?? 0
    if (at >= endOfSecond) break
    if (at > reader.frontier) reader.frontier = at
  }
  if (to === batch.length && !reader.isDone) return 'needs more'
  reader.row = to
  return inputOf(reader, { from, to, panesFrom: 0, panesTo: 0 })
}

/** Makes room in the batch by what was taken of it already. */
function dropTaken(reader: Reader): void {
  const { batch, row } = reader
  for (const column of columnsOf(batch)) column.copyWithin(0, row, batch.length)
  batch.length -= row
  batch.panes.splice(0, reader.pane)
  reader.row = 0
  reader.pane = 0
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

/** Whether a call that jumps ahead is believed: the call after it agrees. */
function isBorneOut({ batch, row, frontier }: Reader, lastMayJump: boolean): boolean {
  const at = batch.time[row] ?? 0
  // The last call of a file has nobody to contradict it, or to bear it out. In a history it would blind what follows.
  if (row + 1 >= batch.length) return lastMayJump || frontier === Number.NEGATIVE_INFINITY
  return (batch.time[row + 1] ?? 0) >= at - JUMP_MS
}
