/** How long a worker goes on without a checkpoint. */
import { afterEach, expect, test } from 'vitest'
import { StreamError } from '../core/errors.ts'
import { MINUTE_MS } from '../core/vocabulary.ts'
import type { Checkpoints } from '../stores/checkpoint.ts'
import { live, newFolder, removeFolders } from './testing-life.ts'

afterEach(removeFolders)

function full(code: string): StreamError {
  const cause = Object.assign(new Error(`${code}: no space left on device, write`), { code })
  return new StreamError('STORE_UNWRITABLE', 'Cannot write a checkpoint to it', { retry: 'later', cause })
}

/** A disk that takes the first checkpoint, and then none until it is `mended`. */
function fullDisk(code: string, { isCopied = true } = {}) {
  const disk = { isFull: false, writes: 0 }
  const watch = (checkpoints: Checkpoints): Checkpoints => ({
    ...checkpoints,
    write(snapshot) {
      disk.writes++
      if (!disk.isFull) return checkpoints.write(snapshot)
      const written = Promise.reject(full(code))
      written.catch(() => undefined)
      return { copied: isCopied ? Promise.resolve() : written, written }
    },
  })
  return { disk, watch }
}

test.each([
  [true, 'ENOSPC'],
  [false, 'EROFS'],
])('a full disk (copied first: %s, %s) stops nobody: it alerts on, commits nothing, and keeps its state when there is room', async (isCopied, code) => {
  const { disk, watch } = fullDisk(code, { isCopied })
  const life = await live({ folder: newFolder(), watch })
  disk.isFull = true
  await life.bring(10, 1)
  const committed = life.told.filter(({ name }) => name === 'checkpointWritten').length
  await life.bring(10, 200)
  expect(life.told).toContainEqual(
    expect.objectContaining({ name: 'checkpointFailed', because: 'Cannot write a checkpoint to it' }),
  )
  expect(life.asked()).toContain('k1#1/alert-1')
  expect(life.told.filter(({ name }) => name === 'checkpointWritten')).toHaveLength(committed)
  disk.isFull = false
  await life.bring(6, 1)
  expect(life.told.filter(({ name }) => name === 'checkpointWritten').length).toBeGreaterThan(committed)
  await life.stop()
})

test('one that is full for ten minutes stops it', async () => {
  const { disk, watch } = fullDisk('ENOSPC')
  const life = await live({ folder: newFolder(), watch, checkpointEveryMs: MINUTE_MS })
  disk.isFull = true
  for (let minute = 0; minute < 12; minute++) await life.pass(MINUTE_MS)
  await expect(life.running).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
  const left = life.told.flatMap(event => (event.name === 'checkpointFailed' ? event.stopsInMs / MINUTE_MS : []))
  expect(left).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
})

test('what does not pass by itself stops it at once', async () => {
  const { disk, watch } = fullDisk('EACCES')
  const life = await live({ folder: newFolder(), watch })
  disk.isFull = true
  await life.bring(6, 1)
  await expect(life.running).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
  expect(life.told.filter(({ name }) => name === 'checkpointFailed')).toEqual([])
})
