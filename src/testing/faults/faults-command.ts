/**
 * `npm run simulate:faults`: the real worker through crashes, torn writes, false answers and other people's changes; each
 * seed is a story of its own, the same each time. Exits with 1 if a law was broken, and prints how to see that again.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { built } from '../bench/part.ts'
import type { Asked, FromThread } from './faults-worker.ts'
import { type StoryResult, timelineText } from './story.ts'
import { teach } from './taught.ts'
import { tellSeed } from './twin.ts'

const usage = `npm run simulate:faults -- [--seed N | --seeds FROM-TO] [--steps N] [--seconds N] [--threads N] [--first] [--json]

  --seed N      one story, with its timeline
  --seeds A-B   all of these; of the ones that break a law the end of the timeline. Without either: 1-200
  --steps N     not further than this step: what had happened until then
  --seconds N   hand out no further seed after so long
  --threads N   as many as there are cores, unless told
  --first       no further seed after the first story in which a law was broken
  --json        a line of JSON a story
`

interface Options {
  readonly from: number
  readonly to: number
  readonly isOne: boolean
  readonly steps: number | undefined
  readonly seconds: number
  readonly threads: number
  readonly first: boolean
  readonly json: boolean
}

function asked(): Options {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      steps: { type: 'string' },
      seconds: { type: 'string' },
      threads: { type: 'string' },
      first: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const [from = 1, to = from] = (values.seed ?? values.seeds ?? '1-200').split('-').map(Number)
  const options = {
    ...{ from, to, isOne: values.seed !== undefined, json: values.json, first: values.first },
    steps: values.steps === undefined ? undefined : Number(values.steps),
    seconds: Number(values.seconds ?? Number.MAX_SAFE_INTEGER),
    threads: Number(values.threads ?? availableParallelism()),
  }
  const numbers = [from, to, options.steps ?? 1, options.seconds, options.threads]
  if (!numbers.every(Number.isFinite) || to < from) throw new Error(`these are no numbers\n\n${usage}`)
  return options
}

const commandOf = (seed: number): string => `npm run simulate:faults -- --seed ${seed}`

/** Lines of a broken story that are shown among others. */
const lastLines = 40

function show(result: StoryResult, { json, isOne }: Options): void {
  const { timeline, broken, ...figures } = result
  if (json) process.stdout.write(`${JSON.stringify({ ...figures, broken })}\n`)
  else if (isOne) process.stdout.write(`${timelineText(result)}\n\n${JSON.stringify({ ...figures, broken })}\n`)
  else if (broken !== undefined)
    process.stdout.write(
      `\nseed ${result.seed}: ${broken}\n${timelineText(result, { lines: lastLines })}\n  ${commandOf(result.seed)}\n`,
    )
}

/** Hands out seeds to threads until there are none left, or time is up. */
async function tellAll(options: Options, told: (result: StoryResult) => void): Promise<void> {
  const { from, to, steps, seconds, threads, first } = options
  const until = performance.now() + seconds * 1_000
  let next = from
  const work = Array.from({ length: Math.min(threads, to - from + 1) }, () => {
    const thread = new Worker(built('../faults/faults-worker.js'))
    return new Promise<void>((resolve, reject) => {
      const handOut = (): void => {
        if (next > to || performance.now() > until || (first && totals.broken.length > 0)) {
          void thread.terminate()
          resolve()
        } else thread.postMessage({ seed: next++, mostSteps: steps } satisfies Asked)
      }
      thread.on('message', (message: FromThread) => {
        if (message.kind === 'told') told(message.result)
        handOut()
      })
      thread.on('error', reject)
    })
  })
  await Promise.all(work)
}

const options = asked()
const began = performance.now()
const totals = { stories: 0, broken: [] as number[], lives: 0, steps: 0, calls: 0, alerts: 0, limitChanges: 0 }
const edges = { alertsTwice: 0, changesCrossed: 0, lateCalls: 0 }
const count = (result: StoryResult): void => {
  show(result, options)
  totals.stories++
  if (result.broken !== undefined) totals.broken.push(result.seed)
  for (const name of ['lives', 'steps', 'calls', 'alerts', 'limitChanges'] as const) totals[name] += result[name]
  for (const name of ['alertsTwice', 'changesCrossed', 'lateCalls'] as const) edges[name] += result.edges[name]
}
if (options.isOne) count(await tellSeed(options.from, await teach(), { mostSteps: options.steps }))
else await tellAll(options, count)
const seconds = (performance.now() - began) / 1_000
if (!options.isOne)
  process.stdout.write(
    `\n${totals.stories} stories of ${totals.lives} lives in ${seconds.toFixed(0)} s: ${totals.calls} calls, ${totals.alerts} alerts, ${totals.limitChanges} changes of limits. ` +
      `Alerts sent again after a lost answer or a death in between: ${edges.alertsTwice}. People’s changes crossed by ours: ${edges.changesCrossed}\n`,
  )
if (totals.broken.length > 0) {
  process.stdout.write(`\nA law was broken in ${totals.broken.length} of ${totals.stories}:\n`)
  for (const seed of totals.broken) process.stdout.write(`  ${commandOf(seed)}\n`)
  process.exitCode = 1
}
