/** One target of `npm run fuzz` in a thread of its own, so that an input that never ends can be ended, and named. */
import { parentPort, workerData } from 'node:worker_threads'
import fc from 'fast-check'
import { judged, recipes } from './target.ts'
import { targets } from './targets.ts'

/** What the thread is handed. `current`: the length of the input under way, and its recipe as JSON. */
export interface Asked {
  readonly name: string
  readonly inputs: number
  readonly seed: number
  readonly current: SharedArrayBuffer
}

/** What it tells: how far it is, and at the end what was found. */
export type FromThread =
  | { readonly kind: 'at'; readonly done: number }
  | { readonly kind: 'over'; readonly done: number; readonly found: string | undefined }

const { name, inputs, seed, current } = workerData as Asked
const target = targets.find(one => one.name === name)
if (target === undefined) throw new Error(`there is no target ${name}`)
const told = (message: FromThread): void => parentPort?.postMessage(message)
const [length, text] = [new Int32Array(current, 0, 1), new Uint8Array(current, 4)]
const over = await target.prepare?.()
let done = 0
const property = fc.asyncProperty(recipes, async recipe => {
  const { written } = new TextEncoder().encodeInto(
    JSON.stringify({ ...recipe, raw: recipe.raw && [...recipe.raw] }),
    text,
  )
  Atomics.store(length, 0, written)
  const broken = await judged(target, recipe)
  if (broken !== undefined) throw new Error(broken)
  if (++done % 250 === 0) told({ kind: 'at', done })
})
const result = await fc.check(property, { numRuns: inputs, seed })
const found = result.failed
  ? `${String(result.errorInstance)}\n  from ${JSON.stringify(result.counterexample, (_, value: unknown) => (value instanceof Uint8Array ? [...value] : value))}`
  : undefined
await over?.()
told({ kind: 'over', done, found })
