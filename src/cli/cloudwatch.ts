/**
 * CloudWatch as the commands use it: metrics out, and history in. Its client is loaded when it is asked for, since most
 * runs do without it.
 */
import { hostname } from 'node:os'
import type { Clock } from '../clock.ts'
import type { WeirConfig } from '../core/config/config.ts'
import type { TenantDirectory } from '../core/config/tenants.ts'
import { monthlyCost } from '../metrics/cost.ts'
import type { HistoryEvent } from '../metrics/history.ts'
import type { Publisher } from '../metrics/publisher.ts'
import type { BareLog } from '../worker/bare-log.ts'
import type { Telemetry } from '../worker/telemetry.ts'

/** What stands in for a file's path where history is to come from CloudWatch. A file of that name is `./cloudwatch`. */
export const fromCloudWatch = 'cloudwatch'

export interface MetricsSurroundings {
  readonly directory: TenantDirectory
  readonly clock: Clock
  readonly telemetry: Telemetry
}

/** undefined where no metrics are configured; where they are, what they cost is told before the first is sent. */
export async function openPublisher(
  { metrics: { cloudWatch } }: WeirConfig,
  { directory, clock, telemetry }: MetricsSurroundings,
): Promise<Publisher | undefined> {
  const { namespace, rates, health } = cloudWatch
  if (!rates.enabled && !health.enabled) return undefined
  const { cloudWatchClient } = await import('../metrics/cloudwatch-client.ts')
  const { createPublisher } = await import('../metrics/publisher.ts')
  const { healthMetrics } = await import('../metrics/datums.ts')
  const keys = rates.keys === 'listed' ? Math.min(rates.maxKeys, directory.places.size) : rates.maxKeys
  const metrics = (rates.enabled ? 2 * keys : 0) + (health.enabled ? healthMetrics : 0)
  telemetry({ name: 'metricsPriced', ...monthlyCost(metrics) })
  return createPublisher({
    ...{ client: cloudWatchClient(cloudWatch), namespace, rates, clock, random: Math.random },
    health: health.enabled ? { dimension: health.dimension, worker: health.worker ?? hostname() } : undefined,
  })
}

/** The last seven days of the metric that `metrics.cloudWatch.history` names, read as they are asked for. */
export async function cloudWatchLog(
  { metrics: { cloudWatch } }: WeirConfig,
  { clock, onEvent }: { readonly clock: Clock; readonly onEvent: (event: HistoryEvent) => void },
  signal: AbortSignal,
): Promise<BareLog> {
  const { cloudWatchClient } = await import('../metrics/cloudwatch-client.ts')
  const { countsFromCloudWatch } = await import('../metrics/history.ts')
  const { namespace, rates, history } = cloudWatch
  const settings = {
    namespace: history.namespace ?? namespace,
    metric: history.metric ?? rates.metric,
    dimension: history.dimension ?? rates.dimension,
    statistic: history.statistic,
  }
  const client = cloudWatchClient(cloudWatch)
  async function* pieces() {
    try {
      yield* countsFromCloudWatch(settings, { client, clock, random: Math.random, onEvent }, signal)
    } finally {
      client.destroy()
    }
  }
  return { path: fromCloudWatch, pieces: pieces() }
}
