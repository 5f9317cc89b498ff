/** Figures of a running engine, for people: telemetry, the terminal and the end of a replay show these. */
import type { Engine } from './engine-state.ts'
import { holdsLimit } from './incident.ts'
import type { Owner } from './owner.ts'
import { type EpochMs, type PartitionId, SECOND_MS } from './vocabulary.ts'

export interface EngineStatus {
  /** Highest event time seen, epoch ms; undefined before the first call. */
  readonly eventTime: EpochMs | undefined
  readonly watermark: EpochMs | undefined
  readonly keys: number
  readonly activeKeys: number
  readonly calls: number
  /** Calls that came after their pane had closed. */
  readonly late: number
  readonly rejected: { readonly future: number; readonly tooOld: number }
  /** End of the latest count row or call, epoch ms: what a log that follows must not begin before. */
  readonly knownUntil: EpochMs | undefined
  readonly openIncidents: number
  readonly throttled: number
  readonly history: boolean
  readonly frontiers: ReadonlyMap<PartitionId, EpochMs>
}

export function engineStatus({ state }: Engine): EngineStatus {
  const owners = [...state.owners.values()].filter(({ closedToSecond }) => closedToSecond >= 0)
  const incidents = owners.flatMap(({ incidents: keys }) => [...keys].map(({ incident }) => incident))
  const sum = (of: (owner: Owner) => number) => owners.reduce((total, owner) => total + of(owner), 0)
  const isKnown = owners.length > 0
  return {
    eventTime: isKnown ? Math.max(...owners.map(({ time }) => time.highest)) : undefined,
    watermark: isKnown ? Math.min(...owners.map(({ closedToSecond }) => closedToSecond * SECOND_MS)) : undefined,
    keys: sum(({ keys }) => keys.size),
    activeKeys: sum(({ active }) => active.size),
    calls: sum(({ calls }) => calls),
    late: sum(({ lateCalls }) => lateCalls),
    rejected: state.rejected,
    knownUntil: isKnown
      ? Math.max(...owners.map(({ time, rowsUntil }) => Math.max(time.highest, rowsUntil)))
      : undefined,
    openIncidents: incidents.filter(({ phase }) => phase !== 'quiet' && phase !== 'suspected').length,
    throttled: incidents.filter(holdsLimit).length,
    history: state.isHistory,
    frontiers: new Map(
      owners.flatMap(({ time }) => [...time.partitions].map(([id, { frontier }]) => [id, frontier] as const)),
    ),
  }
}
