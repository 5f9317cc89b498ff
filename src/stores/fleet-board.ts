/** A file a worker in a directory that all share, which each writes anew once a second and all others read. */
import { join } from 'node:path'
import { type Disk, machineDisk } from './disk.ts'
import { unwritable } from './durable.ts'

export interface FleetFiles {
  write(text: string): Promise<void>
  read(): Promise<ReadonlyMap<string, string>>
  remove(name: string): Promise<void>
  close(): Promise<void>
}

/** `name`: of no other worker. Throws StreamError STORE_UNWRITABLE. */
export async function openFleetFiles(directory: string, name: string, disk: Disk = machineDisk): Promise<FleetFiles> {
  const own = `${name}.json`
  const path = join(directory, own)
  await disk.mkdir(directory, { recursive: true, mode: 0o700 }).catch(cause => {
    throw unwritable('what workers tell each other', directory, cause)
  })
  return {
    // Not synced: who reads it reads what the next second makes of it anyway.
    async write(text) {
      await disk.writeFile(`${path}.new`, text, { mode: 0o600 })
      await disk.rename(`${path}.new`, path)
    },
    async read() {
      const names = (await disk.readdir(directory)).filter(other => other.endsWith('.json') && other !== own)
      const texts = await Promise.all(
        names.map(async other => [other, await disk.readFile(join(directory, other)).catch(() => undefined)] as const),
      )
      return new Map(texts.flatMap(([other, text]) => (text === undefined ? [] : [[other, text.toString()] as const])))
    },
    remove: other => disk.unlink(join(directory, other)),
    close: () => disk.unlink(path).catch(() => undefined),
  }
}
