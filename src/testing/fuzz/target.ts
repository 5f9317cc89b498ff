/**
 * What is fuzzed, and how it is judged. A target reads one thing that comes from outside and says which law an input breaks;
 * an input is a recipe, so that what fast-check shrinks is what matters: which valid thing it was made of, and what was
 * done to it.
 *
 * Laws of all targets: nothing is thrown but what the reader promises to throw; it is over within two seconds; the same input
 * gives the same answer twice. The targets add their own, above all that nothing is lost beside what is bad.
 */
import fc from 'fast-check'
import { type Mutation, mutated, mutations } from './mutation.ts'

export interface FuzzTarget {
  readonly name: string
  /** How many of all inputs it gets, beside the others' shares. Cheap targets get more. */
  readonly share: number
  /** Something valid: the same for the same seed. */
  readonly valid: (seed: number) => Buffer
  /** Which law the input breaks, in a sentence; undefined: none. May also throw, which breaks one. */
  readonly judge: (input: Buffer, seed: number) => string | undefined | Promise<string | undefined>
  /** Once, before the first input; answers what is to be done after the last. */
  readonly prepare?: () => Promise<() => Promise<void>>
}

export interface Recipe {
  readonly seed: number
  readonly mutations: readonly Mutation[]
  /** In the place of something valid. */
  readonly raw: Uint8Array | undefined
}

/** Random bytes, valid inputs, and valid ones with something done to them: one, two and seven in ten. */
export const recipes: fc.Arbitrary<Recipe> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      seed: fc.nat(),
      mutations: fc.constant([]),
      raw: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ seed: fc.nat(), mutations: fc.constant([]), raw: fc.constant(undefined) }),
  },
  { weight: 7, arbitrary: fc.record({ seed: fc.nat(), mutations, raw: fc.constant(undefined) }) },
)

/** The bytes that a recipe makes. */
export function inputOf({ valid }: FuzzTarget, { seed, mutations, raw }: Recipe): Buffer {
  if (raw !== undefined) return Buffer.from(raw)
  return mutated(valid(seed), mutations, () => valid(seed + 1))
}

export const longestMs = 2_000

/** Which law is broken. One that took too long is asked again: the machine may have been busy with something else. */
export async function judged(target: FuzzTarget, recipe: Recipe): Promise<string | undefined> {
  const input = inputOf(target, recipe)
  let tookMs = 0
  for (let tries = 0; tries < 2; tries++) {
    const began = performance.now()
    let broken: string | undefined
    try {
      broken = await target.judge(input, recipe.seed)
    } catch (error) {
      broken = `it threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
    }
    if (broken !== undefined) return broken
    tookMs = performance.now() - began
    if (tookMs <= longestMs) return undefined
  }
  return `it took ${Math.round(tookMs)} ms`
}
