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

/** The machine's own time, asked anew each time: it goes on while the machine sleeps, and is set right by NTP. */
export function systemClock(): Clock {
  return { now: () => Date.now(), sleep: (ms, signal) => sleepQuietly(ms, signal) }
}

/** A clock that shows `startsAt` now and runs `speed` times as fast as life. */
export function scaledClock({ startsAt, speed }: { startsAt: EpochMs; speed: number }): Clock {
  const origin = performance.now()
  return {
    now: () => startsAt + (performance.now() - origin) * speed,
    sleep: (ms, signal) => sleepQuietly(ms / speed, signal),
  }
}

async function sleepQuietly(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleepFor(ms, undefined, signal ? { signal } : undefined)
  } catch {
    // Aborted: the caller sees its own signal.
  }
}
