/**
 * One log that is written to and rotated, read on through all the files that it becomes:
 *
 *   renamed, a new one in its place    the old one is read to its end, then the new one; late lines of the old one still count
 *   copied, then emptied               what was not read yet is in the copy, which is told by its first bytes
 *   rotated while nobody read          found beside its name by inode, and every plain file between it and the newest
 *   compressed meanwhile               not read: told, and counted as a gap
 *
 * Each file of the log is a partition of its own, `path#1`, `path#2`, …, so that two can be read on at a time.
 */
import type { Clock } from '../clock.ts'
import { type EpochMs, MINUTE_MS, type PartitionId, type Position } from '../core/vocabulary.ts'
import { type FilePlace, findPlace, lookAt, placeOf, rotatedFiles } from './file-generations.ts'
import { asUnreadable, type FilePiece } from './file-pieces.ts'
import { openTail, type Tail } from './file-tail.ts'
import type { Positions, SourceBatch, SourceEvent } from './source.ts'

export interface FollowedLog {
  /** Finds the files of the positions. Throws SOURCE_UNREADABLE. */
  open(positions: Positions): Promise<void>
  /** The next piece, or a gap; undefined where there is nothing new. */
  next(held: ReadonlySet<PartitionId>): Promise<SourceBatch | undefined>
  partitions(): readonly PartitionId[]
  close(): Promise<void>
}

export interface LogSettings {
  readonly path: string
  /** Other logs that are followed: no older parts of this one, whatever they are called. */
  readonly others: readonly string[]
  readonly maxRecordBytes: number
  readonly clock: Clock
  readonly onEvent: (event: SourceEvent) => void
}

interface Part {
  readonly tail: Tail
  /** The file that bears the log's name. */
  isNewest: boolean
  /** All that is in it has been read. */
  isDrained: boolean
  /** Something of it was handed over: it stays a partition, also when a line comes late to one before it. */
  hasBegun: boolean
  /** When it was last found without anything new, first time in a row. */
  quietSince: EpochMs | undefined
}

/** Where a checkpoint left off in one of the log's files. */
interface Left {
  readonly partition: PartitionId
  readonly position: Position
  readonly place: FilePlace
}

/** So long a writer may go on with a file that was renamed: web servers let running requests finish. */
const lateLinesMs = MINUTE_MS

export function followLog({ path, others, maxRecordBytes, clock, onEvent }: LogSettings): FollowedLog {
  /** Oldest first. */
  let parts: Part[] = []
  let nextNumber = 1
  /** Read to their ends: their positions go when one that comes after them has its own. */
  let finished: PartitionId[] = []
  const gaps: SourceBatch[] = []
  /** What the checkpoint will have of the file that was read last. */
  let last: { readonly partition: PartitionId; readonly position: Position } | undefined
  /** When the newest of the files that are not read on any more was last written to; undefined: there has been none. */
  let seenTo: EpochMs | undefined
  let isAwaited = false
  let isOpen = false

  const newest = (): Part | undefined => parts.find(({ isNewest }) => isNewest)
  const tell = (level: 'info' | 'warn', name: SourceEvent['name'], detail: string): void =>
    onEvent({ level, name, detail })
  const nextPartition = (): PartitionId => `${path}#${nextNumber++}` as PartitionId

  const part = (tail: Tail, isNewest: boolean): Part => ({
    ...{ tail, isNewest, isDrained: false, hasBegun: false, quietSince: undefined },
  })

  /** Undefined: it has gone, or been renamed, at this moment; a file that may not be read yet is tried again. */
  async function openFile(file: string, partition: PartitionId, offset: number): Promise<Tail | undefined> {
    try {
      return await openTail({ path: file, partition, offset, maxRecordBytes })
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code === 'ENOENT') return undefined
      if (!isOpen) throw asUnreadable(file, error)
      tell('warn', 'fileAwaited', `${file} cannot be read yet (${code ?? error})`)
      return undefined
    }
  }

  /** The file that bears the log's name, from its beginning. */
  async function openNewest(): Promise<void> {
    const tail = await openFile(path, `${path}#${nextNumber}` as PartitionId, 0)
    if (tail === undefined) {
      if (!isAwaited) tell('warn', 'fileAwaited', `${path} is not there yet: it is read as soon as it is`)
      isAwaited = true
      return
    }
    nextNumber++
    isAwaited = false
    parts.push(part(tail, true))
  }

  const seen = (writtenAt: EpochMs): void => {
    seenTo = Math.max(seenTo ?? writtenAt, writtenAt)
  }

  /** Plain files between one that was read and the newest; how many compressed ones there are, which are not read. */
  async function openBetween(writtenAfter: EpochMs): Promise<number> {
    seen(writtenAfter)
    const after = seenTo ?? writtenAfter
    const own = await lookAt(path)
    const known = new Set([own?.inode, ...parts.map(({ tail }) => tail.inode)])
    let compressed = 0
    for (const file of (await rotatedFiles(path)).toReversed()) {
      if (file.writtenAt <= after || known.has(file.inode) || others.includes(file.path)) continue
      seen(file.writtenAt)
      if (file.isCompressed) {
        compressed++
        noteGap(`${file.path} was compressed before it was read`)
        continue
      }
      const tail = await openFile(file.path, nextPartition(), 0)
      if (tail !== undefined) parts.push(part(tail, false))
    }
    return compressed
  }

  /** Told, and counted with what could not be read, at the place that was read last. */
  function noteGap(because: string): void {
    tell('warn', 'linesLost', `${because}: what it held is missing, and nothing is made up for it`)
    if (last === undefined) return
    const fault = { position: last.position, reason: 'rotated-away', length: 0 } as const
    gaps.push({ partition: last.partition, records: [], faults: [fault], arrivedAt: clock.now() })
  }

  /** Goes on where a checkpoint left off: oldest first, and the newest of them tells what came after. */
  async function goOn(left: readonly Left[]): Promise<void> {
    const rotated = (await rotatedFiles(path)).filter(file => !others.includes(file.path))
    for (const [index, { partition, position, place }] of left.entries()) {
      last = { partition, position }
      const file = await findPlace(path, place, rotated)
      const tail = file && (await openFile(file.path, partition, place.offset))
      if (tail !== undefined) parts.push(part(tail, file?.path === path))
      else finished.push(partition)
      if (index < left.length - 1 || newest() !== undefined) continue
      const compressed = await openBetween(file?.writtenAt ?? place.writtenAt)
      // Compressed as it was when we last read it: nothing of it is missing.
      const isWhole = rotated.some(each => each.isCompressed && each.writtenAt === place.writtenAt)
      if (tail === undefined && compressed === 0 && !isWhole) noteGap(`The file that ${path} was is not there any more`)
    }
  }

  /** Another file bears the log's name. */
  async function turnOver(): Promise<boolean> {
    const found = await lookAt(path)
    const old = newest()
    if (old !== undefined && (found === undefined || found.inode === old.tail.inode)) return false
    if (old !== undefined) {
      old.isNewest = false
      tell('info', 'fileRotated', `${path} is a new file; the one before it is read to its end`)
    }
    const lastWrittenAt = old?.tail.writtenAt() ?? seenTo
    if (lastWrittenAt !== undefined && found !== undefined) await openBetween(lastWrittenAt)
    await openNewest()
    return newest() !== undefined
  }

  /** The file is empty, or begins otherwise: its lines were copied away, or deleted. */
  async function refill(old: Part): Promise<void> {
    const { tail } = old
    const place = placeOf(tail.position())
    await tail.close()
    parts = parts.filter(each => each !== old)
    const rotated = (await rotatedFiles(path)).filter(file => !others.includes(file.path))
    const copy = place && (await findPlace(path, place, rotated))
    const rest = copy && place && (await openFile(copy.path, tail.partition, place.offset))
    if (rest !== undefined) parts.push(part(rest, false))
    else finished.push(tail.partition)
    if (!old.isNewest) return
    if (copy !== undefined) tell('info', 'fileRotated', `${path} was emptied; its lines are in ${copy.path}`)
    else tell('warn', 'fileRotated', `${path} was emptied and no copy is beside it: what was not read yet is lost`)
    const compressed = await openBetween(copy?.writtenAt ?? tail.writtenAt())
    if (rest === undefined && compressed === 0 && tail.unreadBytes() > 0)
      noteGap(`${path} was emptied before all of it was read`)
    await openNewest()
  }

  function asBatch(tail: Tail, piece: FilePiece): SourceBatch {
    const { partition } = tail
    const over = finished.filter(each => numberOf(each) < numberOf(partition))
    finished = finished.filter(each => !over.includes(each))
    const arrivedAt = clock.now()
    last = { partition, position: tail.position() }
    return piece.kind === 'record'
      ? { partition, records: [piece.record], arrivedAt, over }
      : { partition, records: [], faults: [piece.fault], arrivedAt, over }
  }

  /** Nobody has written to it for a while, and another file bears the name. */
  async function finish(old: Part): Promise<SourceBatch | undefined> {
    const piece = await old.tail.read({ final: true })
    parts = parts.filter(each => each !== old)
    const batch = typeof piece === 'string' ? undefined : asBatch(old.tail, piece)
    finished.push(old.tail.partition)
    seen(old.tail.writtenAt())
    await old.tail.close()
    return batch
  }

  return {
    async open(positions) {
      const left = [...positions].flatMap(([partition, position]): readonly Left[] => {
        const place = partition.startsWith(`${path}#`) ? placeOf(position) : undefined
        return place === undefined ? [] : [{ partition, position, place }]
      })
      left.sort((one, other) => numberOf(one.partition) - numberOf(other.partition))
      nextNumber = 1 + Math.max(0, ...left.map(({ partition }) => numberOf(partition)))
      await goOn(left)
      if (newest() === undefined) await openNewest()
      isOpen = true
    },

    async next(held) {
      const gap = gaps.shift()
      if (gap !== undefined) return gap
      for (const each of [...parts]) {
        if (held.has(each.tail.partition)) return undefined
        const piece = await each.tail.read()
        if (piece === 'emptied') {
          await refill(each)
          return this.next(held)
        }
        if (piece !== 'nothing-new') {
          each.isDrained = false
          each.hasBegun = true
          each.quietSince = undefined
          return asBatch(each.tail, piece)
        }
        each.isDrained = true
        each.quietSince ??= clock.now()
        if (each.isNewest || clock.now() - each.quietSince < lateLinesMs) continue
        const last = await finish(each)
        if (last !== undefined) return last
      }
      return (await turnOver()) ? this.next(held) : undefined
    },

    partitions() {
      const first = parts.findIndex(({ isDrained }) => !isDrained)
      const begun = parts.filter(({ hasBegun }, index) => hasBegun || first < 0 || index <= first)
      return begun.filter(({ isNewest, isDrained }) => isNewest || !isDrained).map(({ tail }) => tail.partition)
    },

    async close() {
      for (const { tail } of parts) await tail.close()
      parts = []
    },
  }
}

const numberOf = (partition: PartitionId): number => Number(partition.slice(partition.lastIndexOf('#') + 1))
