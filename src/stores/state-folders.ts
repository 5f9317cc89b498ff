/**
 * Where a state directory keeps what: in itself, and where workers share a stream, for each partition in a folder of its
 * own (`partitions/…`), which moves from worker to worker. Whoever only looks, looks into all of them.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

export const partitionsFolder = 'partitions'

/** The directory itself first, then those of partitions, in order of their names. */
export async function stateFolders(directory: string): Promise<readonly string[]> {
  const folder = join(directory, partitionsFolder)
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException): string[] => {
    if (cause.code === 'ENOENT') return []
    throw cause
  })
  return [directory, ...names.sort().map(name => join(folder, name))]
}
