/**
 * The other side of decode-ahead.ts: a worker thread that reads one file and decodes it, a piece at a time, into columns in
 * memory that both threads see. It stays a few pieces ahead of whoever takes them, and no more.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { clearBatch, createBatch, createColumns, createPlaceColumns } from '../core/call-batch.ts'
import { createDecoder, type DecoderOptions } from '../core/formats/decoder.ts'
import { type FilePiece, readFilePieces, readPlainPieces } from '../sources/file-pieces.ts'
import { type FromThread, packRows, postedCounter, type ThreadTask, takenCounter } from './decode-ahead.ts'

/** Rows of a piece of a mebibyte, if its lines are no shorter than 64 bytes; more is copied instead of shared. */
const columnRows = 16_384

export interface Instruction {
  readonly options: DecoderOptions
  readonly port: MessagePort
}

parentPort?.once('message', ({ options, port }: Instruction) => {
  void run(workerData as ThreadTask, options, port)
})

async function run({ path, ahead, counters }: ThreadTask, options: DecoderOptions, port: MessagePort): Promise<void> {
  const decoder = createDecoder(options)
  // One more than may wait: the one that is being written.
  const shared = (bytes: number) => new SharedArrayBuffer(bytes)
  const readsPlaces = options.reads?.route === true || options.reads?.source === true
  const batches = Array.from({ length: ahead + 1 }, () => ({
    ...createBatch(decoder.keys, 0),
    ...createColumns(columnRows, shared),
    ...createPlaceColumns(readsPlaces ? columnRows : 0, shared),
  }))
  let posted = 0
  let keysSent = 0

  const post = (message: FromThread): void => {
    port.postMessage(message)
    posted = Atomics.add(counters, postedCounter, 1) + 1
    Atomics.notify(counters, postedCounter)
    for (;;) {
      const taken = Atomics.load(counters, takenCounter)
      if (posted - taken < ahead) return
      Atomics.wait(counters, takenCounter, taken)
    }
  }
  const take = (piece: FilePiece): void => {
    if (piece.kind === 'fault') {
      post({ kind: 'fault', fault: piece.fault })
      return
    }
    const { payload, position } = piece.record
    const batch = batches[posted % batches.length] ?? createBatch(decoder.keys)
    clearBatch(batch)
    decoder.decode(payload, position, batch)
    const { key, time, status, latencyMs, bytes, route, source, panes, rejected, samples, length } = batch
    const newKeys = decoder.keys.ids.slice(keysSent)
    keysSent += newKeys.length
    post({
      kind: 'decoded',
      payloadBytes: payload.length,
      length,
      columns: { key, time, status, latencyMs, bytes, route, source },
      rows: packRows(panes),
      rejected,
      samples,
      newKeys,
    })
  }

  const reading = readPlainPieces(path)
  let next = reading.next()
  for (; !next.done; next = reading.next()) take(next.value)
  for await (const piece of readFilePieces(path, { ...options, from: next.value }, new AbortController().signal))
    take(piece)
  post({ kind: 'end' })
  port.close()
}
