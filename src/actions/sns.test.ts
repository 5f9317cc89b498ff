import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import type { Clock } from '../clock.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { alertBody } from '../core/explanation/json.ts'
import type { AlertEffect } from '../core/incident/effect.ts'
import { HOUR_MS } from '../core/vocabulary.ts'
import { longestMessageBytes, publishInput, snsClient, snsPerformer } from './sns.ts'
import { type SnsTrouble, snsSender } from './sns-sender.ts'

const topicArn = 'arn:aws:sns:eu-central-1:123456789012:weir-alerts'
const onsetAt = Date.UTC(2026, 10, 20, 14, 3, 7)

const closing: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const close of closing.splice(0)) await close()
})

test('an alert is one Publish: a subject, the whole story as JSON, and attributes to filter by', async () => {
  const topic = await serve(['ok'])
  expect(await topic.perform(alert({}))).toEqual({ kind: 'applied' })
  const [{ Message, ...request } = {}] = topic.requests
  expect(request).toEqual({
    Action: 'Publish',
    Version: '2010-03-31',
    TopicArn: topicArn,
    Subject: '[high] Client A (key_abc123) exceeded anomaly threshold.',
    ...attributeFields({
      severity: 'high',
      kind: 'surge',
      phase: 'open',
      tenantId: 'client-a',
      keyId: 'key_abc123',
      format: 'generic',
      mode: 'enforce',
    }),
  })
  expect(JSON.parse(Message ?? '')).toEqual(alertBody(alert({})))
})

test('the subject is one line of ASCII under a hundred characters, whatever the tenant is called', () => {
  const subject = (name: string) => publishInput(alert({ tenant: { ...tenant, name } }), topicArn).Subject
  expect(subject('Crédit\nMünchen 東京\u0007')).toBe(
    '[high] Credit Munchen ?? (key_abc123) exceeded anomaly threshold.',
  )
  expect(subject('A'.repeat(300))).toBe(`[high] ${'A'.repeat(89)}...`)
})

test('an attribute that would be empty is left out', () => {
  const { MessageAttributes } = publishInput(alert({ tenant: undefined }), topicArn)
  expect(Object.keys(MessageAttributes ?? {})).toEqual(['severity', 'kind', 'phase', 'keyId', 'format', 'mode'])
})

test('a message is never larger than SNS takes, and says when something was left out', () => {
  const flood = alert({
    keyId: 'ключ'.repeat(20_000),
    tenant: { ...tenant, name: '\u0000é'.repeat(50_000) },
    evidence: Array.from({ length: 20_000 }, (_, i) => ({
      measure: `m${i} ${'東'.repeat(50)}`,
      observed: i,
      usual: 1,
    })),
  })
  const { Message = '', MessageAttributes } = publishInput(flood, topicArn)
  expect(Buffer.byteLength(Message) + Buffer.byteLength(JSON.stringify(MessageAttributes))).toBeLessThan(
    longestMessageBytes,
  )
  const { truncated, evidence, incidentId, text } = JSON.parse(Message)
  expect({ truncated, evidence: evidence.length, incidentId }).toEqual({
    truncated: true,
    evidence: 20,
    incidentId: 'key_abc123#1',
  })
  expect(text.split('\n')[1]).toBe('Current: 50,000 req/min. Expected: 400-600 req/min.')
})

test('on a FIFO topic the messages of an incident stay in order, and SNS itself drops the copies', () => {
  const of = (id: string) => publishInput({ ...alert({}), id }, `${topicArn}.fifo`)
  const [first, again, next] = [of('key_abc123#1/alert-1'), of('key_abc123#1/alert-1'), of('key_abc123#1/alert-2')]
  expect(first.MessageGroupId).toMatch(/^[0-9a-f]{64}$/)
  expect([again.MessageGroupId, next.MessageGroupId]).toEqual([first.MessageGroupId, first.MessageGroupId])
  expect(again.MessageDeduplicationId).toBe(first.MessageDeduplicationId)
  expect(next.MessageDeduplicationId).not.toBe(first.MessageDeduplicationId)
})

test('throttling, a sick SNS, a broken connection and credentials in renewal pass: tried again, later each time', async () => {
  const topic = await serve([
    'Throttled 429',
    'Throttling 400',
    'InternalError 500',
    'hang up',
    'ExpiredToken 403',
    'ok',
  ])
  expect(await topic.perform(alert({}))).toEqual({ kind: 'applied' })
  expect(topic.slept).toEqual([250, 500, 1_000, 2_000, 4_000])
  expect(topic.troubles.map(({ attempt, error, nextTryInMs }) => [attempt, error, nextTryInMs])).toEqual([
    [1, 'ThrottledException: Throttled was the answer', 250],
    [2, 'Throttling: Throttling was the answer', 500],
    [3, 'InternalErrorException: InternalError was the answer', 1_000],
    [4, expect.stringMatching(/socket hang up|ECONNRESET/), 2_000],
    [5, expect.stringMatching(/^ExpiredToken: ExpiredToken was the answer\. .*`aws sso login`/), 4_000],
  ])
})

test('the pause between two tries grows to half a minute, and no further', async () => {
  const topic = await serve([...Array(12).fill('InternalError 503'), 'ok'], 1)
  await topic.perform(alert({}))
  expect(topic.slept).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000])
})

test('what only a person can mend is refused at once, with the reason', async () => {
  const refusals: readonly (readonly [string, string])[] = [
    [
      'AuthorizationError 403',
      `may not publish to ${topicArn}: the worker’s role lacks sns:Publish on it (AuthorizationErrorException: AuthorizationError was the answer)`,
    ],
    [
      'NotFound 404',
      `there is no topic ${topicArn}: create it, or correct alerts.sns.topicArn (NotFoundException: NotFound was the answer)`,
    ],
    [
      'InvalidParameter 400',
      `SNS refused the message to ${topicArn} (InvalidParameterException: InvalidParameter was the answer)`,
    ],
    [
      'SignatureDoesNotMatch 403',
      `SNS refused the message to ${topicArn} (SignatureDoesNotMatch: SignatureDoesNotMatch was the answer. The access key is unknown or its secret is wrong: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile)`,
    ],
  ]
  for (const [answer, because] of refusals) {
    const topic = await serve([answer])
    expect(await topic.perform(alert({}))).toEqual({ kind: 'refused', because })
    expect(topic.slept).toEqual([])
  }
})

test('an alert is not sent by who has lost the state to another while it waited, and the next one finds SNS free', async () => {
  const topic = await serve(['ok'])
  const held = new Error('another worker is using it')
  await expect(topic.performWhile(() => Promise.reject(held))).rejects.toBe(held)
  expect(topic.requests).toEqual([])
  expect(await topic.perform(alert({}))).toEqual({ kind: 'applied' })
})

test('a worker that stops is not held by an SNS that never answers, nor by one that always fails', async () => {
  const silent = await serve(['silence'])
  const stop = new AbortController()
  const waiting = silent.perform(alert({}), stop.signal)
  await silent.asked
  stop.abort(new Error('worker stops'))
  await expect(waiting).rejects.toThrow('worker stops')

  const failing = await serve(Array(5).fill('InternalError 500'))
  const stopLater = new AbortController()
  failing.onSleep = () => stopLater.abort(new Error('worker stops'))
  await expect(failing.perform(alert({}), stopLater.signal)).rejects.toThrow('worker stops')
  expect(failing.requests).toHaveLength(1)
})

test('the client goes where the topic is', async () => {
  const client = snsClient({ topicArn })
  closing.push(() => client.destroy())
  expect(await client.config.region()).toBe('eu-central-1')
})

const tenant = { id: 'client-a', name: 'Client A', contact: 'client-a-sre@partner.com', escalation: undefined }

function alert(changed: Partial<Explanation>): AlertEffect {
  return {
    kind: 'alert',
    id: 'key_abc123#1/alert-1',
    incidentId: 'key_abc123#1',
    keyId: 'key_abc123',
    decidedAt: onsetAt + 3_500,
    explanation: {
      incidentId: 'key_abc123#1',
      keyId: 'key_abc123',
      tenant,
      phase: 'open',
      kind: 'surge',
      severity: 'high',
      telling: 'alerted',
      onsetAt,
      decidedAt: onsetAt + 3_000,
      current: { calls: 2_501, seconds: 3, callsPerMinute: 50_020 },
      expected: { callsPerMinute: 502, lowerPerMinute: 400.2, upperPerMinute: 599.6, days: 7 },
      detectors: [{ name: 'sequential-surge', score: 12.42 }],
      evidence: [{ measure: 'calls/min', observed: 50_020, usual: 502 }],
      mode: 'enforce',
      action: { kind: 'throttle', limits: { rateLimit: 15, burstLimit: 30 }, expiresAt: onsetAt + 603_000 },
      ...changed,
    },
  }
}

/** The attributes as the Query protocol numbers them. */
function attributeFields(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value], i) => {
      const entry = `MessageAttributes.entry.${i + 1}`
      return [
        [`${entry}.Name`, name],
        [`${entry}.Value.DataType`, 'String'],
        [`${entry}.Value.StringValue`, value],
      ]
    }),
  )
}

/**
 * A topic on loopback that the SDK's own client talks to, giving one answer after another: `ok`, `<code> <status>`,
 * `hang up` or `silence`. Time passes only when someone sleeps.
 */
async function serve(answers: readonly string[], random = 0.5) {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test')
  const requests: Record<string, string>[] = []
  const slept: number[] = []
  const troubles: SnsTrouble[] = []
  let sawRequest: (value?: unknown) => void
  const asked = new Promise(resolve => {
    sawRequest = resolve
  })

  const server = createServer(async (request, response) => {
    requests.push(Object.fromEntries(new URLSearchParams(await bodyOf(request))))
    sawRequest()
    answer(answers[requests.length - 1] ?? 'ok', response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = snsClient({ topicArn, endpoint: `http://127.0.0.1:${port}` })
  closing.push(() => {
    client.destroy()
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  })

  const topic = {
    requests,
    slept,
    troubles,
    asked,
    onSleep: () => {},
    perform: (effect: AlertEffect, signal = new AbortController().signal) => performer.perform(effect, signal),
    performWhile: (stillOurs: () => Promise<void>) =>
      snsPerformer({ ...common, stillOurs }).perform(alert({}), new AbortController().signal),
  }
  let now = onsetAt
  const clock: Clock = {
    now: () => now,
    sleep: async ms => {
      now += ms
      slept.push(ms)
      topic.onSleep()
    },
  }
  const onTrouble = (trouble: SnsTrouble) => troubles.push(trouble)
  const sender = snsSender({ client, topicArn, clock, random: () => random, onTrouble })
  const common = { sender, topicArn, clock, giveUpAfterMs: HOUR_MS }
  const performer = snsPerformer(common)
  return topic
}

function answer(kind: string, response: ServerResponse): void {
  if (kind === 'silence') return
  if (kind === 'hang up') {
    response.destroy()
    return
  }
  response.setHeader('content-type', 'text/xml')
  if (kind === 'ok') {
    response.end(
      '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>',
    )
    return
  }
  const [code = '', status] = kind.split(' ')
  response.statusCode = Number(status)
  response.end(
    `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${code} was the answer</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`,
  )
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}
