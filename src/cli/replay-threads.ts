/**
 * Starts the threads that decode a replay's large files, before anything else is loaded: a thread takes as long to start as
 * the rest of the program does, so they start together. Loads next to nothing itself, for the same reason.
 */
import { statSync } from 'node:fs'
import { standardInputPath } from '../sources/file-pieces.ts'
import { canDecodeAhead, type DecodingThread, startDecoding } from '../worker/decode-ahead.ts'

/** From this size on, plain or gzip, a thread of its own is started to decode a file. */
const aheadBytes = 4 * 1024 * 1024
/** So many are started at once; more would only keep one another from starting. */
const startedAtOnce = 2

/** Answers a thread for each file that is worth one, once for each time its path is given. */
export function startThreads(paths: readonly string[]): (path: string) => DecodingThread | undefined {
  const started = new Map<string, DecodingThread[]>()
  for (const path of paths.filter(paysAhead).slice(0, startedAtOnce))
    started.set(path, [...(started.get(path) ?? []), startDecoding(path)])
  return path => started.get(path)?.shift() ?? (paysAhead(path) ? startDecoding(path) : undefined)
}

const paysAhead = (path: string): boolean =>
  canDecodeAhead && path !== standardInputPath && (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= aheadBytes
