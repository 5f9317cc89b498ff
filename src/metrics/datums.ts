/**
 * What is sent, as CloudWatch takes it: a key's calls in a minute with what is usual, by event time, and the worker's own
 * state, by the clock. One value a minute and metric, so that Maximum and Average say the same however often it was sent.
 */
import type { MetricDatum } from '@aws-sdk/client-cloudwatch'
import type { MeasuredMinute } from '../core/measured-minute.ts'
import type { EpochMs } from '../core/vocabulary.ts'

export interface RateNames {
  readonly metric: string
  readonly usualMetric: string
  /** Its value is the key's id. */
  readonly dimension: string
}

/** The worker as it is at one moment; counts are of the minute before it. */
export interface Health {
  readonly at: EpochMs
  readonly callsRead: number
  readonly linesRejected: number
  /** How far reading is behind; undefined while the source cannot tell. */
  readonly lagMs: number | undefined
  readonly checkpointAgeMs: number
  readonly effectsWaiting: number
  readonly openIncidents: number
  readonly throttledTenants: number
}

export interface HealthNames {
  readonly dimension: string
  readonly worker: string
}

/** As many metrics as `healthDatums` makes at most. */
export const healthMetrics = 7

/** Two a key, one while nothing is usual yet, none of a key whose id CloudWatch takes for no dimension (`unnameable`). */
export function rateDatums(
  { startsAt, keys, calls, usual }: MeasuredMinute,
  { metric, usualMetric, dimension }: RateNames,
): { readonly datums: readonly MetricDatum[]; readonly unnameable: number } {
  const datums: MetricDatum[] = []
  const Timestamp = new Date(startsAt)
  let unnameable = 0
  for (const [index, key] of keys.entries()) {
    if (!isDimensionValue(key)) {
      unnameable++
      continue
    }
    const Dimensions = [{ Name: dimension, Value: key }]
    datums.push({ MetricName: metric, Dimensions, Timestamp, Value: calls[index] ?? 0, Unit: 'Count' })
    const usually = usual[index]
    if (usually !== undefined)
      datums.push({ MetricName: usualMetric, Dimensions, Timestamp, Value: usually, Unit: 'Count' })
  }
  return { datums, unnameable }
}

/** Printable ASCII, not blank (API reference, Dimension). A log may hold other ids, and one of them would fail all that go with it. */
const isDimensionValue = (id: string): boolean => /^[ -~]{1,1024}$/.test(id) && id.trim() !== ''

export function healthDatums(health: Health, { dimension, worker }: HealthNames): readonly MetricDatum[] {
  const { at, callsRead, linesRejected, lagMs, checkpointAgeMs, effectsWaiting, openIncidents, throttledTenants } =
    health
  const shared = { Timestamp: new Date(at), Dimensions: [{ Name: dimension, Value: worker }] }
  const count = (MetricName: string, Value: number): MetricDatum => ({ MetricName, ...shared, Value, Unit: 'Count' })
  const ms = (MetricName: string, Value: number): MetricDatum => ({
    ...{ MetricName, ...shared, Value: Math.max(0, Math.round(Value)), Unit: 'Milliseconds' },
  })
  return [
    count('CallsRead', callsRead),
    count('LinesRejected', linesRejected),
    ...(lagMs === undefined ? [] : [ms('SourceLag', lagMs)]),
    ms('CheckpointAge', checkpointAgeMs),
    count('EffectsWaiting', effectsWaiting),
    count('OpenIncidents', openIncidents),
    count('ThrottledTenants', throttledTenants),
  ]
}
