/**
 * A disk that is full or read-only for a while stops no worker: it alerts on, and what it has on disk stays where it is. Nothing is
 * committed meanwhile, so a crash reads all of it again. Readiness says so by the checkpoint's age, and after two minutes a notice.
 *
 * Not for ever: what comes after the last checkpoint is read again after a crash, and a stream keeps what it has read for so long
 * only. Ten minutes are enough for a person who is woken by the notice, or for a rotation of logs that makes room. Whatever must be on disk
 * before it is done (the effect journal) stops the worker at once.
 */
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import { type EpochMs, MINUTE_MS } from '../core/vocabulary.ts'
import type { Telemetry } from './telemetry.ts'

export const patienceMs = 10 * MINUTE_MS

const passing = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/** The same checkpoint, which fails only for what does not pass, or has not passed for ten minutes. */
export function patientCheckpoint(
  checkpoint: () => Promise<void>,
  { clock, telemetry }: { readonly clock: Clock; readonly telemetry: Telemetry },
): () => Promise<void> {
  let failingSince: EpochMs | undefined
  return async () => {
    try {
      await checkpoint()
      failingSince = undefined
    } catch (cause) {
      const now = clock.now()
      failingSince ??= now
      if (!mayPass(cause) || now - failingSince >= patienceMs) throw cause
      telemetry({ name: 'checkpointFailed', because: cause.message, stopsInMs: failingSince + patienceMs - now })
    }
  }
}

function mayPass(cause: unknown): cause is StreamError {
  if (!(cause instanceof StreamError) || cause.code !== 'STORE_UNWRITABLE') return false
  const { cause: trouble } = cause
  return trouble instanceof Error && 'code' in trouble && passing.has(String(trouble.code))
}
