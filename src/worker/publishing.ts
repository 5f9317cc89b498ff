/** Tells what became of the metrics: once a minute, what was sent, what waits, and what never will be. */
import type { Publisher } from '../metrics/publisher.ts'
import type { Telemetry } from './telemetry.ts'

export function tellPublishing(metrics: Publisher, telemetry: Telemetry): void {
  const { sent, requests, waiting, dropped, trouble, leftOutNow } = metrics.summary()
  if (sent > 0) telemetry({ name: 'metricsSent', sent, requests, waiting })
  if (waiting > 0 && trouble?.isTried) telemetry({ name: 'metricsDelayed', waiting, because: trouble.because })
  if (Object.keys(dropped).length > 0) telemetry({ name: 'metricsDropped', dropped, because: trouble?.because })
  if (leftOutNow !== undefined) telemetry({ name: 'metricKeysLeftOut', keys: leftOutNow })
}
