/** The folders in which a state directory's journals and logs stand: its own, and that of each partition of a shared stream. */
import { join } from 'node:path'
import { machineDisk } from '../stores/disk.ts'

export async function stateFolders(stateDirectory: string): Promise<readonly string[]> {
  const parts = join(stateDirectory, 'partitions')
  const names = await machineDisk.readdir(parts).catch(() => [])
  return [stateDirectory, ...names.map(name => join(parts, name))]
}
