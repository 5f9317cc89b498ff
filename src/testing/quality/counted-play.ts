/** A play that counts what it plays: how much in each second, and when there was enough of it for anybody to be sure. */
import type { MadeCall, Play, Scene } from './contract.ts'

export interface CountedPlay extends Play {
  readonly callsInSecond: readonly number[]
  /** Epoch ms of the call with which so many calls beyond the usual had come; undefined until then. */
  excessAt(): number | undefined
}

const NOTICEABLE_EXCESS = 20

export function counted(play: Play, { from, usualPerSecond }: Pick<Scene, 'from' | 'usualPerSecond'>): CountedPlay {
  const callsInSecond: number[] = []
  let calls = 0
  let excessAt: number | undefined
  const note = ({ at }: MadeCall): void => {
    calls++
    if (calls - (usualPerSecond * (at - from)) / 1_000 >= NOTICEABLE_EXCESS) excessAt ??= at
  }
  return {
    callsInSecond,
    second(index, own) {
      const made = play.second(index, own)
      if (excessAt === undefined) for (const call of made) note(call)
      callsInSecond.push(made.length)
      return made
    },
    onsetAt: () => play.onsetAt(),
    excessAt: () => excessAt,
  }
}
