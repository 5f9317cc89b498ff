/**
 * Real calls: nine days of a public REST data API's access log, from the shared data sets (never copied into the project).
 * A real mix of clients, paths and statuses. The log tells no latency and has no 5xx: latency is a stated model
 * (access-log-line.ts), failures are the storm's.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { sharedDataDirectory } from '../shared-data.ts'
import type { RecordedCall } from './call-loop.ts'

const call = z.object({
  ts: z.number(),
  client: z.string(),
  method: z.string(),
  path: z.string(),
  status: z.number(),
  bytes: z.number(),
  ua: z.string().nullish(),
})

export async function readErddapCalls(): Promise<readonly RecordedCall[]> {
  const packed = await readFile(join(sharedDataDirectory, 'erddap_access_9d.ndjson.gz'))
  const lines = gunzipSync(packed).toString().split('\n')
  return lines.filter(line => line !== '').map(line => call.parse(JSON.parse(line)))
}
