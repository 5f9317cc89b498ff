/** Figures of a running engine, for people: telemetry, the terminal and the end of a replay show these. */
import { type Engine, type Halt, watching } from './engine-state.ts'
import { holdsLimit } from './incident/incident-questions.ts'
import { type Owner, SHARED_OWNER } from './state/owner.ts'
import { type ApiKeyId, type EpochMs, type PartitionId, SECOND_MS } from './vocabulary.ts'

export interface EngineStatus {
  /** Highest event time seen, epoch ms; undefined before the first call. */
  readonly eventTime: EpochMs | undefined
  readonly watermark: EpochMs | undefined
  readonly keys: number
  /** Known keys that had to make room for others, and calls of new ones that found none and count as anonymous. */
  readonly forgottenKeys: number
  readonly unplacedCalls: number
  readonly activeKeys: number
  readonly calls: number
  /** Calls that came after their pane had closed. */
  readonly late: number
  readonly rejected: { readonly future: number; readonly tooOld: number }
  /** End of the latest count row or call, epoch ms: what a log that follows must not begin before. */
  readonly knownUntil: EpochMs | undefined
  readonly openIncidents: number
  readonly throttled: number
  /** Keys whose limit is lowered, or on its way down or up. */
  readonly limitedKeys: ReadonlySet<ApiKeyId>
  /** While a person wants nobody throttled. */
  readonly halted: Halt | undefined
  readonly history: boolean
  /** Event time at which the backlog began that is being read; undefined while there is none. */
  readonly catchingUpFrom: EpochMs | undefined
  readonly frontiers: ReadonlyMap<PartitionId, EpochMs>
}

export function engineStatus({ state }: Engine): EngineStatus {
  const owners = [...state.owners.values()].filter(({ closedToSecond }) => closedToSecond >= 0)
  // Of a keyed stream the shared owner only holds what the history taught: its time stands still.
  const apart = owners.filter(owner => owner !== state.owners.get(SHARED_OWNER))
  const living = apart.length > 0 ? apart : owners
  const unquiet = [...watching(state)].flatMap(({ incidents }) => [...incidents])
  const limited = unquiet.filter(({ incident }) => holdsLimit(incident))
  const sum = (of: (owner: Owner) => number) => owners.reduce((total, owner) => total + of(owner), 0)
  const isKnown = owners.length > 0
  return {
    eventTime: isKnown ? Math.max(...owners.map(({ time }) => time.highest)) : undefined,
    watermark: isKnown ? Math.min(...living.map(({ closedToSecond }) => closedToSecond * SECOND_MS)) : undefined,
    keys: sum(({ keys }) => keys.size),
    forgottenKeys: sum(({ keys }) => keys.forgotten),
    unplacedCalls: state.unplaced,
    activeKeys: sum(({ active }) => active.size),
    calls: sum(({ calls }) => calls),
    late: sum(({ lateCalls }) => lateCalls),
    rejected: state.rejected,
    knownUntil: isKnown
      ? Math.max(...owners.map(({ time, rowsUntil }) => Math.max(time.highest, rowsUntil)))
      : undefined,
    openIncidents: unquiet.filter(({ incident }) => incident.phase !== 'suspected').length,
    throttled: limited.length,
    limitedKeys: new Set(limited.map(({ keyId }) => keyId)),
    halted: state.halted,
    history: state.isHistory,
    catchingUpFrom: backlogFrom(living),
    frontiers: new Map(
      owners.flatMap(({ time }) => [...time.partitions].map(([id, { frontier }]) => [id, frontier] as const)),
    ),
  }
}

function backlogFrom(owners: readonly Owner[]): EpochMs | undefined {
  const begun = owners.flatMap(({ backlog }) => (backlog.phase === 'catching-up' ? [backlog.from] : []))
  return begun.length === 0 ? undefined : Math.min(...begun)
}
