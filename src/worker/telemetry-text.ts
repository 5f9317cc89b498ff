/** One sentence for each thing that a worker tells (telemetry.ts), and how its figures are written. */
import { blindText } from '../core/blind-spots.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { noticeHeadline } from '../core/explanation/notice.ts'
import { durationText } from '../core/explanation/text.ts'
import type { Effect, Outcome, PlanLimits } from '../core/incident/effect.ts'
import { DAY_MS, type EpochMs, HOUR_MS } from '../core/vocabulary.ts'
import { pricesOf } from '../metrics/cost.ts'
import type { DropReason, PublishingSummary } from '../metrics/publisher.ts'
import { rejectsText } from '../stores/rejects.ts'
import type { Lag, LearnedBaselines, Reading, TelemetryEvent } from './telemetry.ts'

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
      return readingSentence(event)
    case 'minuteSummarised':
      return `${readingSentence(event)}${undeliveredText(event.undelivered)}`
    case 'lagReported':
      return `Reading ${Math.round(event.behindMs / 1000)} s behind: what is decided now is about calls that old`
    case 'partitionsChanged':
      return `Reading ${event.partitions.length} partitions: ${event.partitions.join(', ')}`
    case 'partitionsHeld':
      return event.partitions.length === 0
        ? 'No partition is held any more'
        : `Held until the others have caught up: ${event.partitions.join(', ')}`
    case 'incidentChanged':
      return changeSentence(event.explanation)
    case 'throttleVerified':
      return verifiedSentence(event)
    case 'effectIntended':
      return `Decided and journaled: ${event.effect.id}`
    case 'effectPerformed':
      return performedSentence(event.effect, event.outcome)
    case 'effectRefused':
      return event.effect.kind === 'alert'
        ? `NOBODY WAS TOLD: alert ${event.effect.id} is given up on and kept, \`weir alerts\` lists it and sends it again: ${event.because}`
        : `${event.effect.id} was not done: ${event.because}`
    case 'alertsForgotten':
      return `More alerts are undelivered than can be kept: ${grouped(event.alerts)} of the oldest are gone, and nobody was told of them`
    case 'fleetUnheard':
      return `What the other workers see is not known, and each judges by its own share: ${event.because}`
    case 'wordsUnheard':
      return `What people say to all workers (halt, go-on, release --all) cannot be read, and is tried again each second: ${event.because}`
    case 'partitionAwaited':
      return `${event.partition} is ours now, and another worker still holds its state: waiting for it`
    case 'partitionTroubled':
      return `${event.partition} is NOT watched, and is tried again every ten seconds: ${event.because}`
    case 'checkpointFailed':
      return `No checkpoint could be written, and nothing is committed; the stream goes on, and Weir stops in ${durationText(event.stopsInMs)} if that lasts: ${event.because}`
    case 'journalCut':
      return `The effect journal ended in ${grouped(event.bytes)} bytes that a crash tore off, and they were cut away: what they announced was not begun`
    case 'decisionsRecalled':
      return `Of after the checkpoint the effect journal knows ${event.decisions} decisions and ${event.outcomes} answers: they stand, and nothing is said or done twice`
    case 'effectTroubled':
      return `${event.effectId} has not got through yet and is tried again: ${event.because}`
    case 'effectsDelayed':
      return `Waiting for an answer for up to ${Math.round(event.longestMs / 1000)} s: ${event.effectIds.join(', ')}`
    case 'effectLeftOpen':
      return `${event.effectId} had no answer before stopping; it is tried again at the next start`
    case 'limitLeftLowered':
      return `${leftText(event)} and no incident holds it any more; giving it back is tried now and each hour`
    case 'operatorCommanded':
      return commandedSentence(event)
    case 'throttlingHalted':
      return `Nobody is throttled: ${event.by} has halted it at ${isoTime(event.since)}, until somebody says weir throttles go-on`
    case 'limitsUnguarded':
      return `Limits of ${event.gateways.join(', ')} would stay lowered if Weir died for good while they are: configure deadMansSwitch there (src/dead-man/README.md says how), or give them back with weir throttles release --all, which needs no worker`
    case 'tenantsSplit':
      return `${event.tenants === 1 ? '1 tenant' : `${event.tenants} tenants`} of tenants.yaml ${event.tenants === 1 ? 'has' : 'have'} several keys. Workers share this stream, so what a tenant's keys call is summed, and a usage plan that holds several of them lowered, only where they are in one partition: write the records keyed by tenant to have that`
    case 'scheduleMissing':
      return `The dead man's switch has no schedule ${event.schedule}: should Weir die now, that limit would stay lowered. It is tried for ${event.needsPerson ? 'every five minutes' : 'again'} (${event.because})`
    case 'scheduleMade':
      return `The dead man's switch has its schedule ${event.schedule} by now`
    case 'scheduleLeft':
      return `The schedule ${event.schedule} of the dead man's switch is no longer needed and could not be deleted; it will find the limit given back, and do nothing (${event.because})`
    case 'checkpointWritten':
      return `Checkpoint of ${event.partitions} partitions written in ${Math.round(event.tookMs)} ms`
    case 'rejectsSummarised':
      return `Rejected in the last minute: ${rejectsText(event)}`
    case 'keysForgotten':
      return forgottenSentence(event)
    case 'noticeTold':
      return noticeHeadline(event.notice)
    case 'noticeRefused':
      return `SNS did not take what Weir says of itself: ${noticeHeadline(event.notice)}`
    case 'auditFailed':
      return `${event.because}; what was done to limits is done all the same`
    case 'auditDeleted':
      return `${event.file} of the audit log was deleted: all of it is longer ago than audit.keepFor`
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
    case 'limitsStayLowered':
      return `While Weir does not run nobody gives back the lowered limits of ${listText(event.keyIds)}: start it again, or give them back now with weir throttles release --all`
    case 'workerStopped':
      return `Stopped after ${event.totalCalls} calls`
    default:
      event satisfies never
      return ''
  }
}

function verifiedSentence({ incidentId, keyId, verdict, because, bitesAfterMs }: VerifiedEvent): string {
  const limit = `The lowered limit of ${keyId} (${incidentId})`
  switch (verdict) {
    case 'bites':
      return `${limit} holds${bitesAfterMs === undefined ? '' : `, ${Math.round(bitesAfterMs / 1000)} s after the gateway took it`}`
    case 'does-not-bite':
      return `${limit} does NOT hold: the log shows far more going through than it allows`
    case 'cannot-tell':
      return `${limit} could not be verified: ${because}`
    default:
      return verdict satisfies never
  }
}

type VerifiedEvent = Extract<TelemetryEvent, { name: 'throttleVerified' }>

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

function leftText({ way, planId, keyId, original }: Extract<TelemetryEvent, { name: 'limitLeftLowered' }>): string {
  switch (way) {
    case 'plan':
      return `Usage plan ${planId} of key ${keyId} is still lowered (it had ${limitsText(original)})`
    case 'move':
      return `Of ${keyId}, ${planId} is still in the penalty plan`
    case 'row':
      return `Of ${keyId}, ${planId} still stands in the authorizer’s table`
    default:
      return way satisfies never
  }
}

/** Known keys give way where all that are known are too many; new ones find no place where too many call at once, which is a share of them. */
function forgottenSentence({ keys, unplacedCalls }: Extract<TelemetryEvent, { name: 'keysForgotten' }>): string {
  const forgotten = `state.maxKeys is reached: ${grouped(keys)} idle keys made room for new ones in the last minute`
  if (unplacedCalls === 0) return `${forgotten}. If these are real clients, raise it`
  const first = keys === 0 ? '' : `${forgotten}. `
  return `${first}More new keys call at once than state.maxKeys leaves room for: ${grouped(unplacedCalls)} calls of them counted as anonymous in the last minute. Made-up ids do that: look where they come from (the log’s sourceIp, or a rate-based rule of AWS WAF). Raise state.maxKeys only if they are real clients`
}

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

function changeSentence({ incidentId, phase, kind, keyId, telling, decidedAt }: Explanation): string {
  const told = `Incident ${incidentId} is ${phase}: ${kind} of ${keyId}`
  return telling === 'history' ? `History, as of ${isoTime(decidedAt)}: ${told}; nobody is woken for it` : told
}

const undeliveredText = (alerts: number): string =>
  alerts === 0 ? '' : `, ${grouped(alerts)} alerts UNDELIVERED (weir alerts)`

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

function commandedSentence({ command, by, answer }: Extract<TelemetryEvent, { name: 'operatorCommanded' }>): string {
  const what = 'keyId' in command ? `${command.kind} ${command.keyId}` : command.kind
  if (answer.kind === 'refused') return `${by} asked for ${what}, which is not done: ${answer.because}`
  const until = answer.until === undefined ? '' : ` until ${isoTime(answer.until)}`
  const whom = 'keyId' in command || answer.keyIds.length === 0 ? '' : ` (${answer.keyIds.join(', ')})`
  return `${by} asked for ${what}${until}${whom}`
}

function performedSentence(effect: Effect, outcome: Outcome): string {
  const done = outcome.kind === 'already' ? 'was so already' : 'done'
  if (effect.kind === 'alert') return `${effect.id} ${done}: people were told`
  if (outcome.kind === 'applied')
    return `${effect.id} ${done}: limit ${limitsText(outcome.before)} → ${limitsText(outcome.after)}`
  return `${effect.id} ${done}`
}

const grouped = (count: number): string => count.toLocaleString('en-US')

const isoTime = (at: EpochMs): string => new Date(at).toISOString()

const listedIds = 10

function listText(ids: readonly string[]): string {
  const more = ids.length - listedIds
  return more > 0 ? `${ids.slice(0, listedIds).join(', ')} and ${more} more` : ids.join(', ')
}
