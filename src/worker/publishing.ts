/** Tells what became of the metrics: once a minute, what could not be sent apart from what was. */
import type { Publisher } from '../metrics/publisher.ts'
import type { Telemetry } from './telemetry.ts'

export function tellPublishing(metrics: Publisher, telemetry: Telemetry): void {
  const summary = metrics.summary()
  if (summary.sent > 0 || summary.trouble?.isTried) telemetry({ name: 'metricsSent', ...summary })
  if (Object.keys(summary.dropped).length > 0) telemetry({ name: 'metricsDropped', ...summary })
  if (summary.leftOutNow !== undefined) telemetry({ name: 'metricKeysLeftOut', keys: summary.leftOutNow })
}
