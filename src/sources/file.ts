/**
 * Recorded logs and standard input as a source. Each file is a partition, and they are read one after another in the
 * order given, as rotated logs are; those of a folder in the order of their names. (Replay, which merges files by event time, reads their pieces itself.)
 */
import type { Readable } from 'node:stream'
import type { Clock } from '../clock.ts'
import type { PartitionId } from '../core/vocabulary.ts'
import { findFiles } from './file-paths.ts'
import { checkReadable, type FilePiece, readFilePieces } from './file-pieces.ts'
import type { Source, SourceBatch } from './source.ts'

export interface FileSettings {
  /** Plain, gzip or zstd, or folders of such; `-` is standard input. */
  readonly paths: readonly string[]
  readonly maxRecordBytes: number
}

export interface FileSurroundings {
  readonly clock: Clock
  readonly standardInput?: Readable
}

export function fileSource(
  { paths, maxRecordBytes }: FileSettings,
  { clock, standardInput }: FileSurroundings,
): Source {
  // Only the file being read: one whose turn has not come must not hold back the watermark of those before it.
  let reading: readonly PartitionId[] = []
  return {
    description: paths.length === 1 ? `file ${paths[0]}` : `${paths.length} files from ${paths[0]} to ${paths.at(-1)}`,
    keyed: false,
    async *read(positions, signal) {
      const files = await findFiles(paths)
      for (const { path } of files) await checkReadable(path)
      for (const { path } of files) {
        const partition = path as PartitionId
        const from = positions.get(partition)
        reading = [partition]
        const options = {
          maxRecordBytes,
          ...(from === undefined ? {} : { from }),
          ...(standardInput === undefined ? {} : { standardInput }),
        }
        for await (const piece of readFilePieces(path, options, signal)) yield asBatch(partition, piece, clock)
        if (signal.aborted) return
      }
      reading = []
    },
    partitions: () => reading,
    // The checkpoint is all there is.
    commit: async () => {},
    close: async () => {},
  }
}

function asBatch(partition: PartitionId, piece: FilePiece, clock: Clock): SourceBatch {
  const arrivedAt = clock.now()
  return piece.kind === 'record'
    ? { partition, records: [piece.record], arrivedAt }
    : { partition, records: [], faults: [piece.fault], arrivedAt }
}
