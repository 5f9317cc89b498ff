/**
 * Everything worth knowing about a running worker, as named events: a noun and what happened to it. Each has a level
 * (info: it worked, warn: we coped, error: a person must come; debug: once a second or oftener) and one sentence.
 * Sinks (a JSON log, the terminal) render these and nothing else, so there is no second kind of log line. Events are
 * counted per batch, never per call, and hold no payload and no secret.
 */

import type { BlindSpot } from '../core/blind-spots.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { type Notice, severityOfNotice } from '../core/explanation/notice.ts'
import type { Effect, Outcome, PlanLimits } from '../core/incident/effect.ts'
import type { LimitStory } from '../core/incident/limit-story.ts'
import type { Doubt, LoweredPlan } from '../core/incident/verification.ts'
import type { CommandAnswer, OperatorCommand } from '../core/operator.ts'
import type { ApiKeyId, EpochMs, PartitionId } from '../core/vocabulary.ts'
import type { MonthlyCost } from '../metrics/cost.ts'
import type { HistoryEvent } from '../metrics/history.ts'
import type { PublishingSummary } from '../metrics/publisher.ts'
import type { RejectsSummary } from '../stores/rejects.ts'

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
  /** … refused for being dated ahead of the clock. */
  readonly future: number
  readonly openIncidents: number
  readonly throttled: number
  /** A person wants nobody throttled. */
  readonly isHalted: boolean
  readonly history: boolean
  /** Event time at which the backlog began that is being read; undefined while there is none. */
  readonly catchingUpFrom: EpochMs | undefined
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
  /** `undelivered`: alerts that nobody got, and that are kept. */
  | ({ readonly name: 'minuteSummarised'; readonly undelivered: number } & Reading)
  | { readonly name: 'lagReported'; readonly behindMs: number }
  | { readonly name: 'partitionsChanged'; readonly partitions: readonly PartitionId[] }
  | { readonly name: 'partitionsHeld'; readonly partitions: readonly PartitionId[] }
  | { readonly name: 'incidentChanged'; readonly explanation: Explanation }
  /** Once it is seen in the log, or, of one that could not be, at the end of its incident. */
  | {
      readonly name: 'throttleVerified'
      readonly incidentId: string
      readonly keyId: ApiKeyId
      readonly verdict: 'bites' | 'does-not-bite' | 'cannot-tell'
      /** Why it could not be told. */
      readonly because: Doubt | undefined
      /** From the gateway's answer to the first second in which the limit held; undefined where that was not seen. */
      readonly bitesAfterMs: number | undefined
      readonly plans: readonly LoweredPlan[]
    }
  | { readonly name: 'effectIntended'; readonly effect: Effect }
  | { readonly name: 'effectPerformed'; readonly effect: Effect; readonly outcome: Outcome; readonly tookMs: number }
  | { readonly name: 'effectRefused'; readonly effect: Effect; readonly because: string }
  /** More than may be kept of alerts that nobody got: these were the oldest. */
  | { readonly name: 'alertsForgotten'; readonly alerts: number }
  | { readonly name: 'fleetUnheard'; readonly because: string }
  | { readonly name: 'wordsUnheard'; readonly because: string }
  | { readonly name: 'partitionAwaited'; readonly partition: PartitionId }
  | { readonly name: 'partitionTroubled'; readonly partition: PartitionId; readonly because: string }
  /** The disk took no checkpoint; tried again with the next. */
  | { readonly name: 'checkpointFailed'; readonly because: string; readonly stopsInMs: number }
  /** A crash tore off the last append of the effect journal: what it announced was not begun. */
  | { readonly name: 'journalCut'; readonly bytes: number }
  | { readonly name: 'decisionsRecalled'; readonly decisions: number; readonly outcomes: number }
  | { readonly name: 'effectTroubled'; readonly effectId: string; readonly because: string }
  | { readonly name: 'effectsDelayed'; readonly effectIds: readonly string[]; readonly longestMs: number }
  | { readonly name: 'effectLeftOpen'; readonly effectId: string }
  | {
      readonly name: 'limitLeftLowered'
      /** Under which it is given back; whose doing it was nobody knows any more. */
      readonly incidentId: string
      readonly keyId: ApiKeyId
      readonly way: LimitStory['kind']
      /** Or what else it is called: a key that was moved, a row. */
      readonly planId: string
      readonly original: PlanLimits | undefined
    }
  | {
      readonly name: 'operatorCommanded'
      readonly command: OperatorCommand
      readonly by: string
      readonly answer: CommandAnswer
    }
  /** Once a minute while it is so. */
  | { readonly name: 'throttlingHalted'; readonly by: string; readonly since: EpochMs }
  /** In mode enforce, of gateways that have no dead man's switch. */
  | { readonly name: 'limitsUnguarded'; readonly gateways: readonly string[] }
  /** At the start, where workers share a stream: so many have several keys, which are watched together by partition only. */
  | { readonly name: 'tenantsSplit'; readonly tenants: number }
  /** A limit is lowered, or about to be, and no schedule would give it back. */
  | {
      readonly name: 'scheduleMissing'
      readonly schedule: string
      /** What it was to be made beside. */
      readonly effectId: string
      readonly because: string
      readonly needsPerson: boolean
    }
  | { readonly name: 'scheduleMade'; readonly schedule: string; readonly effectId: string }
  | { readonly name: 'scheduleLeft'; readonly schedule: string; readonly because: string }
  | { readonly name: 'checkpointWritten'; readonly partitions: number; readonly tookMs: number }
  | ({ readonly name: 'rejectsSummarised' } & RejectsSummary)
  /** In the last minute: known keys that made room for new ones, and calls of new ones that found none. */
  | { readonly name: 'keysForgotten'; readonly keys: number; readonly unplacedCalls: number }
  /** What the worker says of itself to whoever is on call. */
  | { readonly name: 'noticeTold'; readonly notice: Notice }
  | { readonly name: 'noticeRefused'; readonly notice: Notice }
  | { readonly name: 'auditFailed'; readonly because: string }
  /** By the rule `audit.keepFor`. */
  | { readonly name: 'auditDeleted'; readonly file: string }
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
  /** They stay lowered while nobody runs. */
  | { readonly name: 'limitsStayLowered'; readonly keyIds: readonly ApiKeyId[] }
  | { readonly name: 'workerStopped'; readonly totalCalls: number }

export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Telemetry = (event: TelemetryEvent) => void

/** Of a stream that is shared, whatever the life of a partition tells says which. */
export const ofPartition = (telemetry: Telemetry, partition: PartitionId | undefined): Telemetry =>
  partition === undefined ? telemetry : event => telemetry(Object.assign({ partition }, event))

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
    case 'scheduleMissing':
      return event.needsPerson ? 'error' : 'warn'
    case 'workerStarted':
      return event.note === undefined ? 'info' : 'warn'
    case 'incidentChanged':
      return event.explanation.phase === 'open' && event.explanation.telling !== 'history' ? 'warn' : 'info'
    case 'throttleVerified':
      return event.verdict === 'bites' ? 'info' : event.verdict === 'cannot-tell' ? 'warn' : 'error'
    case 'noticeTold':
      return severityOfNotice(event.notice) === 'high' ? 'warn' : 'info'
    case 'sourceReported':
      return event.level
    case 'alertsUnsent':
    case 'limitsUnguarded':
    case 'tenantsSplit':
    case 'scheduleLeft':
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
    case 'journalCut':
    case 'incidentUnlogged':
    case 'recordingStopped':
    case 'effectLeftOpen':
    case 'effectTroubled':
    case 'effectsDelayed':
    case 'operatorCommanded':
    case 'throttlingHalted':
    case 'serverUnavailable':
    case 'requestsRefused':
    case 'requestFailed':
      return 'warn'
    case 'alertsForgotten':
    case 'wordsUnheard':
    case 'noticeRefused':
    case 'auditFailed':
    case 'checkpointFailed':
    case 'partitionTroubled':
    case 'effectRefused':
    case 'limitLeftLowered':
    case 'limitsStayLowered':
    case 'sourceTroubled':
      return 'error'
    case 'metricsPriced':
    case 'historyFound':
    case 'historyFetched':
    case 'historyBegun':
    case 'historyTaught':
    case 'serverListening':
    case 'recordingBegan':
    case 'auditDeleted':
    case 'scheduleMade':
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
  if ('answer' in event) return event.answer.kind === 'obeyed' ? event.answer.incidentIds : []
  if ('effectId' in event) return [incidentOf(event.effectId)]
  if ('effectIds' in event) return [...new Set(event.effectIds.map(incidentOf))]
  return []
}

const incidentOf = (effectId: string): string => effectId.slice(0, effectId.lastIndexOf('/'))

/** An incident has changed; and where the news is whether its limit holds, that too, as a figure of its own. */
export function tellChange(explanation: Explanation, telemetry: Telemetry): void {
  telemetry({ name: 'incidentChanged', explanation })
  const { phase, verification, incidentId, keyId } = explanation
  if (verification === undefined) return
  const { verdict, plans } = verification
  if (verdict.kind === 'too-early') return
  if (phase !== (verdict.kind === 'cannot-tell' ? 'closed' : 'mitigated')) return
  telemetry({
    ...{ name: 'throttleVerified', incidentId, keyId, verdict: verdict.kind, plans },
    because: verdict.kind === 'cannot-tell' ? verdict.because : undefined,
    bitesAfterMs: verdict.kind === 'bites' ? verdict.afterMs : undefined,
  })
}
