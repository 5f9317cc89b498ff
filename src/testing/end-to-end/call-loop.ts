/**
 * Calls that were made once, played over and over: usual traffic without an end, in real time, of which a week of history
 * can be counted as well as the next second.
 */
import type { EpochMs } from '../../core/vocabulary.ts'

export interface RecordedCall {
  /** Epoch seconds. */
  readonly ts: number
  readonly client: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly bytes: number
  readonly ua?: string | null | undefined
}

/** A recording without an end: after its last call it begins again. */
export interface Loop {
  readonly calls: readonly { readonly offsetMs: number; readonly call: RecordedCall }[]
  readonly lengthMs: number
  /** A moment at which it begins anew. */
  readonly beginsAt: EpochMs
}

export interface LoopOptions {
  /** How many times as fast as life. */
  readonly speed: number
  readonly beginsAt: EpochMs
}

/** `calls` in the order of their time. */
export function loopOf(calls: readonly RecordedCall[], { speed, beginsAt }: LoopOptions): Loop {
  const first = calls[0]?.ts ?? 0
  const last = calls.at(-1)?.ts ?? first
  const offsetMs = (ts: number): number => ((ts - first) * 1_000) / speed
  const placed = calls.map(each => ({ offsetMs: offsetMs(each.ts), call: each }))
  return { calls: placed, lengthMs: offsetMs(last) + 1, beginsAt }
}

export interface PlayedCall {
  readonly at: EpochMs
  readonly call: RecordedCall
}

/** What the loop brings from `from` up to `to` (exclusive), in order. */
export function* callsBetween(
  { calls, lengthMs, beginsAt }: Loop,
  { from, to }: { readonly from: EpochMs; readonly to: EpochMs },
): Generator<PlayedCall> {
  for (let begin = beginsAt + Math.floor((from - beginsAt) / lengthMs) * lengthMs; begin < to; begin += lengthMs) {
    for (const { offsetMs, call: each } of calls) {
      const at = begin + offsetMs
      if (at >= to) return
      if (at >= from) yield { at, call: each }
    }
  }
}
