/**
 * Retries that feed themselves, as a closed loop (retry-loop.ts): in a blip of the API most of the tenant's calls fail; each
 * failure is tried again twice (by the client and by the library beneath it), a pace later, until it succeeds
 * or is given up because the machines cannot send more; and the API serves the tenant less the more it asks:
 *
 *     failing share = 1 − (1 − blip) × (bearable ÷ demand)²     where demand is above the bearable
 *
 * The square is congestion: beyond what it can bear, the API does less and less that is of use. Bearable is a quarter of the stated
 * multiple, at least 1.2 × usual, so that the storm outlives its blip. It climbs within seconds to what the
 * machines can send, the stated multiple, and stays there. Where the tenant makes no call during the blip, one is made
 * that meets it: a storm needs a first failure.
 */
import { SECOND_MS } from '../../../core/vocabulary.ts'
import type { MadeCall, Misbehaviour, Play, Scene } from '../contract.ts'
import { canMultiply, demandAt } from './injected-rate.ts'
import { type Manner, mannerOf } from './manner.ts'
import { createRetryLoop, type RetryLoop } from './retry-loop.ts'

const BLIP_SECONDS = 30
const BLIP_SHARE = 0.8
const BEARABLE_LEAST = 1.2
/** Of demand at the top. */
const BEARABLE_SHARE = 1 / 4
/** How long after a failed answer it tries again; a storm has one of these. */
const PACES_MS = [100, 200, 500, 1_000] as const
/** Fewer fail by chance alone, and nobody's retries are a storm. */
const LEAST_PER_MINUTE = 1

const retryStorm = (multiple: number, seconds: number): Misbehaviour => ({
  name: `retry-storm-${multiple}x`,
  sentence: `in a blip of half a minute calls fail and each failure is tried again twice; the storm feeds itself at ${multiple} times the usual calls`,
  kind: 'retry-storm',
  multiple,
  harms: true,
  seconds,
  suits: tenant => tenant.callsPerMinute >= LEAST_PER_MINUTE && canMultiply(multiple)(tenant),
  start: scene => startStorm(scene, demandAt(multiple, scene)),
})

/** What is small takes longer to be sure of. */
export const retryStorms: readonly Misbehaviour[] = [
  retryStorm(500, 120),
  retryStorm(50, 120),
  retryStorm(10, 180),
  retryStorm(3, 300),
]

function startStorm(scene: Scene, mostPerSecond: number): Play {
  const manner = mannerOf(scene)
  const mostTimesUsual = mostPerSecond / scene.usualPerSecond
  const paceMs = scene.random.pick(PACES_MS)
  const loop = createRetryLoop({
    scene,
    manner,
    mostPerSecond,
    failureShare: (at, timesUsual) => failureShareOf(at - scene.from, timesUsual, mostTimesUsual),
    retriesAfterMs: () => [paceMs, paceMs],
  })
  let onsetAt: number | undefined
  return {
    second(index, own) {
      const calls = loop.second(index, isWithoutFailure(index, own, loop) ? [firstCall(scene, index, manner)] : own)
      if (loop.timesUsual() >= mostTimesUsual / 2) onsetAt ??= scene.from + index * SECOND_MS
      return calls
    },
    onsetAt: () => onsetAt,
  }
}

function failureShareOf(sinceMs: number, timesUsual: number, mostTimesUsual: number): number {
  const bearable = Math.max(BEARABLE_LEAST, mostTimesUsual * BEARABLE_SHARE)
  const borne = Math.min(1, bearable / timesUsual)
  const blip = sinceMs < BLIP_SECONDS * SECOND_MS ? BLIP_SHARE : 0
  return 1 - (1 - blip) * borne * borne
}

const isWithoutFailure = (index: number, own: readonly MadeCall[], loop: RetryLoop): boolean =>
  index < BLIP_SECONDS && own.length === 0 && !loop.isRetrying()

const firstCall = ({ from, random }: Scene, index: number, manner: Manner): MadeCall =>
  manner.call(from + index * SECOND_MS + random.integer(SECOND_MS))
