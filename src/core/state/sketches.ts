/**
 * Latency as a log-spaced histogram: 48 buckets, each 25 % wider than the one before, from 1 ms to the gateway's 29 s
 * time-out and beyond. A quantile read from it is off by at most 12 % of itself, which is what an alert needs; it merges
 * by adding. A library's sketch (DDSketch) keeps the same promise with an object a key and a map a block.
 */

export const LATENCY_BUCKETS = 48
const GROWTH = Math.log(1.25)

/** Bucket of a latency: 0 holds up to 1 ms. */
export function latencyBucket(latencyMs: number): number {
  if (latencyMs <= 1) return 0
  return Math.min(LATENCY_BUCKETS - 1, Math.ceil(Math.log(latencyMs) / GROWTH))
}

/** Latency (ms) below which `share` of the counted calls lie, or undefined when none is counted. */
export function latencyQuantile(buckets: ArrayLike<number>, share: number): number | undefined {
  let total = 0
  for (let index = 0; index < LATENCY_BUCKETS; index++) total += buckets[index] as number
  if (total === 0) return undefined
  let left = share * total
  for (let index = 0; index < LATENCY_BUCKETS; index++) {
    left -= buckets[index] as number
    if (left <= 0) return middleOf(index)
  }
  return middleOf(LATENCY_BUCKETS - 1)
}

/** The value that is as far off the bucket's lower edge as off its upper one, in proportion. */
const middleOf = (bucket: number): number => (bucket === 0 ? 1 : Math.exp(GROWTH * (bucket - 0.5)))

/**
 * The last minutes' latencies in ten-second blocks, a ring of 64: ten minutes and forty seconds.
 * A block is emptied when its place is taken by a later one.
 */
export interface LatencyBlocks {
  /** Number of the block (epoch s / 10) that each place holds; 0 = none yet. */
  readonly blocks: Float64Array
  readonly counts: Uint16Array
}

const PLACES = 64
const BLOCK_SECONDS = 10

export const createLatencyBlocks = (): LatencyBlocks => ({
  blocks: new Float64Array(PLACES),
  counts: new Uint16Array(PLACES * LATENCY_BUCKETS),
})

export function addLatency(latency: LatencyBlocks, second: number, latencyMs: number): void {
  const block = Math.floor(second / BLOCK_SECONDS)
  const place = block % PLACES
  if (latency.blocks[place] !== block) {
    if ((latency.blocks[place] as number) > block) return // an older block than the ring still holds
    latency.blocks[place] = block
    latency.counts.fill(0, place * LATENCY_BUCKETS, (place + 1) * LATENCY_BUCKETS)
  }
  const at = place * LATENCY_BUCKETS + latencyBucket(latencyMs)
  const count = latency.counts[at] as number
  if (count < 65_535) latency.counts[at] = count + 1 // saturates: 65,535 of one bucket in ten seconds settle any quantile
}

/** All latencies of the blocks that begin in [fromSecond, toSecond), merged. */
export function mergedLatency(latency: LatencyBlocks, fromSecond: number, toSecond: number): Float64Array {
  const merged = new Float64Array(LATENCY_BUCKETS)
  for (let place = 0; place < PLACES; place++) {
    const second = (latency.blocks[place] as number) * BLOCK_SECONDS
    if (second < fromSecond || second >= toSecond) continue
    for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
      merged[bucket] = (merged[bucket] as number) + (latency.counts[place * LATENCY_BUCKETS + bucket] as number)
    }
  }
  return merged
}
