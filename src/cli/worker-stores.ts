/** Everything a worker keeps on disk, opened together and closed together, whatever fails in between. */
import { type AuditLog, type AuditOptions, openAudit } from '../stores/audit.ts'
import { type Checkpoints, openCheckpoints } from '../stores/checkpoint.ts'
import type { Host, LockLife } from '../stores/checkpoint-lock.ts'
import { type Disk, machineDisk } from '../stores/disk.ts'
import { type OpenedJournal, openEffectJournal } from '../stores/effect-journal.ts'
import { type IncidentLog, openIncidentLog } from '../stores/incident-log.ts'
import { openRejects, type Rejects } from '../stores/rejects.ts'
import { openUndelivered, type Undelivered } from '../stores/undelivered.ts'
import type { Telemetry } from '../worker/telemetry.ts'

export interface WorkerStores {
  readonly checkpoints: Checkpoints
  readonly journal: OpenedJournal
  readonly audit: AuditLog
  readonly incidents: IncidentLog
  readonly rejects: Rejects
  readonly undelivered: Undelivered
}

export interface StateFolders {
  /** Of this stream, or of one partition of it. */
  readonly directory: string
  /** Of all partitions: what nobody got is kept in one place, wherever its partition is read. */
  readonly whole: string
}

/** `life`: when another who holds the directory counts as gone. Checkpoints first: their lock keeps a second worker out of the folder before it touches anything else. */
export async function withWorkerStores(
  { directory, whole }: StateFolders,
  telemetry: Telemetry,
  work: (stores: WorkerStores) => Promise<void>,
  life?: LockLife,
  auditing: (stores: Pick<WorkerStores, 'journal'>) => AuditOptions = () => ({}),
  { disk = machineDisk, host }: { readonly disk?: Disk; readonly host?: Host } = {},
): Promise<void> {
  const opened: { close(): Promise<void> }[] = []
  async function keep<T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> {
    const store = await opening
    opened.unshift(store)
    return store
  }
  try {
    const checkpoints = await keep(openCheckpoints(directory, { life, disk, ...(host && { host }) }))
    const journal = await keep(openEffectJournal(directory, disk, checkpoints.stillOurs))
    if (journal.cutBytes > 0) telemetry({ name: 'journalCut', bytes: journal.cutBytes })
    const audit = await keep(
      openAudit(directory, ({ message }) => telemetry({ name: 'auditFailed', because: message }), disk, {
        ...auditing({ journal }),
        stillOurs: checkpoints.stillOurs,
      }),
    )
    const incidents = await keep(
      openIncidentLog(directory, ({ message }) => telemetry({ name: 'incidentUnlogged', because: message }), {
        disk,
      }),
    )
    const rejects = await openRejects(directory, { disk })
    const undelivered = await openUndelivered(whole, { disk })
    await work({ checkpoints, journal, audit, incidents, rejects, undelivered })
  } finally {
    for (const store of opened) await store.close()
  }
}
