/**
 * LCG-2005-1: jobs handed to a computing grid, by user, to the second, over eleven days of 2005 (Parallel Workloads
 * Archive; thanks to Hui Li): pollers and scripts, some very bursty. Real seconds. Seven days are history, four are
 * judged. Its first day was a Sunday and lies on our calendar's Monday: so weekdays are one off.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { sharedDataDirectory } from '../../shared-data.ts'
import type { RealTenant } from '../contract.ts'
import { type RecordedCall, recordedTenants } from './recorded-tenants.ts'

const FIRST_MIDNIGHT = Date.UTC(2005, 10, 20) / 1_000

export const readLcg = (directory = sharedDataDirectory): readonly RealTenant[] =>
  recordedTenants({
    set: 'lcg',
    from: FIRST_MIDNIGHT,
    judgedDays: 4,
    calls: submissions(gunzipSync(readFileSync(join(directory, 'lcg2005_jobs.csv.gz'))).toString()),
  })

/** Columns: second, user, and what else is known of the job. */
function* submissions(csv: string): Generator<RecordedCall> {
  const [, ...lines] = csv.split('\n')
  for (const line of lines) {
    const [second, client] = line.split(',', 2)
    if (second !== undefined && client !== undefined) yield { client, second: Number(second) }
  }
}
