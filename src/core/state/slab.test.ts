import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  addCell,
  allRuns,
  CELLS_PER_CHUNK,
  createSlab,
  doubleAt,
  doublesOf,
  removeCell,
  runBytes,
  type Slab,
  takeChanged,
} from './slab.ts'
import { put, slabOf } from './testing-slab.ts'

const valueIn = (slab: Slab, cell: number): number => doublesOf(slab, cell)[doubleAt(slab, cell)] as number
const cellsIn = (runs: Iterable<{ readonly first: number; readonly count: number }>): number[] =>
  [...runs].flatMap(({ first, count }) => Array.from({ length: count }, (_, index) => first + index))

test('cells keep what was put into them, and the last takes the place of one that is freed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 3_000 }), { maxLength: 200 }),
      fc.integer({ min: 0, max: 2_000 }),
      (freed, begin) => {
        const slab = slabOf(16, begin)
        const plain = Array.from({ length: begin }, (_, cell) => cell)
        for (const [index, one] of freed.entries()) {
          if (plain.length > 0 && index % 3 > 0) {
            const cell = one % plain.length
            removeCell(slab, cell)
            const last = plain.pop() as number
            if (cell < plain.length) plain[cell] = last
          } else {
            plain.push(10_000 + index)
            put(slab, addCell(slab), 10_000 + index)
          }
        }
        expect(Array.from({ length: slab.cells }, (_, cell) => valueIn(slab, cell))).toEqual(plain)
        expect(cellsIn(allRuns(slab))).toEqual([...plain.keys()])
      },
    ),
    { numRuns: 50 },
  )
})

test('what is freed is given back: ten chunks that come and go leave no more than one to spare', () => {
  const slab = slabOf(8, 10 * CELLS_PER_CHUNK)
  while (slab.cells > 1) removeCell(slab, 0)
  expect(slab.chunks.length).toBeLessThanOrEqual(3)
  expect(slab.doubles.length).toBe(slab.chunks.length)
})

test('a cell that is used again is empty', () => {
  const slab = createSlab(8)
  put(slab, addCell(slab), 7)
  removeCell(slab, 0)
  expect(valueIn(slab, addCell(slab))).toBe(0)
})

test('changed cells are told once, in runs that no chunk’s end cuts through', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1_999 }), { maxLength: 300 }), changed => {
      const slab = createSlab(8)
      for (let cell = 0; cell < 2_000; cell++) addCell(slab)
      expect(cellsIn(takeChanged(slab))).toHaveLength(2_000)
      for (const cell of changed) put(slab, cell, cell + 1)
      const runs = takeChanged(slab)
      expect(cellsIn(runs)).toEqual([...new Set(changed)].sort((one, other) => one - other))
      for (const { first, count } of runs)
        expect(Math.floor(first / CELLS_PER_CHUNK)).toBe(Math.floor((first + count - 1) / CELLS_PER_CHUNK))
      for (const run of runs) expect(new Float64Array(runBytes(slab, run).slice().buffer)[0]).toBe(run.first + 1)
      expect(takeChanged(slab)).toEqual([])
    }),
    { numRuns: 50 },
  )
})
