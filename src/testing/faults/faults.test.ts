/** A few stories of the simulation, and the disk that they are told on. `npm run simulate:faults` tells thousands. */
import { beforeAll, expect, test } from 'vitest'
import { createRandom } from '../../simulation/random.ts'
import { createFaultyDisk } from './faulty-disk.ts'
import { createLoop, type Loop } from './loop.ts'
import { type Taught, teach } from './taught.ts'
import { tellSeed } from './twin.ts'

let taught: Taught
beforeAll(async () => {
  taught = await teach()
}, 120_000)

/** Many deaths, a full disk, people's words and changes, lost answers; two workers, of whom one stands still; and twins. */
test.each([1, 9, 17, 45])('story %i: whatever goes wrong, every law holds', async seed => {
  const { broken, calls } = await tellSeed(seed, taught)
  expect(broken).toBeUndefined()
  expect(calls).toBeGreaterThan(1_000)
})

test('a story is the same each time it is told', async () => {
  const once = await tellSeed(10, taught)
  expect(await tellSeed(10, taught)).toEqual(once)
})

/** A disk on which a process does `work`, until it is done. */
async function onDisk(seed: number, work: (world: World) => Promise<void>): Promise<ReturnType<typeof world>> {
  const here = world(seed)
  let isDone = false
  void work(here).then(() => {
    isDone = true
  })
  while (!isDone) await here.loop.step()
  return here
}

type World = ReturnType<typeof world>
const life = { isAlive: true }

function world(seed: number) {
  const loop: Loop = createLoop()
  const disk = createFaultyDisk({ loop, random: createRandom(seed, 'disk'), wallNow: () => 0 })
  return { loop, disk, of: disk.of(life) }
}

const seeds = Array.from({ length: 200 }, (_, seed) => seed)
const write = async ({ of }: World, text: string, { isSynced }: { readonly isSynced: boolean }): Promise<void> => {
  await of.mkdir('/d', { recursive: true })
  const file = await of.open('/d/f', 'w')
  await file.writeFile(Buffer.from(text))
  if (!isSynced) return
  await file.sync()
  const directory = await of.open('/d', 'r')
  await directory.sync()
}

test('what was synced, bytes and name, is there after each crash', async () => {
  for (const seed of seeds) {
    const { disk } = await onDisk(seed, here => write(here, 'synced', { isSynced: true }))
    disk.crash('machine')
    expect(disk.peek('/d/f')?.toString()).toBe('synced')
  }
})

test('what was not synced is there, or torn, or full of zeros, or gone; and all there when only the process dies', async () => {
  const found = new Set<string | undefined>()
  for (const seed of seeds) {
    const { disk } = await onDisk(seed, here => write(here, 'never', { isSynced: false }))
    if (seed % 2 === 0) disk.crash('process')
    const before = disk.peek('/d/f')?.toString()
    expect(before).toBe('never')
    disk.crash('machine')
    found.add(disk.peek('/d/f')?.toString())
  }
  expect([...found]).toEqual(expect.arrayContaining(['never', 'n', '', 'ne\0\0\0', undefined]))
})

test('what a failed sync has lost, a later one does not bring back', async () => {
  const after = new Set<string | undefined>()
  for (const seed of seeds) {
    const { disk } = await onDisk(seed, async here => {
      await write(here, 'kept', { isSynced: true })
      const file = await here.of.open('/d/f', 'r+')
      await file.write(Buffer.from('lost'), 0, 4, 0)
      here.disk.trouble.failing = 1
      await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
      here.disk.trouble.failing = 0
      await file.sync()
    })
    disk.crash('machine')
    after.add(disk.peek('/d/f')?.toString())
  }
  expect(after).toEqual(new Set(['kept']))
})
