/**
 * Alerts through Amazon SNS: one message a transition, with a JSON body (`weir.alert/1`, see README.md) and attributes
 * for filter policies. Publishing cannot be read back: after a lost answer the message is sent again, and a subscriber
 * tells the copies by `deduplicationId`. On a FIFO topic SNS does that itself.
 */
import { createHash } from 'node:crypto'
import {
  type MessageAttributeValue,
  PublishCommand,
  type PublishCommandInput,
  SNSClient,
  SNSServiceException,
} from '@aws-sdk/client-sns'
import {
  type AwsClientSettings,
  awsClientOptions,
  credentialsHint,
  isPassing,
  RoleRefusedError,
  statusOf,
} from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import { alertBody } from '../core/explanation/json.ts'
import { cleanText, headline } from '../core/explanation/text.ts'
import type { AlertEffect, Outcome } from '../core/incident/effect.ts'
import type { Performer } from './performer.ts'

/** What SNS takes of one message by default, body and attributes together (aws-facts: SNS size). */
export const longestMessageBytes = 262_144
/** SNS takes fewer than 100 characters, and its older documentation only ASCII. */
const longestSubject = 99
/** Room that is left for attributes: seven, each value at most 200 characters. */
const attributesBytes = 16_384
/** A body that would be too large is made again with lists and texts cut to this; `truncated` says so. */
const truncatedTo = { items: 20, characters: 500 } as const

const firstPauseMs = 500
const longestPauseMs = 30_000
/** No answer in this time counts as none: a silent SNS must not hold an alert for the socket's own two minutes. */
const answerWithinMs = 10_000

export interface SnsTrouble {
  readonly effectId: string
  readonly attempt: number
  readonly error: string
  readonly nextTryInMs: number
}

export interface SnsPerformerOptions {
  readonly client: SNSClient
  readonly topicArn: string
  readonly clock: Clock
  /** 0 (inclusive) to 1 (exclusive): spreads retries, so that many workers don't come back at the same moment. */
  readonly random: () => number
  /** Told of each failed attempt that will be made again. */
  readonly onTrouble?: (trouble: SnsTrouble) => void
}

export interface SnsClientOptions extends AwsClientSettings {
  readonly topicArn: string
}

/** A topic is only in its own region: the ARN knows it better than the environment does. */
export function snsClient({ topicArn, region = topicArn.split(':')[3], ...settings }: SnsClientOptions): SNSClient {
  return new SNSClient(awsClientOptions({ ...settings, region }, { answerWithinMs }))
}

export function snsPerformer(options: SnsPerformerOptions): Performer<AlertEffect> {
  const { client, topicArn, clock, random, onTrouble } = options
  return {
    async perform(effect, signal) {
      const message = publishInput(effect, topicArn)
      for (let attempt = 1; ; attempt++) {
        signal.throwIfAborted()
        try {
          await client.send(new PublishCommand(message), { abortSignal: signal })
          return { kind: 'applied' }
        } catch (error) {
          signal.throwIfAborted()
          const refused = refusal(error, topicArn)
          if (refused) return refused
          const nextTryInMs = pauseMs(attempt, random)
          onTrouble?.({ effectId: effect.id, attempt, error: errorText(error), nextTryInMs })
          await clock.sleep(nextTryInMs, signal)
        }
      }
    },
  }
}

/** The whole message as SNS gets it. */
export function publishInput(effect: AlertEffect, topicArn: string): PublishCommandInput {
  const { severity, kind, phase, keyId, tenant, mode } = effect.explanation
  return {
    TopicArn: topicArn,
    Subject: subject(effect),
    Message: body(effect),
    MessageAttributes: attributes({ severity, kind, phase, tenantId: tenant?.id, keyId, format: 'generic', mode }),
    ...(topicArn.endsWith('.fifo')
      ? { MessageGroupId: digest(effect.incidentId), MessageDeduplicationId: digest(effect.id) }
      : {}),
  }
}

/** `[high] Client A (key_abc123) exceeded anomaly threshold.`: ASCII, one line; accents are dropped, other letters become `?`. */
function subject({ explanation }: AlertEffect): string {
  const ascii = cleanText(`[${explanation.severity}] ${headline(explanation)}`)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^ -~]/gu, '?')
  return ascii.length > longestSubject ? `${ascii.slice(0, longestSubject - 3)}...` : ascii
}

function body(effect: AlertEffect): string {
  const whole = alertBody(effect)
  const text = JSON.stringify(whole)
  if (Buffer.byteLength(text) <= longestMessageBytes - attributesBytes) return text
  const { items, characters } = truncatedTo
  const cut = { ...whole, detectors: whole.detectors.slice(0, items), evidence: whole.evidence.slice(0, items) }
  return JSON.stringify({ ...cut, truncated: true }, (name, value: unknown) =>
    // The text for people is bounded where it is made.
    typeof value === 'string' && name !== 'text' ? value.slice(0, characters) : value,
  )
}

/** SNS refuses empty values, and control characters in any. */
function attributes(values: Readonly<Record<string, string | undefined>>): Record<string, MessageAttributeValue> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      const clean = cleanText(value ?? '')
      return clean === '' ? [] : [[name, { DataType: 'String', StringValue: clean }]]
    }),
  )
}

/** Ids may hold characters, and be of a length, that a FIFO topic does not take. */
function digest(id: string): string {
  return createHash('sha256').update(id).digest('hex')
}

/** Exponential with full jitter: from nothing to 0.5 s, 1 s, 2 s … 30 s. */
function pauseMs(attempt: number, random: () => number): number {
  return random() * Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1))
}

/** What will not be otherwise next time, in words for a person; undefined: worth another try. */
function refusal(error: unknown, topicArn: string): Outcome | undefined {
  if (error instanceof RoleRefusedError) return { kind: 'refused', because: errorText(error) }
  if (!(error instanceof SNSServiceException)) return undefined
  const status = statusOf(error) ?? 0
  if (status < 400 || status >= 500 || isPassing(error)) return undefined
  return { kind: 'refused', because: refusalText(error, topicArn) }
}

function refusalText(error: SNSServiceException, topicArn: string): string {
  switch (error.name) {
    case 'AuthorizationErrorException':
    case 'AuthorizationError':
    case 'AccessDenied':
      return `may not publish to ${topicArn}: the worker’s role lacks sns:Publish on it (${errorText(error)})`
    case 'NotFoundException':
    case 'NotFound':
      return `there is no topic ${topicArn}: create it, or correct alerts.sns.topicArn (${errorText(error)})`
    default:
      return `SNS refused the message to ${topicArn} (${errorText(error)})`
  }
}

function errorText(error: unknown): string {
  const hint = credentialsHint(error)
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return cleanText(hint === undefined ? text : `${text}. ${hint}`)
}
