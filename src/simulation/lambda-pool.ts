/**
 * The Lambda concurrency that all clients share. A call holds a place for as long as it takes; where none is free it is
 * refused at once. Calls take longer the fuller the pool, because what stands behind it (DynamoDB) is shared too:
 *
 *   duration = lognormal(mean, sigma) × (1 + slowdown × (in flight / concurrency)²)
 *
 * That feedback is what turns busy into full: beyond some rate no stable number in flight exists, and what gets through
 * then is concurrency / (mean × (1 + slowdown)) calls a second. Places are given back by a ring of milliseconds.
 */
import type { EpochMs } from '../core/vocabulary.ts'
import type { Random } from './random.ts'

export interface LambdaPoolOptions {
  readonly concurrency: number
  /** Mean duration in an empty pool, and the spread of its logarithm. */
  readonly meanMs: number
  readonly sigma: number
  /** How many times longer than in an empty pool a call takes in a full one, less one. */
  readonly slowdown: number
}

/** An account's 1,000, and a full pool that serves 830 calls a second: a fifth of what 500 times Client A asks for. */
export const accountPool: LambdaPoolOptions = { concurrency: 1_000, meanMs: 80, sigma: 0.45, slowdown: 14 }

export type Invocation = { readonly kind: 'ran'; readonly durationMs: number } | { readonly kind: 'full' }

export interface LambdaPool {
  /** `at` must not run backwards. */
  invoke(at: EpochMs): Invocation
  inFlight(): number
}

/** The gateway's own limit: nobody waits longer. */
export const GATEWAY_TIMEOUT_MS = 29_000
/** A power of two above the longest duration, so that a place in the ring is a mask away. */
const RING_MS = 32_768

const full: Invocation = { kind: 'full' }

export function createLambdaPool(
  { concurrency, meanMs, sigma, slowdown }: LambdaPoolOptions,
  random: Random,
): LambdaPool {
  const endingAt = new Int32Array(RING_MS)
  let inFlight = 0
  let now = 0

  function moveTo(at: EpochMs): void {
    // After a whole turn of the ring everything has ended.
    if (at - now >= RING_MS) {
      endingAt.fill(0)
      inFlight = 0
      now = at
    }
    while (now < at) {
      now++
      const place = now & (RING_MS - 1)
      inFlight -= endingAt[place] ?? 0
      endingAt[place] = 0
    }
  }

  return {
    inFlight: () => inFlight,
    invoke(at) {
      moveTo(Math.floor(at))
      if (inFlight >= concurrency) return full
      const load = inFlight / concurrency
      const drawn = random.lognormal({ mean: meanMs * (1 + slowdown * load * load), sigma })
      const durationMs = Math.min(GATEWAY_TIMEOUT_MS, Math.max(1, Math.round(drawn)))
      const place = (now + durationMs) & (RING_MS - 1)
      endingAt[place] = (endingAt[place] ?? 0) + 1
      inFlight++
      return { kind: 'ran', durationMs }
    },
  }
}
