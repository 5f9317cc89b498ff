/** The clients of a log: each one's calls where they stand in it, from the log's first midnight on. */
import type { RealTenant, TrafficSet } from '../contract.ts'
import { recordedArrivals } from './arrivals.ts'
import { realTenant } from './real-tenant.ts'

/** Who called less in all the days has no behaviour to be judged by, and would only make the share of false alarms look small. */
export const LEAST_CALLS = 20

export interface RecordedCall {
  readonly client: string
  /** Epoch seconds. */
  readonly second: number
}

export interface RecordedSet {
  readonly set: TrafficSet
  /** The first midnight, epoch seconds; seven days of history begin with it. */
  readonly from: number
  readonly judgedDays: number
  readonly calls: Iterable<RecordedCall>
}

export function recordedTenants({ set, from, judgedDays, calls }: RecordedSet): readonly RealTenant[] {
  const byClient = new Map<string, number[]>()
  for (const { client, second } of calls) {
    const seconds = byClient.get(client)
    if (seconds === undefined) byClient.set(client, [second - from])
    else seconds.push(second - from)
  }
  return [...byClient]
    .filter(([, seconds]) => seconds.length >= LEAST_CALLS)
    .map(([client, seconds]) =>
      realTenant({
        id: `${set}/${client}`,
        set,
        judgedDays,
        arrivals: recordedArrivals(Uint32Array.from(seconds).sort()),
      }),
    )
}
