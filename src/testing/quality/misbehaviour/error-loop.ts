/**
 * A client that sends what can never be right, again and again: one route, one status, no pause to think. It brings as many
 * calls as are usual, at least two a second, so that the errors and not the rate are what stands out.
 */
import { SECOND_MS } from '../../../core/vocabulary.ts'
import type { Misbehaviour } from '../contract.ts'
import { addedPlay, createBeat } from './added-calls.ts'
import { mannerOf } from './manner.ts'

const LEAST_PER_SECOND = 2
/** The time of an answer differs from call to call, and the next call waits for it. */
const JITTER = 0.2

type Statuses = readonly [number, ...number[]]

const errorLoop = (name: string, statuses: Statuses, answered: string): Misbehaviour => ({
  name,
  sentence: `the same call on one route is answered ${answered} and made again, without end`,
  kind: 'error-loop',
  multiple: undefined,
  harms: false,
  seconds: 900,
  suits: () => true,
  start(scene) {
    const manner = mannerOf(scene)
    const { route, source } = manner.call(scene.from)
    const status = scene.random.pick(statuses)
    const callsPerSecond = Math.max(scene.usualPerSecond, LEAST_PER_SECOND)
    const beat = createBeat(scene, { intervalMs: SECOND_MS / callsPerSecond, jitter: JITTER })
    return addedPlay(scene, second => beat.in(second).map(at => ({ ...manner.call(at), status, route, source })))
  },
})

export const errorLoops: readonly Misbehaviour[] = [
  errorLoop('error-loop-4xx', [400, 401, 403, 404], '400, 401, 403 or 404 (always the same)'),
  errorLoop('error-loop-422', [422], '422'),
]
