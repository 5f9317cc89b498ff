/**
 * Reads and decodes a file in a thread of its own, so that a replay's decoding and judging take two cores instead of one.
 * Same reader, same decoder, same order: only where it runs differs. Pays from some megabytes on; a thread takes a
 * twentieth of a second to start.
 */
import { Worker } from 'node:worker_threads'
import type { CallBatch, KeyTable } from '../core/call-batch.ts'
import type { DecoderOptions } from '../core/formats/decoder.ts'
import type { ApiKeyId } from '../core/vocabulary.ts'
import type { SourceFault } from '../sources/source.ts'

/** One piece of a file as columns, of the key table that belongs to the file. */
export interface DecodedPiece extends Pick<CallBatch, 'length' | 'panes' | 'rejected' | 'samples'> {
  readonly kind: 'decoded'
  readonly payloadBytes: number
  readonly columns: Pick<CallBatch, 'key' | 'time' | 'status' | 'latencyMs' | 'bytes'>
}

export interface ThreadTask extends DecoderOptions {
  readonly path: string
  /** So many pieces may wait to be taken. */
  readonly ahead: number
}

export type FromThread =
  | { readonly kind: 'fault'; readonly fault: SourceFault }
  | (DecodedPiece & { readonly newKeys: readonly ApiKeyId[] })
  | { readonly kind: 'end' }

/** One piece was taken. */
export type ToThread = 'taken'

type Handed = Exclude<FromThread, { kind: 'end' }>

const AHEAD = 8

/** Threads run what was built: a checkout that runs its sources has none. */
export const canDecodeAhead = import.meta.url.endsWith('.js')

/** Ends early, without a word, when `signal` aborts. Rejects with what reading or decoding threw. */
export function decodeAhead(
  path: string,
  options: DecoderOptions,
  signal: AbortSignal,
): { readonly pieces: AsyncIterable<Handed>; readonly keys: KeyTable } {
  const keys: KeyTable = { ids: [] }
  return { keys, pieces: handedOver(path, options, keys, signal) }
}

async function* handedOver(
  path: string,
  options: DecoderOptions,
  keys: KeyTable,
  signal: AbortSignal,
): AsyncGenerator<Handed> {
  const task: ThreadTask = { ...options, path, ahead: AHEAD }
  const thread = new Worker(new URL('./decode-thread.js', import.meta.url), { workerData: task })
  thread.unref()
  const waiting: FromThread[] = []
  let failure: { readonly cause: unknown } | undefined
  let wake = (): void => {}
  thread.on('message', (message: FromThread) => {
    waiting.push(message)
    wake()
  })
  thread.on('error', cause => {
    failure = { cause }
    wake()
  })
  try {
    for (;;) {
      const message = waiting.shift()
      if (signal.aborted) return
      if (message === undefined) {
        if (failure !== undefined) throw failure.cause
        // Only who waits for it keeps the process alive: a replay that ended early is not kept by what it did not read.
        thread.ref()
        await new Promise<void>(resolve => {
          wake = resolve
        })
        thread.unref()
        continue
      }
      if (message.kind === 'end') return
      if (message.kind === 'decoded') keys.ids.push(...message.newKeys)
      thread.postMessage('taken' satisfies ToThread)
      yield message
    }
  } finally {
    await thread.terminate()
  }
}
