/** One of each event that a worker tells, for tests of what is made of all of them: the log, the metrics. */
import type { Explanation } from '../core/explanation/explanation.ts'
import type { AlertEffect, ThrottleEffect } from '../core/incident/effect.ts'
import type { ApiKeyId, PartitionId } from '../core/vocabulary.ts'
import type { Reading, TelemetryEvent } from './telemetry.ts'

type Events = { readonly [Name in TelemetryEvent['name']]: Extract<TelemetryEvent, { readonly name: Name }> }

/** Whatever is about an incident is about this one. */
export const incidentId = 'key_a#1'
const keyId = 'key_a' as ApiKeyId
const partition = 'logs/0' as PartitionId
export const at = Date.UTC(2026, 10, 20, 14, 3, 7)

export const explanation: Explanation = {
  ...{ incidentId, keyId, tenant: undefined, phase: 'open', kind: 'retry-storm', severity: 'high', telling: 'alerted' },
  ...{ onsetAt: at - 7_000, decidedAt: at, detectors: [{ name: 'retry-storm', score: 3 }], evidence: [] },
  ...{ current: { calls: 900, seconds: 10, callsPerMinute: 5_400 }, expected: undefined },
  ...{ mode: 'enforce', action: { kind: 'none' } },
}

const base = { incidentId, keyId, decidedAt: at }
export const alert: AlertEffect = { ...base, id: `${incidentId}/alert-1`, kind: 'alert', explanation }
export const throttle: ThrottleEffect = {
  ...{ ...base, id: `${incidentId}/throttle-1`, kind: 'throttle', limits: { rateLimit: 10, burstLimit: 20 } },
  ...{ keys: [{ keyId, limits: undefined }], siblings: [], urgency: 4_000, expiresAt: at + 600_000 },
}

export const reading: Reading = {
  ...{ overMs: 1_000, records: 12, bytes: 3_400, calls: 120, rejected: 2, lag: { records: 0 } },
  ...{ eventTime: at, watermark: at - 35_000, keys: 200, activeKeys: 20, totalCalls: 9_120, late: 5, future: 0 },
  ...{ openIncidents: 1, throttled: 1, isHalted: false, history: true, catchingUpFrom: undefined },
}

export const events: Events = {
  workerStarted: { name: 'workerStarted', source: 'a log', mode: 'enforce', resumedFrom: at, note: undefined },
  historyBegun: { name: 'historyBegun', logs: 2 },
  historyTaught: { name: 'historyTaught', calls: 1, paneRows: 2, rejected: 0, keys: 1 },
  alertsUnsent: { name: 'alertsUnsent' },
  detectorsBlind: { name: 'detectorsBlind', blind: [{ field: 'source', detectors: ['new-place'] }] },
  historyWanting: { name: 'historyWanting', retainedMs: undefined },
  streamOutran: { name: 'streamOutran', awayMs: 10, retainedMs: 5 },
  tenantsReloaded: { name: 'tenantsReloaded', tenants: 1, keys: 1, planned: 0 },
  tenantsRefused: { name: 'tenantsRefused', because: 'it is no YAML' },
  metricsPriced: { name: 'metricsPriced', metrics: 7, requests: 1, usd: 2 },
  metricsSent: { name: 'metricsSent', sent: 7, requests: 1, waiting: 0 },
  metricsDelayed: { name: 'metricsDelayed', waiting: 7, because: 'no answer' },
  metricsDropped: { name: 'metricsDropped', dropped: { overflow: 3 }, because: undefined },
  metricKeysLeftOut: { name: 'metricKeysLeftOut', keys: 10 },
  historyFound: { name: 'historyFound', keys: 1, otherSeries: 0, usd: 0.01 },
  historyFetched: { name: 'historyFetched', until: at, share: 0.5, datapoints: 10 },
  historyTroubled: { name: 'historyTroubled', because: 'no answer' },
  batchesRead: { name: 'batchesRead', ...reading },
  minuteSummarised: { name: 'minuteSummarised', ...reading, overMs: 60_000, undelivered: 0 },
  lagReported: { name: 'lagReported', behindMs: 90_000 },
  partitionsChanged: { name: 'partitionsChanged', partitions: [partition] },
  partitionsHeld: { name: 'partitionsHeld', partitions: [partition] },
  auditDeleted: { name: 'auditDeleted', file: 'audit-2026-11.ndjson' },
  incidentChanged: { name: 'incidentChanged', explanation },
  throttleVerified: {
    ...{ name: 'throttleVerified', incidentId, keyId, verdict: 'bites', because: undefined, bitesAfterMs: 20_000 },
    plans: [],
  },
  effectIntended: { name: 'effectIntended', effect: throttle },
  effectPerformed: { name: 'effectPerformed', effect: alert, outcome: { kind: 'applied' }, tookMs: 300 },
  effectRefused: { name: 'effectRefused', effect: throttle, because: 'the plan is gone' },
  alertsForgotten: { name: 'alertsForgotten', alerts: 3 },
  noticeTold: { name: 'noticeTold', notice: { kind: 'alerts-undelivered', at, alerts: 3 } },
  noticeRefused: { name: 'noticeRefused', notice: { kind: 'alerts-undelivered', at, alerts: 3 } },
  fleetUnheard: { name: 'fleetUnheard', because: 'EACCES' },
  wordsUnheard: { name: 'wordsUnheard', because: 'EACCES' },
  partitionAwaited: { name: 'partitionAwaited', partition: 't/0' as PartitionId },
  partitionTroubled: { name: 'partitionTroubled', partition: 't/0' as PartitionId, because: 'it is damaged' },
  checkpointFailed: { name: 'checkpointFailed', because: 'no space left on device', stopsInMs: 540_000 },
  journalCut: { name: 'journalCut', bytes: 117 },
  decisionsRecalled: { name: 'decisionsRecalled', decisions: 1, outcomes: 1 },
  effectTroubled: { name: 'effectTroubled', effectId: alert.id, because: 'no answer' },
  effectsDelayed: { name: 'effectsDelayed', effectIds: [alert.id, throttle.id], longestMs: 61_000 },
  effectLeftOpen: { name: 'effectLeftOpen', effectId: throttle.id },
  limitLeftLowered: { name: 'limitLeftLowered', incidentId, keyId, way: 'plan', planId: 'p1', original: undefined },
  limitsUnguarded: { name: 'limitsUnguarded', gateways: ['gateway', 'gateways.eu'] },
  tenantsSplit: { name: 'tenantsSplit', tenants: 2 },
  scheduleMissing: {
    ...{ name: 'scheduleMissing', schedule: 'weir-plan-p1', effectId: throttle.id },
    ...{ because: 'no answer', needsPerson: false },
  },
  scheduleMade: { name: 'scheduleMade', schedule: 'weir-plan-p1', effectId: throttle.id },
  scheduleLeft: { name: 'scheduleLeft', schedule: 'weir-plan-p1', because: 'no answer' },
  checkpointWritten: { name: 'checkpointWritten', partitions: 1, tookMs: 40 },
  rejectsSummarised: {
    ...{ name: 'rejectsSummarised', recent: { 'no-key': 2 }, total: { 'no-key': 4 }, unwritten: 0 },
    trouble: 'the disk is full',
  },
  keysForgotten: { name: 'keysForgotten', keys: 1_000, unplacedCalls: 3 },
  auditFailed: { name: 'auditFailed', because: 'the disk is full' },
  incidentUnlogged: { name: 'incidentUnlogged', because: 'the disk is full' },
  operatorCommanded: {
    ...{ name: 'operatorCommanded', command: { kind: 'release', keyId }, by: 'ann' },
    answer: { kind: 'obeyed', keyIds: [keyId], incidentIds: [incidentId] },
  },
  throttlingHalted: { name: 'throttlingHalted', by: 'ann', since: at },
  recordingBegan: { name: 'recordingBegan', directory: 'rec', maxBytes: 1_000_000 },
  recordingStopped: { name: 'recordingStopped', directory: 'rec', because: 'the disk is full' },
  commitFailed: { name: 'commitFailed', because: 'no answer' },
  sourceReported: { name: 'sourceReported', level: 'warn', detail: 'a broker is away' },
  sourceTroubled: { name: 'sourceTroubled', because: 'there is no such topic' },
  sourceEnded: { name: 'sourceEnded' },
  serverListening: { name: 'serverListening', address: '127.0.0.1:9464' },
  serverUnavailable: { name: 'serverUnavailable', listen: '127.0.0.1:9464', because: 'another process listens there' },
  requestsRefused: { name: 'requestsRefused', refused: { token: 3, host: 1 } },
  requestFailed: { name: 'requestFailed', route: '/metrics', because: 'no such row' },
  workerStopping: { name: 'workerStopping', because: 'asked', effectsRunning: 1 },
  limitsStayLowered: { name: 'limitsStayLowered', keyIds: ['k1' as ApiKeyId] },
  workerStopped: { name: 'workerStopped', totalCalls: 9_120 },
}
