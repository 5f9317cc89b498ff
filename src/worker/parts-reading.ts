/**
 * Of several parts of a stream, each a life of its own, what a worker as a whole has read: for whoever looks at the worker and
 * not at a partition. Sums add up; of times and lags the worst counts.
 */
import type { PartitionId } from '../core/vocabulary.ts'
import type { Lag, Reading } from './telemetry.ts'

export interface PartsReading {
  note(partition: PartitionId, reading: Reading): void
  forget(partition: PartitionId): void
  /** What was read since it was asked last; undefined before any part has said anything. */
  read(): Reading | undefined
}

const nothing = { records: 0, bytes: 0, calls: 0, rejected: 0 }

export function createPartsReading(): PartsReading {
  const last = new Map<PartitionId, Reading>()
  let since = { ...nothing }
  /** Of parts that are another worker's by now. */
  let countedElsewhere = 0
  return {
    note(partition, reading) {
      last.set(partition, reading)
      const { records, bytes, calls, rejected } = since
      since = {
        records: records + reading.records,
        bytes: bytes + reading.bytes,
        calls: calls + reading.calls,
        rejected: rejected + reading.rejected,
      }
    },
    forget(partition) {
      countedElsewhere += last.get(partition)?.totalCalls ?? 0
      last.delete(partition)
    },
    read() {
      const parts = [...last.values()]
      if (parts.length === 0) return undefined
      const sum = (of: (reading: Reading) => number): number => parts.reduce((total, part) => total + of(part), 0)
      const known = (of: (reading: Reading) => number | undefined): readonly number[] =>
        parts.flatMap(part => of(part) ?? [])
      const whole: Reading = {
        ...since,
        overMs: Math.max(...parts.map(({ overMs }) => overMs)),
        lag: parts.map(({ lag }) => lag).reduce(worse, undefined),
        eventTime: most(known(({ eventTime }) => eventTime)),
        watermark: least(known(({ watermark }) => watermark)),
        keys: sum(({ keys }) => keys),
        activeKeys: sum(({ activeKeys }) => activeKeys),
        totalCalls: countedElsewhere + sum(({ totalCalls }) => totalCalls),
        late: sum(({ late }) => late),
        future: sum(({ future }) => future),
        openIncidents: sum(({ openIncidents }) => openIncidents),
        throttled: sum(({ throttled }) => throttled),
        history: parts.some(({ history }) => history),
        catchingUpFrom: least(known(({ catchingUpFrom }) => catchingUpFrom)),
        isHalted: parts.some(({ isHalted }) => isHalted),
      }
      since = { ...nothing }
      return whole
    },
  }
}

const most = (values: readonly number[]): number | undefined => (values.length === 0 ? undefined : Math.max(...values))
const least = (values: readonly number[]): number | undefined => (values.length === 0 ? undefined : Math.min(...values))

/** Of one source they are of one kind. */
function worse(one: Lag | undefined, other: Lag | undefined): Lag | undefined {
  if (one === undefined || other === undefined) return one ?? other
  if ('ms' in one) return 'ms' in other && other.ms > one.ms ? other : one
  return 'records' in other && other.records > one.records ? other : one
}
