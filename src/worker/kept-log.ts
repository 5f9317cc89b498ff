/**
 * Logs as the core is fed them, read and decoded once and kept in a file of their own, so that they can be fed to many
 * engines: a call takes about 14 bytes there, and is back in a fraction of the time that its line took.
 *
 *     file: pieces one after another, each as `node:v8` serialises it; where they begin is known to whoever wrote them
 *
 * A piece holds what thousands of inputs are about in one set of columns: of a quiet log an input is a call. Bounded: a
 * file that grows beyond `maxBytes` is refused, with what would help. It is read synchronously: it was written just now, and
 * whoever reads it has nothing else to do.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { deserialize, serialize } from 'node:v8'
import { appendCalls, type CallBatch, clearBatch, createBatch, type KeyTable } from '../core/call-batch.ts'
import { StreamError } from '../core/errors.ts'
import type { ApiKeyId, PartitionId } from '../core/vocabulary.ts'
import type { RecordedBatch } from '../stores/recording-entry.ts'
import type { BatchInput } from './bare-log.ts'
import { batchInputOf, recordedBatch } from './recorded-batch.ts'

export interface KeptLog {
  readonly path: string
  readonly history: readonly PiecePlace[]
  readonly log: readonly PiecePlace[]
}

interface PiecePlace {
  readonly at: number
  readonly length: number
}

/** What several inputs were about, one after another, and which rows and panes each of them had. */
interface Piece {
  readonly rows: RecordedBatch
  readonly partitions: readonly PartitionId[]
  /** Four numbers an input: partition, end of its calls, end of its pane rows, arrival. */
  readonly inputs: Float64Array
}

const WORDS = 4
/** A piece is written when it has so many of either. */
const FULL_ROWS = 32_768
const FULL_INPUTS = 8_192

export interface LogKeeper {
  /** Copies what the input is about. Throws STORE_UNWRITABLE when there is no more room for it. */
  take(part: 'history' | 'log', input: BatchInput): void
  /** Writes what waits. */
  end(): KeptLog
}

/** Makes the file; whoever made its folder removes it. */
export function keepLog(path: string, maxBytes: number): LogKeeper {
  const file = openSync(path, 'wx', 0o600)
  const places = { history: [] as PiecePlace[], log: [] as PiecePlace[] }
  const numbered = createNumbering()
  const batch = createBatch(numbered.keys, FULL_ROWS)
  const partitions = new Map<PartitionId, number>()
  let inputs: number[] = []
  let part: 'history' | 'log' = 'history'
  let keysNamed = 0
  let bytes = 0

  function write(): void {
    if (inputs.length === 0) return
    const piece: Piece = {
      rows: recordedBatch(
        {
          ...{ kind: 'batch', partition: '' as PartitionId, arrivedAt: 0, batch },
          ...{ from: 0, to: batch.length, panesFrom: 0, panesTo: batch.panes.length },
        },
        keysNamed,
      ),
      partitions: [...partitions.keys()],
      inputs: Float64Array.from(inputs),
    }
    keysNamed = numbered.keys.ids.length
    inputs = []
    clearBatch(batch)
    const serialised = serialize(piece)
    if (bytes + serialised.length > maxBytes) throw tooLarge(path, maxBytes)
    writeWhole(file, serialised, path)
    places[part].push({ at: bytes, length: serialised.length })
    bytes += serialised.length
  }

  return {
    take(of, input) {
      if (of !== part) write()
      part = of
      numbered.append(batch, input)
      const partition = partitions.get(input.partition) ?? partitions.size
      partitions.set(input.partition, partition)
      inputs.push(partition, batch.length, batch.panes.length, input.arrivedAt)
      if (batch.length + batch.panes.length >= FULL_ROWS || inputs.length >= FULL_INPUTS * WORDS) write()
    },
    end() {
      write()
      closeSync(file)
      return { path, ...places }
    },
  }
}

/** Every file that is decoded in a thread of its own has a key table of its own: here they are one. */
function createNumbering() {
  const keys: KeyTable = { ids: [] }
  const numbers = new Map<ApiKeyId, number>()
  const byTable = new WeakMap<KeyTable, number[]>()
  const numberOf = (id: ApiKeyId): number => {
    const known = numbers.get(id)
    if (known !== undefined) return known
    numbers.set(id, keys.ids.length)
    return keys.ids.push(id) - 1
  }
  return {
    keys,
    append(to: CallBatch, { batch, from, to: end, panesFrom, panesTo }: BatchInput): void {
      const { ids } = batch.keys
      const known = byTable.get(batch.keys) ?? []
      byTable.set(batch.keys, known)
      for (let number = known.length; number < ids.length; number++) known.push(numberOf(ids[number] as ApiKeyId))
      const first = to.length
      appendCalls(to, {
        ...{ length: end - from, panes: [], rejected: new Map(), samples: [] },
        columns: {
          key: batch.key.subarray(from, end),
          time: batch.time.subarray(from, end),
          status: batch.status.subarray(from, end),
          latencyMs: batch.latencyMs.subarray(from, end),
          bytes: batch.bytes.subarray(from, end),
          route: batch.route.subarray(from, end),
          source: batch.source.subarray(from, end),
        },
      })
      for (let row = first; row < to.length; row++) to.key[row] = known[to.key[row] as number] as number
      for (let index = panesFrom; index < panesTo; index++) {
        const row = batch.panes[index]
        if (row !== undefined) to.panes.push({ ...row, key: known[row.key] as number })
      }
    },
  }
}

/** Hands back all inputs in the order in which they were taken. Columns are valid until `take` returns. */
export function readKept(
  { path, history, log }: KeptLog,
  take: (part: 'history' | 'log', input: BatchInput) => void,
): void {
  const file = openSync(path, 'r')
  const keys: KeyTable = { ids: [] }
  try {
    for (const place of history) readPiece(file, place, keys, input => take('history', input))
    for (const place of log) readPiece(file, place, keys, input => take('log', input))
  } finally {
    closeSync(file)
  }
}

function readPiece(file: number, { at, length }: PiecePlace, keys: KeyTable, take: (input: BatchInput) => void): void {
  const bytes = Buffer.allocUnsafe(length)
  for (let read = 0; read < length; ) {
    const more = readSync(file, bytes, read, length - read, at + read)
    if (more === 0) throw new Error(`a kept log ends at byte ${at + read}, before its piece does`)
    read += more
  }
  // Written by this very program, a moment ago.
  const { rows, partitions, inputs } = deserialize(bytes) as Piece
  const { batch } = batchInputOf(rows, keys)
  let from = 0
  let panesFrom = 0
  for (let word = 0; word < inputs.length; word += WORDS) {
    const partition = partitions[inputs[word] as number] as PartitionId
    const [to, panesTo, arrivedAt] = [inputs[word + 1], inputs[word + 2], inputs[word + 3]] as [number, number, number]
    take({ kind: 'batch', partition, batch, from, to, panesFrom, panesTo, arrivedAt })
    from = to
    panesFrom = panesTo
  }
}

function writeWhole(file: number, bytes: Buffer, path: string): void {
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
  } catch (cause) {
    throw unkept(path, cause instanceof Error ? cause.message : String(cause))
  }
}

const unkept = (path: string, because: string): StreamError =>
  new StreamError('STORE_UNWRITABLE', `Could not keep what was read at ${path}: ${because}`, {
    retry: 'later',
    hint: 'It takes 14 bytes a call. Name a folder with more space as TMPDIR, or give fewer logs',
  })

const tooLarge = (path: string, maxBytes: number): StreamError =>
  unkept(path, `it takes more than ${Math.round(maxBytes / 1024 ** 3)} GiB`)
