/** What stores that promise to be on disk share: a directory's entries made durable, and how it is said that they cannot be. */
import { StreamError } from '../core/errors.ts'
import type { Disk, DiskFile } from './disk.ts'

/** A renamed file is there after a crash only once its directory is on disk too. */
export async function syncDirectory(disk: Disk, directory: string): Promise<void> {
  const handle = await disk.open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * A file of lines to be appended to. A line that a crash tore off stays for people to see, but ends there: the next one starts
 * on a line of its own.
 */
export async function openWhole(disk: Disk, directory: string, path: string): Promise<DiskFile> {
  await disk.mkdir(directory, { recursive: true })
  const file = await disk.open(path, 'a+')
  const { size } = await file.stat()
  if (size === 0) return file
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  if (buffer[0] !== 0x0a) await file.appendFile('\n')
  return file
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

/** Whether `to` is ours now: of several who link the same name at once one gets it, with all that `from` holds. */
export async function tryLink(disk: Disk, from: string, to: string): Promise<boolean> {
  try {
    await disk.link(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}
