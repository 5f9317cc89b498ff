/**
 * What a user has on AWS, on moto: a client's API key with a usage plan of its own, a topic for alerts, and somebody who
 * reads it. All through the SDK, as the user would.
 */
import {
  APIGatewayClient,
  CreateApiKeyCommand,
  CreateUsagePlanCommand,
  CreateUsagePlanKeyCommand,
  GetUsagePlanCommand,
} from '@aws-sdk/client-api-gateway'
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns'
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { z } from 'zod'
import type { EpochMs, PlanLimits } from '../../core/vocabulary.ts'

export const region = 'us-east-1'

/** The SDK's clients find these; moto takes any. */
export function useDummyCredentials(): void {
  process.env.AWS_ACCESS_KEY_ID = 'test'
  process.env.AWS_SECRET_ACCESS_KEY = 'test'
}

export interface PlanWatch {
  readonly keyId: string
  readonly planId: string
  /** What the plan has now, asked of the gateway. */
  limits(): Promise<PlanLimits>
}

/** A key and a plan that holds this key alone. */
export async function keyWithItsPlan(endpoint: string, name: string, limits: PlanLimits): Promise<PlanWatch> {
  const gateway = new APIGatewayClient({ region, endpoint })
  const { id: keyId = '' } = await gateway.send(new CreateApiKeyCommand({ name, enabled: true }))
  const { id: planId = '' } = await gateway.send(new CreateUsagePlanCommand({ name, throttle: limits }))
  await gateway.send(new CreateUsagePlanKeyCommand({ usagePlanId: planId, keyId, keyType: 'API_KEY' }))
  return {
    keyId,
    planId,
    async limits() {
      const { throttle } = await gateway.send(new GetUsagePlanCommand({ usagePlanId: planId }))
      return { rateLimit: throttle?.rateLimit ?? Number.NaN, burstLimit: throttle?.burstLimit ?? Number.NaN }
    },
  }
}

/** A message as a queue that is subscribed to a topic gets it. */
const envelope = z.object({
  Subject: z.string(),
  Message: z.string(),
  Timestamp: z.coerce.date(),
  MessageAttributes: z.record(z.string(), z.object({ Type: z.string(), Value: z.string() })),
})

/** What machines find in every alert; the whole is `weir.alert/1` in src/actions/README.md. */
const alert = z.looseObject({
  schema: z.string(),
  deduplicationId: z.string(),
  keyId: z.string(),
  phase: z.string(),
  action: z.looseObject({ kind: z.string() }),
  text: z.string(),
})

/** What the worker says of itself. */
const notice = z.looseObject({ schema: z.literal('weir.notice/1'), kind: z.string(), text: z.string() })

export interface ReceivedAlert {
  readonly receivedAt: EpochMs
  /** When SNS took it. */
  readonly publishedAt: EpochMs
  readonly subject: string
  readonly attributes: Readonly<Record<string, string>>
  readonly body: z.output<typeof alert>
}

export interface Subscriber {
  readonly topicArn: string
  /** Every alert that has come so far, copies too, in the order received. */
  received(): Promise<readonly ReceivedAlert[]>
  /** Notices, by what is known since alerts were asked for last. */
  notices(): readonly z.output<typeof notice>[]
}

/** A topic, and a queue that is subscribed to it. */
export async function topicWithSubscriber(endpoint: string, name: string): Promise<Subscriber> {
  const sns = new SNSClient({ region, endpoint })
  const sqs = new SQSClient({ region, endpoint })
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: name }))
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: name }))
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }))
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: Attributes?.QueueArn }))
  const all: ReceivedAlert[] = []
  const notices: z.output<typeof notice>[] = []
  return {
    topicArn: TopicArn,
    notices: () => notices,
    async received() {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))
      const receivedAt = Date.now()
      for (const { Body = '' } of Messages) {
        const message = envelope.parse(JSON.parse(Body))
        const told = notice.safeParse(JSON.parse(message.Message))
        if (told.success) notices.push(told.data)
        else all.push(alertIn(message, receivedAt))
      }
      const Entries = Messages.map(({ MessageId, ReceiptHandle }) => ({ Id: MessageId, ReceiptHandle }))
      if (Entries.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
      return all
    },
  }
}

function alertIn(message: z.output<typeof envelope>, receivedAt: EpochMs): ReceivedAlert {
  const { Subject, Message, MessageAttributes, Timestamp } = message
  const attributes = Object.fromEntries(Object.entries(MessageAttributes).map(([name, { Value }]) => [name, Value]))
  const body = alert.parse(JSON.parse(Message))
  return { receivedAt, publishedAt: Timestamp.getTime(), subject: Subject, attributes, body }
}
