/**
 * The other side of decode-ahead.ts: a worker thread that reads one file and decodes it, a piece at a time, and hands over
 * columns (their buffers move, nothing is copied). It stays a few pieces ahead of whoever takes them, and no more.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { clearBatch, createBatch } from '../core/call-batch.ts'
import { createDecoder } from '../core/formats/decoder.ts'
import { readFilePieces } from '../sources/file-pieces.ts'
import type { FromThread, ThreadTask, ToThread } from './decode-ahead.ts'

const port = parentPort
if (port !== null) await run(workerData as ThreadTask)

async function run({ path, ahead, ...options }: ThreadTask): Promise<void> {
  const decoder = createDecoder(options)
  const batch = createBatch(decoder.keys, 16_384)
  let keysSent = 0
  let untaken = 0
  let wake = (): void => {}
  port?.on('message', (_: ToThread) => {
    untaken--
    wake()
  })
  const send = async (message: FromThread, moved: readonly ArrayBuffer[] = []): Promise<void> => {
    port?.postMessage(message, moved)
    untaken++
    while (untaken >= ahead) await new Promise<void>(resolve => (wake = resolve))
  }

  for await (const piece of readFilePieces(path, options, new AbortController().signal)) {
    if (piece.kind === 'fault') {
      await send({ kind: 'fault', fault: piece.fault })
      continue
    }
    const { payload, position } = piece.record
    clearBatch(batch)
    decoder.decode(payload, position, batch)
    const columns = {
      key: batch.key.slice(0, batch.length),
      time: batch.time.slice(0, batch.length),
      status: batch.status.slice(0, batch.length),
      latencyMs: batch.latencyMs.slice(0, batch.length),
      bytes: batch.bytes.slice(0, batch.length),
    }
    const { panes, rejected, samples, length } = batch
    const newKeys = decoder.keys.ids.slice(keysSent)
    keysSent = decoder.keys.ids.length
    const { key, time, status, latencyMs, bytes } = columns
    await send({ kind: 'decoded', payloadBytes: payload.length, length, columns, panes, rejected, samples, newKeys }, [
      key.buffer,
      time.buffer,
      status.buffer,
      latencyMs.buffer,
      bytes.buffer,
    ])
  }
  port?.postMessage({ kind: 'end' } satisfies FromThread)
  port?.close()
}
