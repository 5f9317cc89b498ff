import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addCell, allRuns, CELLS_PER_CHUNK, removeCell, runBytes, type Slab } from '../core/state/slab.ts'
import { put, slabOf } from '../core/state/testing-slab.ts'
import { type Checkpoints, openCheckpoints, type ReadSnapshot } from './checkpoint.ts'

const cellBytes = 1_024
/** Nine megabytes: more than a checkpoint holds itself. */
const largeCells = 9 * 1_024

let folder: string
let directory: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-cells-'))
  directory = join(folder, 'state')
})
afterEach(() => rm(folder, { recursive: true }))

const largeSlab = (): Slab => slabOf(cellBytes, largeCells)

const contentsOf = (slab: Slab | undefined): string =>
  slab === undefined ? '' : Buffer.concat([...allRuns(slab)].map(run => runBytes(slab, run))).toString('base64')

const snapshotOf = (number: number, slabs: Record<string, Slab>) => ({
  state: { number },
  slabs: new Map(Object.entries(slabs)),
  positions: { p: `${number}` },
  writtenAt: number,
})

async function openedIn<T>(where: string, use: (checkpoints: Checkpoints) => Promise<T>): Promise<T> {
  const checkpoints = await openCheckpoints(where)
  try {
    return await use(checkpoints)
  } finally {
    await checkpoints.close()
  }
}

const readIn = (where: string): Promise<ReadSnapshot | undefined> => openedIn(where, checkpoints => checkpoints.read())
const filesIn = async (where: string) => (await readdir(where)).filter(name => /^(cells|checkpoint)/.test(name)).sort()
const sizeOf = async (name: string) => (await readFile(join(directory, name))).length

describe('slabs that are too large to be written each time', () => {
  test('come back as they were, whatever changed between checkpoints, grew, shrank or joined', async () => {
    const slabs: Record<string, Slab> = { rows: largeSlab(), records: slabOf(cellBytes, 2_000) }
    let seed = 1
    const next = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    for (let life = 0; life < 3; life++) {
      await openedIn(directory, async checkpoints => {
        const before = await checkpoints.read()
        if (before !== undefined) {
          expect([...before.snapshot.slabs].map(([name, slab]) => [name, contentsOf(slab)])).toEqual(
            Object.entries(slabs).map(([name, slab]) => [name, contentsOf(slab)]),
          )
          for (const [name, slab] of before.snapshot.slabs) slabs[name] = slab
        }
        for (let round = 0; round < 15; round++) {
          for (const slab of Object.values(slabs)) {
            for (let change = next(300); change > 0; change--) put(slab, next(slab.cells), next(1_000))
            for (let grown = next(40); grown > 0; grown--) put(slab, addCell(slab), next(1_000))
            for (let freed = next(40); freed > 0; freed--) removeCell(slab, next(slab.cells))
          }
          if (life === 1 && round === 10) slabs.joined = slabOf(cellBytes, 100)
          await checkpoints.write(snapshotOf(life * 100 + round, slabs)).written
        }
      })
    }
    const read = await readIn(directory)
    expect(read?.note).toBeUndefined()
    for (const [name, slab] of Object.entries(slabs))
      expect(contentsOf(read?.snapshot.slabs.get(name))).toBe(contentsOf(slab))
  })

  test('cost what changed, and the log that holds it stays short', async () => {
    const slab = largeSlab()
    await openedIn(directory, async checkpoints => {
      await checkpoints.write(snapshotOf(0, { slab })).written
      expect(await sizeOf('cells-000000000001')).toBeGreaterThan(largeCells * cellBytes)
      put(slab, 5, 1)
      await checkpoints.write(snapshotOf(1, { slab })).written
      // The cell, and a chunk whose turn it is.
      expect(await sizeOf('cells-000000000002')).toBeLessThan(2 * CELLS_PER_CHUNK * cellBytes)
      await checkpoints.write(snapshotOf(2, { slab })).written
      expect(await filesIn(directory)).toEqual([
        ...['cells-000000000001', 'cells-000000000002'],
        ...['checkpoint-000000000002', 'checkpoint-000000000003'],
      ])
      const chunks = largeCells / CELLS_PER_CHUNK
      for (let number = 3; number < 4 * chunks; number++) {
        put(slab, (number * 37) % largeCells, number)
        await checkpoints.write(snapshotOf(number, { slab })).written
      }
      expect((await filesIn(directory)).length).toBeLessThanOrEqual(2 * chunks + 4)
    })
    expect(contentsOf((await readIn(directory))?.snapshot.slabs.get('slab'))).toBe(contentsOf(slab))
  })

  test('are in the checkpoint itself while they are small, and again when they have become small', async () => {
    const slab = slabOf(cellBytes, 100)
    await openedIn(directory, async checkpoints => {
      await checkpoints.write(snapshotOf(1, { slab })).written
      expect(await filesIn(directory)).toEqual(['checkpoint-000000000001'])
      while (slab.cells < largeCells) put(slab, addCell(slab), slab.cells)
      await checkpoints.write(snapshotOf(2, { slab })).written
      expect(await filesIn(directory)).toContain('cells-000000000002')
      while (slab.cells > 100) removeCell(slab, 0)
      for (const number of [3, 4]) await checkpoints.write(snapshotOf(number, { slab })).written
      expect(await filesIn(directory)).toEqual(['checkpoint-000000000003', 'checkpoint-000000000004'])
    })
    expect(contentsOf((await readIn(directory))?.snapshot.slabs.get('slab'))).toBe(contentsOf(slab))
  })

  test('are written as of the moment of asking', async () => {
    const slab = largeSlab()
    await openedIn(directory, async checkpoints => {
      await checkpoints.write(snapshotOf(1, { slab })).written
      put(slab, 7, 70)
      const then = contentsOf(slab)
      const { copied, written } = checkpoints.write(snapshotOf(2, { slab }))
      await copied
      put(slab, 7, 71)
      await written
      expect(contentsOf((await checkpoints.read())?.snapshot.slabs.get('slab'))).toBe(then)
    })
  })

  test('are written whole again after a checkpoint that failed', async () => {
    const slab = largeSlab()
    await openedIn(directory, async checkpoints => {
      await checkpoints.write(snapshotOf(1, { slab })).written
      put(slab, 3, 30)
      const lock = await readFile(join(directory, 'lock'))
      await writeFile(join(directory, 'lock'), 'another’s')
      const [failed, after] = [2, 3].map(number => checkpoints.write(snapshotOf(number, { slab })).written)
      await expect(failed).rejects.toMatchObject({ code: 'STATE_HELD' })
      await expect(after).rejects.toMatchObject({ code: 'STATE_HELD' })
      await writeFile(join(directory, 'lock'), lock)
      put(slab, 4, 40)
      await checkpoints.write(snapshotOf(4, { slab })).written
    })
    expect(contentsOf((await readIn(directory))?.snapshot.slabs.get('slab'))).toBe(contentsOf(slab))
  })
})

describe('a worker killed while it writes a checkpoint', () => {
  /** Every state the directory is in, between one checkpoint and the next: its files are made, renamed and removed one by one. */
  async function steps() {
    const slab = largeSlab()
    const before = join(folder, 'before')
    const after = join(folder, 'after')
    const image = (to: string) => cp(directory, to, { recursive: true, filter: path => !path.endsWith('lock') })
    const contents = await openedIn(directory, async checkpoints => {
      const one = async (number: number) => {
        put(slab, number, 1_000 + number)
        await checkpoints.write(snapshotOf(number, { slab })).written
        return contentsOf(slab)
      }
      // The next one ends the turns: old pieces go with it.
      const all = largeCells / CELLS_PER_CHUNK
      for (let number = 1; number < 2 * all; number++) await one(number)
      const old = await one(2 * all)
      await image(before)
      const files = await filesIn(directory)
      let number = 2 * all + 1
      let fresh = await one(number)
      while ((await filesIn(directory)).includes(files[0] ?? '')) {
        await rm(before, { recursive: true })
        await image(before)
        number++
        fresh = await one(number)
      }
      await image(after)
      return { old, fresh, number }
    })
    return { before, after, ...contents }
  }

  test('leaves the last whole one, or the new one, at each step', async () => {
    const { before, after, fresh, number } = await steps()
    const old = contentsOf((await readIn(before))?.snapshot.slabs.get('slab'))
    expect(old).not.toBe(fresh)
    const [had, has] = [await filesIn(before), await filesIn(after)]
    const made = has.filter(name => !had.includes(name)).sort()
    const gone = had.filter(name => !has.includes(name))
    expect(made.map(name => name.replace(/-.*/, ''))).toEqual(['cells', 'checkpoint'])
    expect(gone.length).toBeGreaterThan(2)

    const killed = join(folder, 'killed')
    await cp(before, killed, { recursive: true })
    const expectRead = async (contents: string, writtenAt: number) => {
      const image = join(folder, 'image')
      await cp(killed, image, { recursive: true })
      const read = await readIn(image)
      expect(read?.note).toBeUndefined()
      expect(read?.snapshot.writtenAt).toBe(writtenAt)
      expect(contentsOf(read?.snapshot.slabs.get('slab')) === contents).toBe(true)
      // And from there it goes on as if nothing had been.
      await openedIn(image, async checkpoints => {
        const again = await checkpoints.read()
        const slab = again?.snapshot.slabs.get('slab')
        if (slab === undefined) throw new Error('no slab')
        put(slab, 11, 99)
        await checkpoints.write(snapshotOf(writtenAt + 1, { slab })).written
        expect(contentsOf((await checkpoints.read())?.snapshot.slabs.get('slab')) === contentsOf(slab)).toBe(true)
      })
      await rm(image, { recursive: true })
    }
    for (const name of made) {
      const whole = await readFile(join(after, name))
      await writeFile(join(killed, 'checkpoint.tmp'), whole.subarray(0, Math.floor(whole.length / 2)))
      await expectRead(old, number - 1)
      await rm(join(killed, 'checkpoint.tmp'))
      await writeFile(join(killed, name), whole)
      if (name.startsWith('cells')) await expectRead(old, number - 1)
    }
    await expectRead(fresh, number)
    // Checkpoints go before pieces.
    const order = gone.toSorted().reverse()
    for (const [index, name] of order.entries()) {
      await rm(join(killed, name))
      if (index < 2 || index === order.length - 1) await expectRead(fresh, number)
    }
  })
})

describe('a piece of the log that is damaged', () => {
  test.each([
    ['cut off', (piece: Buffer) => piece.subarray(0, piece.length - 1), /cells-0+3 has \d+ of \d+ bytes/],
    ['flipped', (piece: Buffer) => piece.with(piece.length - 5, 255), /the checksum of cells-0+3 does not fit/],
    ['of nonsense', (piece: Buffer) => Buffer.alloc(piece.length, 'x'), /cells-0+3 cannot be read: it does not begin/],
    ['gone', () => undefined, /cells-0+3 is missing/],
  ])('(%s) is never taken: the checkpoint before it is, and it is told', async (_, damage, because) => {
    const slab = largeSlab()
    let old = ''
    await openedIn(directory, async checkpoints => {
      for (const number of [1, 2, 3]) {
        old = contentsOf(slab)
        put(slab, 1, 10 * number)
        await checkpoints.write(snapshotOf(number, { slab })).written
        if (number < 3) old = contentsOf(slab)
      }
    })
    const path = join(directory, 'cells-000000000003')
    const bad = damage(await readFile(path))
    if (bad === undefined) await rm(path)
    else await writeFile(path, bad)
    const read = await readIn(directory)
    expect(read?.snapshot.writtenAt).toBe(2)
    expect(contentsOf(read?.snapshot.slabs.get('slab')) === old).toBe(true)
    expect(read?.note).toMatch(because)
  })

  test('is refused when no checkpoint can do without it', async () => {
    const slab = largeSlab()
    await openedIn(directory, async checkpoints => {
      for (const number of [1, 2]) {
        put(slab, 1, number)
        await checkpoints.write(snapshotOf(number, { slab })).written
      }
    })
    await rm(join(directory, 'cells-000000000001'))
    await expect(readIn(directory)).rejects.toMatchObject({
      code: 'CHECKPOINT_DAMAGED',
      message: expect.stringContaining('cells-000000000001 is missing'),
    })
  })
})
