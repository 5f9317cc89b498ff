/**
 * Logs that are still written to as a source, as `tail -F` reads them: a file that is not there yet is waited for, one that
 * is rotated is read on. Nothing is trusted to tell of changes but the files themselves, which are asked again and again:
 * a watch on a folder says nothing on network file systems, and too little elsewhere.
 */
import type { Clock } from '../clock.ts'
import type { EpochMs, PartitionId } from '../core/vocabulary.ts'
import { type FollowedLog, followLog } from './file-log.ts'
import type { Source, SourceEvent } from './source.ts'

export interface FollowSettings {
  /** Plain logs that grow. */
  readonly paths: readonly string[]
  readonly maxRecordBytes: number
}

export interface FollowSurroundings {
  readonly clock: Clock
  readonly onEvent?: (event: SourceEvent) => void
}

/** Two `stat` a log: cheap, and a fraction of what detection takes. */
const askEveryMs = 250

export function followingSource(
  { paths, maxRecordBytes }: FollowSettings,
  { clock, onEvent = () => {} }: FollowSurroundings,
): Source {
  let logs: readonly FollowedLog[] = []
  let held: ReadonlySet<PartitionId> = new Set()
  let heardAt: EpochMs | undefined
  const close = async (): Promise<void> => {
    const closing = logs
    logs = []
    for (const log of closing) await log.close()
  }
  return {
    description: paths.length === 1 ? `growing file ${paths[0]}` : `${paths.length} growing files from ${paths[0]}`,
    keyed: false,
    async *read(positions, signal) {
      logs = paths.map(path => followLog({ path, others: paths, maxRecordBytes, clock, onEvent }))
      try {
        for (const log of logs) await log.open(positions)
        while (!signal.aborted) {
          let isIdle = true
          heardAt = clock.now()
          for (const log of logs) {
            const batch = await log.next(held)
            if (batch === undefined) continue
            isIdle = false
            yield batch
            if (signal.aborted) return
          }
          if (isIdle) await clock.sleep(askEveryMs, signal)
        }
      } finally {
        await close()
      }
    },
    partitions: () => logs.flatMap(log => log.partitions()),
    heardAt: () => heardAt,
    hold(partitions) {
      held = new Set(partitions)
    },
    // The checkpoint is all there is.
    commit: async () => {},
    close,
  }
}
