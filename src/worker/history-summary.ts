/**
 * What was told as history while the worker caught up, summed up in one notice when it has: nobody was woken for any of it, and
 * whoever looks in the morning has it on one page. A pure stepper.
 */
import type { Explanation } from '../core/explanation/explanation.ts'
import type { Notice, PastIncident } from '../core/explanation/notice.ts'
import { subjectText } from '../core/explanation/text.ts'
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'

export interface HistoryState {
  /** Where the backlog began that is being read, or was; undefined while there is none. */
  readonly from: EpochMs | undefined
  readonly caughtUpAt: EpochMs | undefined
  readonly incidents: ReadonlyMap<string, PastIncident>
  /** Further ones, for which there was no room. */
  readonly more: number
}

/** So many are listed: a message has room for them. */
const mostIncidents = 100
/** By then what still goes on has been alerted. */
const settleMs = 10 * SECOND_MS

export const noHistory: HistoryState = { from: undefined, caughtUpAt: undefined, incidents: new Map(), more: 0 }

export function noteChange(state: HistoryState, change: Explanation): HistoryState {
  const { incidentId, keyId, tenant, kind, severity, onsetAt, decidedAt, phase, telling } = change
  const known = state.incidents.get(incidentId)
  if (telling !== 'history' && known === undefined) return state
  if (known === undefined && state.incidents.size >= mostIncidents)
    return phase === 'open' ? { ...state, more: state.more + 1 } : state
  const became = telling === 'alerted' ? 'alerted' : phase === 'closed' ? 'over' : 'open'
  const incidents = new Map(state.incidents).set(incidentId, {
    ...{ incidentId, who: kind === 'platform' ? 'the whole platform' : subjectText(keyId, tenant), kind, severity },
    ...{ onsetAt, toldAt: decidedAt, state: became },
  })
  return { ...state, incidents }
}

interface Progress {
  readonly at: EpochMs
  /** What the checkpoint was of from which the worker goes on. */
  readonly awaySince: EpochMs | undefined
}

/** `from`: where the backlog began that the engine reads now, if it does. It may be read between two looks. */
export function followHistory(
  state: HistoryState,
  { at, from, awaySince }: Progress & { readonly from: EpochMs | undefined },
): readonly [HistoryState, readonly Notice[]] {
  if (from !== undefined) return [{ ...state, from: Math.min(from, state.from ?? from), caughtUpAt: undefined }, []]
  if (state.from === undefined && state.incidents.size === 0) return [state, []]
  const caughtUpAt = state.caughtUpAt ?? at
  if (at - caughtUpAt < settleMs) return [{ ...state, caughtUpAt }, []]
  return [noHistory, endHistory(state, { at: caughtUpAt, awaySince })]
}

/** All that there is to tell: it has been seen through, or the worker stops and will not. */
export function endHistory({ from, incidents, more }: HistoryState, { at, awaySince }: Progress): readonly Notice[] {
  if (incidents.size === 0) return []
  const told = [...incidents.values()]
  const began = from ?? awaySince ?? Math.min(...told.map(({ onsetAt }) => onsetAt))
  return [{ kind: 'history', at, from: began, incidents: told, more }]
}
