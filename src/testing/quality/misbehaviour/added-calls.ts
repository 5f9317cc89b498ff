/** Calls that come on top of a tenant's own, and the play that they make: it begins with the first of them. */
import { SECOND_MS } from '../../../core/vocabulary.ts'
import type { Random } from '../../../simulation/random.ts'
import type { MadeCall, Play, Scene } from '../contract.ts'

/** `addedIn` is asked for each second once, in order: what comes on top between `second` (epoch ms) and the next. */
export function addedPlay({ from }: Scene, addedIn: (second: number, index: number) => readonly MadeCall[]): Play {
  let onsetAt: number | undefined
  return {
    second(index, own) {
      const added = addedIn(from + index * SECOND_MS, index)
      onsetAt ??= added[0]?.at
      return inOrder(own, added)
    },
    onsetAt: () => onsetAt,
  }
}

/** Both, oldest first. Each must be so already. */
export function inOrder(own: readonly MadeCall[], added: readonly MadeCall[]): readonly MadeCall[] {
  if (added.length === 0) return own
  return own.length === 0 ? added : [...own, ...added].sort((one, other) => one.at - other.at)
}

/** Times of calls that come by chance, independent of each other: epoch ms, oldest first. */
export function arrivalsIn(second: number, callsPerSecond: number, random: Random): readonly number[] {
  const count = random.poisson(callsPerSecond)
  return Array.from({ length: count }, () => second + random.integer(SECOND_MS)).sort((one, other) => one - other)
}

export interface Beat {
  /** Times within the second, epoch ms. Asked for each second once, in order. */
  in(second: number): readonly number[]
}

/** Calls that a machine makes one after another. `jitter` is the share of an interval by which one may be shorter or longer. */
export function createBeat(
  { from, random }: Scene,
  { intervalMs, jitter }: { readonly intervalMs: number; readonly jitter: number },
): Beat {
  let next = from + random.uniform() * intervalMs
  return {
    in(second) {
      const times: number[] = []
      for (; next < second + SECOND_MS; next += intervalMs * (1 + jitter * (2 * random.uniform() - 1)))
        times.push(Math.floor(next))
      return times
    },
  }
}
