/**
 * Starts the threads that decode a replay's large files, before anything else is loaded: a thread takes as long to start as
 * the rest of the program does, so they start together. Loads next to nothing itself, for the same reason.
 */
import { statSync } from 'node:fs'
import type { DecoderOptions } from '../core/formats/decoder.ts'
import { standardInputPath } from '../sources/file-pieces.ts'
import {
  canDecodeAhead,
  type DecodedAhead,
  type DecodingThread,
  decodeAhead,
  startDecoding,
} from '../worker/decode-ahead.ts'

/** From this size on, packed or not, a thread of its own is started to decode a file. */
const aheadBytes = 4 * 1024 * 1024
/** So many are started at once; more would only keep one another from starting. */
const startedAtOnce = 2

/**
 * Answers, for each file that is worth a thread, what one makes of it: one that has begun, for each time its path is among
 * `paths`; else one that begins when the file is opened. What is found in folders is not known here yet.
 */
export function startThreads(
  paths: readonly string[],
): (path: string, options: DecoderOptions, signal: AbortSignal) => DecodedAhead | undefined {
  const started = new Map<string, DecodingThread[]>()
  for (const path of paths.filter(paysAhead).slice(0, startedAtOnce))
    started.set(path, [...(started.get(path) ?? []), startDecoding(path)])
  return (path, options, signal) =>
    started.get(path)?.shift()?.decode(options, signal) ??
    (paysAhead(path) ? decodeAhead(path, options, signal) : undefined)
}

/** Whether a thread is worth its start: for a large file, where what runs was built. */
export function paysAhead(path: string): boolean {
  if (!canDecodeAhead || path === standardInputPath) return false
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() === true && stats.size >= aheadBytes
}
