/**
 * Reads and decodes a file in a thread of its own, so that a replay's decoding and judging take two cores instead of one.
 * Same reader, same decoder, same order: only where it runs differs. Pays from some megabytes on; a thread takes a
 * twentieth of a second to start, so it is started as soon as the file is known, and told later how to decode.
 *
 *     thread:  read → decode → columns in shared memory → message            (waits while `ahead` pieces are untaken)
 *     here:    message → appended to the log's batch → one more is taken
 *
 * Neither side goes through its event loop for a piece: a message is taken as it lies there, and whoever must wait sleeps
 * on a shared counter, this side never for long, so that a signal is heard.
 */
import { setImmediate } from 'node:timers/promises'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { AllColumns, CallBatch, KeyTable, PaneRow } from '../core/call-batch.ts'
import type { DecoderOptions } from '../core/formats/decoder.ts'
import type { ApiKeyId } from '../core/vocabulary.ts'
import type { SourceFault } from '../sources/source.ts'

/** One piece of a file as columns, of the key table that belongs to the file. */
export interface DecodedPiece extends Pick<CallBatch, 'length' | 'panes' | 'rejected' | 'samples'> {
  readonly kind: 'decoded'
  readonly payloadBytes: number
  /** At least `length` long; good until the next piece is asked for. */
  readonly columns: AllColumns
}

export interface ThreadTask {
  readonly path: string
  /** So many pieces may wait to be taken. */
  readonly ahead: number
  readonly counters: Int32Array
}

/** Places of the shared counters. */
export const postedCounter = 0
export const takenCounter = 1

export type FromThread =
  | { readonly kind: 'fault'; readonly fault: SourceFault }
  | (Omit<DecodedPiece, 'panes'> & { readonly rows: Float64Array; readonly newKeys: readonly ApiKeyId[] })
  | { readonly kind: 'end' }

type Handed = { readonly kind: 'fault'; readonly fault: SourceFault } | DecodedPiece

/** So many numbers a count row is handed over as: thousands of objects would be copied one by one. */
const rowFields = [
  'key',
  'start',
  'seconds',
  'calls',
  'status2xx',
  'status4xx',
  'status429',
  'status5xx',
  'latencySumMs',
  'latencyCount',
  'bytes',
] as const satisfies readonly (keyof PaneRow)[]

export function packRows(panes: readonly PaneRow[]): Float64Array {
  const rows = new Float64Array(panes.length * rowFields.length)
  let at = 0
  for (const row of panes) for (const field of rowFields) rows[at++] = row[field]
  return rows
}

function unpackRows(rows: Float64Array): PaneRow[] {
  const panes: PaneRow[] = []
  for (let at = 0; at < rows.length; at += rowFields.length) {
    const [key = 0, start = 0, seconds = 0, calls = 0, status2xx = 0, status4xx = 0] = rows.subarray(at, at + 6)
    const [status429 = 0, status5xx = 0, latencySumMs = 0, latencyCount = 0, bytes = 0] = rows.subarray(at + 6, at + 11)
    panes.push({
      key,
      start,
      seconds,
      calls,
      status2xx,
      status4xx,
      status429,
      status5xx,
      latencySumMs,
      latencyCount,
      bytes,
    })
  }
  return panes
}

const AHEAD = 8
/** Asleep for no longer than this, and no more pieces without a turn of the event loop, so that a signal is heard. */
const longestSleepMs = 20
const mostInARow = 32

/** Threads run what was built: a checkout that runs its sources has none. */
export const canDecodeAhead = import.meta.url.endsWith('.js')

/** A thread that has begun, and waits to be told how to decode. */
export interface DecodingThread {
  /** `keys`: an empty table to be filled. `waiting` answers what is there already; `pieces` waits for it. Both end early, without a word, when `signal` aborts. */
  decode(options: DecoderOptions, signal: AbortSignal, keys?: KeyTable): DecodedAhead
  /** Ends it where it is not needed after all. */
  stop(): Promise<unknown>
}

export interface DecodedAhead {
  readonly keys: KeyTable
  /** A piece that is there already; undefined where `pieces` must be asked. */
  waiting(): Handed | undefined
  /** Rejects with what reading or decoding threw. */
  readonly pieces: AsyncIterable<Handed>
}

export function startDecoding(path: string): DecodingThread {
  const counters = new Int32Array(new SharedArrayBuffer(8))
  const workerData: ThreadTask = { path, ahead: AHEAD, counters }
  const thread = new Worker(new URL('./decode-thread.js', import.meta.url), { workerData })
  let failure: { readonly cause: unknown } | undefined
  thread.on('error', cause => {
    failure = { cause }
  })
  // A replay that ended early is not kept by what it did not read.
  thread.unref()
  const { port1: here, port2: there } = new MessageChannel()
  here.unref()

  return {
    stop: () => thread.terminate(),
    decode(options, signal, keys = { ids: [] }) {
      thread.postMessage({ options, port: there }, [there])
      let isOver = false
      /** A piece's columns are written again only after it was given back, which is when the next one is asked for. */
      let isHeld = false

      const take = (): Handed | undefined => {
        if (isHeld) {
          isHeld = false
          const taken = Atomics.add(counters, takenCounter, 1) + 1
          // A thread that is woken for every piece does nothing but wake up: it gets half of what it may be ahead at a time.
          if (taken % (AHEAD / 2) === 0) Atomics.notify(counters, takenCounter)
        }
        const message: FromThread | undefined = isOver ? undefined : receiveMessageOnPort(here)?.message
        if (message === undefined) return undefined
        isOver = message.kind === 'end'
        if (message.kind === 'end') return undefined
        isHeld = true
        if (message.kind === 'fault') return message
        const { newKeys, rows, ...piece } = message
        for (const id of newKeys) keys.ids.push(id)
        return { ...piece, panes: unpackRows(rows) }
      }

      let inARow = 0
      const waiting = (): Handed | undefined => {
        if (signal.aborted || inARow === mostInARow) return undefined
        inARow++
        return take()
      }

      async function* pieces(): AsyncGenerator<Handed> {
        try {
          for (;;) {
            // Signals, and what went wrong in the thread, come by the event loop.
            await setImmediate()
            inARow = 0
            if (signal.aborted) return
            if (failure !== undefined) throw failure.cause
            const posted = Atomics.load(counters, postedCounter)
            const piece = take()
            if (piece !== undefined) yield piece
            else if (isOver) return
            else Atomics.wait(counters, postedCounter, posted, longestSleepMs)
          }
        } finally {
          here.close()
          await thread.terminate()
        }
      }
      return { keys, waiting, pieces: pieces() }
    },
  }
}

/** The same in a thread that begins when `pieces` is gone through: of a folder there may be thousands of files, and few are open. */
export function decodeAhead(path: string, options: DecoderOptions, signal: AbortSignal): DecodedAhead {
  const keys: KeyTable = { ids: [] }
  let begun: DecodedAhead | undefined
  return {
    keys,
    waiting: () => begun?.waiting(),
    pieces: {
      [Symbol.asyncIterator]() {
        begun = startDecoding(path).decode(options, signal, keys)
        return begun.pieces[Symbol.asyncIterator]()
      },
    },
  }
}
