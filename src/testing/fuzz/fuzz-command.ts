/**
 * `npm run fuzz`: a million inputs, or as many as asked for, for all that reads what comes from outside; each target its share.
 * Exits with 1 where a law was broken, and prints the input, shrunk, and the command that shows it again.
 */
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { built } from '../bench/part.ts'
import type { Asked, FromThread } from './fuzz-thread.ts'
import type { FuzzTarget } from './target.ts'
import { targets } from './targets.ts'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string' },
  },
})
const [inputs, seed] = [Number(values.inputs), Number(values.seed)]
const chosen = targets.filter(({ name }) => values.only === undefined || name === values.only)
if (!(inputs > 0) || !Number.isSafeInteger(seed) || chosen.length === 0) {
  const names = targets.map(({ name }) => name).join(', ')
  process.stdout.write(`npm run fuzz -- [--inputs 1000000] [--seed N] [--only TARGET]\n\nTargets: ${names}\n`)
  process.exit(2)
}
const shares = chosen.reduce((sum, { share }) => sum + share, 0)

/** An input may take two seconds, and is asked for twice; the rest is for a machine that is busy. */
const hungAfterMs = 60_000

interface Told {
  readonly done: number
  readonly found: string | undefined
}

function fuzz({ name }: FuzzTarget, count: number): Promise<Told> {
  const current = new SharedArrayBuffer(1 << 20)
  const thread = new Worker(built('../fuzz/fuzz-thread.js'), {
    workerData: { name, inputs: count, seed, current } satisfies Asked,
    // What needs more memory than this for one input has no bound.
    resourceLimits: { maxOldGenerationSizeMb: 768 },
  })
  return new Promise(resolve => {
    let done = 0
    let before = -1
    const end = (told: Told): void => {
      clearInterval(watch)
      void thread.terminate()
      resolve(told)
    }
    const recipe = (): string => {
      const text = Buffer.from(current, 4, new Int32Array(current, 0, 1)[0])
      return `  from ${text.toString()}`
    }
    const watch = setInterval(() => {
      if (done === before) end({ done, found: `for ${hungAfterMs / 1_000} s nothing came of an input\n${recipe()}` })
      before = done
    }, hungAfterMs)
    thread.on('message', (message: FromThread) => {
      done = message.done
      if (message.kind === 'over') end(message)
    })
    thread.on('error', error => end({ done, found: `the thread died: ${String(error)}\n${recipe()}` }))
  })
}

let total = 0
let broken = 0
const began = performance.now()
for (const target of chosen) {
  const from = performance.now()
  const count = Math.ceil((inputs * target.share) / shares)
  const { done, found } = await fuzz(target, count)
  total += done
  const seconds = ((performance.now() - from) / 1_000).toFixed(1)
  process.stdout.write(
    `${target.name.padEnd(24)} ${String(done).padStart(8)} inputs in ${seconds.padStart(7)} s${found === undefined ? '' : '  BROKEN'}\n`,
  )
  if (found === undefined) continue
  broken++
  process.stdout.write(`${found}\n  npm run fuzz -- --only ${target.name} --seed ${seed} --inputs ${count}\n`)
}
const minutes = ((performance.now() - began) / 60_000).toFixed(1)
process.stdout.write(
  `\n${total} inputs for ${chosen.length} targets in ${minutes} min, seed ${seed}: ${broken === 0 ? 'no law was broken' : `laws were broken in ${broken}`}\n`,
)
if (broken > 0) process.exitCode = 1
