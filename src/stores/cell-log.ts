/**
 * Slabs on disk: a log of cells, so that what a checkpoint writes is what changed, and not all that is known. A piece of the
 * log is a file `cells-<number>`:
 *
 *   magic `WEIRCELL` (8) · length of the names (4, little endian) · names of the slabs (JSON) · blocks
 *   block: slab (4, its place among the names) · first cell (4) · how many (4) · bytes of one (4) · the cells
 *
 * Read in order, later cells take the place of earlier ones. So that the log does not grow for ever, each piece also holds
 * some chunks that have not changed, in turns: at least as much as what has, and a 256th of all. When all had their turn, the pieces from
 * before the first of them are needed no more: the log is never longer than some 500 pieces, nor three times what is known.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  allRuns,
  CELLS_PER_CHUNK,
  type CellRun,
  createSlab,
  growTo,
  runBytes,
  type Slab,
  takeChanged,
} from '../core/state/slab.ts'
import type { Disk, DiskFile } from './disk.ts'

export type Slabs = ReadonlyMap<string, Slab>

/** A file of the log, as a checkpoint names it. */
export interface Piece {
  readonly number: number
  readonly bytes: number
  readonly sha256: string
}

/** What is to be written of one slab. */
export interface SlabPart {
  readonly name: string
  readonly slab: Slab
  readonly runs: readonly CellRun[]
}

/** How far the turns have come: up to a cell of the slab of that place. */
export interface Round {
  readonly slab: number
  readonly cell: number
}

export const ROUND_START: Round = { slab: 0, cell: 0 }
const LEAST_SHARE = 1 / 256

export const bytesIn = (slabs: Slabs): number =>
  [...slabs.values()].reduce((sum, { cells, cellBytes }) => sum + cells * cellBytes, 0)

export const bytesOfParts = (parts: readonly SlabPart[]): number =>
  parts.reduce((sum, { slab, runs }) => sum + runs.reduce((cells, { count }) => cells + count, 0) * slab.cellBytes, 0)

/** All cells. From now on none of them has changed. */
export function allParts(slabs: Slabs): readonly SlabPart[] {
  for (const slab of slabs.values()) takeChanged(slab)
  return [...slabs].map(([name, slab]) => ({ name, slab, runs: [...allRuns(slab)] }))
}

/** What changed since the last piece and those whose turn it is; `round` undefined: all others have had theirs. */
export function nextParts(
  slabs: Slabs,
  from: Round,
): { readonly parts: readonly SlabPart[]; readonly round: Round | undefined } {
  const changed = [...slabs].map(([name, slab]) => ({ name, slab, runs: takeChanged(slab) }))
  const changedBytes = bytesOfParts(changed)
  if (changedBytes === 0) return { parts: [], round: from }
  const turns: SlabPart[] = []
  let left = Math.max(changedBytes, bytesIn(slabs) * LEAST_SHARE)
  let { slab: place, cell } = from
  for (const [name, slab] of [...slabs].slice(place)) {
    const runs: CellRun[] = []
    for (; cell < slab.cells && left > 0; cell += CELLS_PER_CHUNK) {
      const run = { first: cell, count: Math.min(CELLS_PER_CHUNK, slab.cells - cell) }
      runs.push(run)
      left -= run.count * slab.cellBytes
    }
    turns.push({ name, slab, runs })
    if (cell < slab.cells) return { parts: [...changed, ...turns], round: { slab: place, cell } }
    place++
    cell = 0
  }
  return { parts: [...changed, ...turns], round: undefined }
}

const magic = Buffer.from('WEIRCELL')
const blockHeaderBytes = 16
const bufferBytes = 4 * 1024 * 1024

/** The bytes of a piece, in buffers of some megabytes. `reuse`: each buffer is the one before it, filled anew. */
export function* bytesOfPiece(parts: readonly SlabPart[], { reuse }: { readonly reuse: boolean }): Iterable<Buffer> {
  const names = Buffer.from(JSON.stringify(parts.map(({ name }) => name)))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(names.length)
  yield Buffer.concat([magic, length, names])
  let buffer = Buffer.allocUnsafe(bufferBytes)
  let at = 0
  for (const [place, { slab, runs }] of parts.entries()) {
    for (const run of runs) {
      const cells = runBytes(slab, run)
      if (at + blockHeaderBytes + cells.length > buffer.length) {
        yield buffer.subarray(0, at)
        if (!reuse) buffer = Buffer.allocUnsafe(bufferBytes)
        at = 0
      }
      for (const value of [place, run.first, run.count, slab.cellBytes]) at = buffer.writeUInt32LE(value, at)
      buffer.set(cells, at)
      at += cells.length
    }
  }
  yield buffer.subarray(0, at)
}

export const nameOfPiece = (number: number): string => `cells-${String(number).padStart(12, '0')}`
export const piecePattern = /^cells-(\d{12})$/

/** Cells of that many bytes in all; the caller says how many of each slab there are. */
export const emptySlabs = (sizes: readonly SlabSize[]): ReadonlyMap<string, Slab> =>
  new Map(
    sizes.map(({ name, cellBytes, cells }) => {
      const slab = createSlab(cellBytes)
      growTo(slab, cells)
      return [name, slab]
    }),
  )

export interface SlabSize {
  readonly name: string
  readonly cellBytes: number
  readonly cells: number
}

/** Fills in what a piece holds of them. Answers why it cannot be used, if so: what was filled in until then is of no use either. */
export async function readPiece(
  disk: Disk,
  directory: string,
  piece: Piece,
  slabs: Slabs,
): Promise<string | undefined> {
  const name = nameOfPiece(piece.number)
  let file: DiskFile
  try {
    file = await disk.open(join(directory, name), 'r')
  } catch {
    return `${name} is missing`
  }
  try {
    const { size } = await file.stat()
    if (size !== piece.bytes) return `${name} has ${size} of ${piece.bytes} bytes`
    const hash = createHash('sha256')
    await fillIn(file, size, slabs, bytes => hash.update(bytes))
    return hash.digest('hex') === piece.sha256 ? undefined : `the checksum of ${name} does not fit`
  } catch (cause) {
    return `${name} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
  } finally {
    await file.close()
  }
}

async function fillIn(file: DiskFile, size: number, slabs: Slabs, seen: (bytes: Buffer) => void): Promise<void> {
  const buffer = Buffer.allocUnsafe(bufferBytes)
  let from = 0
  let to = 0
  let position = 0
  const take = async (bytes: number): Promise<Buffer> => {
    if (to - from < bytes) {
      buffer.copyWithin(0, from, to)
      to -= from
      from = 0
      while (to < bytes) {
        const { bytesRead } = await file.read(buffer, to, buffer.length - to, position)
        if (bytesRead === 0) throw new Error('it ends in the middle of a block')
        seen(buffer.subarray(to, to + bytesRead))
        to += bytesRead
        position += bytesRead
      }
    }
    from += bytes
    return buffer.subarray(from - bytes, from)
  }
  const start = await take(magic.length + 4)
  if (!start.subarray(0, magic.length).equals(magic)) throw new Error('it does not begin as one')
  const names: unknown = JSON.parse((await take(start.readUInt32LE(magic.length))).toString())
  while (position - (to - from) < size) {
    const header = await take(blockHeaderBytes)
    const [place, first, count, cellBytes] = [0, 4, 8, 12].map(at => header.readUInt32LE(at))
    const slab = slabs.get(String(Array.isArray(names) ? names[place ?? 0] : undefined))
    const cells = await take((count ?? 0) * (cellBytes ?? 0))
    // Cells that are there no more by the time of the checkpoint are passed over, and so is a slab that is not.
    if (slab === undefined || first === undefined) continue
    if (slab.cellBytes !== cellBytes) throw new Error(`its cells are of ${cellBytes} bytes, not ${slab.cellBytes}`)
    const kept = Math.min(count ?? 0, slab.cells - first)
    if (kept > 0) runBytes(slab, { first, count: kept }).set(cells.subarray(0, kept * cellBytes))
  }
}
