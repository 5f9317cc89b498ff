/**
 * Microsoft's cloud monitoring series: rates, crash counts and latencies of production services, with experts' labels on
 * single rows; labelled rows without a gap are one anomaly. A row that is there twice counts once, labelled if either is;
 * rows without a value are left out.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { sharedDataDirectory } from '../../shared-data.ts'
import type { LabelledSeries } from '../contract.ts'
import { probationRowsOf, readRows, type SeriesRow } from './series-rows.ts'

const facts = z.record(z.string(), z.object({ median_step_s: z.number() }))

export function readMicrosoft(directory = join(sharedDataDirectory, 'ms_cloud_monitoring')): readonly LabelledSeries[] {
  const files = facts.parse(JSON.parse(readFileSync(join(directory, 'files.json'), 'utf8')))
  return Object.entries(files).map(([name, { median_step_s: stepSeconds }]) => {
    const rows = withValues(readRows(join(directory, name)))
    return {
      name,
      set: 'microsoft',
      times: Float64Array.from(rows, ({ second }) => second * 1_000),
      values: Float64Array.from(rows, ({ value }) => value),
      stepSeconds,
      anomalies: labelledRuns(rows),
      probationRows: probationRowsOf(rows.length),
    }
  })
}

interface ValuedRow {
  readonly second: number
  readonly value: number
  readonly isLabelled: boolean
}

function withValues(rows: readonly SeriesRow[]): readonly ValuedRow[] {
  const kept = new Map<number, ValuedRow>()
  for (const { second, value, label } of rows) {
    if (value === undefined) continue
    const isLabelled = label === '1' || kept.get(second)?.isLabelled === true
    kept.set(second, { second, value, isLabelled })
  }
  return [...kept.values()]
}

function labelledRuns(rows: readonly ValuedRow[]): LabelledSeries['anomalies'] {
  const runs: { from: number; to: number }[] = []
  for (const [row, { isLabelled }] of rows.entries()) {
    if (!isLabelled) continue
    const last = runs.at(-1)
    if (last?.to === row - 1) last.to = row
    else runs.push({ from: row, to: row })
  }
  return runs
}
