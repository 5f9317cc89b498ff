/** Reads a recording back, segment by segment, oldest first. What cannot be read is said, and what stands after it still counts. */
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { StreamError } from '../core/errors.ts'
import { segmentName, segmentNumbers } from './recording.ts'
import type { RecordedEntry, SegmentHead } from './recording-entry.ts'
import { readBeginning, readFrames } from './recording-frames.ts'

export interface RecordedSegment {
  readonly name: string
  readonly head: SegmentHead
  /** The state first, then entries in order; what is torn ends it. */
  read(): AsyncGenerator<SegmentPart>
}

export type SegmentPart =
  | { readonly kind: 'state'; readonly state: unknown }
  | { readonly kind: 'entries'; readonly entries: readonly RecordedEntry[] }
  | { readonly kind: 'torn'; readonly lostBytes: number }

export interface FoundRecording {
  /** Oldest first. */
  readonly segments: readonly RecordedSegment[]
  /** Segments that do not even have a head: the worker was killed while it began them. */
  readonly headless: readonly string[]
}

/**
 * Throws StreamError: SOURCE_UNREADABLE when the directory or a file cannot be read or is not ours, NOTHING_READ when it
 * holds no recording.
 */
export async function findRecording(directory: string): Promise<FoundRecording> {
  const segments: RecordedSegment[] = []
  const headless: string[] = []
  const numbers = await segmentNumbers(directory).catch(cause => {
    throw unreadable(directory, 'there is no such directory', cause)
  })
  for (const number of numbers) {
    const name = segmentName(number)
    const path = join(directory, name)
    const head = await readHead(path)
    if (head === undefined) headless.push(name)
    else segments.push({ name, head, read: () => readParts(path) })
  }
  if (segments.length > 0) return { segments, headless }
  throw new StreamError('NOTHING_READ', `There is no recording in ${directory}`, {
    retry: 'never',
    hint: 'weir run --record DIR makes one; give the same DIR here',
  })
}

async function readHead(path: string): Promise<SegmentHead | undefined> {
  for await (const value of valuesOf(path)) return value.kind === 'frame' ? headOf(value.value) : undefined
  return undefined
}

async function* readParts(path: string): AsyncGenerator<SegmentPart> {
  let ordinal = 0
  for await (const read of valuesOf(path)) {
    if (read.kind === 'torn') yield read
    else if (ordinal === 1) yield { kind: 'state', state: read.value }
    else if (ordinal > 1) yield { kind: 'entries', entries: entriesOf(read.value) }
    ordinal++
  }
}

async function* valuesOf(path: string) {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const other = await readBeginning(file)
    if (other !== undefined) throw new Error(other)
    yield* readFrames(file)
  } catch (cause) {
    throw unreadable(path, cause instanceof Error ? cause.message : String(cause), cause)
  } finally {
    await file?.close()
  }
}

/** Ours by the file's beginning and the frame's checksum. */
const headOf = (value: unknown): SegmentHead => value as SegmentHead
const entriesOf = (value: unknown): readonly RecordedEntry[] => value as readonly RecordedEntry[]

function unreadable(path: string, because: string, cause: unknown): StreamError {
  if (cause instanceof StreamError) return cause
  return new StreamError('SOURCE_UNREADABLE', `Cannot read the recording ${path}: ${because}`, {
    retry: 'never',
    hint: 'Give --recording the directory that weir run --record wrote, on the same or a newer Node.js',
    cause,
  })
}
