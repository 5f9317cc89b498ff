/**
 * Which enabled detectors see nothing because the log lacks the field that they need. A detector without its field answers
 * nothing, as it does of a key that is well: so it is told once, or somebody trusts in a watch that nobody keeps.
 */
import type { LogField } from '../../detectors/contract.ts'
import { detectors } from '../../detectors/index.ts'
import type { CallBatch, PaneRow } from './call-batch.ts'
import type { WeirConfig } from './config/config.ts'
import type { EngineInput } from './engine-input.ts'

/** A field that no call has, and who needs it. */
export interface BlindSpot {
  readonly field: LogField
  readonly detectors: readonly string[]
}

/** Looks over a log as it is read. A field is looked for until it is found once, so that a log which has all costs nothing. */
export interface FieldWatch {
  note(read: PartOfBatch): void
  /** Undefined until there were calls enough to tell. */
  spots(): readonly BlindSpot[] | undefined
}

type PartOfBatch = Pick<Extract<EngineInput, { kind: 'batch' }>, 'batch' | 'from' | 'to' | 'panesFrom' | 'panesTo'>

export const wholeBatch = (batch: CallBatch): PartOfBatch => ({
  ...{ batch, from: 0, to: batch.length },
  ...{ panesFrom: 0, panesTo: batch.panes.length },
})

/** A log that has a field has it within so many calls. */
export const CALLS_TO_TELL = 100

export function watchFields(config: WeirConfig): FieldWatch {
  const missing = new Map(needed(config).map(spot => [spot.field, spot]))
  let calls = 0
  return {
    note(read) {
      if (missing.size === 0) return
      const rows = read.batch.panes.slice(read.panesFrom, read.panesTo)
      calls += rows.reduce((sum, row) => sum + row.calls, read.to - read.from)
      for (const field of missing.keys()) if (isInCalls(field, read) || isInRows(field, rows)) missing.delete(field)
    },
    spots: () => (calls < CALLS_TO_TELL ? undefined : [...missing.values()]),
  }
}

/** Fields that an enabled detector needs. Who runs for how long matters to nobody without a pool. */
function needed(config: WeirConfig): readonly BlindSpot[] {
  const needing = new Map<LogField, string[]>()
  for (const { name, needs } of detectors) {
    if (needs === undefined || config.detectors[name]?.enabled !== true) continue
    if (needs === 'latency' && config.pool === undefined) continue
    needing.set(needs, [...(needing.get(needs) ?? []), name])
  }
  return [...needing].map(([field, names]) => ({ field, detectors: names }))
}

function isInCalls(field: LogField, { batch, from, to }: PartOfBatch): boolean {
  const column = { route: batch.route, source: batch.source, status: batch.status, latency: batch.latencyMs }[field]
  const none = field === 'latency' ? -1 : 0
  // Columns of routes and sources are empty where nobody asked for them.
  for (let row = from; row < Math.min(to, column.length); row++) if (column[row] !== none) return true
  return false
}

/** Counts have no routes and no sources. */
function isInRows(field: LogField, rows: readonly PaneRow[]): boolean {
  if (field === 'latency') return rows.some(({ latencyCount }) => latencyCount > 0)
  if (field !== 'status') return false
  return rows.some(
    ({ status2xx, status4xx, status429, status5xx }) => status2xx + status4xx + status429 + status5xx > 0,
  )
}

const fieldWords: Readonly<Record<LogField, string>> = {
  route: 'a route (`fields.route`)',
  source: 'a source (`fields.source`)',
  status: 'a status (`fields.status`)',
  latency: 'a latency (`fields.latencyMs`)',
}

/** `a route (`fields.route`)`: what it is, and the setting that says where it stands. */
export const fieldText = (field: LogField): string => fieldWords[field]

/** `enumeration, stuck-poller: no call has a route (`fields.route`); new-place: no call has …`. */
export const blindText = (spots: readonly BlindSpot[]): string =>
  spots.map(({ field, detectors: names }) => `${names.join(', ')}: no call has ${fieldText(field)}`).join('; ')
