/** Gauges: what is so at the moment that somebody asks. */
import type { Clock } from '../clock.ts'
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'
import { behindMs } from '../worker/meter.ts'
import type { Health } from './health.ts'
import type { Measures } from './measures.ts'
import type { Pulse } from './pulse.ts'
import { longestWaits, type WorkerStatus } from './worker-status.ts'

export interface GaugeSources {
  readonly clock: Clock
  readonly pulse: Pulse
  readonly status: () => WorkerStatus
  readonly ready: () => Health
}

export function askMetrics(measures: Measures, asked: GaugeSources): void {
  askReading(measures, asked)
  askKnowledge(measures, asked)
  askEffects(measures, asked)
  askReadiness(measures, asked)
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / SECOND_MS)

function askReading({ gauge, countOf }: Measures, { clock, pulse, status }: GaugeSources): void {
  countOf('weir_lines_rejected_total', 'Lines and records that could not be read as they stand', 'reason', () => [
    ...status().rejected,
  ])
  gauge('weir_lag_seconds', 'How far reading is behind the stream, as it said last', () => {
    const { reading } = pulse
    return reading?.lag === undefined ? undefined : seconds(Math.max(0, behindMs(reading, clock.now())))
  })
  gauge('weir_lag_records', 'Records that are not read yet, where the source counts in them', () => {
    const lag = pulse.reading?.lag
    return lag !== undefined && 'records' in lag ? lag.records : undefined
  })
  gauge('weir_source_silence_seconds', 'Since the source answered, be it that there was nothing to read', () => {
    const { heardAt } = status()
    if (heardAt === 'untold') return undefined
    return seconds(clock.now() - Math.max(heardAt ?? pulse.since, pulse.readAt ?? 0))
  })
  gauge('weir_partitions', 'Partitions that are read', () => status().partitions)
  gauge('weir_partitions_held', 'Of those, how many wait until the others have caught up', () => pulse.held)
  gauge('weir_event_time_timestamp_seconds', 'Time of the newest call', () => seconds(pulse.reading?.eventTime))
  gauge('weir_watermark_timestamp_seconds', 'Up to when all calls are believed to have come', () =>
    seconds(pulse.reading?.watermark),
  )
}

function askKnowledge({ gauge }: Measures, { pulse }: GaugeSources): void {
  gauge('weir_keys_known', 'API keys of which something is known', () => pulse.reading?.keys)
  gauge('weir_keys_active', 'Of those, how many have called lately', () => pulse.reading?.activeKeys)
  gauge('weir_detectors_blind', 'Detectors that see nothing, since the log lacks what they need', () => pulse.blind)
}

function askEffects({ gauge, gauges }: Measures, { clock, pulse, status }: GaugeSources): void {
  gauge('weir_incidents_open', 'Incidents that are open', () => pulse.reading?.openIncidents)
  gauge('weir_tenants_throttled', 'Tenants whose limit is lowered, or on its way', () => pulse.reading?.throttled)
  gauges('weir_effects_waiting', 'Effects that are begun and have no outcome yet', 'kind', () => {
    const counts = new Map<string, number>(['alert', 'throttle', 'restore'].map(kind => [kind, 0]))
    for (const { kind } of status().effectWaits) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    return counts
  })
  gauges('weir_effects_waiting_longest_seconds', 'The longest that one of them has waited', 'kind', () =>
    [...longestWaits(status().effectWaits, clock.now())].map(([kind, ms]) => [kind, ms / SECOND_MS] as const),
  )
}

function askReadiness({ gauge, gauges }: Measures, { clock, pulse, ready }: GaugeSources): void {
  const age = (at: EpochMs | undefined): number | undefined =>
    at === undefined ? undefined : seconds(Math.max(0, clock.now() - at))
  gauge('weir_checkpoint_age_seconds', 'Age of the newest checkpoint, from which a crash would take up', () =>
    age(pulse.checkpointedAt),
  )
  gauge('weir_ready', '1 while GET /readyz says that the worker is ready', () => Number(ready().ok))
  gauges('weir_ready_check', '1 for each check of GET /readyz that holds', 'check', () =>
    ready().checks.map(({ name, ok }) => [name, Number(ok)] as const),
  )
}
