/** Gauges: what is so at the moment that somebody asks. */
import type { Clock } from '../clock.ts'
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'
import { type Health, longestWaits } from './health.ts'
import type { WorkerView } from './lives.ts'
import type { Measures } from './measures.ts'

export interface GaugeSources {
  readonly clock: Clock
  readonly view: () => WorkerView
  readonly ready: () => Health
}

export function askMetrics(measures: Measures, sources: GaugeSources): void {
  askReading(measures, sources)
  askKnowledge(measures, sources)
  askEffects(measures, sources)
  askReadiness(measures, sources)
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / SECOND_MS)

function askReading({ gauge, countOf }: Measures, { clock, view }: GaugeSources): void {
  countOf('weir_lines_rejected_total', 'Lines and records that could not be read as they stand', 'reason', () => [
    ...view().rejected,
  ])
  gauge('weir_lag_seconds', 'How far reading is behind the stream, as it said last', () => seconds(view().lagMs))
  gauge('weir_lag_records', 'Records that are not read yet, where the source counts in them', () => view().lagRecords)
  gauge('weir_source_silence_seconds', 'Since the source answered, be it that there was nothing to read', () => {
    const { heardAt, readAt, since } = view()
    if (heardAt === 'untold') return undefined
    return seconds(clock.now() - Math.max(heardAt ?? since, readAt ?? 0))
  })
  gauge('weir_partitions', 'Partitions that are read', () => view().partitions)
  gauge('weir_partitions_held', 'Of those, how many wait until the others have caught up', () => view().held)
  gauge('weir_event_time_timestamp_seconds', 'Time of the newest call', () => seconds(view().eventTime))
  gauge('weir_watermark_timestamp_seconds', 'Up to when all calls are believed to have come', () =>
    seconds(view().watermark),
  )
}

function askKnowledge({ gauge }: Measures, { view }: GaugeSources): void {
  gauge('weir_keys_known', 'API keys of which something is known', () => view().sums?.keys)
  gauge('weir_keys_active', 'Of those, how many have called lately', () => view().sums?.activeKeys)
  gauge('weir_detectors_blind', 'Detectors that see nothing, since the log lacks what they need', () => view().blind)
}

function askEffects({ gauge, gauges }: Measures, { clock, view }: GaugeSources): void {
  gauge('weir_incidents_open', 'Incidents that are open', () => view().sums?.openIncidents)
  gauge('weir_tenants_throttled', 'Tenants whose limit is lowered, or on its way', () => view().sums?.throttled)
  gauge('weir_throttling_halted', '1 while a person wants nobody throttled', () => Number(view().isHalted))
  gauge('weir_alerts_undelivered', 'Alerts that nobody got, and that are kept for a person', () => view().undelivered)
  gauges('weir_effects_waiting', 'Effects that are begun and have no outcome yet', 'kind', () => {
    const counts = new Map<string, number>(['alert', 'throttle', 'restore'].map(kind => [kind, 0]))
    for (const { kind } of view().effectWaits) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    return counts
  })
  gauges('weir_effects_waiting_longest_seconds', 'The longest that one of them has waited', 'kind', () =>
    [...longestWaits(view().effectWaits, clock.now())].map(([kind, ms]) => [kind, ms / SECOND_MS] as const),
  )
}

function askReadiness({ gauge, gauges }: Measures, { clock, view, ready }: GaugeSources): void {
  const age = (at: EpochMs): number => Math.max(0, clock.now() - at) / SECOND_MS
  gauge('weir_checkpoint_age_seconds', 'Age of the newest checkpoint, from which a crash would take up', () => {
    const { checkpoint } = view()
    return checkpoint?.isWritten ? age(checkpoint.at) : undefined
  })
  gauge('weir_ready', '1 while GET /readyz says that the worker is ready', () => Number(ready().ok))
  gauges('weir_ready_check', '1 for each check of GET /readyz that holds', 'check', () =>
    ready().checks.map(({ name, ok }) => [name, Number(ok)] as const),
  )
}
