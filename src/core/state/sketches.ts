/**
 * Latency as a log-spaced histogram: 48 buckets, each 25 % wider than the one before, from 1 ms to the gateway's 29 s
 * time-out and beyond. A quantile read from it is off by at most 12 % of itself, which is what an alert needs; it merges
 * by adding. A library's sketch (DDSketch) keeps the same promise with an object a key and a map a block.
 */

export const LATENCY_BUCKETS = 48
const GROWTH = Math.log(1.25)

/** Buckets of whole latencies, as a log has them: a logarithm a call would be a tenth of what a call costs. */
const WHOLE = Uint8Array.from({ length: 4_096 }, (_, latencyMs) => bucketOf(latencyMs))

/** Bucket of a latency: 0 holds up to 1 ms. */
export function latencyBucket(latencyMs: number): number {
  const whole = latencyMs | 0
  return whole === latencyMs && whole >= 0 && whole < WHOLE.length ? (WHOLE[whole] as number) : bucketOf(latencyMs)
}

function bucketOf(latencyMs: number): number {
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
 * The last minutes' latencies in ten-second blocks, a ring. It begins with four places and doubles while two blocks
 * that may still be asked for want the same place, up to 64: ten minutes and forty seconds. Then the later one stays.
 */
export interface LatencyBlocks {
  /** Number of the block (epoch s / 10) that each place holds; 0 = none yet. */
  blocks: Float64Array
  counts: Uint16Array
}

const LEAST_PLACES = 4
const MOST_PLACES = 64
const BLOCK_SECONDS = 10

export const createLatencyBlocks = (): LatencyBlocks => ({
  blocks: new Float64Array(LEAST_PLACES),
  counts: new Uint16Array(LEAST_PLACES * LATENCY_BUCKETS),
})

/** `neededFrom`: blocks that end before this second are asked for no more. */
export function addLatency(latency: LatencyBlocks, second: number, latencyMs: number, neededFrom: number): void {
  const block = Math.floor(second / BLOCK_SECONDS)
  let place = block & (latency.blocks.length - 1)
  if (latency.blocks[place] !== block) {
    place = placeFor(latency, block, neededFrom)
    if (place < 0) return // an older block than the ring still holds
  }
  const at = place * LATENCY_BUCKETS + latencyBucket(latencyMs)
  const count = latency.counts[at] as number
  if (count < 65_535) latency.counts[at] = count + 1 // saturates: 65,535 of one bucket in ten seconds settle any quantile
}

/** An emptied place for this block; -1 when a later one has it. */
function placeFor(latency: LatencyBlocks, block: number, neededFrom: number): number {
  for (;;) {
    const places = latency.blocks.length
    const place = block & (places - 1)
    const held = latency.blocks[place] as number
    const isNeeded = held > 0 && (held + 1) * BLOCK_SECONDS >= neededFrom
    if (held === block) return place
    if (!isNeeded || (places === MOST_PLACES && held < block)) {
      latency.blocks[place] = block
      latency.counts.fill(0, place * LATENCY_BUCKETS, (place + 1) * LATENCY_BUCKETS)
      return place
    }
    if (places === MOST_PLACES) return -1
    doublePlaces(latency)
  }
}

function doublePlaces(latency: LatencyBlocks): void {
  const { blocks, counts } = latency
  const places = blocks.length * 2
  latency.blocks = new Float64Array(places)
  latency.counts = new Uint16Array(places * LATENCY_BUCKETS)
  for (const [old, block] of blocks.entries()) {
    const place = block & (places - 1)
    if (block === 0) continue
    latency.blocks[place] = block
    latency.counts.set(counts.subarray(old * LATENCY_BUCKETS, (old + 1) * LATENCY_BUCKETS), place * LATENCY_BUCKETS)
  }
}

/** All latencies of the blocks that begin in [fromSecond, toSecond), merged. */
export function mergedLatency(latency: LatencyBlocks, fromSecond: number, toSecond: number): Float64Array {
  const merged = new Float64Array(LATENCY_BUCKETS)
  for (let place = 0; place < latency.blocks.length; place++) {
    const second = (latency.blocks[place] as number) * BLOCK_SECONDS
    if (second < fromSecond || second >= toSecond) continue
    for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
      merged[bucket] = (merged[bucket] as number) + (latency.counts[place * LATENCY_BUCKETS + bucket] as number)
    }
  }
  return merged
}
