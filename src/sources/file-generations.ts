/**
 * The files that one log has been: a log that is rotated is a row of files, and a name is that of the newest only.
 *
 *   access.log ← written to     access.log.1, access.log-20261123 ← before it     access.log.2.gz ← told, not read
 *
 * A file is known by its inode, and by its first bytes, since inodes are used again and `copytruncate` leaves the old lines
 * in a file with another one. So a position holds both, and finds its file under whatever name it has by now.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { EpochMs, Position } from '../core/vocabulary.ts'

/** Where reading goes on in one of the files of a log. */
export interface FilePlace {
  readonly inode: string
  /** Bytes that were read, whole lines. */
  readonly offset: number
  /** Of the first bytes, `headBytes` of them or as many as were read. */
  readonly print: string
  /** When it was last written to, as far as it was read. */
  readonly writtenAt: EpochMs
}

/** Enough for two logs to differ: a line begins with an id or a time. */
export const headBytes = 256

export const placeText = ({ inode, offset, print, writtenAt }: FilePlace): Position =>
  [inode, offset, print, writtenAt].join(':')

/** Undefined: written by another kind of source. */
export function placeOf(position: Position): FilePlace | undefined {
  const [, inode, offset, print, writtenAt] = /^(\d+):(\d+):([0-9a-f]*):([\d.]+)$/.exec(position) ?? []
  if (inode === undefined || print === undefined) return undefined
  return { inode, offset: Number(offset), print, writtenAt: Number(writtenAt) }
}

/** Of no bytes: nothing, which fits any file. */
export function printOf(head: Uint8Array): string {
  return head.length === 0 ? '' : createHash('sha256').update(head).digest('hex').slice(0, 16)
}

export async function readHead(file: FileHandle, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0)
  return buffer.subarray(0, bytesRead)
}

export interface FileFound {
  readonly path: string
  readonly inode: string
  readonly size: number
  readonly writtenAt: EpochMs
  readonly isCompressed: boolean
}

/** Undefined: there is no such file. */
export async function lookAt(path: string): Promise<FileFound | undefined> {
  try {
    const { ino, size, mtimeMs } = await stat(path)
    return { path, inode: String(ino), size, writtenAt: mtimeMs, isCompressed: compressed.test(path) }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined
    throw error
  }
}

const compressed = /\.(gz|zst|bz2|xz|lz4|Z)$/

/** Files beside a log whose names say that they are older parts of it, the newest first. */
export async function rotatedFiles(log: string): Promise<readonly FileFound[]> {
  const folder = dirname(log)
  const isRotated = rotatedName(basename(log))
  const names = (await readdir(folder).catch(() => [])).filter(name => isRotated.test(name))
  const found = await Promise.all(names.map(name => lookAt(join(folder, name))))
  return found.filter(file => file !== undefined).toSorted((one, other) => other.writtenAt - one.writtenAt)
}

/**
 * `access.log.1`, `access.log-20261123`, `access.1.log`, `access-2026-11-23.log`, each perhaps compressed. Not
 * `access-2.log`, which is as likely another log.
 */
function rotatedName(name: string): RegExp {
  const extension = extname(name)
  const stem = quoted(name.slice(0, name.length - extension.length))
  const numbered = String.raw`[.]\d[\d._-]*`
  const dated = String.raw`-\d{4}[\d._-]{4,}`
  const ending = String.raw`(\.(gz|zst|bz2|xz|lz4|Z))?$`
  return new RegExp(
    `^(${quoted(name)}(${numbered}|${dated})|${stem}(${numbered}|${dated})${quoted(extension)})${ending}`,
  )
}

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The file that a place is in: under the log's own name, or beside it; by inode, else by its first bytes alone. */
export async function findPlace(
  log: string,
  place: FilePlace,
  rotated: readonly FileFound[],
): Promise<FileFound | undefined> {
  const own = await lookAt(log)
  const plain = [...(own === undefined ? [] : [own]), ...rotated.filter(({ isCompressed }) => !isCompressed)]
  const byInode = plain.filter(({ inode }) => inode === place.inode)
  // A copy has another inode; a file of which nothing was read has no copy that could be told.
  const byPrint = place.print === '' ? [] : plain.filter(({ inode, path }) => inode !== place.inode && path !== log)
  for (const file of [...byInode, ...byPrint]) if (await holds(file, place)) return file
  return undefined
}

async function holds({ path, size }: FileFound, { offset, print }: FilePlace): Promise<boolean> {
  return size >= offset && (await printOfFile(path, Math.min(headBytes, offset))) === print
}

/** Undefined where it cannot be read: it may have been renamed at this moment. */
export async function printOfFile(path: string, length: number): Promise<string | undefined> {
  try {
    const file = await open(path, 'r')
    try {
      return printOf(await readHead(file, length))
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}
