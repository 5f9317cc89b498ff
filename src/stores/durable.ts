/** What stores that promise to be on disk share: a directory's entries made durable, and how it is said that they cannot be. */
import { open } from 'node:fs/promises'
import { StreamError } from '../core/errors.ts'

/** A renamed file is there after a crash only once its directory is on disk too. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `what`: the store's name in a sentence, `the audit log`. */
export function unwritable(what: string, path: string, cause: unknown): StreamError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StreamError('STORE_UNWRITABLE', `Could not keep ${what} at ${path}: ${why}`, {
    retry: 'later',
    hint: 'Check that the folder of state.directory exists, is writable and has space',
    cause,
  })
}
