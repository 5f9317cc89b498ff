/**
 * One file or standard input as pieces of about a mebibyte, cut at line ends; plain, gzip or zstd, told by the first bytes.
 *
 *   bytes → inflate if packed → cut at the last line end of each mebibyte → pieces and faults
 *
 * A position is an offset in the plain bytes, so that it means the same whether the file is compressed or not. Whatever
 * comes out before a damaged or truncated gzip breaks off is handed over, to the byte: the fault comes after it. (Of zstd
 * whole blocks come out, of 128 KiB at most.)
 *
 * Firehose writes objects without a line end between them. Such a file is cut where one object follows another: at `}{"`,
 * which stands in no JSON string, since its quote would be escaped.
 */
import assert from 'node:assert/strict'
import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { StreamError } from '../core/errors.ts'
import { isZstd } from '../core/formats/zstd.ts'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import { createZstdInflating, type Inflater, type InflaterState, inSteps } from './inflater.ts'
import type { SourceFault, SourceRecord } from './source.ts'

export type FilePiece =
  | { readonly kind: 'record'; readonly record: SourceRecord }
  | { readonly kind: 'fault'; readonly fault: SourceFault }

export interface PieceOptions {
  /** Plain offset to go on at. A plain file that is shorter than that is another file by now and is read from its start. */
  readonly from?: Position
  /** A longer line is a fault; reading goes on after it. At least two mebibytes. */
  readonly maxRecordBytes: number
  /** What `-` reads; the process's own unless told. */
  readonly standardInput?: Readable
}

export const standardInputPath = '-'
/** Larger pieces save nothing, smaller ones cost a call each. */
const filePieceBytes = 1024 * 1024
/** A pipe's lines are handed over as they come: somebody may be typing them, or `tail -f`. */
const pipePieceBytes = 1
/** From this length on, a line is a piece of its own. */
const longLineBytes = filePieceBytes
/** A piece in one read: while it is worked through, the next one is under way. */
const plainReadBytes = filePieceBytes
/** Smaller, since a damaged one is read again byte by byte. */
const packedReadBytes = 64 * 1024
/** Room for what comes out of a read, so that zlib need not ask for more in the middle of it. */
const fileRoomBytes = 1024 * 1024
/** Of a pipe's damaged gzip as much may be lost. */
const pipeRoomBytes = 64 * 1024
const lineEnd = 10
/** Where an object follows another without a line end. */
const objectsTouch = Buffer.from('}{"')

type Packing = 'gzip' | 'zstd'

/** Bytes as they come out, or the damage after which nothing more comes. */
type Plain =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'damage'; readonly unreadBytes: number; readonly reason: SourceFault['reason'] }

/** Throws SOURCE_UNREADABLE when the file cannot be opened or read. Ends early, without a word, when `signal` aborts. */
export async function* readFilePieces(
  path: string,
  options: PieceOptions,
  signal: AbortSignal,
): AsyncIterable<FilePiece> {
  assert(options.maxRecordBytes >= 2 * filePieceBytes, 'A record must be allowed to be as long as a piece')
  const pieces = path === standardInputPath ? readPipe(path, options, signal) : readFile(path, options)
  if (signal.aborted) return
  try {
    for await (const piece of pieces) {
      yield piece
      if (signal.aborted) return
    }
  } catch (error) {
    if (!signal.aborted) throw asUnreadable(path, error)
  }
}

/** Behind the bytes of a piece that `readPlainPieces` hands over, so many more may be looked at. */
export const pieceSlackBytes = 4096

/**
 * The same pieces of a plain file, for a thread that has nothing else to do: read where they stand, without waiting and
 * without a buffer a piece, so that a piece is good only until the next one is asked for. Answers where reading has to be
 * gone on with by `readFilePieces`: from the start where the file is none of these or cannot be opened, before a line
 * longer than a piece, or at the end.
 */
export function* readPlainPieces(path: string): Generator<FilePiece, Position, undefined> {
  const file = openPlain(path)
  if (file === undefined) return '0' as Position
  try {
    const buffer = Buffer.allocUnsafeSlow(2 * filePieceBytes + pieceSlackBytes)
    let position = 0
    let pendingBytes = 0
    for (;;) {
      const bytesRead = readSync(file, buffer, pendingBytes, plainReadBytes, null)
      pendingBytes += bytesRead
      if (pendingBytes < filePieceBytes && bytesRead > 0) continue
      const wholeBytes = bytesRead > 0 ? buffer.lastIndexOf(lineEnd, pendingBytes - 1) + 1 : pendingBytes
      const isLongLine = pendingBytes - wholeBytes >= longLineBytes
      if (wholeBytes > 0) {
        position += wholeBytes
        const at = position.toString() as Position
        const payload = buffer.subarray(0, wholeBytes)
        yield { kind: 'record', record: { partition: path as PartitionId, position: at, payload } }
      }
      if (bytesRead === 0 || isLongLine) return position.toString() as Position
      buffer.copyWithin(0, wholeBytes, pendingBytes)
      pendingBytes -= wholeBytes
    }
  } finally {
    closeSync(file)
  }
}

/** Undefined for what is no plain file, or cannot be opened: who goes on from the start meets the same, and says it. */
function openPlain(path: string): number | undefined {
  // Not even opened: a pipe would wait for its writer, and lose it when it is closed.
  if (path === standardInputPath || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return undefined
  }
  const head = Buffer.alloc(magicBytes)
  if (packingOf(head.subarray(0, readSync(file, head, 0, magicBytes, 0))) === undefined) return file
  closeSync(file)
  return undefined
}

async function* readFile(
  path: string,
  { from: given = '0' as Position, maxRecordBytes }: PieceOptions,
): AsyncIterable<FilePiece> {
  const { file, stats } = await openReadable(path)
  try {
    const packing = await packingOfFile(file)
    const from = Number(given)
    const offset = packing !== undefined || stats.size >= from ? from : 0
    const plain =
      packing === undefined ? asPlain(readRaw(file, plainReadBytes, offset)) : skip(inflateFile(file, packing), offset)
    yield* cut(plain, { path, offset, pieceBytes: filePieceBytes, maxRecordBytes })
  } finally {
    await file.close()
  }
}

/**
 * A pipe cannot be read again: what comes after a restart is new, whatever the checkpoint says, so nothing is skipped and
 * offsets go on counting. Of a damaged gzip the last 64 KiB that came out may be missing, for the same reason.
 */
async function* readPipe(
  path: string,
  { from = '0' as Position, maxRecordBytes, standardInput = process.stdin }: PieceOptions,
  signal: AbortSignal,
): AsyncIterable<FilePiece> {
  const stop = () => standardInput.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    yield* cut(inflateIfPacked(standardInput), {
      path,
      offset: Number(from),
      pieceBytes: pipePieceBytes,
      maxRecordBytes,
    })
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Throws SOURCE_UNREADABLE where reading would fail at once: better at the start than after an hour of other files. */
export async function checkReadable(path: string): Promise<void> {
  if (path !== standardInputPath) await (await openReadable(path)).file.close()
}

async function openReadable(path: string): Promise<{ file: FileHandle; stats: Stats }> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const stats = await file.stat()
    if (stats.isDirectory()) throw new Error('it is a directory')
    return { file, stats }
  } catch (error) {
    await file?.close()
    throw asUnreadable(path, error)
  }
}

/** As a person is told of a file that could not be opened or read. */
export function asUnreadable(path: string, error: unknown): StreamError {
  if (error instanceof StreamError) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const reason =
    (typeof code === 'string' ? reasons[code] : undefined) ?? (error instanceof Error ? error.message : String(error))
  return new StreamError('SOURCE_UNREADABLE', `Could not read ${path}: ${reason}`, {
    retry: 'never',
    hint: 'Give the path of a file that this user may read, or - for standard input',
    cause: error,
  })
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
}

async function packingOfFile(file: FileHandle): Promise<Packing | undefined> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(magicBytes), 0, magicBytes, 0)
  return packingOf(buffer.subarray(0, bytesRead))
}

const magicBytes = 4

function packingOf(head: Uint8Array): Packing | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return isZstd(head) ? 'zstd' : undefined
}

async function* readRaw(file: FileHandle, readBytes: number, from = 0): AsyncIterable<Buffer> {
  for (let offset = from; ; ) {
    // A buffer of its own each time: pieces go on living in the reader's hands.
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(readBytes), 0, readBytes, offset)
    if (bytesRead === 0) return
    offset += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function* asPlain(chunks: AsyncIterable<Buffer>): AsyncIterable<Plain> {
  for await (const bytes of chunks) yield { kind: 'bytes', bytes }
}

async function* inflateIfPacked(stream: AsyncIterable<Buffer>): AsyncIterable<Plain> {
  let head: Buffer = Buffer.alloc(0)
  const chunks = stream[Symbol.asyncIterator]()
  // A line may be shorter than zstd's magic, and who types it waits for an answer: text is told by its first byte.
  while (head.length < magicBytes && (head.length === 0 || isBinary(head[0] ?? 0))) {
    const { done, value } = await chunks.next()
    if (done) break
    head = Buffer.concat([head, value])
  }
  const whole = (async function* () {
    yield head
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
  })()
  const packing = packingOf(head)
  yield* packing === undefined ? asPlain(whole) : inflate(whole, packing, pipeRoomBytes)
}

/** What gzip, zstd or a skippable frame of zstd may begin with. */
const isBinary = (byte: number): boolean => byte === 0x1f || byte === 0x28 || (byte & 0xf0) === 0x50

/**
 * zlib throws away what it had inflated of the call in which it meets the damage. So the call is repeated by a second
 * inflater byte by byte, and what the first one had not handed out yet is handed out before the fault.
 */
async function* inflateFile(file: FileHandle, packing: Packing): AsyncIterable<Plain> {
  let handedOut = 0
  let taken = 0
  const counted = (async function* () {
    const chunks = readRaw(file, packedReadBytes)
    for await (const chunk of packing === 'zstd' ? inSteps(chunks) : chunks) {
      taken += chunk.length
      yield chunk
    }
  })()
  for await (const plain of inflate(counted, packing, fileRoomBytes)) {
    if (plain.kind === 'bytes') {
      handedOut += plain.bytes.length
      yield plain
      continue
    }
    if (packing === 'gzip')
      yield* skip(withoutDamage(inflate(carefully(file, taken), packing, fileRoomBytes)), handedOut)
    yield { ...plain, unreadBytes: (await file.stat()).size - taken + plain.unreadBytes }
  }
}

/** The first `length` bytes of a file, the last read of them byte by byte. */
async function* carefully(file: FileHandle, length: number): AsyncIterable<Buffer> {
  let offset = 0
  for await (const chunk of readRaw(file, packedReadBytes)) {
    offset += chunk.length
    if (offset < length) {
      yield chunk
      continue
    }
    for (let index = 0; index < chunk.length; index++) yield chunk.subarray(index, index + 1)
    return
  }
}

async function* withoutDamage(plain: AsyncIterable<Plain>): AsyncIterable<Plain> {
  for await (const each of plain) if (each.kind === 'bytes') yield each
}

/**
 * Streams through one inflater, which reads several members one after another as one and ignores zeros after the last.
 * While a chunk of gzip is inflated, in a thread of zlib's, what came out of the one before is worked through.
 */
async function* inflate(packed: AsyncIterable<Buffer>, packing: Packing, roomBytes: number): AsyncIterable<Plain> {
  const inflater = packing === 'gzip' ? createInflater(roomBytes) : createZstdInflating()
  const chunks = packing === 'gzip' ? packed : inSteps(packed)
  const damage = (state: InflaterState, unreadBytes: number): Plain => ({
    kind: 'damage',
    unreadBytes,
    reason: state === 'too-large' ? 'too-large' : `bad-${packing}`,
  })
  try {
    let out: readonly Buffer[] = []
    for await (const chunk of chunks) {
      const writing = inflater.write(chunk)
      for (const bytes of out) yield { kind: 'bytes', bytes }
      const state = await writing
      out = inflater.takeOut()
      if (state === 'open') continue
      for (const bytes of out) yield { kind: 'bytes', bytes }
      if (state !== 'ended') yield damage(state, chunk.length)
      return
    }
    const finishing = inflater.finish()
    for (const bytes of out) yield { kind: 'bytes', bytes }
    const state = await finishing
    for (const bytes of inflater.takeOut()) yield { kind: 'bytes', bytes }
    if (state === 'damaged') yield damage(state, 0)
  } finally {
    inflater.close()
  }
}

/** zlib's stream, driven a step at a time: piped, it would throw away at an error what nobody had read yet. */
function createInflater(roomBytes: number): Inflater {
  const gunzip = createGunzip({ chunkSize: roomBytes })
  let out: Buffer[] = []
  let state: InflaterState = 'open'
  let wake = () => {}
  const become = (next: InflaterState) => {
    if (state === 'open') state = next
    wake()
  }
  gunzip.on('data', (bytes: Buffer) => out.push(bytes))
  gunzip.on('end', () => become('ended'))
  gunzip.on('error', () => become('damaged'))

  const step = async (start: () => void): Promise<InflaterState> => {
    if (state !== 'open') return state
    await new Promise<void>(resolve => {
      wake = resolve
      start()
    })
    return state
  }
  return {
    write: (chunk: Buffer) => step(() => gunzip.write(chunk, error => become(error ? 'damaged' : 'open'))),
    finish: () => step(() => gunzip.end()),
    takeOut(): readonly Buffer[] {
      const taken = out
      out = []
      return taken
    },
    close: () => {
      gunzip.destroy()
    },
  }
}

async function* skip(plain: AsyncIterable<Plain>, bytes: number): AsyncIterable<Plain> {
  let left = bytes
  for await (const each of plain) {
    if (each.kind === 'damage' || left === 0) {
      yield each
      continue
    }
    const skipped = Math.min(left, each.bytes.length)
    left -= skipped
    if (skipped < each.bytes.length) yield { kind: 'bytes', bytes: each.bytes.subarray(skipped) }
  }
}

/** Cuts at line ends. A line longer than a piece is a piece of its own, or a fault if it is longer than is allowed. */
async function* cut(
  plain: AsyncIterable<Plain>,
  {
    path,
    offset,
    pieceBytes,
    maxRecordBytes,
  }: { path: string; offset: number; pieceBytes: number; maxRecordBytes: number },
): AsyncIterable<FilePiece> {
  let position = offset
  let pending: Buffer[] = []
  let pendingBytes = 0
  /** How much of what is pending are whole lines. */
  let wholeBytes = 0
  let isLongLine = false

  const add = (bytes: Buffer) => {
    const end = bytes.lastIndexOf(lineEnd) + 1
    if (end > 0) wholeBytes = pendingBytes + end
    pendingBytes += bytes.length
    // A line too long already is only measured.
    if (isLongLine && pendingBytes > maxRecordBytes) pending = []
    else pending.push(bytes)
  }
  /** Where there is no line end in so much, there may be objects one after another: all but the last are whole lines. */
  const findObjects = () => {
    pending = [Buffer.concat(pending)]
    wholeBytes = (pending[0]?.lastIndexOf(objectsTouch) ?? -1) + 1
  }
  const release = (length: number): FilePiece => {
    position += length
    const at = position.toString() as Position
    const isTooLarge = isLongLine && length > maxRecordBytes
    const bytes = Buffer.concat(pending)
    const rest = isTooLarge ? bytes : bytes.subarray(length)
    pending = rest.length > 0 ? [rest] : []
    pendingBytes = rest.length
    wholeBytes = 0
    isLongLine = false
    return isTooLarge
      ? { kind: 'fault', fault: { position: at, reason: 'too-large', length } }
      : { kind: 'record', record: { partition: path as PartitionId, position: at, payload: bytes.subarray(0, length) } }
  }

  for await (const each of plain) {
    if (each.kind === 'damage') {
      if (pendingBytes > 0) yield release(pendingBytes)
      yield {
        kind: 'fault',
        fault: { position: position.toString() as Position, reason: each.reason, length: each.unreadBytes },
      }
      return
    }
    let { bytes } = each
    if (isLongLine) {
      const end = bytes.indexOf(lineEnd) + 1 || bytes.lastIndexOf(objectsTouch) + 1
      add(end === 0 ? bytes : bytes.subarray(0, end))
      if (end === 0) continue
      yield release(pendingBytes)
      bytes = bytes.subarray(end)
    }
    add(bytes)
    if (pendingBytes < pieceBytes) continue
    if (wholeBytes === 0 && pendingBytes >= longLineBytes) findObjects()
    if (wholeBytes > 0) yield release(wholeBytes)
    isLongLine = pendingBytes >= longLineBytes
  }
  // The last line may lack its end.
  if (pendingBytes > 0) yield release(pendingBytes)
}
