/**
 * The API is out for two minutes, for everybody, and needs two more until it serves all again. What clients make of it:
 *
 * - politely: a failed call is tried again after about 1, 2 and 4 seconds, then given up: at most four times the calls;
 * - hard: a failed call is tried again five times a second until it succeeds, as far as the client's machines go:
 *   10 to 30 times the calls, of one more than of another.
 *
 * How the API's recovery depends on what all clients together ask is not modelled, since a play sees one tenant: its two minutes
 * stand for it.
 */
import { SECOND_MS } from '../../../core/vocabulary.ts'
import type { BusyDay, Play, Scene } from '../contract.ts'
import { demandAt } from '../misbehaviour/injected-rate.ts'
import { mannerOf } from '../misbehaviour/manner.ts'
import { createRetryLoop, type RetryLoopOptions } from '../misbehaviour/retry-loop.ts'

const SECONDS = 600
const OUT_SECONDS = 120
const RECOVERS_SECONDS = 120
const POLITE_TRIES = 3
const HARD_PACE_MS = 200
const HARD_MULTIPLE = { least: 10, most: 30 }

type Retries = Pick<RetryLoopOptions, 'retriesAfterMs' | 'mostPerSecond'>

const outage = (name: string, sentence: string, retriesOf: (scene: Scene) => Retries): BusyDay => ({
  name,
  sentence,
  seconds: SECONDS,
  scope: 'platform',
  start: scene => startOutage(scene, retriesOf(scene)),
})

export const outages: readonly BusyDay[] = [
  outage('outage-polite', 'the API is out for two minutes; everyone retries three times, ever later', polite),
  outage('outage-hard', 'the API is out for two minutes; everyone retries five times a second until it works', hard),
]

function polite({ random }: Scene): Retries {
  return {
    retriesAfterMs: tries => (tries < POLITE_TRIES ? [(SECOND_MS << tries) * (0.5 + random.uniform())] : []),
    mostPerSecond: Number.POSITIVE_INFINITY,
  }
}

function hard(scene: Scene): Retries {
  const multiple = HARD_MULTIPLE.least + scene.random.uniform() * (HARD_MULTIPLE.most - HARD_MULTIPLE.least)
  return { retriesAfterMs: () => [HARD_PACE_MS], mostPerSecond: demandAt(multiple, scene) }
}

function startOutage(scene: Scene, retries: Retries): Play {
  const loop = createRetryLoop({
    scene,
    manner: mannerOf(scene),
    failureShare: at => failureShareAt((at - scene.from) / SECOND_MS),
    ...retries,
  })
  let onsetAt: number | undefined
  return {
    second(index, own) {
      const calls = loop.second(index, own)
      onsetAt ??= calls.find(({ status }) => status >= 500)?.at
      return calls
    },
    onsetAt: () => onsetAt,
  }
}

function failureShareAt(seconds: number): number {
  if (seconds < OUT_SECONDS) return 1
  return Math.max(0, 1 - (seconds - OUT_SECONDS) / RECOVERS_SECONDS)
}
