/**
 * Alerts through Amazon SNS: one message a transition, with a JSON body (`weir.alert/1`, see README.md) and attributes
 * for filter policies. Publishing cannot be read back: after a lost answer the message is sent again, and a subscriber
 * tells the copies by `deduplicationId`. On a FIFO topic SNS does that itself. What SNS does not take for `giveUpAfterMs` is
 * refused, and kept for a person (stores/undelivered.ts).
 */
import { createHash } from 'node:crypto'
import { type MessageAttributeValue, type PublishCommandInput, SNSClient } from '@aws-sdk/client-sns'
import { type AwsClientSettings, awsClientOptions } from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import { type Delay, delayOf, type Standing } from '../core/explanation/delay.ts'
import { alertBody } from '../core/explanation/json.ts'
import { cleanText, durationText, headline } from '../core/explanation/text.ts'
import type { AlertEffect } from '../core/incident/effect.ts'
import { MINUTE_MS } from '../core/vocabulary.ts'
import type { Performer } from './performer.ts'
import type { SnsSender } from './sns-sender.ts'

/** What SNS takes of one message by default, body and attributes together (aws-facts: SNS size). */
export const longestMessageBytes = 262_144
/** SNS takes fewer than 100 characters, and its older documentation only ASCII. */
const longestSubject = 99
/** Room that is left for attributes: eight, each value at most 200 characters. */
const attributesBytes = 16_384
/** A body that would be too large is made again with lists and texts cut to this; `truncated` says so. */
const truncatedTo = { items: 20, characters: 500 } as const

/** No answer in this time counts as none: a silent SNS must not hold an alert for the socket's own two minutes. */
const answerWithinMs = 10_000
/** An alert that was decided long ago, by a worker that was off since, is tried for so long from its start on. */
const leastTryMs = 10 * MINUTE_MS

export interface SnsClientOptions extends AwsClientSettings {
  readonly topicArn: string
}

/** A topic is only in its own region: the ARN knows it better than the environment does. */
export function snsClient({ topicArn, region = topicArn.split(':')[3], ...settings }: SnsClientOptions): SNSClient {
  return new SNSClient(awsClientOptions({ ...settings, region }, { answerWithinMs }))
}

export interface SnsPerformerOptions {
  readonly sender: SnsSender
  readonly topicArn: string
  readonly clock: Clock
  /** From its decision on; then it is given up, and a person must send it. */
  readonly giveUpAfterMs: number
  /** What was told of an incident last, for messages that come late. */
  readonly standingOf?: ((incidentId: string) => Standing | undefined) | undefined
  /** Asked before each try: rejects where another worker has taken over, and will send what was not sent. */
  readonly stillOurs?: (() => Promise<void>) | undefined
}

export function snsPerformer(options: SnsPerformerOptions): Performer<AlertEffect> {
  const { sender, topicArn, clock, giveUpAfterMs, standingOf, stillOurs } = options
  const notBefore = clock.now() + Math.min(giveUpAfterMs, leastTryMs)
  return {
    perform: (effect, signal) =>
      sender.publish(
        {
          id: effect.id,
          message: now => publishInput(effect, topicArn, delayOf(effect, now, standingOf?.(effect.incidentId))),
          until: Math.max(effect.decidedAt + giveUpAfterMs, notBefore),
          stillOurs,
        },
        signal,
      ),
  }
}

/** The whole message as SNS gets it. */
export function publishInput(effect: AlertEffect, topicArn: string, delay?: Delay): PublishCommandInput {
  const { severity, kind, phase, keyId, tenant, mode } = effect.explanation
  const named = { severity, kind, phase, tenantId: tenant?.id, keyId, format: 'generic', mode }
  return {
    TopicArn: topicArn,
    Subject: subjectOf(`[${severity}${delayed(delay)}] ${headline(effect.explanation)}`),
    Message: body(effect, delay),
    MessageAttributes: attributes({ ...named, delayed: delay === undefined ? undefined : 'true' }),
    ...inGroup(topicArn, { group: effect.incidentId, id: effect.id }),
  }
}

const delayed = (delay: Delay | undefined): string =>
  delay === undefined ? '' : `, delayed ${durationText(delay.sentAt - delay.decidedAt)}`

/** On a FIFO topic the messages of a group stay in order, and SNS drops the copies of one. */
export const inGroup = (topicArn: string, { group, id }: { readonly group: string; readonly id: string }) =>
  topicArn.endsWith('.fifo') ? { MessageGroupId: digest(group), MessageDeduplicationId: digest(id) } : {}

/** `[high] Client A (key_abc123) exceeded anomaly threshold.`: ASCII, one line; accents are dropped, other letters become `?`. */
export function subjectOf(text: string): string {
  const ascii = cleanText(text)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^ -~]/gu, '?')
  return ascii.length > longestSubject ? `${ascii.slice(0, longestSubject - 3)}...` : ascii
}

function body(effect: AlertEffect, delay: Delay | undefined): string {
  const whole = alertBody(effect, delay)
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
export function attributes(
  values: Readonly<Record<string, string | undefined>>,
): Record<string, MessageAttributeValue> {
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
