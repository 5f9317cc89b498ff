/**
 * Real calls: nine days of a public REST data API's access log, from the shared data sets (never copied into the project).
 * Played over and over, `speed` times as fast as they were made, they are usual traffic with a real mix of clients, paths
 * and statuses. The log tells no latency and has no 5xx: latency is a stated model (access-log-line.ts), failures are the storm's.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import type { EpochMs } from '../../core/vocabulary.ts'
import { sharedDataDirectory } from '../servers/requirements.ts'

const call = z.object({
  ts: z.number(),
  client: z.string(),
  method: z.string(),
  path: z.string(),
  status: z.number(),
  bytes: z.number(),
  ua: z.string().nullish(),
})

export type RecordedCall = z.output<typeof call>

export async function readErddapCalls(): Promise<readonly RecordedCall[]> {
  const packed = await readFile(join(sharedDataDirectory, 'erddap_access_9d.ndjson.gz'))
  const lines = gunzipSync(packed).toString().split('\n')
  return lines.filter(line => line !== '').map(line => call.parse(JSON.parse(line)))
}

/** A recording without an end: after its last call it begins again. */
export interface Loop {
  readonly calls: readonly { readonly offsetMs: number; readonly call: RecordedCall }[]
  readonly lengthMs: number
  /** A moment at which it begins anew. */
  readonly beginsAt: EpochMs
}

export interface LoopOptions {
  /** How many times as fast as life. */
  readonly speed: number
  readonly beginsAt: EpochMs
}

/** `calls` in the order of their time. */
export function loopOf(calls: readonly RecordedCall[], { speed, beginsAt }: LoopOptions): Loop {
  const first = calls[0]?.ts ?? 0
  const last = calls.at(-1)?.ts ?? first
  const offsetMs = (ts: number): number => ((ts - first) * 1_000) / speed
  const placed = calls.map(each => ({ offsetMs: offsetMs(each.ts), call: each }))
  return { calls: placed, lengthMs: offsetMs(last) + 1, beginsAt }
}

export interface PlayedCall {
  readonly at: EpochMs
  readonly call: RecordedCall
}

/** What the loop brings from `from` up to `to` (exclusive), in order. */
export function* callsBetween(
  { calls, lengthMs, beginsAt }: Loop,
  { from, to }: { readonly from: EpochMs; readonly to: EpochMs },
): Generator<PlayedCall> {
  for (let begin = beginsAt + Math.floor((from - beginsAt) / lengthMs) * lengthMs; begin < to; begin += lengthMs) {
    for (const { offsetMs, call: each } of calls) {
      const at = begin + offsetMs
      if (at >= to) return
      if (at >= from) yield { at, call: each }
    }
  }
}
