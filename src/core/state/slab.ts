/**
 * Cells of equal size in large shared chunks: a million keys' typed arrays would else be a million objects, each with
 * hundreds of bytes beside its contents. Cells are without gaps from 0 to `cells`; who frees one moves the last into its place.
 *
 * It remembers which cells changed since a checkpoint last took them, a bit each. Mutable on purpose.
 */

const CHUNK_BITS = 9
export const CELLS_PER_CHUNK = 1 << CHUNK_BITS
const CHUNK_MASK = CELLS_PER_CHUNK - 1
/** Cells whose bits stand in one word of `changed`. */
const WORD_CELLS = 32

export interface Slab {
  /** A multiple of eight. */
  readonly cellBytes: number
  readonly chunks: Uint8Array<ArrayBuffer>[]
  /** The same chunks, read as doubles in the machine's byte order. */
  readonly doubles: Float64Array<ArrayBuffer>[]
  cells: number
  changed: Uint32Array<ArrayBuffer>
}

export const createSlab = (cellBytes: number): Slab => ({
  cellBytes,
  chunks: [],
  doubles: [],
  cells: 0,
  changed: new Uint32Array(CELLS_PER_CHUNK / WORD_CELLS),
})

/** A new cell behind the last one, all zero. */
export function addCell(slab: Slab): number {
  const cell = slab.cells++
  if (cell >>> CHUNK_BITS === slab.chunks.length) addChunk(slab)
  bytesOf(slab, cell).fill(0, byteAt(slab, cell), byteAt(slab, cell) + slab.cellBytes)
  markChanged(slab, cell)
  return cell
}

function addChunk(slab: Slab): void {
  const chunk = new ArrayBuffer(slab.cellBytes * CELLS_PER_CHUNK)
  slab.chunks.push(new Uint8Array(chunk))
  slab.doubles.push(new Float64Array(chunk))
  const words = (slab.chunks.length * CELLS_PER_CHUNK) / WORD_CELLS
  if (words <= slab.changed.length) return
  const changed = new Uint32Array(slab.changed.length * 2)
  changed.set(slab.changed)
  slab.changed = changed
}

/** Makes room for so many cells, whose contents are to be filled in. */
export function growTo(slab: Slab, cells: number): void {
  while (slab.chunks.length * CELLS_PER_CHUNK < cells) addChunk(slab)
  slab.cells = Math.max(slab.cells, cells)
}

/** Frees a cell: the last one takes its place, and chunks that hold none any more are given back. */
export function removeCell(slab: Slab, cell: number): void {
  const last = --slab.cells
  if (cell !== last) {
    const from = byteAt(slab, last)
    bytesOf(slab, cell).set(bytesOf(slab, last).subarray(from, from + slab.cellBytes), byteAt(slab, cell))
    markChanged(slab, cell)
  }
  // One chunk more than is needed stays, or a cell that comes and goes would make and drop one each time.
  if (slab.chunks.length * CELLS_PER_CHUNK - slab.cells > 2 * CELLS_PER_CHUNK) {
    slab.chunks.pop()
    slab.doubles.pop()
  }
}

/** The chunk that holds a cell, and where in it the cell begins. */
export const bytesOf = (slab: Slab, cell: number): Uint8Array<ArrayBuffer> =>
  slab.chunks[cell >>> CHUNK_BITS] as Uint8Array<ArrayBuffer>
export const byteAt = (slab: Slab, cell: number): number => (cell & CHUNK_MASK) * slab.cellBytes
export const doublesOf = (slab: Slab, cell: number): Float64Array<ArrayBuffer> =>
  slab.doubles[cell >>> CHUNK_BITS] as Float64Array<ArrayBuffer>
export const doubleAt = (slab: Slab, cell: number): number => (cell & CHUNK_MASK) * (slab.cellBytes / 8)

export function markChanged(slab: Slab, cell: number): void {
  const word = cell >>> 5
  slab.changed[word] = (slab.changed[word] as number) | (1 << (cell & 31))
}

/** Cells next to each other, in one chunk. */
export interface CellRun {
  readonly first: number
  readonly count: number
}

/** The cells that changed since this was last asked, in runs; from now on none of them has. */
export function takeChanged(slab: Slab): readonly CellRun[] {
  const runs: CellRun[] = []
  let first = 0
  let count = 0
  const words = Math.ceil(slab.cells / WORD_CELLS)
  for (let word = 0; word < words; word++) {
    let bits = slab.changed[word] as number
    while (bits !== 0) {
      const lowest = 31 - Math.clz32(bits & -bits)
      bits &= bits - 1
      const cell = word * WORD_CELLS + lowest
      if (cell >= slab.cells) break
      if (count > 0 && cell === first + count && (cell & CHUNK_MASK) !== 0) {
        count++
        continue
      }
      if (count > 0) runs.push({ first, count })
      first = cell
      count = 1
    }
  }
  if (count > 0) runs.push({ first, count })
  slab.changed.fill(0)
  return runs
}

/** The bytes of a run, not copied. */
export const runBytes = (slab: Slab, { first, count }: CellRun): Uint8Array<ArrayBuffer> =>
  bytesOf(slab, first).subarray(byteAt(slab, first), byteAt(slab, first) + count * slab.cellBytes)

/** Full chunks of cells, as `takeChanged` gives them when all have changed. */
export function* allRuns(slab: Slab): Iterable<CellRun> {
  for (let first = 0; first < slab.cells; first += CELLS_PER_CHUNK)
    yield { first, count: Math.min(CELLS_PER_CHUNK, slab.cells - first) }
}

/** All cells of a slab in one piece, copied. */
export function cellsOf(slab: Slab): Uint8Array<ArrayBuffer> {
  const cells = new Uint8Array(slab.cells * slab.cellBytes)
  for (const run of allRuns(slab)) cells.set(runBytes(slab, run), run.first * slab.cellBytes)
  return cells
}

/** A slab of these cells, copied; none of them has changed. */
export function slabWith(cellBytes: number, cells: Uint8Array): Slab {
  const slab = createSlab(cellBytes)
  growTo(slab, cells.length / cellBytes)
  for (const run of allRuns(slab)) {
    const from = run.first * cellBytes
    runBytes(slab, run).set(cells.subarray(from, from + run.count * cellBytes))
  }
  return slab
}
