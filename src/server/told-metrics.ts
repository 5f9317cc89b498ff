/** Counters and histograms, which follow the worker's telemetry: a step a batch, an effect or a checkpoint, never a step a call. */
import type { Clock } from '../clock.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { Telemetry, TelemetryEvent } from '../worker/telemetry.ts'
import type { Measures } from './measures.ts'

type Event<Name extends TelemetryEvent['name']> = Extract<TelemetryEvent, { readonly name: Name }>

/** Of everything that is told to it. */
export function tellMetrics(measures: Measures, clock: Clock): Telemetry {
  const tellers = [
    tellReading(measures),
    tellIncidents(measures),
    tellEffects(measures, clock),
    tellStores(measures),
    tellSettings(measures),
  ]
  return event => {
    for (const tell of tellers) tell(event)
  }
}

function tellReading({ counter }: Measures): Telemetry {
  const records = counter('weir_records_read_total', 'Records of the source that were read')
  const bytes = counter('weir_read_bytes_total', 'Bytes of those records, as they came')
  const calls = counter('weir_calls_total', 'Lines that were read as calls')
  const late = counter('weir_calls_late_total', 'Calls that came after their second had closed, and count nowhere')
  const unplaced = counter('weir_calls_unplaced_total', 'Calls of new keys that counted as anonymous')
  const forgotten = counter('weir_keys_forgotten_total', 'Idle keys that made room for new ones')
  const troubles = counter('weir_source_troubles_total', 'Troubles that the source told of, the same once a minute')
  const uncommitted = counter('weir_source_commit_failures_total', 'Times that the source did not take positions')
  /** As the engine counts, which goes on over restarts: what this process adds is what counts here. */
  let lateBefore: number | undefined

  return event => {
    switch (event.name) {
      case 'batchesRead':
        records.inc(event.records)
        bytes.inc(event.bytes)
        calls.inc(event.calls)
        late.inc(Math.max(0, event.late - (lateBefore ?? event.late)))
        lateBefore = event.late
        break
      case 'keysForgotten':
        forgotten.inc(event.keys)
        unplaced.inc(event.unplacedCalls)
        break
      case 'sourceReported':
        if (event.level === 'warn') troubles.inc()
        break
      case 'sourceTroubled':
        troubles.inc()
        break
      case 'commitFailed':
        uncommitted.inc()
        break
      default:
    }
  }
}

function tellIncidents({ counter }: Measures): Telemetry {
  const incidents = counter('weir_incidents_total', 'Incidents that were opened', 'kind', 'severity')
  const leftLowered = counter('weir_limits_left_lowered_total', 'Limits found lowered that no incident holds any more')
  /** Bounded by those that are open. */
  const open = new Set<string>()

  function note({ incidentId, phase, kind, severity }: Explanation): void {
    if (phase === 'closed') open.delete(incidentId)
    if (phase !== 'open' || open.has(incidentId)) return
    open.add(incidentId)
    incidents.inc({ kind, severity })
  }

  return event => {
    if (event.name === 'incidentChanged') note(event.explanation)
    if (event.name === 'limitLeftLowered') leftLowered.inc()
  }
}

const effectKinds = ['alert', 'throttle', 'restore'] as const
const outcomes = ['applied', 'already', 'refused'] as const

function tellEffects({ counter, histogram }: Measures, clock: Clock): Telemetry {
  const effects = counter('weir_effects_total', 'Alerts and changes of limits, by what came of them', 'kind', 'outcome')
  const retries = counter('weir_effect_retries_total', 'Tries of effects that did not get through')
  const durations = histogram(
    'weir_effect_duration_seconds',
    'From the beginning of an effect to its outcome',
    [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
    'kind',
  )
  const alertDelays = histogram(
    'weir_alert_delay_seconds',
    'From the arrival of the calls that decided an alert until it was taken',
    [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600],
  )
  const detectionDelays = histogram(
    'weir_detection_delay_seconds',
    'From the first misbehaving call until the first alert about it was taken',
    [1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 300, 900],
  )
  // A series that begins with its first failure has no rise that an alert could see.
  for (const kind of effectKinds) for (const outcome of outcomes) effects.inc({ kind, outcome }, 0)

  function notePerformed({ effect, outcome, tookMs }: Event<'effectPerformed'>): void {
    effects.inc({ kind: effect.kind, outcome: outcome.kind })
    durations.observe({ kind: effect.kind }, tookMs / SECOND_MS)
    if (effect.kind !== 'alert') return
    const now = clock.now()
    const { phase, onsetAt } = effect.explanation
    alertDelays.observe(Math.max(0, now - effect.decidedAt) / SECOND_MS)
    if (phase === 'open') detectionDelays.observe(Math.max(0, now - onsetAt) / SECOND_MS)
  }

  return event => {
    if (event.name === 'effectPerformed') notePerformed(event)
    if (event.name === 'effectRefused') effects.inc({ kind: event.effect.kind, outcome: 'refused' })
    if (event.name === 'effectTroubled') retries.inc()
  }
}

const stores = ['audit', 'incidents', 'rejects', 'recording'] as const

function tellStores({ counter, histogram }: Measures): Telemetry {
  const checkpoints = histogram(
    'weir_checkpoint_duration_seconds',
    'From the copy of the state until it is on disk',
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  )
  const failures = counter('weir_store_failures_total', 'Writes beside the state that the disk refused', 'store')
  for (const store of stores) failures.inc({ store }, 0)

  return event => {
    switch (event.name) {
      case 'checkpointWritten':
        checkpoints.observe(event.tookMs / SECOND_MS)
        break
      case 'auditFailed':
        failures.inc({ store: 'audit' })
        break
      case 'incidentUnlogged':
        failures.inc({ store: 'incidents' })
        break
      case 'rejectsSummarised':
        if (event.trouble !== undefined) failures.inc({ store: 'rejects' })
        break
      case 'recordingStopped':
        failures.inc({ store: 'recording' })
        break
      default:
    }
  }
}

function tellSettings({ counter }: Measures): Telemetry {
  const tenantsRead = counter('weir_tenants_reloads_total', 'Times that tenants.yaml had changed', 'outcome')
  const cloudWatch = counter('weir_cloudwatch_values_total', 'Values for CloudWatch, by what came of them', 'outcome')

  return event => {
    switch (event.name) {
      case 'tenantsReloaded':
        tenantsRead.inc({ outcome: 'taken' })
        break
      case 'tenantsRefused':
        tenantsRead.inc({ outcome: 'refused' })
        break
      case 'metricsSent':
        cloudWatch.inc({ outcome: 'sent' }, event.sent)
        break
      case 'metricsDropped':
        for (const [reason, count] of Object.entries(event.dropped)) cloudWatch.inc({ outcome: reason }, count)
        break
      default:
    }
  }
}
