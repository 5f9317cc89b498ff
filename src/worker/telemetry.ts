/**
 * Everything worth knowing about a running worker, as named events: a noun and what happened to it. Each has a level
 * (info: it worked, warn: we coped, error: a person must come; debug: once a second or oftener) and one sentence.
 * Sinks (a JSON log, the terminal) render these and nothing else, so there is no second kind of log line. Events are
 * counted per batch, never per call, and hold no payload and no secret.
 */

import { type BlindSpot, blindText } from '../core/blind-spots.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import type { Effect, Outcome, PlanLimits } from '../core/incident/effect.ts'
import { type ApiKeyId, DAY_MS, type EpochMs, HOUR_MS, type PartitionId } from '../core/vocabulary.ts'
import { type MonthlyCost, pricesOf } from '../metrics/cost.ts'
import type { HistoryEvent } from '../metrics/history.ts'
import type { DropReason, PublishingSummary } from '../metrics/publisher.ts'
import { type RejectsSummary, rejectsText } from '../stores/rejects.ts'

/** How far behind the newest record the source is: the worst partition that can tell. */
export type Lag = { readonly records: number } | { readonly ms: number }

/** What was read over a stretch of wall time, and where that leaves the engine. */
export interface Reading {
  /** Wall time it covers, ms. */
  readonly overMs: number
  readonly records: number
  readonly bytes: number
  /** Lines that were read as calls; the engine may still count some as late. */
  readonly calls: number
  readonly rejected: number
  readonly lag: Lag | undefined
  readonly eventTime: EpochMs | undefined
  readonly watermark: EpochMs | undefined
  readonly keys: number
  readonly activeKeys: number
  /** Since the engine was made. */
  readonly totalCalls: number
  readonly late: number
  readonly openIncidents: number
  readonly throttled: number
  readonly history: boolean
}

export interface LearnedBaselines {
  readonly at: EpochMs
  readonly logs: readonly string[]
  readonly keys: number
}

export type TelemetryEvent =
  | {
      readonly name: 'workerStarted'
      readonly source: string
      readonly mode: string
      /** When the checkpoint was written that it goes on from; undefined: it starts anew. */
      readonly resumedFrom: EpochMs | undefined
      /** What it was taught by `weir learn`, if it starts from that. */
      readonly learned?: LearnedBaselines | undefined
      readonly note: string | undefined
    }
  /** Nothing is watched until it is taught, which may take minutes. */
  | { readonly name: 'historyBegun'; readonly logs: number }
  | {
      readonly name: 'historyTaught'
      readonly calls: number
      readonly paneRows: number
      readonly rejected: number
      readonly keys: number
    }
  | { readonly name: 'alertsUnsent' }
  /** Once, when enough was read to tell. */
  | { readonly name: 'detectorsBlind'; readonly blind: readonly BlindSpot[] }
  | {
      readonly name: 'historyWanting'
      /** How long the stream keeps a record, ms; undefined: it may not be asked. */
      readonly retainedMs: number | undefined
    }
  | { readonly name: 'streamOutran'; readonly awayMs: number; readonly retainedMs: number }
  | { readonly name: 'tenantsReloaded'; readonly tenants: number; readonly keys: number; readonly planned: number }
  | { readonly name: 'tenantsRefused'; readonly because: string }
  | ({ readonly name: 'metricsPriced' } & MonthlyCost)
  | { readonly name: 'metricsSent'; readonly sent: number; readonly requests: number; readonly waiting: number }
  | { readonly name: 'metricsDelayed'; readonly waiting: number; readonly because: string }
  | {
      readonly name: 'metricsDropped'
      readonly dropped: PublishingSummary['dropped']
      /** What CloudWatch said last, if it said anything. */
      readonly because: string | undefined
    }
  | { readonly name: 'metricKeysLeftOut'; readonly keys: number }
  | HistoryEvent
  | ({ readonly name: 'batchesRead' } & Reading)
  | ({ readonly name: 'minuteSummarised' } & Reading)
  | { readonly name: 'lagReported'; readonly behindMs: number }
  | { readonly name: 'partitionsChanged'; readonly partitions: readonly PartitionId[] }
  | { readonly name: 'partitionsHeld'; readonly partitions: readonly PartitionId[] }
  | { readonly name: 'incidentChanged'; readonly explanation: Explanation }
  | { readonly name: 'effectIntended'; readonly effect: Effect }
  | { readonly name: 'effectPerformed'; readonly effect: Effect; readonly outcome: Outcome; readonly tookMs: number }
  | { readonly name: 'effectRefused'; readonly effect: Effect; readonly because: string }
  | { readonly name: 'fleetUnheard'; readonly because: string }
  | { readonly name: 'partitionAwaited'; readonly partition: PartitionId }
  | { readonly name: 'partitionTroubled'; readonly partition: PartitionId; readonly because: string }
  | { readonly name: 'decisionsRecalled'; readonly decisions: number; readonly outcomes: number }
  | { readonly name: 'effectTroubled'; readonly effectId: string; readonly because: string }
  | { readonly name: 'effectsDelayed'; readonly effectIds: readonly string[]; readonly longestMs: number }
  | { readonly name: 'effectLeftOpen'; readonly effectId: string }
  | {
      readonly name: 'limitLeftLowered'
      /** Under which it is given back; whose doing it was nobody knows any more. */
      readonly incidentId: string
      readonly keyId: ApiKeyId
      readonly planId: string
      readonly original: PlanLimits | undefined
    }
  | { readonly name: 'checkpointWritten'; readonly partitions: number; readonly tookMs: number }
  | ({ readonly name: 'rejectsSummarised' } & RejectsSummary)
  /** In the last minute: known keys that made room for new ones, and calls of new ones that found none. */
  | { readonly name: 'keysForgotten'; readonly keys: number; readonly unplacedCalls: number }
  | { readonly name: 'auditFailed'; readonly because: string }
  | { readonly name: 'incidentUnlogged'; readonly because: string }
  | { readonly name: 'recordingBegan'; readonly directory: string; readonly maxBytes: number }
  | { readonly name: 'recordingStopped'; readonly directory: string; readonly because: string }
  | { readonly name: 'commitFailed'; readonly because: string }
  | { readonly name: 'sourceReported'; readonly level: 'info' | 'warn'; readonly detail: string }
  | { readonly name: 'sourceTroubled'; readonly because: string }
  | { readonly name: 'sourceEnded' }
  | { readonly name: 'serverListening'; readonly address: string }
  | { readonly name: 'serverUnavailable'; readonly listen: string; readonly because: string }
  /** In the last minute, by what was wrong with them. */
  | { readonly name: 'requestsRefused'; readonly refused: Readonly<Record<string, number>> }
  | { readonly name: 'requestFailed'; readonly route: string; readonly because: string }
  | {
      readonly name: 'workerStopping'
      readonly because: 'asked' | 'source-ended' | 'trouble'
      readonly effectsRunning: number
    }
  | { readonly name: 'workerStopped'; readonly totalCalls: number }

export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Telemetry = (event: TelemetryEvent) => void

export function levelOf(event: TelemetryEvent): Level {
  switch (event.name) {
    case 'batchesRead':
    case 'checkpointWritten':
    case 'partitionsHeld':
    case 'effectIntended':
    case 'metricsSent':
      return 'debug'
    case 'metricsDropped':
      return event.dropped.refused === undefined ? 'warn' : 'error'
    case 'workerStarted':
      return event.note === undefined ? 'info' : 'warn'
    case 'incidentChanged':
      return event.explanation.phase === 'open' ? 'warn' : 'info'
    case 'sourceReported':
      return event.level
    case 'alertsUnsent':
    case 'detectorsBlind':
    case 'historyWanting':
    case 'streamOutran':
    case 'tenantsRefused':
    case 'metricsDelayed':
    case 'metricKeysLeftOut':
    case 'historyTroubled':
    case 'lagReported':
    case 'rejectsSummarised':
    case 'fleetUnheard':
    case 'keysForgotten':
    case 'commitFailed':
    case 'incidentUnlogged':
    case 'recordingStopped':
    case 'effectLeftOpen':
    case 'effectTroubled':
    case 'effectsDelayed':
    case 'serverUnavailable':
    case 'requestsRefused':
    case 'requestFailed':
      return 'warn'
    case 'auditFailed':
    case 'partitionTroubled':
    case 'effectRefused':
    case 'limitLeftLowered':
    case 'sourceTroubled':
      return 'error'
    case 'metricsPriced':
    case 'historyFound':
    case 'historyFetched':
    case 'historyBegun':
    case 'historyTaught':
    case 'serverListening':
    case 'recordingBegan':
    case 'tenantsReloaded':
    case 'minuteSummarised':
    case 'partitionsChanged':
    case 'effectPerformed':
    case 'decisionsRecalled':
    case 'partitionAwaited':
    case 'sourceEnded':
    case 'workerStopping':
    case 'workerStopped':
      return 'info'
    default:
      event satisfies never
      return 'error'
  }
}

/** By these the log of an incident is found. An effect's id is its incident's and the step. */
export function incidentsOf(event: TelemetryEvent): readonly string[] {
  if ('incidentId' in event) return [event.incidentId]
  if ('explanation' in event) return [event.explanation.incidentId]
  if ('effect' in event) return [event.effect.incidentId]
  if ('effectId' in event) return [incidentOf(event.effectId)]
  if ('effectIds' in event) return [...new Set(event.effectIds.map(incidentOf))]
  return []
}

const incidentOf = (effectId: string): string => effectId.slice(0, effectId.lastIndexOf('/'))

export function sentenceOf(event: TelemetryEvent): string {
  switch (event.name) {
    case 'workerStarted': {
      const { learned } = event
      const anew = learned === undefined ? 'anew' : `with ${learnedText(learned)}`
      const from = event.resumedFrom === undefined ? anew : `from the checkpoint of ${isoTime(event.resumedFrom)}`
      return `Watching ${event.source} in mode ${event.mode}, starting ${from}${event.note === undefined ? '' : `. ${event.note}`}`
    }
    case 'historyBegun':
      return `History is being taught from ${event.logs === 1 ? 'one log' : `${grouped(event.logs)} logs`}; the stream is watched when that is done`
    case 'historyTaught':
      return `History taught ${grouped(event.keys)} keys: ${grouped(event.paneRows)} counted rows and ${grouped(event.calls)} calls, ${grouped(event.rejected)} lines rejected`
    case 'tenantsReloaded':
      return `The tenants were read again: ${grouped(event.tenants)} tenants with ${grouped(event.keys)} keys, and ${grouped(event.planned)} planned events`
    case 'tenantsRefused':
      return `The tenants have changed and were NOT taken; what was known before goes on. ${event.because}`
    case 'alertsUnsent':
      return 'No alerts.sns is configured: alerts are told in this log only'
    case 'detectorsBlind':
      return `Detectors that see nothing, since the log lacks what they need: ${blindText(event.blind)}`
    case 'metricsPriced':
      return `CloudWatch metrics are on: up to ${grouped(event.metrics)} of them and ${grouped(event.requests)} requests cost up to ${usdText(event.usd)} a month (${pricesOf})`
    case 'metricsSent':
      return `Metrics: ${grouped(event.sent)} values sent in ${grouped(event.requests)} requests`
    case 'metricsDelayed':
      return `CloudWatch does not take metrics, and up to ${grouped(event.waiting)} values wait: ${event.because}`
    case 'metricsDropped':
      return `Metrics that will not be sent: ${droppedText(event.dropped)}${event.because === undefined ? '' : ` (${event.because})`}`
    case 'metricKeysLeftOut':
      return `No metrics of ${grouped(event.keys)} keys: there are more than metrics.cloudWatch.rates.maxKeys`
    case 'historyFound':
      return `CloudWatch has the metric of ${grouped(event.keys)} keys${event.otherSeries === 0 ? '' : ` (and ${grouped(event.otherSeries)} series with other dimensions, which are left)`}; reading seven days costs about ${usdText(event.usd)} (${pricesOf})`
    case 'historyFetched':
      return `History read from CloudWatch up to ${isoTime(event.until)} (${Math.round(event.share * 100)} %): ${grouped(event.datapoints)} data points`
    case 'historyTroubled':
      return `CloudWatch does not give the history yet and is asked again: ${event.because}`
    case 'historyWanting':
      return wantingSentence(event.retainedMs)
    case 'streamOutran':
      return `Weir was away for ${hours(event.awayMs)} and the stream keeps ${hours(event.retainedMs)}: what came between is lost, and the baseline has a gap there`
    case 'batchesRead':
    case 'minuteSummarised':
      return readingSentence(event)
    case 'lagReported':
      return `Reading ${Math.round(event.behindMs / 1000)} s behind: what is decided now is about calls that old`
    case 'partitionsChanged':
      return `Reading ${event.partitions.length} partitions: ${event.partitions.join(', ')}`
    case 'partitionsHeld':
      return event.partitions.length === 0
        ? 'No partition is held any more'
        : `Held until the others have caught up: ${event.partitions.join(', ')}`
    case 'incidentChanged':
      return `Incident ${event.explanation.incidentId} is ${event.explanation.phase}: ${event.explanation.kind} of ${event.explanation.keyId}`
    case 'effectIntended':
      return `Decided and journaled: ${event.effect.id}`
    case 'effectPerformed':
      return performedSentence(event.effect, event.outcome)
    case 'effectRefused':
      return `${event.effect.id} was not done: ${event.because}`
    case 'fleetUnheard':
      return `What the other workers see is not known, and each judges by its own share: ${event.because}`
    case 'partitionAwaited':
      return `${event.partition} is ours now, and another worker still holds its state: waiting for it`
    case 'partitionTroubled':
      return `${event.partition} is NOT watched, and is tried again every ten seconds: ${event.because}`
    case 'decisionsRecalled':
      return `Of after the checkpoint the effect journal knows ${event.decisions} decisions and ${event.outcomes} answers: they stand, and nothing is said or done twice`
    case 'effectTroubled':
      return `${event.effectId} has not got through yet and is tried again: ${event.because}`
    case 'effectsDelayed':
      return `Waiting for an answer for up to ${Math.round(event.longestMs / 1000)} s: ${event.effectIds.join(', ')}`
    case 'effectLeftOpen':
      return `${event.effectId} had no answer before stopping; it is tried again at the next start`
    case 'limitLeftLowered':
      return `Usage plan ${event.planId} of key ${event.keyId} is still lowered and no incident holds it any more; giving it back is tried now and each hour (${limitsText(event.original)})`
    case 'checkpointWritten':
      return `Checkpoint of ${event.partitions} partitions written in ${Math.round(event.tookMs)} ms`
    case 'rejectsSummarised':
      return `Rejected in the last minute: ${rejectsText(event)}`
    case 'keysForgotten':
      return `More keys than state.maxKeys: ${grouped(event.keys)} idle ones forgotten in the last minute, ${grouped(event.unplacedCalls)} calls of new ones counted as anonymous`
    case 'auditFailed':
      return `${event.because}; what was done to limits is done all the same`
    case 'incidentUnlogged':
      return `${event.because}; what was decided is told all the same, and can be labelled by its time`
    case 'recordingBegan':
      return `Recording into ${event.directory}, at most ${grouped(Math.round(event.maxBytes / 1_000_000))} MB`
    case 'recordingStopped':
      return `Recording into ${event.directory} has stopped: ${event.because}; the worker goes on`
    case 'commitFailed':
      return `The source did not take the positions (${event.because}); the checkpoint holds them, nothing is lost`
    case 'sourceReported':
      return `The source reports: ${event.detail}`
    case 'sourceTroubled':
      return `The source cannot go on: ${event.because}`
    case 'sourceEnded':
      return 'The source has ended'
    case 'serverListening':
      return `Metrics and health are told at http://${event.address}: /metrics, /healthz, /readyz`
    case 'serverUnavailable':
      return `Metrics and health cannot be told at ${event.listen} (${event.because}); detection goes on, and it is tried again`
    case 'requestsRefused':
      return `HTTP requests refused in the last minute: ${refusedText(event.refused)}`
    case 'requestFailed':
      return `An HTTP request for ${event.route} could not be answered: ${event.because}`
    case 'workerStopping':
      return `Stopping (${event.because}), ${event.effectsRunning} effects still running`
    case 'workerStopped':
      return `Stopped after ${event.totalCalls} calls`
    default:
      event satisfies never
      return ''
  }
}

/** `baselines of 200 keys from week.ndjson.gz and 2 more (learned …)`. */
function learnedText({ at, logs: [first = 'no log', ...more], keys }: LearnedBaselines): string {
  const logs = more.length === 0 ? first : `${first} and ${more.length} more`
  return `baselines of ${grouped(keys)} keys from ${logs} (learned ${isoTime(at)})`
}

/** How to have the seven days that the baseline wants, when nothing is known at the start. */
function wantingSentence(retainedMs: number | undefined): string {
  const kept =
    retainedMs === undefined ? 'How much of the past the stream keeps it did not say' : keptSentence(retainedMs)
  const read = 'source.from: TRIM_HORIZON reads what it keeps'
  const raise = retainedMs !== undefined && retainedMs < historyWantedMs ? raiseHint : ''
  return `Nothing is known of the days before, and what is usual is learned from 7 days. ${kept}. Give --history, or run weir learn with the logs of the last week; ${read}${raise}`
}

const historyWantedMs = 7 * DAY_MS
const keptSentence = (retainedMs: number): string => `The stream keeps ${hours(retainedMs)} of it`
const raiseHint =
  ', and with a retention of 168 h that is a week from then on (aws kinesis increase-stream-retention-period; every shard is then charged for it by the hour)'
const hours = (ms: number): string => `${Math.round(ms / HOUR_MS)} h`

/** `12/s, burst 24`, or `no limit of its own` for a plan without a throttle. */
export function limitsText(limits: PlanLimits | undefined): string {
  return limits === undefined ? 'no limit of its own' : `${limits.rateLimit}/s, burst ${limits.burstLimit}`
}

export function lagText(lag: Lag | undefined): string {
  if (lag === undefined) return 'unknown'
  if ('records' in lag) return lag.records === 0 ? 'none' : `${lag.records} records`
  return lag.ms < 1000 ? 'none' : `${Math.round(lag.ms / 1000)} s`
}

function readingSentence(reading: Reading): string {
  const perSecond = Math.round((reading.calls * 1000) / Math.max(1, reading.overMs))
  const eventTime = reading.eventTime === undefined ? 'no calls yet' : `event time ${isoTime(reading.eventTime)}`
  return `${perSecond} calls/s, ${eventTime}, lag ${lagText(reading.lag)}, ${reading.activeKeys} of ${reading.keys} keys active, ${reading.openIncidents} incidents, ${reading.throttled} throttled`
}

const dropReasons: readonly (readonly [DropReason, string])[] = [
  ['overflow', 'more than may wait'],
  ['untimely', 'older than two weeks or too far ahead'],
  ['unnameable', 'of keys whose ids CloudWatch cannot hold'],
  ['refused', 'refused'],
  ['stopped', 'still waiting when the worker stopped'],
]

const droppedText = (dropped: PublishingSummary['dropped']): string =>
  dropReasons
    .flatMap(([reason, text]) => (dropped[reason] === undefined ? [] : [`${grouped(dropped[reason])} ${text}`]))
    .join(', ')

const refusedText = (refused: Readonly<Record<string, number>>): string =>
  Object.entries(refused)
    .map(([reason, count]) => `${grouped(count)} for their ${reason}`)
    .join(', ')

/** `$120.43`; below a cent as many digits as say something. */
const usdText = (usd: number): string => `$${usd >= 0.01 ? usd.toFixed(2) : usd.toPrecision(1)}`

function performedSentence(effect: Effect, outcome: Outcome): string {
  const done = outcome.kind === 'already' ? 'was so already' : 'done'
  if (effect.kind === 'alert') return `${effect.id} ${done}: people were told`
  if (outcome.kind === 'applied')
    return `${effect.id} ${done}: limit ${limitsText(outcome.before)} → ${limitsText(outcome.after)}`
  return `${effect.id} ${done}`
}

const grouped = (count: number): string => count.toLocaleString('en-US')

const isoTime = (at: EpochMs): string => new Date(at).toISOString()
