/** A client of a set as the bench sees it: its arrivals laid on the bench's calendar, answered by the stated model. */
import { DAY_MS, SECOND_MS } from '../../../core/vocabulary.ts'
import { type HistoryRow, judgedFrom, type MadeCall, type RealTenant, type TrafficSet } from '../contract.ts'
import { answeringOf, callsOfSecond, rowOfCalls } from './answers.ts'
import { type Arrivals, ROW_SECONDS, WEEK_SECONDS } from './arrivals.ts'
import { isHeldOut } from './held-out.ts'

const HISTORY_FROM = judgedFrom - WEEK_SECONDS * SECOND_MS

export interface TenantParts {
  readonly id: string
  readonly set: TrafficSet
  /** Whose id decides whether it is held out: a copy goes where its original is. */
  readonly original?: string
  readonly judgedDays: number
  readonly arrivals: Arrivals
}

export function realTenant({ id, set, original = id, judgedDays, arrivals }: TenantParts): RealTenant {
  const answering = answeringOf(id)
  const countsOf = (from: number, seconds: number): Uint32Array =>
    arrivals.countsOf(Math.floor((from - HISTORY_FROM) / SECOND_MS), seconds)
  return {
    id,
    set,
    isHeldOut: isHeldOut(original),
    callsPerMinute: (arrivals.historyCalls * 60) / WEEK_SECONDS,
    judgedTo: judgedFrom + judgedDays * DAY_MS,
    countsOf,
    history() {
      const rows: HistoryRow[] = []
      for (const [row, calls] of arrivals.historyCounts().entries()) {
        // As a log would tell it: there is no line of who did not call.
        if (calls > 0) rows.push(rowOfCalls(id, answering, HISTORY_FROM + row * ROW_SECONDS * SECOND_MS, calls))
      }
      return rows
    },
    samplesOf: (second, calls) => callsOfSecond(id, answering, second, calls),
    callsOf(from, seconds) {
      const start = Math.floor(from / SECOND_MS) * SECOND_MS
      const calls: MadeCall[] = []
      for (const [second, count] of countsOf(start, seconds).entries())
        if (count > 0) calls.push(...callsOfSecond(id, answering, start + second * SECOND_MS, count))
      return calls
    },
  }
}
