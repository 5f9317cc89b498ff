/** Slabs whose cells are told apart by one value, which each holds throughout. Only tests import this file. */
import { addCell, createSlab, doubleAt, doublesOf, markChanged, type Slab } from './slab.ts'

/** Each cell holds its number. */
export function slabOf(cellBytes: number, cells: number): Slab {
  const slab = createSlab(cellBytes)
  for (let cell = 0; cell < cells; cell++) put(slab, addCell(slab), cell)
  return slab
}

export function put(slab: Slab, cell: number, value: number): void {
  const at = doubleAt(slab, cell)
  doublesOf(slab, cell).fill(value, at, at + slab.cellBytes / 8)
  markChanged(slab, cell)
}
