/**
 * The audit log, for people: who changed which limit, when, on what evidence, from what to what, and what came of it.
 * `audit.ndjson`, one line an effect or command, only ever appended to. Read back by `weir throttles show` alone, and not cut: at the gateway's own
 * three changes a minute it grows by under 2 MB on the worst of days. Whoever rotates it may do so at any time but
 * while the worker runs.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StreamError } from '../core/errors.ts'
import type { Outcome, PlanLimits } from '../core/incident/effect.ts'
import type { CommandAnswer, OperatorCommand } from '../core/operator.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'
import { type Disk, machineDisk } from './disk.ts'
import { openWhole, unwritable } from './durable.ts'

const fileName = 'audit.ndjson'

export type AuditEntry = LimitEntry | CommandEntry

/** A person's command, as it was answered; what came of it at the gateway has lines of its own. */
export interface CommandEntry {
  readonly at: EpochMs
  readonly by: string
  readonly change: 'command'
  readonly command: OperatorCommand
  readonly answer: CommandAnswer
}

export interface LimitEntry {
  readonly at: EpochMs
  /** `weir`, or the operator on whose word it was done. */
  readonly by: string
  readonly change: 'throttle' | 'restore-half' | 'restore-full'
  readonly keyId: ApiKeyId
  /** Name in `gateways`; undefined: `gateway`. */
  readonly gateway?: string | undefined
  /** undefined where it was refused before a plan was found. */
  readonly planId: string | undefined
  /** The evidence: what the incident and the effect's intent say. */
  readonly incidentId: string
  readonly effectId: string
  /** undefined = no throttle set, or not changed. */
  readonly from: PlanLimits | undefined
  readonly to: PlanLimits | undefined
  readonly result: Outcome['kind']
  /** Why it was refused. */
  readonly because: string | undefined
}

export interface AuditLog {
  /** Resolves when the entry is on disk, or `failed` was told why not: what was done to a limit is done all the same. */
  record(entry: AuditEntry): Promise<void>
  close(): Promise<void>
}

/** Entries that `isMeant`, oldest first. A line that is not whole says nothing. */
export async function readAudit(
  directory: string,
  isMeant: (entry: AuditEntry) => boolean,
): Promise<readonly AuditEntry[]> {
  const text = await readFile(join(directory, fileName), 'utf8').catch(() => '')
  return text.split('\n').flatMap(line => {
    try {
      const { at, ...rest } = JSON.parse(line)
      const entry = { at: Date.parse(at), ...rest } as AuditEntry
      return isMeant(entry) ? [entry] : []
    } catch {
      return []
    }
  })
}

export async function openAudit(
  directory: string,
  failed: (failure: StreamError) => void,
  disk: Disk = machineDisk,
): Promise<AuditLog> {
  const path = join(directory, fileName)
  const file = await openWhole(disk, directory, path).catch(cause => {
    throw unwritable('the audit log', path, cause)
  })
  let last: Promise<void> = Promise.resolve()
  return {
    record(entry) {
      const { at, ...rest } = entry
      const line = `${JSON.stringify({ at: new Date(at).toISOString(), ...rest })}\n`
      last = last.then(async () => {
        try {
          await file.appendFile(line)
          await file.sync()
        } catch (cause) {
          failed(unwritable('the audit log', path, cause))
        }
      })
      return last
    },
    async close() {
      await last
      await file.close()
    },
  }
}
