/**
 * Nine days of a public REST data API's access log (an ERDDAP server, 2024), by client, to the second: cron-like pollers
 * and crawlers, small ones. Real seconds. Seven days are history, two are judged. Its first day was a Sunday and lies on
 * our calendar's Monday. Only when somebody called is taken from it: statuses and routes are the model's, as in the other sets.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { sharedDataDirectory } from '../../shared-data.ts'
import type { RealTenant } from '../contract.ts'
import { type RecordedCall, recordedTenants } from './recorded-tenants.ts'

const FIRST_MIDNIGHT = Date.UTC(2024, 4, 12) / 1_000

const request = z.object({ ts: z.number(), client: z.string() })

export const readErddap = (directory = sharedDataDirectory): readonly RealTenant[] =>
  recordedTenants({
    set: 'erddap',
    from: FIRST_MIDNIGHT,
    judgedDays: 2,
    calls: requests(gunzipSync(readFileSync(join(directory, 'erddap_access_9d.ndjson.gz'))).toString()),
  })

function* requests(ndjson: string): Generator<RecordedCall> {
  for (const line of ndjson.split('\n')) {
    if (line === '') continue
    const { ts, client } = request.parse(JSON.parse(line))
    yield { client, second: Math.floor(ts) }
  }
}
