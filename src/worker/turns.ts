/**
 * One at a time: batches, ticks, outcomes and checkpoints all touch the engine, and each is a turn that begins when the
 * one before it is over. The engine's input is therefore one sequence, in whatever order the world brought it.
 */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return work => {
    const turn = last.then(work)
    // Whoever took the turn sees its failure; the next one only needs to know that it is over.
    last = turn.catch(() => undefined)
    return turn
  }
}
