/**
 * Where a worker can start again: the engine's state and how far each partition was read, as ONE file, so that neither
 * is ever newer than the other. A file is:
 *
 *   magic `WEIRCKPT` (8) · format (4, little endian) · length of the body (8, little endian) · SHA-256 of the body (32) · body
 *
 * written aside, fsynced, renamed to `checkpoint-<number>`, and the directory fsynced. The one before is kept: if the
 * newest is damaged, the worker starts from the older and reads again what came between.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { StreamError } from '../core/errors.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { lockDirectory } from './checkpoint-lock.ts'
import { syncDirectory } from './durable.ts'

export interface Snapshot {
  /** Whatever the engine's `snapshot` gives: plain, structured-cloneable. */
  readonly state: unknown
  /** Partition → where reading goes on. */
  readonly positions: Readonly<Record<string, string>>
  readonly writtenAt: EpochMs
}

export interface ReadSnapshot {
  readonly snapshot: Snapshot
  /** For people, where something was not as it should be: the newest is damaged and an older one was taken. */
  readonly note: string | undefined
}

export interface Checkpoints {
  /** Resolves when it is safely on disk. The state is copied before this returns: it may change at once. */
  write(snapshot: Snapshot): Promise<void>
  /**
   * The newest good one, or undefined if there is none. Throws StreamError CHECKPOINT_DAMAGED if all there are are
   * damaged, or one is of another format.
   */
  read(): Promise<ReadSnapshot | undefined>
  /** Gives the directory free for another worker. */
  close(): Promise<void>
}

const magic = Buffer.from('WEIRCKPT')
/** Of the state as well: a change of what the engine's state is made of is another format, and the old one is refused. */
const format = 2
const headerBytes = magic.length + 4 + 8 + 32
/** The newest, and the one before it. */
const kept = 2
const namePattern = /^checkpoint-(\d{12})$/

/** Makes and locks `directory`. Throws StreamError STORE_UNWRITABLE if it cannot be written or another worker has it. */
export async function openCheckpoints(directory: string): Promise<Checkpoints> {
  const lock = await writing(directory, async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return lockDirectory(directory)
  })
  const unfinished = (await readdir(directory)).filter(name => name === 'checkpoint.tmp')
  await Promise.all(unfinished.map(name => unlink(join(directory, name))))
  let newest = numberOf((await namesIn(directory))[0])
  let lastWrite: Promise<unknown> = Promise.resolve()

  return {
    async write(snapshot) {
      const parts = encode(snapshot)
      const before = lastWrite
      const write = (async () => {
        // One at a time and in order; what became of the one before is its caller's to know.
        await before.catch(() => undefined)
        // First the lock: one who was frozen for so long that another took over must not write again.
        await writing(directory, () => lock.check())
        await writing(directory, () => writeFileSafely(directory, nameOf(newest + 1), parts))
        newest++
        await writing(directory, () => removeOld(directory))
      })()
      lastWrite = write
      return write
    },
    read: () => readNewest(directory),
    async close() {
      await lastWrite.catch(() => undefined)
      await lock.release()
    },
  }
}

async function readNewest(directory: string): Promise<ReadSnapshot | undefined> {
  const damaged: string[] = []
  for (const name of await namesIn(directory)) {
    const read = decode(await readFile(join(directory, name)))
    switch (read.kind) {
      case 'good': {
        const { snapshot } = read
        if (damaged.length === 0) return { snapshot, note: undefined }
        const since = new Date(snapshot.writtenAt).toISOString()
        return { snapshot, note: `${damaged.join('; ')}. Going on from ${name} of ${since}.` }
      }
      case 'damaged':
        damaged.push(`${name} is damaged: ${read.because}`)
        break
      case 'other-format':
        // Not skipped for an older one of our format: that would silently forget what the other version did since.
        throw new StreamError('CHECKPOINT_DAMAGED', `Cannot start from ${join(directory, name)}: ${read.because}`, {
          retry: 'never',
          hint: `Run the version that wrote it, or move ${directory} away to begin without a past`,
        })
      default:
        read satisfies never
    }
  }
  if (damaged.length === 0) return undefined
  throw new StreamError('CHECKPOINT_DAMAGED', `No checkpoint in ${directory} can be read: ${damaged.join('; ')}`, {
    retry: 'never',
    hint: `Bring ${directory} back from a backup, or move it away to begin without a past (limits that are lowered now must then be restored by hand)`,
  })
}

function encode(snapshot: Snapshot): readonly Buffer[] {
  const body = serialize(snapshot)
  const header = Buffer.alloc(headerBytes)
  magic.copy(header)
  header.writeUInt32LE(format, 8)
  header.writeBigUInt64LE(BigInt(body.length), 12)
  createHash('sha256').update(body).digest().copy(header, 20)
  return [header, body]
}

type Decoded =
  | { readonly kind: 'good'; readonly snapshot: Snapshot }
  | { readonly kind: 'damaged'; readonly because: string }
  | { readonly kind: 'other-format'; readonly because: string }

function decode(file: Buffer): Decoded {
  if (file.length < headerBytes) return { kind: 'damaged', because: `it has only ${file.length} bytes` }
  if (!file.subarray(0, magic.length).equals(magic)) return { kind: 'damaged', because: 'it does not begin as one' }
  const found = file.readUInt32LE(8)
  if (found !== format)
    return { kind: 'other-format', because: `it is of format ${found}, this version reads ${format}` }

  const body = file.subarray(headerBytes)
  const announced = file.readBigUInt64LE(12)
  if (BigInt(body.length) !== announced)
    return { kind: 'damaged', because: `it has ${body.length} of ${announced} bytes` }
  if (!createHash('sha256').update(body).digest().equals(file.subarray(20, headerBytes)))
    return { kind: 'damaged', because: 'its checksum does not fit' }
  try {
    return { kind: 'good', snapshot: deserialize(body) }
  } catch {
    // The bytes are as they were written, so it is the runtime that cannot read them: older than the one that wrote.
    return { kind: 'other-format', because: `a newer Node.js than this one (${process.version}) wrote it` }
  }
}

async function writeFileSafely(directory: string, name: string, parts: readonly Buffer[]): Promise<void> {
  const aside = join(directory, 'checkpoint.tmp')
  const file = await open(aside, 'w', 0o600)
  try {
    for (const part of parts) await file.writeFile(part)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(aside, join(directory, name))
  await syncDirectory(directory)
}

async function removeOld(directory: string): Promise<void> {
  const old = (await namesIn(directory)).slice(kept)
  await Promise.all(old.map(name => unlink(join(directory, name))))
}

/** Newest first. */
async function namesIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory))
    .filter(name => namePattern.test(name))
    .sort()
    .reverse()
}

function nameOf(number: number): string {
  return `checkpoint-${String(number).padStart(12, '0')}`
}

function numberOf(name: string | undefined): number {
  return Number(name?.match(namePattern)?.[1] ?? 0)
}

async function writing<T>(directory: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (cause) {
    if (cause instanceof StreamError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new StreamError('STORE_UNWRITABLE', `Cannot write a checkpoint to ${directory}: ${reason}`, {
      retry: 'later',
      hint: 'Make room on that disk and let the worker write there, or give it another state.directory',
      cause,
    })
  }
}
