/**
 * The audit log, for people: who or what changed which limit, when, on what evidence, from what to what, and what came of
 * it. One line an effect and plan, only ever appended to, in a file a month (`audit-files.ts`), chained by hashes
 * (`audit-entry.ts`). Weir itself decides nothing by it.
 *
 * Whole months are deleted once all of the month is longer ago than `keepForMs`; the log says so in a line of its own. At the
 * gateway's three changes a minute a day brings some megabytes at worst.
 *
 * A line is on disk before the next is begun. What cannot be written is told and waits, and is written with the next one: a
 * disk that is full for an hour costs no entry, unless the process ends before there is room again.
 */
import { join } from 'node:path'
import { StreamError } from '../core/errors.ts'
import { DAY_MS, type EpochMs } from '../core/vocabulary.ts'
import {
  type AuditChain,
  type AuditContext,
  type AuditEntry,
  auditLine,
  type ChainPlace,
  chainStart,
  endOfMonth,
  hashOf,
  type MonthDeleted,
  monthOf,
} from './audit-entry.ts'
import {
  type AuditFile,
  type AuditLine,
  auditFilesIn,
  headFileName,
  lastPlace,
  monthFileName,
  oldFileName,
  readHead,
  readLines,
  timeOf,
} from './audit-files.ts'
import { type Disk, machineDisk } from './disk.ts'
import { openWhole, syncDirectory, unwritable } from './durable.ts'

export type { AuditContext, AuditEntry, LimitEntry } from './audit-entry.ts'

export interface AuditLog {
  /** Resolves when the entry is on disk, or `failed` was told why not: what was done to a limit is done all the same. */
  record(entry: AuditEntry): Promise<void>
  /** Deletes the months that the rule says to delete by now. Looks once a day. */
  tidy(now: EpochMs): Promise<void>
  close(): Promise<void>
}

export interface AuditOptions {
  readonly chain?: AuditChain
  /** What is known of an entry when it is recorded. */
  readonly contextOf?: (entry: AuditEntry) => AuditContext
  /**
   * Asked before each line: who was frozen and has lost the directory would write a second line of a number that another has
   * written by now. Throws where it is not ours; what it would have said is that worker's to find out.
   */
  readonly stillOurs?: () => Promise<void>
  /** Without it nothing is ever deleted. */
  readonly keepForMs?: number
  /** Told of each file that the rule has deleted. */
  readonly deleted?: (file: string) => void
}

/** Entries that `isMeant`, of all months, oldest first, as they were recorded. A line that is not whole says nothing. */
export async function readAudit(
  directory: string,
  isMeant: (entry: AuditEntry) => boolean,
): Promise<readonly AuditEntry[]> {
  const files = await auditFilesIn(directory).catch(() => [])
  const read = await Promise.all(files.map(({ name }) => readLines(directory, name).catch(() => [])))
  return read
    .flat()
    .flatMap(({ line }) => (line === undefined || line.change === 'audit-deleted' ? [] : [entryOf(line)]))
    .filter(isMeant)
    .sort((one, other) => one.at - other.at)
}

/** Its shape is ours: whoever reads it renders it. No throttle is null in the log. */
function entryOf({ seq: _, prev: __, at, ...rest }: AuditLine): AuditEntry {
  const told = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null))
  return { ...told, at: Date.parse(at) } as unknown as AuditEntry
}

/** So many entries wait for a disk that takes none; the oldest of more are lost, which `failed` has told by then. */
const mostWaiting = 10_000

interface Waiting {
  readonly entry: AuditEntry | MonthDeleted
  readonly context: AuditContext
}

export async function openAudit(
  directory: string,
  failed: (failure: StreamError) => void,
  disk: Disk = machineDisk,
  { chain = 'worker', contextOf = () => ({}), stillOurs, keepForMs, deleted = () => {} }: AuditOptions = {},
): Promise<AuditLog> {
  const place = { disk, directory, chain }
  const tail = await prepare(place).catch(cause => {
    throw unwritable('the audit log', directory, cause)
  })
  /** undefined: what the last write left is not known, and is looked up. */
  let known: ChainTail | undefined = tail
  let waiting: Waiting[] = []
  let tidiedDay = Number.NEGATIVE_INFINITY
  let last: Promise<void> = Promise.resolve()

  async function writeAll(): Promise<void> {
    try {
      while (waiting[0] !== undefined) {
        await stillOurs?.()
        const before = known ?? (await tailOf(place))
        known = undefined
        known = await append(place, before, waiting[0])
        waiting.shift()
        await writeHead(place, known)
      }
    } catch (cause) {
      const isLost = cause instanceof StreamError && cause.code === 'STATE_HELD'
      failed(isLost ? cause : unwritable('the audit log', directory, cause))
      waiting = isLost ? [] : waiting.slice(-mostWaiting)
    }
  }

  /** Said before it is done: of a file that is gone without a word nobody knows why. */
  async function deleteOld(now: EpochMs, keepFor: number): Promise<void> {
    try {
      for (const file of await auditFilesIn(directory, disk)) {
        if (!(await isPast(place, file, now - keepFor))) continue
        const end = file.month === undefined ? undefined : await lastPlace(directory, file.name, disk)
        const entry: MonthDeleted = {
          ...{ at: now, by: 'weir', change: 'audit-deleted', file: file.name },
          ...{ keptForDays: Math.round(keepFor / DAY_MS), last: end },
        }
        waiting.push({ entry, context: {} })
        await writeAll()
        if (waiting.length > 0) return
        await disk.unlink(join(directory, file.name))
        deleted(file.name)
      }
    } catch (cause) {
      failed(unwritable('the audit log', directory, cause))
    }
  }

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work)
    return last
  }

  return {
    record(entry) {
      waiting.push({ entry, context: contextOf(entry) })
      return inTurn(writeAll)
    },
    tidy(now) {
      const day = Math.floor(now / DAY_MS)
      if (keepForMs === undefined || day <= tidiedDay) return last
      tidiedDay = day
      return inTurn(() => deleteOld(now, keepForMs))
    },
    close: () => inTurn(writeAll),
  }
}

/** Where a chain goes on: not in a month before its newest, whatever the clock says by now. */
interface ChainTail extends ChainPlace {
  readonly month: string
}

interface Place {
  readonly disk: Disk
  readonly directory: string
  readonly chain: AuditChain
}

async function prepare(place: Place): Promise<ChainTail> {
  await place.disk.mkdir(place.directory, { recursive: true, mode: 0o700 })
  const tail = await tailOf(place)
  // A disk that takes nothing is told at the start, and not when the first limit has been changed.
  await writeHead(place, tail)
  return tail
}

/**
 * The last line is asked, and the head file beside it: where lines were cut off, the chain goes on from what they ended
 * with, so that the cut shows for ever. A crash between line and head leaves the head behind.
 */
async function tailOf(place: Place): Promise<ChainTail> {
  const { disk, directory, chain } = place
  const files = (await auditFilesIn(directory, disk)).filter(file => file.chain === chain)
  const newest = files.findLast(({ month }) => month !== undefined)
  const line = newest && (await lastPlace(directory, newest.name, disk))
  const head = await readHead(directory, chain, disk)
  const [last] = [line, head].filter(one => one !== undefined).sort((one, other) => other.seq - one.seq)
  const month = newest?.month ?? ''
  if (last !== undefined && last.seq > 0) return { ...last, month }
  return { ...(await startOf(place, files)), month }
}

/** The first line of all holds the hash of what was written before there was a chain. */
async function startOf({ disk, directory }: Place, files: readonly AuditFile[]): Promise<ChainPlace> {
  if (!files.some(({ name }) => name === oldFileName)) return chainStart
  return { seq: 0, hash: hashOf(await disk.readFile(join(directory, oldFileName))) }
}

async function append(
  { disk, directory, chain }: Place,
  before: ChainTail,
  { entry, context }: Waiting,
): Promise<ChainTail> {
  const month = [monthOf(entry.at), before.month].sort().at(-1) ?? ''
  const { text, place } = auditLine(entry, context, before)
  const file = await openWhole(disk, directory, join(directory, monthFileName(chain, month)))
  try {
    await file.appendFile(`${text}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  if (month !== before.month) await syncDirectory(disk, directory)
  return { ...place, month }
}

async function writeHead({ disk, directory, chain }: Place, { seq, hash }: ChainPlace): Promise<void> {
  const path = join(directory, headFileName(chain))
  const file = await disk.open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(Buffer.from(`${JSON.stringify({ seq, hash })}\n`))
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(`${path}.new`, path)
}

/** All of it is longer ago than `since`. The file of before there were months is as young as its last entry. */
async function isPast({ disk, directory }: Place, { name, month }: AuditFile, since: EpochMs): Promise<boolean> {
  if (month !== undefined) return endOfMonth(month) <= since
  const newest = (await readLines(directory, name, disk)).findLast(({ line }) => line !== undefined)?.line
  const at = newest === undefined ? (await disk.stat(join(directory, name))).mtimeMs : timeOf(newest)
  return at <= since
}
