/**
 * Keeps a recording in a directory of its own: segments `recording-<number>`, each of which begins with a state, so that
 * any of them can be replayed without those before it.
 *
 *   begin(head, state) ─► new file: head, state        add(entry) ─► gathered, then framed and appended
 *
 * Bound: `maxBytes` over all segments; at the bound the oldest whole ones go. A segment ends at an eighth of it, or at
 * twice what its state took, whichever is more; where not even that has room, recording stops.
 *
 * Whatever goes wrong after the opening stops the recording and is told once: the worker's own work goes on.
 */
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { serialize } from 'node:v8'
import { StreamError } from '../core/errors.ts'
import { type DirectoryLock, lockDirectory } from './checkpoint-lock.ts'
import { machineDisk } from './disk.ts'
import { syncDirectory } from './durable.ts'
import type { RecordedEntry, SegmentHead } from './recording-entry.ts'
import { frameOf, segmentBeginning } from './recording-frames.ts'

export interface Recording {
  /** Of the segment that comes next: unlike any other's in this directory. */
  readonly nextNumber: number
  /** From here on entries go to a new segment. The state is copied before this returns: it may change at once. */
  begin(head: SegmentHead, state: unknown): void
  /** `bytes`: about how much it is. An entry may be completed until the next is added. */
  add(entry: RecordedEntry, bytes: number): void
  /** The segment is as long as it should be. */
  isFull(): boolean
  /** Nothing is kept any more. */
  /** Gives up, and says why; what is recorded so far stays. */
  stop(because: string): void
  isStopped(): boolean
  /** Resolves when all that was added is on disk, or recording has stopped. */
  flush(): Promise<void>
  close(): Promise<void>
}

export interface RecordingOptions {
  readonly directory: string
  readonly maxBytes: number
  /** Called once at most. */
  readonly stopped: (because: string) => void
}

const frameBytes = 256 * 1024
/** Gathered and not on disk yet; a disk that is further behind than this does not keep up. */
const mostWaitingBytes = 64 * 1024 * 1024
const namePattern = /^recording-(\d{8})$/

export const segmentName = (number: number): string => `recording-${String(number).padStart(8, '0')}`

/** Numbers of the segments in a directory, oldest first. */
export async function segmentNumbers(directory: string): Promise<readonly number[]> {
  const names = await readdir(directory)
  return names
    .flatMap(name => namePattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((one, other) => one - other)
}

interface Segment {
  readonly number: number
  readonly path: string
  bytes: number
}

/** Makes and locks `directory`. Throws StreamError STORE_UNWRITABLE if it cannot be written or another worker has it. */
export async function openRecording({ directory, maxBytes, stopped }: RecordingOptions): Promise<Recording> {
  const { lock, kept } = await opening(directory)
  let nextNumber = (kept.at(-1)?.number ?? 0) + 1
  let current: { readonly segment: Segment; readonly file: FileHandle } | undefined
  let fullAtBytes = maxBytes / 8
  let gathered: RecordedEntry[] = []
  let gatheredBytes = 0
  let waitingBytes = 0
  let isStopped = false
  let lastWork: Promise<void> = Promise.resolve()

  /** One after another, and none after one that failed. */
  function queue(bytes: number, work: () => Promise<void>): void {
    waitingBytes += bytes
    if (waitingBytes > mostWaitingBytes) stop(`the disk does not keep up (${megabytes(waitingBytes)} are waiting)`)
    lastWork = lastWork.then(async () => {
      waitingBytes -= bytes
      if (isStopped) return
      await work().catch((cause: unknown) => stop(cause instanceof Error ? cause.message : String(cause)))
    })
  }

  function stop(because: string): void {
    if (isStopped) return
    isStopped = true
    gathered = []
    stopped(because)
  }

  async function append(serialised: Buffer): Promise<void> {
    if (current === undefined) return
    const { segment, file } = current
    const frame = await frameOf(serialised)
    try {
      for (const part of frame) await file.appendFile(part)
    } catch (cause) {
      // What of the frame is there is of no use, and a disk that is full wants the room.
      await file.truncate(segment.bytes).catch(() => undefined)
      throw cause
    }
    segment.bytes += frame[0].length + frame[1].length
  }

  async function makeRoom(): Promise<void> {
    let total = kept.reduce((sum, { bytes }) => sum + bytes, 0)
    while (total > maxBytes && kept.length > 1) {
      const oldest = kept.shift()
      if (oldest === undefined) return
      await unlink(oldest.path)
      total -= oldest.bytes
    }
  }

  async function beginSegment(number: number, head: Buffer, state: Buffer): Promise<void> {
    await endSegment()
    const segment: Segment = { number, path: join(directory, segmentName(number)), bytes: 0 }
    const file = await open(segment.path, 'ax', 0o600)
    current = { segment, file }
    kept.push(segment)
    const beginning = segmentBeginning()
    await file.appendFile(beginning)
    segment.bytes = beginning.length
    await append(head)
    await append(state)
    await file.sync()
    await syncDirectory(machineDisk, directory)
    fullAtBytes = Math.max(maxBytes / 8, 2 * segment.bytes)
    if (fullAtBytes > maxBytes / 2)
      throw new Error(
        `the bound of ${megabytes(maxBytes)} (--record-max) has no room for states of ${megabytes(segment.bytes)}`,
      )
    await makeRoom()
  }

  async function endSegment(): Promise<void> {
    if (current === undefined) return
    const { file } = current
    current = undefined
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }

  function handOver(): void {
    if (gathered.length === 0 || isStopped) return
    const serialised = serialize(gathered)
    gathered = []
    gatheredBytes = 0
    queue(serialised.length, async () => {
      await append(serialised)
      await makeRoom()
    })
  }

  return {
    get nextNumber() {
      return nextNumber
    },
    begin(head, state) {
      if (isStopped) return
      handOver()
      const number = nextNumber++
      const [headBytes, stateBytes] = [serialize(head), serialize(state)]
      // Not held against the disk: a large state is no backlog.
      queue(0, () => beginSegment(number, headBytes, stateBytes))
      // Until its state is written, the size of the segment is that of the one before.
      fullAtBytes = Number.POSITIVE_INFINITY
    },
    add(entry, bytes) {
      if (isStopped) return
      if (gatheredBytes > frameBytes) handOver()
      gathered.push(entry)
      gatheredBytes += bytes
    },
    isFull: () => (current?.segment.bytes ?? 0) >= fullAtBytes,
    stop,
    isStopped: () => isStopped,
    async flush() {
      handOver()
      queue(0, async () => current?.file.sync())
      await lastWork
    },
    async close() {
      handOver()
      await lastWork
      await endSegment().catch((cause: unknown) => stop(cause instanceof Error ? cause.message : String(cause)))
      await lock.release()
    },
  }
}

async function opening(directory: string): Promise<{ readonly lock: DirectoryLock; readonly kept: Segment[] }> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const lock = await lockDirectory(directory)
    const kept: Segment[] = []
    for (const number of await segmentNumbers(directory)) {
      const path = join(directory, segmentName(number))
      kept.push({ number, path, bytes: (await stat(path)).size })
    }
    return { lock, kept }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new StreamError('STORE_UNWRITABLE', `Cannot record into ${directory}: ${why}`, {
      retry: 'never',
      hint: 'Give --record a directory of its own that this user may write',
      cause,
    })
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`
