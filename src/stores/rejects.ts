/**
 * What could not be counted, kept for whoever has to find out why: position, partition, reason, length and the redacted
 * excerpt that the decoder made (never a value of the line), one JSON line each. Bounded: `rejects.ndjson` becomes
 * `rejects.1.ndjson` when it is full, and the one before is gone. Counters by reason know all, samples or not.
 */
import { join } from 'node:path'
import type { CallBatch, Rejection, RejectionReason } from '../core/call-batch.ts'
import type { EpochMs, PartitionId } from '../core/vocabulary.ts'
import { type Disk, machineDisk } from './disk.ts'

export interface RejectsSummary {
  /** By reason, most first: since the last summary, and since the start. */
  readonly recent: Readonly<Partial<Record<RejectionReason, number>>>
  readonly total: Readonly<Partial<Record<RejectionReason, number>>>
  /** Samples that were not written since the start: too many waited, or the disk refused them. */
  readonly unwritten: number
  /** Why the disk refused the last write, if it did since the last summary. */
  readonly trouble: string | undefined
}

export interface RejectedFrom {
  readonly partition: PartitionId
  readonly at: EpochMs
}

export interface Rejects {
  /** Takes the counts and samples of a decoded batch. Keeps nothing of the batch, which may be reused at once. */
  noteBatch(batch: Pick<CallBatch, 'rejected' | 'samples'>, from: RejectedFrom): void
  /** Takes what a source itself could not hand over. */
  noteFaults(faults: readonly Omit<Rejection, 'excerpt'>[], from: RejectedFrom): void
  /** Writes what waits. Never fails: bad input and a full disk together must not stop the stream (see `trouble`). */
  flush(): Promise<void>
  /** What came since the last summary, or undefined if nothing did. To be told once a minute. */
  summary(): RejectsSummary | undefined
  /** Since the start, by reason. */
  totals(): ReadonlyMap<RejectionReason, number>
}

export interface RejectsOptions {
  /** Size of one file; there are at most two. */
  readonly maxFileBytes?: number
  readonly disk?: Disk
}

/** So many samples wait for the next flush; beyond them only the counters know. */
const longestQueue = 1_000
const longestExcerpt = 300
const defaultFileBytes = 5 * 1024 * 1024

export async function openRejects(directory: string, options: RejectsOptions = {}): Promise<Rejects> {
  const { maxFileBytes = defaultFileBytes, disk = machineDisk } = options
  const path = join(directory, 'rejects.ndjson')
  await disk.mkdir(directory, { recursive: true, mode: 0o700 })
  let fileBytes = await sizeOf(disk, path)
  let waiting: string[] = []
  let unwritten = 0
  let trouble: string | undefined
  let recent = new Map<RejectionReason, number>()
  const total = new Map<RejectionReason, number>()

  const count = (reason: RejectionReason, more: number) => {
    recent.set(reason, (recent.get(reason) ?? 0) + more)
    total.set(reason, (total.get(reason) ?? 0) + more)
  }
  const keep = (sample: object) => {
    if (waiting.length < longestQueue) waiting.push(`${JSON.stringify(sample)}\n`)
    else unwritten++
  }
  /** Appends lines until the file is full, turns it, and goes on. */
  const write = async (lines: readonly string[]) => {
    let piece = ''
    for (const line of lines) {
      if (
        fileBytes + Buffer.byteLength(piece) + Buffer.byteLength(line) > maxFileBytes &&
        fileBytes + piece.length > 0
      ) {
        await append(piece)
        await disk.rename(path, join(directory, 'rejects.1.ndjson'))
        fileBytes = 0
        piece = ''
      }
      piece += line
    }
    await append(piece)
  }
  const append = async (text: string) => {
    if (text === '') return
    await disk.appendFile(path, text, { mode: 0o600 })
    fileBytes += Buffer.byteLength(text)
  }
  let lastFlush: Promise<void> = Promise.resolve()
  const flushOnce = async () => {
    const lines = waiting
    waiting = []
    try {
      await write(lines)
    } catch (error) {
      unwritten += lines.length
      trouble = error instanceof Error ? error.message : String(error)
      fileBytes = await sizeOf(disk, path)
    }
  }

  return {
    noteBatch({ rejected, samples }, { partition, at }) {
      for (const [reason, more] of rejected) count(reason, more)
      for (const { reason, position, length, excerpt } of samples)
        keep({
          at: new Date(at).toISOString(),
          partition,
          position,
          reason,
          length,
          excerpt: excerpt.slice(0, longestExcerpt),
        })
    },
    noteFaults(faults, { partition, at }) {
      for (const { reason, position, length } of faults) {
        count(reason, 1)
        keep({ at: new Date(at).toISOString(), partition, position, reason, length, excerpt: '' })
      }
    },
    flush() {
      lastFlush = lastFlush.then(flushOnce)
      return lastFlush
    },
    summary() {
      if (recent.size === 0 && trouble === undefined) return undefined
      const summary = { recent: mostFirst(recent), total: mostFirst(total), unwritten, trouble }
      recent = new Map()
      trouble = undefined
      return summary
    },
    totals: () => total,
  }
}

/** `1,204 lines: broken-json 1,200, no-time 4`: the summary in words. */
export function rejectsText({ recent, unwritten, trouble }: RejectsSummary): string {
  const reasons = Object.entries(recent)
  const lines = reasons.reduce((sum, [, count]) => sum + count, 0)
  return [
    `${lines} ${lines === 1 ? 'line' : 'lines'}: ${reasons.map(([reason, count]) => `${reason} ${count}`).join(', ')}`,
    ...(trouble === undefined ? [] : [`samples cannot be written (${trouble})`]),
    ...(unwritten === 0 ? [] : [`${unwritten} samples not kept so far`]),
  ].join('; ')
}

function mostFirst(counts: ReadonlyMap<RejectionReason, number>): Readonly<Partial<Record<RejectionReason, number>>> {
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a))
}

async function sizeOf(disk: Disk, path: string): Promise<number> {
  try {
    return (await disk.stat(path)).size
  } catch {
    return 0
  }
}
