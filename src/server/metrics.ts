/**
 * The worker's metrics as Prometheus reads them, by its conventions: `weir_`, units in the name, counters end in `_total`.
 * The process's own (memory, event loop, garbage collection) are beside them under the same prefix.
 */
import { collectDefaultMetrics } from 'prom-client'
import type { Telemetry } from '../worker/telemetry.ts'
import { askMetrics, type GaugeSources } from './asked-metrics.ts'
import type { Refusal } from './guard.ts'
import { createMeasures, type Described } from './measures.ts'
import { tellMetrics } from './told-metrics.ts'

export interface MetricsSettings extends GaugeSources {
  readonly version: string
  readonly mode: string
}

export interface Metrics {
  readonly tell: Telemetry
  answered(answer: { readonly route: string; readonly status: number }): void
  refused(because: Refusal): void
  /** In Prometheus's text format. */
  text(): Promise<string>
  readonly contentType: string
  /** Ours, without those of the process. */
  readonly described: readonly Described[]
}

export function createMetrics({ version, mode, ...asked }: MetricsSettings): Metrics {
  const measures = createMeasures()
  const { registry, described } = measures
  measures.gauges('weir_build_info', 'Always 1: which version runs', 'version', () => [[version, 1]])
  measures.gauges('weir_mode_info', 'Always 1: observe, suggest or enforce', 'mode', () => [[mode, 1]])
  const tell = tellMetrics(measures, asked.clock)
  askMetrics(measures, asked)
  const requests = measures.counter('weir_http_requests_total', 'HTTP requests that were answered', 'route', 'status')
  const refusals = measures.counter('weir_http_refused_total', 'Of those, the ones that the guard refused', 'reason')
  collectDefaultMetrics({ register: registry, prefix: 'weir_' })
  return {
    tell,
    answered: ({ route, status }) => requests.inc({ route, status: String(status) }),
    refused: reason => refusals.inc({ reason }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
    described,
  }
}
