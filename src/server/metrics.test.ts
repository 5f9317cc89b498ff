import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { alert, at, events, explanation, reading, throttle } from '../worker/testing-events.ts'
import { handClock } from '../worker/testing-world.ts'
import type { Health } from './health.ts'
import { type LifeStatus, type SourceStatus, viewOf } from './lives.ts'
import { createMetrics } from './metrics.ts'
import { createPulse, follow } from './pulse.ts'

const ready: Health = {
  ...{ ok: false, phase: 'running' },
  checks: [{ name: 'lag', ok: false, value: 61, atMost: 60, says: 'Reading is 61 s behind the stream' }],
}
const status: LifeStatus & SourceStatus = {
  effectWaits: [
    { kind: 'alert', beganAt: at - 90_000 },
    { kind: 'alert', beganAt: at - 3_000 },
  ],
  ...{ rejected: new Map([['no-key', 4]] as const), heardAt: at - 2_000, partitions: 3, isShared: false },
}

/** What is told of a worker to which this has happened; `samples` by name and labels, as Prometheus writes them. */
async function tell(told: readonly TelemetryEvent[], asked: LifeStatus & SourceStatus = status) {
  const clock = handClock(at)
  const pulse = createPulse(at - 60_000)
  const process = { startedAt: at - 60_000, isStopping: false, rejectedBefore: new Map([['bad-time', 5]] as const) }
  const view = () => viewOf({ ...process, lives: [{ pulse, status: () => asked }], source: asked }, clock.now())
  const metrics = createMetrics({ clock, view, ready: () => ready, version: '1.2.3', mode: 'enforce' })
  const teller = metrics.newTeller()
  for (const event of told) {
    follow(pulse, event, at, { readyLagMs: 60_000 })
    teller(event)
  }
  const text = await metrics.text()
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const samples = new Map(lines.map(line => [line.replace(/ \S+$/, ''), Number(line.replace(/^.* /, ''))]))
  return { metrics, text, samples, names: [...samples.keys()] }
}
const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8')

test('what was told is counted, and what is so is asked', async () => {
  const { samples } = await tell([...Object.values(events), { ...events.batchesRead, late: 7 }])
  const of = (...names: string[]) => Object.fromEntries(names.map(name => [name, samples.get(`weir_${name}`)]))
  expect(
    of(
      ...['records_read_total', 'read_bytes_total', 'calls_total', 'calls_late_total', 'calls_unplaced_total'],
      ...[
        'lines_rejected_total{reason="no-key"}',
        'lines_rejected_total{reason="bad-time"}',
        'lag_seconds',
        'lag_records',
        'source_silence_seconds',
      ],
      ...['partitions', 'partitions_held', 'event_time_timestamp_seconds', 'watermark_timestamp_seconds'],
      ...['keys_known', 'keys_active', 'keys_forgotten_total', 'detectors_blind'],
    ),
  ).toEqual({
    ...{ records_read_total: 24, read_bytes_total: 6_800, calls_total: 240, calls_late_total: 2 },
    ...{
      calls_unplaced_total: 3,
      'lines_rejected_total{reason="no-key"}': 4,
      'lines_rejected_total{reason="bad-time"}': 5,
      lag_seconds: 0,
      lag_records: 0,
    },
    ...{ source_silence_seconds: 0, partitions: 3, partitions_held: 1, event_time_timestamp_seconds: at / 1000 },
    ...{ watermark_timestamp_seconds: at / 1000 - 35, keys_known: 200, keys_active: 20, keys_forgotten_total: 1_000 },
    ...{ detectors_blind: 1 },
  })
  expect(
    of(
      ...[
        'incidents_total{kind="retry-storm",severity="high"}',
        'incidents_open',
        'tenants_throttled',
        'throttling_halted',
      ],
      ...['effects_total{kind="alert",outcome="applied"}', 'effects_total{kind="throttle",outcome="refused"}'],
      ...['effects_waiting{kind="alert"}', 'effects_waiting{kind="restore"}', 'effect_retries_total'],
      ...['effects_waiting_longest_seconds{kind="alert"}', 'effect_duration_seconds_sum{kind="alert"}'],
      ...['alert_delay_seconds_sum', 'detection_delay_seconds_sum', 'limits_left_lowered_total'],
    ),
  ).toEqual({
    ...{
      'incidents_total{kind="retry-storm",severity="high"}': 1,
      incidents_open: 1,
      tenants_throttled: 1,
      throttling_halted: 0,
    },
    ...{ 'effects_total{kind="alert",outcome="applied"}': 1, 'effects_total{kind="throttle",outcome="refused"}': 1 },
    ...{ 'effects_waiting{kind="alert"}': 2, 'effects_waiting{kind="restore"}': 0, effect_retries_total: 1 },
    ...{ 'effects_waiting_longest_seconds{kind="alert"}': 90, 'effect_duration_seconds_sum{kind="alert"}': 0.3 },
    ...{ alert_delay_seconds_sum: 0, detection_delay_seconds_sum: 7, limits_left_lowered_total: 1 },
  })
  expect(
    of(
      ...['checkpoint_duration_seconds_sum', 'checkpoint_age_seconds', 'store_failures_total{store="audit"}'],
      ...['store_failures_total{store="rejects"}', 'source_troubles_total', 'source_commit_failures_total'],
      ...['tenants_reloads_total{outcome="refused"}', 'cloudwatch_values_total{outcome="overflow"}', 'ready'],
      ...['ready_check{check="lag"}', 'build_info{version="1.2.3"}', 'mode_info{mode="enforce"}'],
    ),
  ).toEqual({
    ...{
      checkpoint_duration_seconds_sum: 0.04,
      checkpoint_age_seconds: 0.04,
      'store_failures_total{store="audit"}': 1,
    },
    ...{ 'store_failures_total{store="rejects"}': 1, source_troubles_total: 3, source_commit_failures_total: 1 },
    ...{ 'tenants_reloads_total{outcome="refused"}': 1, 'cloudwatch_values_total{outcome="overflow"}': 3, ready: 0 },
    ...{ 'ready_check{check="lag"}': 0, 'build_info{version="1.2.3"}': 1, 'mode_info{mode="enforce"}': 1 },
  })
})

test('an incident is counted when it opens, and a relapse is the same one', async () => {
  const changes = (['open', 'mitigated', 'recovering', 'open', 'closed'] as const).map(
    phase => ({ name: 'incidentChanged', explanation: { ...explanation, phase } }) as const,
  )
  const { samples } = await tell([...changes, ...changes])
  expect(samples.get('weir_incidents_total{kind="retry-storm",severity="high"}')).toBe(2)
})

test('only the first alert of an incident says how long detection took', async () => {
  const recovering = { ...alert, explanation: { ...explanation, phase: 'recovering' as const } }
  const { samples } = await tell([{ ...events.effectPerformed, effect: recovering }])
  expect(samples.get('weir_alert_delay_seconds_count')).toBe(1)
  expect(samples.get('weir_detection_delay_seconds_count')).toBe(0)
})

test('what is not known has no value: nothing is read yet, or the source cannot say', async () => {
  const { names } = await tell([], { ...status, heardAt: 'untold' })
  const ours = names.filter(name =>
    /^weir_(lag|source_silence|watermark|event_time|keys_known|checkpoint_age)/.test(name),
  )
  expect(ours).toEqual([])
  const without = await tell([{ name: 'batchesRead', ...reading, lag: { ms: 5_000 }, eventTime: undefined }])
  expect(without.samples.get('weir_lag_seconds')).toBe(5)
  expect(without.names).not.toContain('weir_lag_records')
})

test('no label names a key, a tenant or an incident, however many there are', async () => {
  const many = Array.from({ length: 500 }, (_, n) => {
    const told = { ...explanation, incidentId: `key_${n}#1`, keyId: `key_${n}` as typeof explanation.keyId }
    return [
      { name: 'incidentChanged', explanation: told },
      {
        name: 'effectPerformed',
        effect: { ...throttle, ...told, id: `key_${n}#1/throttle-1`, kind: 'throttle' },
        outcome: { kind: 'applied' },
        tookMs: 1,
      },
    ] as const
  })
  const few = await tell(many.slice(0, 1).flat())
  const { names, text } = await tell(many.flat())
  expect(names.length).toBe(few.names.length)
  expect(text).not.toContain('key_')
})

test('two of them in one process do not add up', async () => {
  await tell([events.batchesRead])
  expect((await tell([events.batchesRead])).samples.get('weir_calls_total')).toBe(120)
})

test('the README lists every metric with its type and meaning, and no other', async () => {
  const { metrics } = await tell([])
  const rows = [...readme.matchAll(/^\| `(weir_\w+)(?:\{[\w, ]+\})?` \| (\w+) \| [^|]+ \| ([^|]+?) \|/gm)]
  expect(rows.map(([, name, type, help]) => ({ name, type, help }))).toEqual(metrics.described)
})

test('labels are those that the README says', async () => {
  const { text } = await tell(Object.values(events))
  for (const [, name = '', labels = ''] of readme.matchAll(/^\| `(weir_\w+)(?:\{([\w, ]+)\})?` \|/gm)) {
    const sample = text.split('\n').find(line => new RegExp(`^${name}(_sum)?[ {]`).test(line)) ?? ''
    const told = [...sample.matchAll(/(\w+)="/g)].map(([, label]) => label)
    if (sample !== '') expect([name, told.join(', ')]).toEqual([name, labels])
  }
})

test('how many alerts nobody got is known once a minute is over, and is that of all lives', async () => {
  expect((await tell([events.batchesRead])).names).not.toContain('weir_alerts_undelivered')
  const { samples } = await tell([{ ...events.minuteSummarised, undelivered: 3 }])
  expect(samples.get('weir_alerts_undelivered')).toBe(3)
})

test('the recommended alerts speak of metrics that there are, and say what to do', async () => {
  const { metrics } = await tell([])
  const known = new Set(metrics.described.map(({ name }) => name))
  const { groups } = parse(readFileSync(new URL('alert-rules.yaml', import.meta.url), 'utf8'))
  for (const { alert: name, expr, labels, annotations } of groups[0].rules) {
    const used = (String(expr).match(/\bweir_\w+/g) ?? []).map(each => each.replace(/_(bucket|sum|count)$/, ''))
    expect([name, used.filter(each => !known.has(each))]).toEqual([name, []])
    expect(['page', 'ticket']).toContain(labels.severity)
    expect(Object.keys(annotations)).toEqual(['summary', 'description'])
  }
})

test('how long a gateway takes until a lowered limit holds is measured, and one that never does is counted', async () => {
  const unheld = { ...events.throttleVerified, verdict: 'does-not-bite', bitesAfterMs: undefined } as const
  const { samples } = await tell([events.throttleVerified, unheld, unheld])
  expect(samples.get('weir_throttle_bite_seconds_sum')).toBe(20)
  expect(samples.get('weir_throttle_bite_seconds_count')).toBe(1)
  expect(samples.get('weir_throttles_verified_total{verdict="does-not-bite"}')).toBe(2)
  expect(samples.get('weir_throttles_verified_total{verdict="cannot-tell"}')).toBe(0)
})
