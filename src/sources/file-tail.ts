/**
 * One file that may still grow, read onward in pieces of whole lines. A last line that has no end yet waits. The file stays
 * open, so that a renamed or deleted one is read to its end; that it was emptied is seen by its size and its first bytes.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { StreamError } from '../core/errors.ts'
import type { EpochMs, PartitionId, Position } from '../core/vocabulary.ts'
import { type FilePlace, headBytes, placeText, printOf, readHead } from './file-generations.ts'
import type { FilePiece } from './file-pieces.ts'

const pieceBytes = 1024 * 1024
const lineEnd = 10

export interface Tail {
  readonly partition: PartitionId
  readonly inode: string
  /** Where reading goes on, in whatever file bears the name by then. */
  position(): Position
  /** Whole lines as far as they go, a mebibyte or one line at a time; `final`: with a last line that has no end. */
  read(options?: { readonly final: boolean }): Promise<FilePiece | 'nothing-new' | 'emptied'>
  /** Bytes that are known of and have not been handed over. */
  unreadBytes(): number
  writtenAt(): EpochMs
  close(): Promise<void>
}

export interface TailOptions {
  readonly path: string
  readonly partition: PartitionId
  readonly offset: number
  /** A longer line is a fault; reading goes on after it. */
  readonly maxRecordBytes: number
}

/** Throws what `open` throws. */
export async function openTail({ path, partition, offset: from, maxRecordBytes }: TailOptions): Promise<Tail> {
  const file = await open(path, 'r')
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new Error(stats.isDirectory() ? 'it is a directory' : 'it is no regular file')
    return await tailOf(
      file,
      { inode: String(stats.ino), writtenAt: stats.mtimeMs },
      { path, partition, offset: from, maxRecordBytes },
    )
  } catch (error) {
    await file.close()
    throw error
  }
}

async function tailOf(
  file: FileHandle,
  { inode, writtenAt: openedAt }: Pick<FilePlace, 'inode' | 'writtenAt'>,
  { path, partition, offset: from, maxRecordBytes }: TailOptions,
): Promise<Tail> {
  let offset = from
  let head = await readHead(file, Math.min(headBytes, from))
  let print = printOf(head)
  /** Size at which there was no line more: until it changes there is nothing to read. */
  let settledSize = -1
  let size = 0
  let writtenAt = openedAt
  /** Bytes of a line that is longer than allowed, and is being passed over. */
  let passedBytes = 0

  const position = (): Position => placeText({ inode, offset, print, writtenAt })

  async function moveOn(bytes: number): Promise<void> {
    offset += bytes
    if (head.length === headBytes) return
    head = await readHead(file, Math.min(headBytes, offset))
    print = printOf(head)
  }

  /** After reading, not before: what was read before it is seen to be the same file is of the same file. */
  const isSameFile = async (): Promise<boolean> => (await readHead(file, head.length)).equals(head)

  async function take(payload: Buffer): Promise<FilePiece> {
    await moveOn(payload.length)
    return { kind: 'record', record: { partition, position: position(), payload } }
  }

  /** Of a line that is too long: passes over what there is of it; the fault comes with its end. */
  async function pass(bytes: Buffer, isEnd: boolean): Promise<FilePiece | undefined> {
    await moveOn(bytes.length)
    passedBytes += bytes.length
    if (!isEnd) return undefined
    const length = passedBytes
    passedBytes = 0
    return { kind: 'fault', fault: { position: position(), reason: 'too-large', length } }
  }

  async function readUpTo(length: number): Promise<Buffer> {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, offset)
    return buffer.subarray(0, bytesRead)
  }

  return {
    partition,
    inode,
    position,
    unreadBytes: () => Math.max(0, size - offset),
    writtenAt: () => writtenAt,
    async read({ final } = { final: false }) {
      const stats = await file.stat()
      if (stats.size < offset) return 'emptied'
      size = stats.size
      if (size === offset || (size === settledSize && !final)) {
        // Emptied and filled again to the very same size.
        return stats.mtimeMs === writtenAt || (await isSameFile()) ? 'nothing-new' : 'emptied'
      }
      writtenAt = stats.mtimeMs
      for (let length = pieceBytes; ; length = Math.min(length * 4, maxRecordBytes + 1)) {
        const bytes = await readUpTo(Math.min(length, size - offset))
        if (!(await isSameFile())) return 'emptied'
        if (offset === 0 && bytes[0] === 0x1f && bytes[1] === 0x8b) throw compressedFile(path)
        const isAll = offset + bytes.length >= size
        if (passedBytes > 0) {
          const end = bytes.indexOf(lineEnd) + 1
          const fault = await pass(end > 0 ? bytes.subarray(0, end) : bytes, end > 0 || (isAll && final))
          if (fault !== undefined) return fault
          if (isAll) return 'nothing-new'
          continue
        }
        const end = bytes.lastIndexOf(lineEnd) + 1
        if (end > 0) return take(bytes.subarray(0, end))
        if (bytes.length > maxRecordBytes) {
          const fault = await pass(bytes, isAll && final)
          if (fault !== undefined) return fault
          if (isAll) return 'nothing-new'
          continue
        }
        if (!isAll) continue
        if (final && bytes.length > 0) return take(bytes)
        settledSize = size
        return 'nothing-new'
      }
    },
    close: () => file.close(),
  }
}

function compressedFile(path: string): StreamError {
  return new StreamError('SOURCE_UNREADABLE', `Could not follow ${path}: it is compressed`, {
    retry: 'never',
    hint: 'Follow the log that is written to; without `follow`, compressed logs are read as they are',
  })
}
