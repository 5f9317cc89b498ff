import { PublishCommand, type PublishCommandInput, SNSClient } from '@aws-sdk/client-sns'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ServedSns, serveSns } from './sns.ts'

const topic = 'arn:aws:sns:us-east-1:123456789012:alerts'

let served: ServedSns
let client: SNSClient

beforeEach(async () => {
  served = await serveSns({ topics: [topic] })
  client = new SNSClient({
    region: 'us-east-1',
    endpoint: served.endpoint,
    credentials: { accessKeyId: 'simulated', secretAccessKey: 'simulated' },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ requestTimeout: 300, throwOnRequestTimeout: true }),
  })
})

afterEach(async () => {
  client.destroy()
  await served.close()
})

const publish = (input: Partial<PublishCommandInput> = {}) =>
  client.send(new PublishCommand({ TopicArn: topic, Message: 'a storm & more <here>', ...input }))

test('what the real SDK publishes is kept as it was sent', async () => {
  const { MessageId } = await publish({
    Subject: 'ALARM: Client A',
    Message: 'Größe: 50,000 req/min\n',
    MessageAttributes: {
      severity: { DataType: 'String', StringValue: 'high' },
      score: { DataType: 'Number', StringValue: '12.5' },
    },
  })
  expect(served.messages()).toEqual([
    {
      messageId: MessageId,
      topicArn: topic,
      subject: 'ALARM: Client A',
      message: 'Größe: 50,000 req/min\n',
      attributes: { severity: { type: 'String', value: 'high' }, score: { type: 'Number', value: '12.5' } },
    },
  ])
})

test.each<[string, Partial<PublishCommandInput>, string]>([
  ['a topic that does not exist', { TopicArn: `${topic}-2` }, 'NotFoundException'],
  ['what is no ARN', { TopicArn: 'alerts' }, 'InvalidParameterException'],
  ['a subject of 100 characters', { Subject: 'x'.repeat(100) }, 'InvalidParameterException'],
  ['a subject of two lines', { Subject: 'a\nb' }, 'InvalidParameterException'],
  ['a subject beyond ASCII', { Subject: 'Größe' }, 'InvalidParameterException'],
  ['an empty message', { Message: '' }, 'InvalidParameterException'],
  ['a message over 262,144 bytes', { Message: 'é'.repeat(131_073) }, 'InvalidParameterException'],
  [
    'an attribute of a type that SNS lacks',
    { MessageAttributes: { a: { DataType: 'Integer', StringValue: '1' } } },
    'InvalidParameterException',
  ],
  [
    'an attribute whose name is reserved',
    { MessageAttributes: { 'AWS.a': { DataType: 'String', StringValue: '1' } } },
    'InvalidParameterException',
  ],
  [
    'attributes that make it too long',
    { Message: 'x'.repeat(262_140), MessageAttributes: { a: { DataType: 'String', StringValue: '1' } } },
    'InvalidParameterException',
  ],
])('refuses %s', async (_, input, name) => {
  await expect(publish(input)).rejects.toMatchObject({ name })
  expect(served.messages()).toEqual([])
})

test('the longest message and subject get through', async () => {
  await publish({ Message: 'é'.repeat(131_072), Subject: 'x'.repeat(99) })
  expect(served.messages()).toHaveLength(1)
})

test('it fails as it is told: throttled, broken, silent, and silent after it took the message', async () => {
  for (const fault of ['throttled', 'server-error', 'silent', 'silent-after'] as const) served.failNext(fault)
  await expect(publish()).rejects.toMatchObject({ name: 'Throttling' })
  await expect(publish()).rejects.toMatchObject({ $metadata: { httpStatusCode: 500 } })
  await expect(publish()).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(served.messages()).toHaveLength(0)
  await expect(publish()).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(served.messages()).toHaveLength(1)
})
