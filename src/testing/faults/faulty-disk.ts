/**
 * A disk that keeps its promises and not a byte more: what was written is seen at once, and survives a crash for certain
 * only where it was synced: the bytes of a file by the file's sync, its name by its directory's.
 *
 * At a crash each write that was not synced is there, or not, or torn at any byte, or there as zeros (its length was kept and
 * its block was not); of changes of names a first part is there, since file systems journal them in order. What was under
 * way may have happened. After a sync that failed nobody knows what of those writes is there, and a later sync does not
 * bring them back, as on Linux: only what is written anew is.
 */

import type { Random } from '../../simulation/random.ts'
import type { Disk, DiskFile } from '../../stores/disk.ts'
import type { Loop, Mortal } from './loop.ts'

export type DiskImage = ReadonlyMap<string, Buffer>

/** What is wrong with it now. */
export interface DiskTrouble {
  /** An operation takes up to so long. */
  slowestMs: number
  isFull: boolean
  /** Share of syncs and reads that fail with EIO. */
  failing: number
}

export interface FaultyDisk {
  readonly trouble: DiskTrouble
  /** As a process sees it, until it dies. */
  of(life: Mortal): Disk
  /** The machine loses its power, or only one process dies: then what was written is all there. */
  crash(how: 'process' | 'machine', life?: Mortal): void
  load(image: DiskImage): void
  image(): DiskImage
  /** A byte of the named file turns into another. */
  rot(path: string): void
  /** Bytes of the named file, as a process would see them now. */
  peek(path: string): Buffer | undefined
}

type Pending =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer; readonly isDoomed: boolean }
  | { readonly kind: 'truncate'; readonly length: number; readonly isDoomed: boolean }

interface Inode {
  /** As it is seen; never changed in place. */
  content: Buffer
  /** As it is for certain after a crash. */
  synced: Buffer
  pending: Pending[]
  mtimeMs: number
}

interface NameChange {
  readonly gone: string | undefined
  readonly path: string | undefined
  readonly inode: Inode | undefined
}

const nothing = Buffer.alloc(0)

export function createFaultyDisk({
  loop,
  random,
  wallNow,
}: {
  readonly loop: Loop
  readonly random: Random
  readonly wallNow: () => number
}): FaultyDisk {
  let names = new Map<string, Inode>()
  let syncedNames = new Map<string, Inode>()
  let changes: NameChange[] = []
  const directories = new Set<string>()
  const underWay = new Map<() => unknown, Mortal>()
  const trouble: DiskTrouble = { slowestMs: 2, isFull: false, failing: 0 }

  function rename(change: NameChange): void {
    apply(names, change)
    changes.push(change)
  }

  function write(inode: Inode, offset: number, bytes: Buffer): void {
    inode.content = spliced(inode.content, offset, bytes)
    // What is written anew is no longer what a failed sync has lost.
    inode.pending = inode.pending.filter(
      one => !(one.isDoomed && one.kind === 'write' && overlaps(one, offset, bytes.length)),
    )
    inode.pending.push({ kind: 'write', offset, bytes, isDoomed: false })
    inode.mtimeMs = wallNow()
  }

  /** As much as a full disk takes: some of it, or nothing. */
  const room = (length: number): number => (trouble.isFull ? random.integer(length + 1) : length)

  function create(path: string): Inode {
    if (trouble.isFull && random.uniform() < 0.5) throw failure('ENOSPC', `no space left on device, open '${path}'`)
    const inode: Inode = { content: nothing, synced: nothing, pending: [], mtimeMs: wallNow() }
    rename({ gone: undefined, path, inode })
    return inode
  }

  function sync(inode: Inode): void {
    if (random.uniform() < trouble.failing) {
      inode.pending = inode.pending.map(one => ({ ...one, isDoomed: true }))
      throw failure('EIO', 'i/o error, fsync')
    }
    const doomed = inode.pending.filter(({ isDoomed }) => isDoomed)
    inode.synced = doomed.length === 0 ? inode.content : inode.pending.reduce(applied, inode.synced)
    inode.pending = doomed
  }

  function syncNames(): void {
    if (random.uniform() < trouble.failing) throw failure('EIO', 'i/o error, fsync')
    syncedNames = new Map(names)
    changes = []
  }

  function found(path: string): Inode {
    const inode = names.get(path)
    if (inode === undefined) throw failure('ENOENT', `no such file or directory, open '${path}'`)
    return inode
  }

  function of(life: Mortal): Disk {
    /** Happens a little later, if the process lives until then. */
    function later<T>(work: () => T): Promise<T> {
      return new Promise((resolve, reject) => {
        if (!life.isAlive) return
        underWay.set(work, life)
        const happen = (): void => {
          underWay.delete(work)
          try {
            resolve(work())
          } catch (cause) {
            reject(cause)
          }
        }
        loop.after(random.uniform() * random.uniform() * trouble.slowestMs, happen, life)
      })
    }

    function fileOf(inode: Inode): DiskFile {
      let readTo = 0
      let writtenTo = 0
      return {
        stat: () => later(() => ({ size: inode.content.length })),
        read: (buffer, offset, length, position) =>
          later(() => {
            const from = position ?? readTo
            const bytesRead = inode.content.copy(buffer, offset, from, from + length)
            if (position === null) readTo += bytesRead
            return { bytesRead, buffer }
          }),
        readFile: () =>
          later(() => {
            const rest = inode.content.subarray(readTo)
            readTo = inode.content.length
            return rest
          }),
        write: (bytes, offset, length, position) =>
          later(() => {
            const bytesWritten = room(length)
            if (bytesWritten === 0 && length > 0) throw failure('ENOSPC', 'no space left on device, write')
            write(inode, position, bytes.subarray(offset, offset + bytesWritten))
            return { bytesWritten }
          }),
        writeFile: bytes => later(() => append(inode, writtenTo, bytes, end => (writtenTo = end))),
        appendFile: bytes => later(() => append(inode, inode.content.length, Buffer.from(bytes))),
        truncate: length =>
          later(() => {
            inode.content = cutTo(inode.content, length)
            inode.pending.push({ kind: 'truncate', length, isDoomed: false })
          }),
        sync: () => later(() => sync(inode)),
        close: () => later(() => undefined),
      }
    }

    function append(inode: Inode, at: number, bytes: Buffer, ended: (end: number) => void = () => {}): void {
      const fits = room(bytes.length)
      if (fits > 0) write(inode, at, bytes.subarray(0, fits))
      ended(at + fits)
      if (fits < bytes.length) throw failure('ENOSPC', 'no space left on device, write')
    }

    const directory: DiskFile = {
      ...fileOf({ content: nothing, synced: nothing, pending: [], mtimeMs: 0 }),
      sync: () => later(syncNames),
    }

    return {
      mkdir: path => later(() => directories.add(path)),
      readdir: path =>
        later(() => {
          const within = `${path}/`
          const found = [...names.keys()]
            .filter(name => name.startsWith(within))
            .map(name => name.slice(within.length).split('/', 1)[0] ?? '')
          return [...new Set(found)].sort()
        }),
      readFile: path => later(() => found(path).content),
      open: (path, flags) =>
        later(() => {
          if (directories.has(path)) return directory
          const known = names.get(path)
          if (flags === 'r' || flags === 'r+') return fileOf(found(path))
          if (flags === 'ax' && known !== undefined) throw failure('EEXIST', `file already exists, open '${path}'`)
          const inode = known ?? create(path)
          if (flags === 'w' && known !== undefined) {
            inode.content = nothing
            inode.pending.push({ kind: 'truncate', length: 0, isDoomed: false })
          }
          return fileOf(inode)
        }),
      writeFile: (path, text) => later(() => append(names.get(path) ?? create(path), 0, Buffer.from(text))),
      appendFile: (path, text) =>
        later(() => {
          const inode = names.get(path) ?? create(path)
          append(inode, inode.content.length, Buffer.from(text))
        }),
      rename: (from, to) => later(() => rename({ gone: from, path: to, inode: found(from) })),
      link: (from, to) =>
        later(() => {
          if (names.has(to)) throw failure('EEXIST', `file already exists, link '${to}'`)
          rename({ gone: undefined, path: to, inode: found(from) })
        }),
      unlink: path =>
        later(() => {
          found(path)
          rename({ gone: path, path: undefined, inode: undefined })
        }),
      stat: path => later(() => ({ size: found(path).content.length, mtimeMs: found(path).mtimeMs })),
    }
  }

  function crash(how: 'process' | 'machine', life?: Mortal): void {
    for (const [work, whose] of underWay) {
      if (life !== undefined && whose !== life) continue
      if (random.uniform() < 0.5) attempt(work)
      underWay.delete(work)
    }
    if (how === 'process') return
    const kept = random.integer(changes.length + 1)
    names = new Map(syncedNames)
    for (const change of changes.slice(0, kept)) apply(names, change)
    for (const inode of new Set(names.values())) survive(inode, random)
    syncedNames = new Map(names)
    changes = []
  }

  return {
    trouble,
    of,
    crash,
    load(image) {
      for (const [path, content] of image)
        names.set(path, { content, synced: content, pending: [], mtimeMs: wallNow() })
      syncedNames = new Map(names)
    },
    image: () => new Map([...names].map(([path, { content }]) => [path, content])),
    rot(path) {
      const inode = names.get(path)
      if (inode === undefined || inode.content.length === 0) return
      const at = random.integer(inode.content.length)
      const rotten = Buffer.from(inode.content)
      rotten[at] = (rotten[at] ?? 0) ^ 0x10
      inode.content = rotten
      inode.synced = rotten
    },
    peek: path => names.get(path)?.content,
  }
}

function survive(inode: Inode, random: Random): void {
  if (inode.pending.length > 0) {
    const fate = random.uniform()
    const survivors = fate < 0.3 ? inode.pending : fate < 0.5 ? [] : inode.pending.flatMap(one => torn(one, random))
    inode.synced = survivors.reduce(applied, inode.synced)
    inode.pending = []
  }
  inode.content = inode.synced
}

function torn(one: Pending, random: Random): readonly Pending[] {
  const fate = random.uniform()
  if (fate < 0.3) return [one]
  if (fate < 0.5 || one.kind === 'truncate') return []
  const { bytes } = one
  const cut = random.integer(bytes.length + 1)
  if (fate < 0.75) return [{ ...one, bytes: bytes.subarray(0, cut) }]
  const holed = Buffer.from(bytes)
  holed.fill(0, cut, Math.min(bytes.length, cut + 512 * (1 + random.integer(8))))
  return [{ ...one, bytes: holed }]
}

function applied(content: Buffer, one: Pending): Buffer {
  if (one.isDoomed) return content
  return one.kind === 'truncate' ? cutTo(content, one.length) : spliced(content, one.offset, one.bytes)
}

function spliced(content: Buffer, offset: number, bytes: Buffer): Buffer {
  if (offset === content.length) return content.length === 0 ? Buffer.from(bytes) : Buffer.concat([content, bytes])
  const next = Buffer.alloc(Math.max(content.length, offset + bytes.length))
  content.copy(next)
  bytes.copy(next, offset)
  return next
}

const cutTo = (content: Buffer, length: number): Buffer =>
  length <= content.length
    ? content.subarray(0, length)
    : Buffer.concat([content, Buffer.alloc(length - content.length)])

const overlaps = (one: { readonly offset: number; readonly bytes: Buffer }, offset: number, length: number): boolean =>
  offset < one.offset + one.bytes.length && one.offset < offset + length

function apply(names: Map<string, Inode>, { gone, path, inode }: NameChange): void {
  if (gone !== undefined) names.delete(gone)
  if (path !== undefined && inode !== undefined) names.set(path, inode)
}

function attempt(work: () => unknown): void {
  try {
    work()
  } catch {
    // It had failed, had anybody lived to see it.
  }
}

const failure = (code: 'ENOSPC' | 'EIO' | 'ENOENT' | 'EEXIST', says: string): Error =>
  Object.assign(new Error(`${code}: ${says}`), { code })
