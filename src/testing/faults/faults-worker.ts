/** Stories on a thread of their own: one seed after another, as they are handed out. */
import { parentPort } from 'node:worker_threads'
import type { StoryResult } from './story.ts'
import { teach } from './taught.ts'
import { tellSeed } from './twin.ts'

export interface Asked {
  readonly seed: number
  readonly mostSteps: number | undefined
}

export type FromThread = { readonly kind: 'ready' } | { readonly kind: 'told'; readonly result: StoryResult }

const tell = (message: FromThread): void => parentPort?.postMessage(message)

const taught = await teach()
parentPort?.on('message', async ({ seed, mostSteps }: Asked) => {
  const result = await tellSeed(seed, taught, { mostSteps })
  // A story that went well is a number of figures.
  tell({ kind: 'told', result: result.broken === undefined ? { ...result, timeline: [] } : result })
})
tell({ kind: 'ready' })
