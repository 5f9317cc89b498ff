/**
 * Seeded chance: the same seed and stream give the same draws on every machine, so that a simulated incident can be told
 * again to the byte. Only operations with one right answer (integers, +, ×, √) and `Math.log`/`Math.exp`, which V8
 * computes by itself; no sine and no power, whose last bit depends on where it runs.
 *
 * Generator: sfc32 (PractRand), seeded by a hash of seed and stream name. Streams of one seed are independent, so that
 * what one part of a simulation draws does not shift what another part draws.
 */

export interface Random {
  /** [0, 1). */
  uniform(): number
  /** A whole number in [0, below). */
  integer(below: number): number
  pick<T>(from: readonly [T, ...T[]]): T
  /** Mean 0, standard deviation 1. */
  normal(): number
  poisson(mean: number): number
  /** `sigma` is the standard deviation of the logarithm; `mean` that of the value itself. */
  lognormal(shape: { readonly mean: number; readonly sigma: number }): number
}

export function createRandom(seed: number, stream = ''): Random {
  const next = sfc32(hashOf(seed, stream))
  const uniform = (): number => next() / 2 ** 32
  const normal = polarNormal(uniform)
  const integer = (below: number): number => Math.floor(uniform() * below)
  return {
    uniform,
    integer,
    pick: from => from[integer(from.length)] ?? from[0],
    normal,
    poisson: mean =>
      mean < 30 ? countedPoisson(mean, uniform) : Math.max(0, Math.round(mean + Math.sqrt(mean) * normal())),
    lognormal: ({ mean, sigma }) => mean * Math.exp(sigma * normal() - (sigma * sigma) / 2),
  }
}

/**
 * A normal number that belongs to a place (say: a tenant and a slot) instead of a sequence, so that history and live
 * traffic agree on it without sharing state. Sum of four uniforms: near enough to normal, and never beyond 3.5.
 */
export function normalAt(seed: number, place: number, time: number): number {
  const first = mix(mix(mix(seed) ^ place) ^ time)
  const second = mix(first ^ 0x9e3779b9)
  const sum = (first & 0xffff) + (first >>> 16) + (second & 0xffff) + (second >>> 16)
  return (sum / 65_535 - 2) * Math.sqrt(3)
}

function sfc32([a0, b0, c0]: readonly [number, number, number]): () => number {
  let [a, b, c, counter] = [a0 | 0, b0 | 0, c0 | 0, 1]
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  // The first outputs still resemble the seed.
  for (let round = 0; round < 12; round++) next()
  return next
}

function hashOf(seed: number, stream: string): [number, number, number] {
  let hash = mix(seed)
  for (let index = 0; index < stream.length; index++) hash = mix(hash ^ stream.charCodeAt(index))
  return [hash, mix(hash + 1), mix(hash + 2)]
}

/** The finaliser of MurmurHash3, preceded by an odd step so that 0 does not stay 0. */
function mix(value: number): number {
  let hash = (value + 0x9e3779b9) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Marsaglia's polar method: two normals a round, no sine. */
function polarNormal(uniform: () => number): () => number {
  let spare: number | undefined
  return () => {
    if (spare !== undefined) {
      const kept = spare
      spare = undefined
      return kept
    }
    for (;;) {
      const x = 2 * uniform() - 1
      const y = 2 * uniform() - 1
      const square = x * x + y * y
      if (square === 0 || square >= 1) continue
      const scale = Math.sqrt((-2 * Math.log(square)) / square)
      spare = y * scale
      return x * scale
    }
  }
}

/** Knuth: multiply uniforms until their product is below e^−mean. For small means, where a normal would be wrong. */
function countedPoisson(mean: number, uniform: () => number): number {
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = uniform(); product > limit; product *= uniform()) count++
  return count
}
