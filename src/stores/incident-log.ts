/**
 * What was told of which incident when, so that a person can speak of it later by its number: `incidents.ndjson`, a line a
 * change. It is no part of the state: a change that a crash has repeated stands there twice, and one that the disk
 * refused is told and missing. Bounded: `incidents.ndjson` becomes `incidents.1.ndjson` at 5 MB, some 25,000 changes, and
 * the one before is gone.
 */
import { join } from 'node:path'
import { z } from 'zod'
import type { StreamError } from '../core/errors.ts'
import type { Standing } from '../core/explanation/delay.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { type Disk, machineDisk } from './disk.ts'
import { unwritable } from './durable.ts'

export type LoggedChange = Pick<
  Explanation,
  'incidentId' | 'keyId' | 'phase' | 'kind' | 'severity' | 'onsetAt' | 'decidedAt'
>

export interface IncidentLog {
  /** Never waits, never fails. */
  record(change: LoggedChange): void
  /** What was told of an incident last; of those that were told of lately. */
  standingOf(incidentId: string): Standing | undefined
  close(): Promise<void>
}

const fileName = 'incidents.ndjson'
const olderName = 'incidents.1.ndjson'
const defaultFileBytes = 5 * 1024 * 1024
/** So many incidents are known by what was told of them last: an alert that comes later than all these says less. */
const mostStandings = 10_000

export async function openIncidentLog(
  directory: string,
  failed: (failure: StreamError) => void,
  { maxFileBytes = defaultFileBytes, disk = machineDisk }: { maxFileBytes?: number; disk?: Disk } = {},
): Promise<IncidentLog> {
  const path = join(directory, fileName)
  await disk.mkdir(directory, { recursive: true }).catch(cause => {
    throw unwritable('the incident log', directory, cause)
  })
  let bytes = await disk.stat(path).then(
    ({ size }) => size,
    () => 0,
  )
  const standings = await standingsIn([directory], disk)
  let last: Promise<void> = Promise.resolve()
  async function append(line: string): Promise<void> {
    try {
      if (bytes > 0 && bytes + line.length > maxFileBytes) {
        await disk.rename(path, join(directory, olderName))
        bytes = 0
      }
      await disk.appendFile(path, line)
      bytes += line.length
    } catch (cause) {
      failed(unwritable('the incident log', path, cause))
    }
  }
  return {
    record(change) {
      noteStanding(standings, change)
      const line = lineOf(change)
      last = last.then(() => append(line))
    },
    standingOf: incidentId => standings.get(incidentId),
    close: () => last,
  }
}

function lineOf({ incidentId, keyId, phase, kind, severity, onsetAt, decidedAt }: LoggedChange): string {
  return `${JSON.stringify({ incidentId, keyId, phase, kind, severity, onsetAt, decidedAt })}\n`
}

export interface LoggedIncident extends Pick<LoggedChange, 'incidentId' | 'keyId' | 'kind' | 'severity'> {
  /** From its onset to what was told of it last. */
  readonly from: EpochMs
  readonly to: EpochMs
}

/**
 * The incident of this id, the last of several: where a worker has lost its state, its incidents are numbered anew. Undefined
 * where nothing is known of it. A worker may write meanwhile: a line without its end is none yet.
 */
export async function findIncident(directory: string, incidentId: string): Promise<LoggedIncident | undefined> {
  let found: LoggedIncident | undefined
  for (const name of [olderName, fileName]) {
    const content = await machineDisk.readFile(join(directory, name)).catch(() => '')
    for (const line of content.toString().split('\n')) {
      const change = line.includes(incidentId) ? changeOf(line) : undefined
      if (change?.incidentId === incidentId) found = joined(found, change)
    }
  }
  return found
}

/** What was told last of each incident that the log still has, the most recent ones. */
export async function standingsIn(
  directories: readonly string[],
  disk: Disk = machineDisk,
): Promise<Map<string, Standing>> {
  const standings = new Map<string, Standing>()
  for (const path of directories.flatMap(each => [join(each, olderName), join(each, fileName)])) {
    const content = await disk.readFile(path).catch(() => '')
    for (const line of content.toString().split('\n')) {
      const change = line === '' ? undefined : changeOf(line)
      if (change !== undefined) noteStanding(standings, change)
    }
  }
  return standings
}

function noteStanding(
  standings: Map<string, Standing>,
  { incidentId, phase, decidedAt }: Pick<LoggedChange, 'incidentId' | 'phase' | 'decidedAt'>,
): void {
  // Told again it is the youngest.
  standings.delete(incidentId)
  standings.set(incidentId, { phase, at: decidedAt })
  const [oldest] = standings.size > mostStandings ? standings.keys() : []
  if (oldest !== undefined) standings.delete(oldest)
}

/** Changes of one key, or of one incident, oldest first. */
export async function changesOf(directory: string, ofWhat: string): Promise<readonly LoggedChange[]> {
  const changes: LoggedChange[] = []
  for (const name of [olderName, fileName]) {
    const content = await machineDisk.readFile(join(directory, name)).catch(() => '')
    for (const line of content.toString().split('\n')) {
      const change = line.includes(ofWhat) ? changeOf(line) : undefined
      if (change?.incidentId === ofWhat || change?.keyId === ofWhat) changes.push(change)
    }
  }
  return changes
}

const shape = z.object({
  incidentId: z.string(),
  keyId: z.string(),
  phase: z.enum(['open', 'mitigated', 'recovering', 'closed']),
  kind: z.string(),
  severity: z.string(),
  onsetAt: z.number(),
  decidedAt: z.number(),
})

/** Of a line that is not whole, or that a disk or a hand has made something else of, nothing is known. */
function changeOf(line: string): LoggedChange | undefined {
  try {
    const { data } = shape.safeParse(JSON.parse(line))
    return data as LoggedChange | undefined
  } catch {
    return undefined
  }
}

/** After its end an id speaks of another incident. */
const APART_MS = 60 * 60_000

function joined(before: LoggedIncident | undefined, change: LoggedChange): LoggedIncident {
  const { incidentId, keyId, kind, severity, onsetAt, decidedAt } = change
  const isSame = before !== undefined && onsetAt <= before.to + APART_MS && decidedAt >= before.from
  const from = isSame ? Math.min(before.from, onsetAt) : onsetAt
  return { incidentId, keyId, kind, severity, from, to: Math.max(isSame ? before.to : decidedAt, decidedAt) }
}
