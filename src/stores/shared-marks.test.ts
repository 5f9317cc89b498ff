import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PartitionId } from '../core/vocabulary.ts'
import { createRandom } from '../simulation/random.ts'
import { createFaultyDisk } from '../testing/faults/faulty-disk.ts'
import { createLoop } from '../testing/faults/loop.ts'
import { type Disk, machineDisk } from './disk.ts'
import { openSharedMarks } from './shared-marks.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-marks-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const open = (part: number, { disk, stillOurs }: { disk?: Disk; stillOurs?: () => Promise<void> } = {}) =>
  openSharedMarks(
    folder,
    { partition: `t/${part}` as PartitionId, id: `worker-${part}`, ...(stillOurs && { stillOurs }) },
    disk,
  )

test('of two parts one has it, keeps it through its next life, and the other is told whose it is until it is given back', async () => {
  const [one, two] = [await open(1), await open(2)]
  const taken = await Promise.all([one.take('m', 'plan-a'), two.take('m', 'plan-a')])
  expect(taken.filter(other => other === undefined)).toHaveLength(1)
  const [winner, loser, number] = taken[0] === undefined ? [one, two, 1] : [two, one, 2]
  expect(await loser.take('m', 'plan-a')).toEqual({ name: 'm', partition: `t/${number}`, about: 'plan-a' })
  await loser.giveBack('m')
  expect(await (await open(number)).take('m', 'plan-a')).toBeUndefined()
  await winner.giveBack('m')
  expect(await loser.take('m', 'plan-a')).toBeUndefined()
  expect(await readdir(folder)).toEqual(['m'])
})

test('one that a power loss has left empty is nobody’s, and free again', async () => {
  await writeFile(join(folder, 'm'), '')
  const marks = await open(1)
  expect(await marks.ours()).toEqual([])
  expect(await marks.take('m', 'plan-a')).toBeUndefined()
  await truncate(join(folder, 'm'), 5)
  expect(await (await open(2)).take('m', 'plan-b')).toBeUndefined()
  expect(await readdir(folder)).toEqual(['m'])
})

test('what another worker has put in the place of one that could not be read stays theirs', async () => {
  await writeFile(join(folder, 'm'), '')
  const other = await open(2)
  const slow: Disk = {
    ...machineDisk,
    async rename(from, to) {
      // Between the look and the taking away.
      if (to.includes('broken')) await other.take('m', 'plan-a')
      await machineDisk.rename(from, to)
    },
  }
  expect(await (await open(1, { disk: slow })).take('m', 'plan-a')).toMatchObject({ partition: 't/2' })
  expect(await readdir(folder)).toEqual(['m'])
})

test('who is not the owner of the part any more takes nothing and gives nothing back', async () => {
  const taken = new Error('taken over')
  const marks = await open(1)
  await marks.take('m', 'plan-a')
  const frozen = await open(1, { stillOurs: () => Promise.reject(taken) })
  await expect(frozen.take('n', 'plan-b')).rejects.toBe(taken)
  await expect(frozen.giveBack('m')).rejects.toBe(taken)
  expect(await readdir(folder)).toEqual(['m'])
})

test('what was taken is there after the machine has lost its power, and whole', async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const loop = createLoop()
    const faulty = createFaultyDisk({ loop, random: createRandom(seed), wallNow: () => loop.now() })
    const life = { isAlive: true }
    const told = { isTaken: false }
    const marks = openSharedMarks('/s', { partition: 't/1' as PartitionId, id: 'w' }, faulty.of(life))
    void marks.then(({ take }) => take('m', 'plan-a')).then(() => (told.isTaken = true))
    for (let steps = 0; steps < seed % 14 && (await loop.step()); steps++);
    life.isAlive = false
    faulty.crash('machine')
    const next = openSharedMarks('/s', { partition: 't/1' as PartitionId, id: 'v' }, faulty.of({ isAlive: true }))
    const ours = { marks: [] as readonly unknown[], after: 'not asked' as unknown }
    void next.then(async ({ ours: look, take }) => {
      ours.marks = await look()
      ours.after = await take('m', 'plan-a')
    })
    while (await loop.step());
    if (told.isTaken) expect(ours.marks).toEqual([{ name: 'm', partition: 't/1', about: 'plan-a' }])
    expect(ours.after).toBeUndefined()
  }
})
