/**
 * Calls by the time at which they were made. A log holds them by the time at which they were answered, up to half a minute
 * later, and what a token bucket refuses depends on the order. So calls wait until nothing earlier is to be expected.
 *
 *   second:   … handed on │ 14:03:01  14:03:02 … 14:03:36 = newest
 *                         └── `delayMs` ──────────────────┘
 *
 * Bounded by the calls of `delayMs`. One that comes later still is handed on at once, after what it should have preceded.
 * Mutable on purpose: it is asked for each call.
 */
import { type EpochMs, SECOND_MS } from '../vocabulary.ts'

export interface CallOrder {
  add(key: number, time: EpochMs): void
  /** Hands on all that waits. */
  end(): void
}

interface SecondOfCalls {
  readonly keys: number[]
  readonly times: number[]
}

export function createCallOrder(delayMs: number, take: (key: number, time: EpochMs) => void): CallOrder {
  const waiting = new Map<number, SecondOfCalls>()
  let newest = Number.NEGATIVE_INFINITY
  let handedTo = Number.NEGATIVE_INFINITY

  function handOn(toSecond: number): void {
    const due = [...waiting.keys()].filter(second => second <= toSecond).sort((one, other) => one - other)
    for (const second of due) {
      const calls = waiting.get(second)
      waiting.delete(second)
      if (calls !== undefined) handOnSecond(calls, take)
    }
    handedTo = Math.max(handedTo, toSecond)
  }

  return {
    add(key, time) {
      const second = Math.floor(time / SECOND_MS)
      if (second <= handedTo) {
        take(key, time)
        return
      }
      let calls = waiting.get(second)
      if (calls === undefined) {
        calls = { keys: [], times: [] }
        waiting.set(second, calls)
      }
      calls.keys.push(key)
      calls.times.push(time)
      if (second <= newest) return
      newest = second
      handOn(second - Math.ceil(delayMs / SECOND_MS) - 1)
    },
    end: () => handOn(newest),
  }
}

function handOnSecond({ keys, times }: SecondOfCalls, take: (key: number, time: EpochMs) => void): void {
  const order = times.map((_, index) => index)
  order.sort((one, other) => (times[one] as number) - (times[other] as number) || one - other)
  for (const index of order) take(keys[index] as number, times[index] as number)
}
