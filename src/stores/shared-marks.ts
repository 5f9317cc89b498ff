/**
 * What only one part of a shared stream may have at a time, as files in a directory that all workers share: of several who want
 * the same one the file system lets one have it. A mark belongs to the part and not to its worker, so it moves with the part;
 * what a worker that died has left of it the part's next life finds there.
 *
 * A mark is on disk, with its name, before whatever it stands for is done. It is linked whole, so one that cannot be read is what
 * a power loss left of a mark that was not synced: nobody can say that it is theirs, and it goes.
 */
import { join } from 'node:path'
import type { PartitionId } from '../core/vocabulary.ts'
import { type Disk, machineDisk } from './disk.ts'
import { syncDirectory, tryLink } from './durable.ts'

export interface Mark {
  readonly name: string
  readonly partition: PartitionId
  /** What it is about: of a slot the key, of a claim the thing that is changed. */
  readonly about: string
}

export interface SharedMarks {
  /** undefined: it is ours now, or was; else whose it is. */
  take(name: string, about: string): Promise<Mark | undefined>
  /** Those of this part. */
  ours(): Promise<readonly Mark[]>
  /** Takes ours away; another's stays. */
  giveBack(name: string): Promise<void>
}

export interface MarksOwner {
  readonly partition: PartitionId
  /** Of no other worker. */
  readonly id: string
  /** Asked before each change: throws where another worker has taken the part over. */
  readonly stillOurs?: () => Promise<void>
}

export async function openSharedMarks(
  directory: string,
  { partition, id, stillOurs = async () => undefined }: MarksOwner,
  disk: Disk = machineDisk,
): Promise<SharedMarks> {
  await disk.mkdir(directory, { recursive: true, mode: 0o700 })
  const aside = `${id}-${partition.replaceAll('/', '-')}`
  const candidate = join(directory, `candidate-${aside}`)
  const broken = join(directory, `broken-${aside}`)

  async function read(name: string): Promise<Mark | 'gone' | 'unreadable'> {
    const text = await readIfThere(disk, join(directory, name))
    return text === undefined ? 'gone' : (markIn(name, text) ?? 'unreadable')
  }

  async function link(name: string, about: string): Promise<boolean> {
    const file = await disk.open(candidate, 'w', 0o600)
    try {
      await file.writeFile(Buffer.from(JSON.stringify({ partition, about })))
      await file.sync()
    } finally {
      await file.close()
    }
    try {
      await stillOurs()
      if (!(await tryLink(disk, candidate, join(directory, name)))) return false
      await syncDirectory(disk, directory).catch(async cause => {
        await disk.unlink(join(directory, name)).catch(() => undefined)
        throw cause
      })
      return true
    } finally {
      await disk.unlink(candidate).catch(() => undefined)
    }
  }

  /** Out of the way first: what somebody has put in its place meanwhile is put back. */
  async function removeUnreadable(name: string): Promise<void> {
    await disk.rename(join(directory, name), broken).catch(ifGone)
    const text = await readIfThere(disk, broken)
    if (text !== undefined && markIn(name, text) !== undefined) await tryLink(disk, broken, join(directory, name))
    await disk.unlink(broken).catch(ifGone)
  }

  async function take(name: string, about: string): Promise<Mark | undefined> {
    for (;;) {
      const there = await read(name)
      if (there === 'gone') {
        if (await link(name, about)) return undefined
      } else if (there === 'unreadable') await removeUnreadable(name)
      else return there.partition === partition && there.about === about ? undefined : there
    }
  }

  let last: Promise<unknown> = Promise.resolve()
  /** One after the other: they share a candidate. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work)
    last = done.catch(() => undefined)
    return done
  }

  return {
    take: (name, about) => inTurn(() => take(name, about)),
    ours: () =>
      inTurn(async () => {
        const names = (await disk.readdir(directory)).filter(name => !/^(candidate|broken)-/.test(name))
        const marks = await Promise.all(names.map(read))
        return marks.filter(mark => typeof mark === 'object').filter(mark => mark.partition === partition)
      }),
    giveBack: name =>
      inTurn(async () => {
        await stillOurs()
        const there = await read(name)
        if (typeof there === 'object' && there.partition === partition) await disk.unlink(join(directory, name))
      }),
  }
}

const readIfThere = async (disk: Disk, path: string): Promise<string | undefined> =>
  (await disk.readFile(path).catch(ifGone))?.toString()

function ifGone(cause: unknown): undefined {
  if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause
}

/** `keyId`: as slots were written once. */
function markIn(name: string, text: string): Mark | undefined {
  try {
    const { partition, keyId, about = keyId } = JSON.parse(text)
    return typeof partition === 'string' && typeof about === 'string'
      ? { name, partition: partition as PartitionId, about }
      : undefined
  } catch {
    return undefined
  }
}
