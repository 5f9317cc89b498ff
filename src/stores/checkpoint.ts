/**
 * Where a worker can start again: the engine's state and how far each partition was read, as ONE file
 * (`checkpoint-file.ts`), so that neither is ever newer than the other. It is written aside, fsynced, renamed to
 * `checkpoint-<number>`, and the directory fsynced. The one before is kept: if the newest is damaged, the worker starts from
 * the older and reads again what came between.
 *
 * Nothing of this holds the stream for long: the state is little, and is copied at once; what is much (the keys that call) is
 * asked for a piece at a time, and others have their turn between two pieces.
 *
 * What is known of keys (the slabs) is in the same file while it is small. From some megabytes on it is in files of its own
 * (`cell-log.ts`), which hold what changed; the checkpoint, written after them, names them with their checksums. So a
 * crash anywhere leaves the last whole checkpoint and all the files it names.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import { StreamError } from '../core/errors.ts'
import { cellsOf, slabWith } from '../core/state/slab.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import {
  allParts,
  bytesIn,
  bytesOfParts,
  bytesOfPiece,
  emptySlabs,
  nameOfPiece,
  nextParts,
  type Piece,
  piecePattern,
  ROUND_START,
  type Round,
  readPiece,
  type SlabSize,
  type Slabs,
} from './cell-log.ts'
import { type Decoded, decode, deserialized, encode, serialized } from './checkpoint-file.ts'
import { type DirectoryLock, type Host, type LockLife, lockDirectory, thisHost } from './checkpoint-lock.ts'
import { type Disk, machineDisk } from './disk.ts'
import { syncDirectory } from './durable.ts'

export interface Snapshot {
  /** Plain, structured-cloneable. */
  readonly state: unknown
  /** What else there is of it, in pieces. */
  readonly later: readonly unknown[]
  /** What is too large to be written each time. It remembers what changed; only these checkpoints may ask it. */
  readonly slabs: Slabs
  /** Partition → where reading goes on. */
  readonly positions: Readonly<Record<string, string>>
  readonly writtenAt: EpochMs
}

/** What is to be written: of the moment in which it is handed over, whenever what comes later is asked for. */
export interface Saving extends Omit<Snapshot, 'later'> {
  readonly later?: Later | undefined
}

/** What is too much to be copied at once; each piece some milliseconds' work. */
export interface Later {
  isLeft(): boolean
  next(): unknown
  /** The rest is not wanted. */
  abandon(): void
}

export interface ReadSnapshot {
  readonly snapshot: Snapshot
  /** For people, where something was not as it should be: the newest is damaged and an older one was taken. */
  readonly note: string | undefined
}

export interface Checkpoints {
  write(saving: Saving): Writing
  /**
   * The newest good one, or undefined if there is none. Throws StreamError CHECKPOINT_DAMAGED if all there are are
   * damaged, or one is of another format.
   */
  read(): Promise<ReadSnapshot | undefined>
  /** Throws StreamError STATE_HELD if another worker has taken the directory over. */
  stillOurs(): Promise<void>
  /** Gives the directory free for another worker. */
  close(): Promise<void>
}

export interface Writing {
  /**
   * From then on the slabs may change. Nearly always that is at once, since what is to be written was copied; a worker that
   * was taught a million keys writes gigabytes, once, and has to stand still for it. The state may change at once in any case.
   */
  readonly copied: Promise<void>
  /** It is safely on disk. Rejects with StreamError STORE_UNWRITABLE. */
  readonly written: Promise<void>
}

/** The newest, and the one before it. */
const kept = 2
/** Slabs of fewer bytes than this are written with the rest: one file is easier to carry about. */
const smallBytes = 8 * 1024 * 1024
/** What is more than this is not copied, but written as it stands. */
const copiedBytes = 64 * 1024 * 1024
const namePattern = /^checkpoint-(\d{12})$/

interface CheckpointPlace {
  readonly disk?: Disk
  readonly host?: Host
  readonly life?: LockLife | undefined
}

/** Makes and locks `directory`. Throws StreamError STORE_UNWRITABLE if it cannot be written, STATE_HELD if another worker has it. */
export async function openCheckpoints(
  directory: string,
  { disk = machineDisk, host = thisHost, life }: CheckpointPlace = {},
): Promise<Checkpoints> {
  const lock = await writing(directory, async () => {
    await disk.mkdir(directory, { recursive: true, mode: 0o700 })
    return lockDirectory(directory, { disk, host, ...(life && { life }) })
  })
  const names = await disk.readdir(directory)
  const unfinished = names.filter(name => name === asideName)
  await Promise.all(unfinished.map(name => disk.unlink(join(directory, name))))
  let newest = Math.max(0, ...names.map(name => numberOf(name) ?? numberOfPiece(name) ?? 0))
  let lastWrite: Promise<unknown> = Promise.resolve()
  /** Undefined: what is on disk is not known, or not whole; all cells are to be written. */
  let log: Log | undefined
  /** First piece that a checkpoint needs, by its number: what is before all of them can go. */
  const needed = new Map<number, number>()

  async function writeAfter(before: Promise<unknown>, number: number, prepared: Prepared): Promise<void> {
    // One at a time and in order; what became of the one before is its caller's to know.
    await before.catch(() => undefined)
    // First the lock: one who was frozen for so long that another took over must not write again.
    await lock.check()
    const { sizes, values, piece, log: into, from } = prepared
    if (into?.isBroken) throw new Error('what it goes on from could not be written')
    if (piece !== undefined) {
      const hash = createHash('sha256')
      const bytes = await writeFileSafely({ disk, directory, lock }, nameOfPiece(number), piece, part =>
        hash.update(part),
      )
      into?.pieces.push({ number, bytes, sha256: hash.digest('hex') })
    }
    if (into !== undefined) into.pieces = into.pieces.filter(one => one.number >= from)
    await writeFileSafely(
      { disk, directory, lock },
      nameOf(number),
      await encode({ slabs: sizes, pieces: into?.pieces ?? [] }, await values),
    )
    needed.set(number, into?.pieces[0]?.number ?? number)
    await removeOld(disk, directory, needed)
  }

  return {
    write(saving) {
      const before = lastWrite
      const number = ++newest
      const prepared = prepare(saving, number, log)
      log = prepared.log
      const written = writing(directory, () => writeAfter(before, number, prepared)).catch(cause => {
        // What was to be in this piece is nowhere, and what goes on from it would miss it.
        if (prepared.log !== undefined) prepared.log.isBroken = true
        if (log === prepared.log) log = undefined
        throw cause
      })
      lastWrite = written
      return { copied: prepared.isCopied ? Promise.resolve() : written, written }
    },
    async read() {
      const found = await readNewest(disk, directory)
      if (found === undefined) return undefined
      const { number, pieces, ...read } = found
      const [first] = pieces
      needed.set(number, first?.number ?? number)
      log = first && {
        ...{ pieces: [...pieces], from: first.number, roundFrom: newest + 1, round: ROUND_START, isBroken: false },
      }
      return read
    },
    stillOurs: () => lock.check(),
    async close() {
      await lastWrite.catch(() => undefined)
      await lock.release()
    },
  }
}

/** What a checkpoint knows, without what it knows of the keys. */
export type CheckpointState = Pick<Snapshot, 'state' | 'later' | 'writtenAt'>

/**
 * Of the newest good checkpoint, for whoever only looks: takes no lock, reads no slabs, and writes nothing. Undefined where there
 * is none; `unreadable` says why none of those that are there can be read.
 */
export async function lookAtCheckpoint(
  directory: string,
): Promise<CheckpointState | { readonly unreadable: string } | undefined> {
  const damaged: string[] = []
  for (const name of await namesIn(machineDisk, directory).catch(() => [])) {
    // A worker removes old ones while we look: then there is a newer one.
    const file = await machineDisk.readFile(join(directory, name)).catch(() => undefined)
    if (file === undefined) continue
    const decoded = decode(file)
    const read = decoded.kind === 'good' ? valuesOf(decoded.values) : undefined
    if (read !== undefined) return { state: read.body.state, later: read.later, writtenAt: read.body.writtenAt }
    damaged.push(`${name}: ${decoded.kind === 'good' ? 'a newer Node.js wrote it' : decoded.because}`)
  }
  return damaged.length === 0 ? undefined : { unreadable: damaged.join('; ') }
}

/**
 * The newest good one, for a look only: takes no lock, so a worker may write meanwhile, and what it has put in the place of
 * the one that was being read is read instead. Throws as `read` does.
 */
export async function peekCheckpoint(directory: string): Promise<ReadSnapshot | undefined> {
  for (let tries = 3; ; tries--) {
    try {
      return await readNewest(machineDisk, directory)
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' && tries > 0) {
        if (!(await exists(directory))) return undefined
      } else if (!(cause instanceof StreamError && cause.code === 'CHECKPOINT_DAMAGED' && tries > 0)) throw cause
    }
  }
}

const exists = (directory: string): Promise<boolean> =>
  machineDisk.stat(directory).then(
    () => true,
    () => false,
  )

/** The pieces that are needed, and how far the turns have come (`cell-log.ts`). */
interface Log {
  pieces: Piece[]
  /** The first piece that is needed, and the one with which the turns under way began, by their numbers. */
  from: number
  roundFrom: number
  round: Round
  isBroken: boolean
}

/** What is written, as of the moment of asking. */
interface Prepared {
  readonly sizes: readonly SlabSize[]
  /** The body and what comes later, serialised. */
  readonly values: Promise<readonly Buffer[]>
  readonly piece: Iterable<Buffer> | undefined
  readonly isCopied: boolean
  readonly log: Log | undefined
  /** The log's, as of then. */
  readonly from: number
}

function prepare({ slabs, later, ...rest }: Saving, number: number, before: Log | undefined): Prepared {
  const sizes = [...slabs].map(([name, { cellBytes, cells }]) => ({ name, cellBytes, cells }))
  if (bytesIn(slabs) <= smallBytes) {
    const values = inPieces({ ...rest, cells: [...slabs.values()].map(cellsOf) }, later)
    return { sizes, values, piece: undefined, isCopied: true, log: undefined, from: number }
  }
  const log: Log = before ?? { pieces: [], from: number, roundFrom: number, round: ROUND_START, isBroken: false }
  const { parts, round } = before ? nextParts(slabs, log.round) : { parts: allParts(slabs), round: undefined }
  log.round = round ?? ROUND_START
  if (round === undefined) {
    log.from = log.roundFrom
    log.roundFrom = number + 1
  }
  const values = inPieces({ ...rest, cells: undefined }, later)
  const isCopied = bytesOfParts(parts) <= copiedBytes
  const piece = bytesOfPiece(parts, { reuse: !isCopied })
  return {
    ...{ sizes, values, isCopied, log, from: log.from },
    piece: parts.length === 0 ? undefined : isCopied ? [...piece] : piece,
  }
}

/** The first value of a file. Those after it are the pieces that came later. */
interface Body extends Omit<Snapshot, 'slabs' | 'later'> {
  /** All cells of each slab, where they are few. */
  readonly cells: readonly Uint8Array[] | undefined
}

/** The body before this returns, and so the state may change; the rest a piece at a time. */
function inPieces(body: Body, later: Later | undefined): Promise<readonly Buffer[]> {
  const values = askedFor([serialized(body)], later)
  // Who writes it hears of it; that is not at once.
  values.catch(() => undefined)
  return values
}

async function askedFor(values: Buffer[], later: Later | undefined): Promise<readonly Buffer[]> {
  try {
    while (later?.isLeft()) {
      values.push(serialized(later.next()))
      if (later.isLeft()) await breathe()
    }
    return values
  } finally {
    later?.abandon()
  }
}

/** Undefined: a newer runtime wrote it. */
function valuesOf([body, ...later]: readonly Buffer[]):
  | { readonly body: Body; readonly later: readonly unknown[] }
  | undefined {
  const read = body && deserialized(body)
  const pieces = later.flatMap(piece => deserialized(piece) ?? [])
  if (read === undefined || pieces.length < later.length) return undefined
  return { body: read.value as Body, later: pieces.map(({ value }) => value) }
}

interface Found extends ReadSnapshot {
  readonly number: number
  readonly pieces: readonly Piece[]
}

async function readNewest(disk: Disk, directory: string): Promise<Found | undefined> {
  const damaged: string[] = []
  for (const name of await namesIn(disk, directory)) {
    const read = await readWhole(disk, directory, name)
    switch (read.kind) {
      case 'good': {
        const { snapshot, pieces } = read
        const since = new Date(snapshot.writtenAt).toISOString()
        const note = damaged.length === 0 ? undefined : `${damaged.join('; ')}. Going on from ${name} of ${since}.`
        return { snapshot, pieces, note, number: numberOf(name) ?? 0 }
      }
      case 'damaged':
        damaged.push(`${name} is damaged: ${read.because}`)
        break
      case 'other-format':
        // Not skipped for an older one of our format: that would silently forget what the other version did since.
        throw new StreamError('CHECKPOINT_DAMAGED', `Cannot start from ${join(directory, name)}: ${read.because}`, {
          retry: 'never',
          hint: `Run the version that wrote it. ${withoutPast(directory)}`,
        })
      default:
        read satisfies never
    }
  }
  if (damaged.length === 0) return undefined
  throw new StreamError('CHECKPOINT_DAMAGED', `No checkpoint in ${directory} can be read: ${damaged.join('; ')}`, {
    retry: 'never',
    hint: `Bring them back from a backup. ${withoutPast(directory)}`,
  })
}

/** The rest stays: the journal owes limits, and the audit's chain, a halt, alerts that nobody got and the tokens are beside it. */
const withoutPast = (directory: string): string =>
  `To begin without a past: first weir throttles release --all --state ${directory}, then move only checkpoint-* and cells-* of ${directory} away, nothing else`

/** A checkpoint with the pieces that it names. */
async function readWhole(
  disk: Disk,
  directory: string,
  name: string,
): Promise<Decoded<{ readonly snapshot: Snapshot; readonly pieces: readonly Piece[] }>> {
  const decoded = decode(await disk.readFile(join(directory, name)))
  if (decoded.kind !== 'good') return decoded
  const { contents, values } = decoded
  // The slabs before the state: each time so many megabytes are asked for, all objects that are there by then are walked.
  const logged = emptySlabs(contents.pieces.length > 0 ? contents.slabs : [])
  for (const piece of contents.pieces) {
    const because = await readPiece(disk, directory, piece, logged)
    if (because !== undefined) return { kind: 'damaged', because }
  }
  const read = valuesOf(values)
  // The bytes are as they were written, so it is the runtime that cannot read them: older than the one that wrote.
  if (read === undefined)
    return { kind: 'other-format', because: `a newer Node.js than this one (${process.version}) wrote it` }
  const { cells, ...rest } = read.body
  const slabs = cells
    ? new Map(contents.slabs.map(({ name, cellBytes }, index) => [name, slabWith(cellBytes, cells[index] ?? NO_CELLS)]))
    : logged
  return { kind: 'good', snapshot: { ...rest, later: read.later, slabs }, pieces: contents.pieces }
}

const NO_CELLS = new Uint8Array()

const asideName = 'checkpoint.tmp'

/** Answers how many bytes it has. */
async function writeFileSafely(
  { disk, directory, lock }: { readonly disk: Disk; readonly directory: string; readonly lock: DirectoryLock },
  name: string,
  parts: Iterable<Buffer>,
  seen: (part: Buffer) => void = () => undefined,
): Promise<number> {
  const aside = join(directory, asideName)
  const file = await disk.open(aside, 'w', 0o600)
  let bytes = 0
  try {
    for (const part of parts) {
      seen(part)
      await file.writeFile(part)
      bytes += part.length
    }
    await file.sync()
  } finally {
    await file.close()
  }
  // What took long to write may be another worker's to write by now.
  await lock.check()
  await disk.rename(aside, join(directory, name))
  await syncDirectory(disk, directory)
  return bytes
}

/** Older checkpoints than the kept ones, and pieces that neither of those needs. Of one that is not known all are. */
async function removeOld(disk: Disk, directory: string, needed: Map<number, number>): Promise<void> {
  const names = await namesIn(disk, directory)
  const old = names.slice(kept)
  for (const name of old) needed.delete(numberOf(name) ?? 0)
  const from = Math.min(...names.slice(0, kept).map(name => needed.get(numberOf(name) ?? 0) ?? 0))
  const pieces = (await disk.readdir(directory)).filter(name => (numberOfPiece(name) ?? from) < from)
  // Checkpoints first: one whose pieces are gone would be taken for damaged.
  await Promise.all(old.map(name => disk.unlink(join(directory, name))))
  await Promise.all(pieces.map(name => disk.unlink(join(directory, name))))
}

/** Newest first. */
async function namesIn(disk: Disk, directory: string): Promise<readonly string[]> {
  return (await disk.readdir(directory))
    .filter(name => namePattern.test(name))
    .sort()
    .reverse()
}

function nameOf(number: number): string {
  return `checkpoint-${String(number).padStart(12, '0')}`
}

const numberOf = (name: string): number | undefined => numberIn(name, namePattern)
const numberOfPiece = (name: string): number | undefined => numberIn(name, piecePattern)

function numberIn(name: string, pattern: RegExp): number | undefined {
  const [, number] = pattern.exec(name) ?? []
  return number === undefined ? undefined : Number(number)
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
