/**
 * The only way time enters the shell. `cli/` makes one clock and passes it down; the embedded default uses a scaled one,
 * so that source, worker and gateway run faster than life together.
 */
import { setTimeout as sleepFor } from 'node:timers/promises'
import type { EpochMs } from './core/vocabulary.ts'

export interface Clock {
  /** Wall time, epoch ms (of the scaled world, where it is scaled). */
  now(): EpochMs
  /** Resolves after `ms` of this clock's time, or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export function systemClock(): Clock {
  return scaledClock({ startsAt: Date.now(), speed: 1 })
}

/** A clock that shows `startsAt` now and runs `speed` times as fast as life. */
export function scaledClock({ startsAt, speed }: { startsAt: EpochMs; speed: number }): Clock {
  const origin = performance.now()
  return {
    now: () => startsAt + (performance.now() - origin) * speed,
    sleep: async (ms, signal) => {
      try {
        await sleepFor(ms / speed, undefined, signal ? { signal } : undefined)
      } catch {
        // Aborted: the caller sees its own signal.
      }
    },
  }
}
