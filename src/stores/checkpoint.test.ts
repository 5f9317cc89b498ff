import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lookAtCheckpoint, openCheckpoints, type Saving } from './checkpoint.ts'
import { holderOf, lockDirectory, thisHost } from './checkpoint-lock.ts'
import { type Disk, machineDisk } from './disk.ts'

let directory: string

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'weir-checkpoint-')), 'state')
})
afterEach(() => rm(join(directory, '..'), { recursive: true }))

test('a worker that starts for the first time has no checkpoint', async () => {
  const checkpoints = await openCheckpoints(directory)
  expect(await checkpoints.read()).toBeUndefined()
  await checkpoints.close()
})

test('state, positions and journal come back as one, with maps and typed arrays, after closing', async () => {
  const saving: Saving = {
    slabs: new Map(),
    state: { keys: new Map([['k1', { counts: Float64Array.of(1, 2.5), ids: Int32Array.of(-1) }]]), none: undefined },
    positions: {
      'access-logs/0': '42',
      'shardId-000000000000': '49590338271490256608559692538361571095921575989136588898',
    },
    writtenAt: 1_795_183_387_000,
  }
  await openedWith(checkpoints => checkpoints.write(saving).written)
  const snapshot = { ...saving, later: [] }
  await openedWith(async checkpoints => expect(await checkpoints.read()).toEqual({ snapshot, note: undefined }))
})

test('the state that is written is the one of the moment of asking, whatever happens to it while it is written', async () => {
  const state = { calls: 1 }
  await openedWith(async checkpoints => {
    const written = checkpoints.write(snapshotOf(1, state)).written
    state.calls = 2
    await written
    expect((await checkpoints.read())?.snapshot.state).toEqual({ calls: 1 })
  })
})

test('what comes later is asked for a piece at a time, others have their turn between, and it comes back in its order', async () => {
  const told: string[] = []
  const pieces = [1, 2, 3].map(piece => ({ piece, bytes: Uint8Array.of(piece) }))
  const left = [...pieces]
  const later = {
    isLeft: () => left.length > 0,
    next() {
      setImmediate(() => told.push(`others, ${left.length} left`))
      return left.shift()
    },
    abandon: () => told.push('abandoned'),
  }
  await openedWith(async checkpoints => {
    await checkpoints.write({ ...snapshotOf(1), later }).written
    expect(told).toEqual(['others, 2 left', 'others, 1 left', 'abandoned', 'others, 0 left'])
    expect((await checkpoints.read())?.snapshot.later).toEqual(pieces)
  })
})

test('of a piece that cannot be had nothing is written, and the others are not waited for', async () => {
  let isAbandoned = false
  const later = {
    isLeft: () => true,
    next: () => {
      throw new Error('no such key')
    },
    abandon: () => {
      isAbandoned = true
    },
  }
  await openedWith(async checkpoints => {
    await expect(checkpoints.write({ ...snapshotOf(1), later }).written).rejects.toThrow('no such key')
    expect(isAbandoned).toBe(true)
    expect(await checkpointFiles()).toEqual([])
  })
})

test('a hundred checkpoints leave two files, the newest is read', async () => {
  await openedWith(async checkpoints => {
    await Promise.all(Array.from({ length: 100 }, (_, i) => checkpoints.write(snapshotOf(i)).written))
    expect(await checkpointFiles()).toEqual(['checkpoint-000000000099', 'checkpoint-000000000100'])
    expect((await checkpoints.read())?.snapshot.writtenAt).toBe(99)
  })
  await openedWith(checkpoints => checkpoints.write(snapshotOf(100)).written)
  expect(await checkpointFiles()).toEqual(['checkpoint-000000000100', 'checkpoint-000000000101'])
})

test('wherever the newest is cut off, or a byte of it flipped, the one before is taken, and it is told', async () => {
  await openedWith(async checkpoints => {
    await checkpoints.write(snapshotOf(1)).written
    await checkpoints.write(snapshotOf(2)).written
  })
  const newest = join(directory, 'checkpoint-000000000002')
  const good = await readFile(newest)
  const cuts = Array.from({ length: good.length }, (_, i) => good.subarray(0, i))
  // The format's own four bytes are another story: a file of another format is not damaged.
  const flips = [...good.keys()].filter(i => i < 8 || i >= 12).map(i => good.with(i, (good[i] ?? 0) ^ 1))
  await openedWith(async checkpoints => {
    for (const bad of [...cuts, ...flips]) {
      await writeFile(newest, bad)
      const read = await checkpoints.read()
      expect(read?.snapshot).toEqual({ ...snapshotOf(1), later: [] })
      expect(read?.note).toMatch(
        /^checkpoint-000000000002 is damaged: .*\. Going on from checkpoint-000000000001 of 1970-01-01T00:00:00.001Z\.$/,
      )
    }
  })
})

test('when none can be read the worker does not begin anew by itself', async () => {
  await openedWith(checkpoints => checkpoints.write(snapshotOf(1)).written)
  await writeFile(join(directory, 'checkpoint-000000000001'), 'WEIR')
  await openedWith(async checkpoints => {
    await expect(checkpoints.read()).rejects.toMatchObject({
      code: 'CHECKPOINT_DAMAGED',
      message: `No checkpoint in ${directory} can be read: checkpoint-000000000001 is damaged: it has only 4 bytes`,
      hint: expect.stringContaining(`move only checkpoint-* and cells-* of ${directory} away, nothing else`),
    })
  })
})

test('a checkpoint of another format is not taken for a damaged one, nor passed over for an older', async () => {
  await openedWith(async checkpoints => {
    await checkpoints.write(snapshotOf(1)).written
    await checkpoints.write(snapshotOf(2)).written
    const path = join(directory, 'checkpoint-000000000002')
    const file = await readFile(path)
    file.writeUInt32LE(1, 8)
    await writeFile(path, file)
    await expect(checkpoints.read()).rejects.toMatchObject({
      code: 'CHECKPOINT_DAMAGED',
      message: `Cannot start from ${path}: it is of format 1, this version reads 8`,
      hint: `Run the version that wrote it. To begin without a past: first weir throttles release --all --state ${directory}, then move only checkpoint-* and cells-* of ${directory} away, nothing else`,
    })
  })
})

test('a file half written when the machine stopped is nobody’s checkpoint, and is taken away', async () => {
  await openedWith(checkpoints => checkpoints.write(snapshotOf(1)).written)
  await writeFile(join(directory, 'checkpoint.tmp'), 'half')
  await openedWith(async checkpoints => {
    expect(await checkpoints.read()).toEqual({ snapshot: { ...snapshotOf(1), later: [] }, note: undefined })
    expect((await readdir(directory)).sort()).toEqual(['checkpoint-000000000001', 'lock'])
  })
})

test('what stands in it is for the worker alone to read', async () => {
  await openedWith(async checkpoints => {
    await checkpoints.write(snapshotOf(1)).written
    const modes = await Promise.all(['.', 'checkpoint-000000000001'].map(name => stat(join(directory, name))))
    expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(['700', '600'])
  })
})

test('two workers do not share a directory', async () => {
  await openedWith(async () => {
    await expect(openCheckpoints(directory)).rejects.toMatchObject({
      code: 'STATE_HELD',
      message: `Cannot use the state directory ${directory}: process ${process.pid} on ${hostname()} is using it`,
    })
  })
  await openedWith(async () => undefined)
})

test('of ten workers that find the lock of a dead one at once, one gets it', async () => {
  const dead = spawn(process.execPath, ['-e', ''])
  await once(dead, 'exit')
  await openedWith(async () => undefined)
  await writeFile(join(directory, 'lock'), JSON.stringify({ pid: dead.pid, host: hostname() }))
  const opened = await Promise.allSettled(Array.from({ length: 10 }, () => openCheckpoints(directory)))
  const holders = opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  expect(holders).toHaveLength(1)
  await holders[0]?.close()
  expect(await readdir(directory)).toEqual([])
})

test('whoever only looks sees who holds the directory while they live, and leaves nothing behind', async () => {
  const lock = join(directory, 'lock')
  await openedWith(async () => {
    expect(await holderOf(directory)).toMatchObject({ pid: process.pid, host: hostname() })
    await writeFile(lock, JSON.stringify({ pid: 1, host: 'elsewhere' }))
    expect(await holderOf(directory)).toMatchObject({ host: 'elsewhere' })
    const twoMinutesAgo = Date.now() / 1_000 - 120
    await utimes(lock, twoMinutesAgo, twoMinutesAgo)
    expect(await holderOf(directory)).toBeUndefined()
    expect((await readdir(directory)).filter(name => name.startsWith('lock'))).toEqual(['lock'])
  })
  expect(await holderOf(directory)).toBeUndefined()
})

test('whoever only looks has the state of the newest good one while a worker holds it, or is told why there is none', async () => {
  expect(await lookAtCheckpoint(directory)).toBeUndefined()
  await openedWith(async checkpoints => {
    await checkpoints.write(snapshotOf(1, { calls: 1 })).written
    await checkpoints.write(snapshotOf(2, { calls: 2 })).written
    expect(await lookAtCheckpoint(directory)).toEqual({ state: { calls: 2 }, later: [], writtenAt: 2 })
    await writeFile(join(directory, 'checkpoint-000000000002'), 'half of')
    expect(await lookAtCheckpoint(directory)).toEqual({ state: { calls: 1 }, later: [], writtenAt: 1 })
    await writeFile(join(directory, 'checkpoint-000000000001'), 'it')
    expect(await lookAtCheckpoint(directory)).toEqual({
      unreadable: 'checkpoint-000000000002: it has only 7 bytes; checkpoint-000000000001: it has only 2 bytes',
    })
  })
})

test('a process that lives is not the holder if it only got the same id: a container’s is always 1', async () => {
  await openedWith(async () => undefined)
  const lock = join(directory, 'lock')
  await writeFile(lock, JSON.stringify({ pid: process.pid, started: 'another boot/123', host: hostname() }))
  await openedWith(async () => expect(JSON.parse(await readFile(lock, 'utf8')).started).not.toBe('another boot/123'))
})

test('a holder on another host is alive as long as it touches its lock', async () => {
  await openedWith(async () => undefined)
  const lock = join(directory, 'lock')
  await writeFile(lock, JSON.stringify({ pid: 1, host: 'elsewhere' }))
  await expect(openCheckpoints(directory)).rejects.toMatchObject({ code: 'STATE_HELD' })
  const twoMinutesAgo = Date.now() / 1_000 - 120
  await utimes(lock, twoMinutesAgo, twoMinutesAgo)
  await openedWith(async () => undefined)
})

test('a holder touches its lock while it writes no checkpoint for long, and lets go of it when it closes', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    const checkpoints = await openCheckpoints(directory)
    const lock = join(directory, 'lock')
    const twoMinutesAgo = Date.now() / 1_000 - 120
    await utimes(lock, twoMinutesAgo, twoMinutesAgo)
    vi.advanceTimersByTime(10_000)
    await expect.poll(async () => (await stat(lock)).mtimeMs / 1_000).toBeGreaterThan(twoMinutesAgo + 60)

    const others = JSON.stringify({ pid: 1, host: 'elsewhere' })
    await writeFile(lock, others)
    await utimes(lock, twoMinutesAgo, twoMinutesAgo)
    vi.advanceTimersByTime(10_000)
    await checkpoints.close()
    expect(vi.getTimerCount()).toBe(0)
    expect(await readFile(lock, 'utf8')).toBe(others)
  } finally {
    vi.useRealTimers()
  }
})

test('a worker that lost its lock while it was frozen writes no more', async () => {
  const checkpoints = await openCheckpoints(directory)
  await writeFile(join(directory, 'lock'), JSON.stringify({ pid: 1, host: 'elsewhere' }))
  await expect(checkpoints.write(snapshotOf(1)).written).rejects.toMatchObject({ code: 'STATE_HELD' })
  expect(await checkpointFiles()).toEqual([])
  await checkpoints.close()
  expect(await readdir(directory)).toEqual(['lock'])
})

test.each([
  ['ENOSPC', 'Make room on that disk, or give the worker another state.directory'],
  ['EROFS', 'Its disk is read-only: mount it for writing, or give the worker another state.directory'],
  ['EACCES', 'Let the worker’s user write there, or give it another state.directory'],
])('a directory that cannot be locked for %s is told as such', async (code, hint) => {
  const disk: Disk = {
    ...machineDisk,
    writeFile: () => Promise.reject(Object.assign(new Error(`${code}: told by the test`), { code })),
  }
  for (const open of [
    () => openCheckpoints(directory, { disk }),
    () => lockDirectory(directory, { disk, host: thisHost }),
  ])
    await expect(open()).rejects.toMatchObject({
      ...{
        code: 'STORE_UNWRITABLE',
        hint,
        message: `Cannot lock the state directory ${directory}: ${code}: told by the test`,
      },
    })
})

test('a directory that cannot be written is told, with what to do', async () => {
  const file = join(directory, '..', 'file')
  await writeFile(file, '')
  await expect(openCheckpoints(join(file, 'state'))).rejects.toMatchObject({
    code: 'STORE_UNWRITABLE',
    hint: 'Make room on that disk and let the worker write there, or give it another state.directory',
  })
})

function snapshotOf(number: number, state: unknown = { number }): Saving {
  return { state, slabs: new Map(), positions: { p: `${number}` }, writtenAt: number }
}

async function checkpointFiles(): Promise<readonly string[]> {
  return (await readdir(directory)).filter(name => name.startsWith('checkpoint')).sort()
}

async function openedWith(use: (checkpoints: Awaited<ReturnType<typeof openCheckpoints>>) => Promise<unknown>) {
  const checkpoints = await openCheckpoints(directory)
  try {
    await use(checkpoints)
  } finally {
    await checkpoints.close()
  }
}
