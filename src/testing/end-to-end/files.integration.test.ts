/** A web server's own way: a log on disk that is rotated while it is written to, followed by `weir run`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '../servers/requirements.ts'
import { until } from '../until.ts'
import { expectWholeStory } from './expect-story.ts'
import { type GrowingFileOutlet, growingFileOutlet } from './growing-file-outlet.ts'
import { playStorm } from './storm-story.ts'
import { weirOnMoto } from './weir-on-moto.ts'
import type { WorkerProcess } from './worker-process.ts'

const longest = 180_000

describeWith(['moto', 'shared-data'], 'a storm in a log that is rotated every few seconds', () => {
  const moto = weirOnMoto()
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-rotated-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  test(
    'is alerted on within seconds, throttled, and given its limit back, and every call is counted once',
    async () => {
      await play('rotated')
    },
    longest,
  )

  test(
    'is told once although the worker is stopped in the middle, and the log is rotated while it is away',
    async () => {
      await play('away', async (worker, outlet) => {
        await worker.stop()
        const before = outlet.rotations()
        const isRotated = () => {
          const { renamed, emptied } = outlet.rotations()
          return (renamed > before.renamed && emptied > before.emptied) || undefined
        }
        await until('the log to be rotated in both ways', isRotated, 15_000)
      })
    },
    longest,
  )

  async function play(
    name: string,
    interrupt?: (worker: WorkerProcess, outlet: GrowingFileOutlet) => Promise<void>,
  ): Promise<void> {
    const path = join(folder, `${name}.log`)
    const outlet = await growingFileOutlet(path)
    const source = { kind: 'files', paths: [path], follow: true }
    const how = interrupt && { interrupt: (worker: WorkerProcess) => interrupt(worker, outlet) }
    expectWholeStory(await playStorm({ name, endpoint: moto.endpoint, source, outlet, ...how }))
    expect(outlet.rotations().renamed).toBeGreaterThan(3)
    expect(outlet.rotations().emptied).toBeGreaterThan(3)
  }
})
