/** What the worker is asked every few seconds: its own metrics, as anybody's Prometheus would, and the size of what it keeps. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpochMs } from '../../core/vocabulary.ts'

/** One reading of everything. What is not known is not a number. */
export interface Sample {
  readonly at: EpochMs
  readonly rssBytes: number
  readonly heapUsedBytes: number
  readonly externalBytes: number
  /** The longest since the reading before. */
  readonly loopLagMs: number
  readonly lagMs: number
  readonly lagRecords: number
  /** Sent and not counted yet. */
  readonly callsBehind: number
  readonly checkpointAgeMs: number
  /** Mean of those written since the reading before. */
  readonly checkpointMs: number
  readonly stateBytes: number
  readonly stateFiles: number
  readonly openFiles: number
  readonly cpuSeconds: number
  readonly calls: number
  readonly openIncidents: number
  readonly throttled: number
  readonly ready: number
}

export interface Probe {
  take(sent: number): Promise<Sample>
}

export interface ProbeOptions {
  readonly port: number
  readonly stateDirectory: string
}

export function createProbe({ port, stateDirectory }: ProbeOptions): Probe {
  let checkpoints = { sum: 0, count: 0 }
  return {
    async take(sent) {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(10_000) })
      const metrics = metricsIn(await response.text())
      const value = (name: string): number => metrics.get(`weir_${name}`) ?? Number.NaN
      const written = {
        sum: value('checkpoint_duration_seconds_sum'),
        count: value('checkpoint_duration_seconds_count'),
      }
      const checkpointMs = ((written.sum - checkpoints.sum) * 1_000) / (written.count - checkpoints.count)
      checkpoints = written
      const kept = await sizeOf(stateDirectory)
      return {
        at: Date.now(),
        rssBytes: value('process_resident_memory_bytes'),
        heapUsedBytes: value('nodejs_heap_size_used_bytes'),
        externalBytes: value('nodejs_external_memory_bytes'),
        loopLagMs: value('nodejs_eventloop_lag_max_seconds') * 1_000,
        lagMs: value('lag_seconds') * 1_000,
        lagRecords: value('lag_records'),
        callsBehind: sent - value('calls_total'),
        checkpointAgeMs: value('checkpoint_age_seconds') * 1_000,
        checkpointMs,
        stateBytes: kept.bytes,
        stateFiles: kept.files,
        openFiles: value('process_open_fds'),
        cpuSeconds: value('process_cpu_seconds_total'),
        calls: value('calls_total'),
        openIncidents: value('incidents_open'),
        throttled: value('tenants_throttled'),
        ready: value('ready'),
      }
    },
  }
}

/** Of metrics without labels; those with labels are left out. */
function metricsIn(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter(line => /^[a-z_]+ /.test(line))
  return new Map(
    lines.map(line => {
      const [name = '', number = ''] = line.split(' ')
      return [name, Number(number)]
    }),
  )
}

async function sizeOf(directory: string): Promise<{ readonly bytes: number; readonly files: number }> {
  const total = { bytes: 0, files: 0 }
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  for (const entry of entries) {
    if (!entry.isFile()) continue
    // A checkpoint may be deleted while we look.
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined)
    if (found === undefined) continue
    total.bytes += found.size
    total.files++
  }
  return total
}
