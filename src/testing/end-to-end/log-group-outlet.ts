/**
 * Lines into CloudWatch Logs, whose subscription writes them to a Kinesis stream as gzip envelopes: API Gateway's own way.
 * On moto, which delivers at once, picks a shard at random, and ignores the filter's pattern.
 */
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
  PutSubscriptionFilterCommand,
} from '@aws-sdk/client-cloudwatch-logs'
import { CreateStreamCommand, DescribeStreamSummaryCommand, waitUntilStreamExists } from '@aws-sdk/client-kinesis'
import { kinesisClient } from '../../sources/kinesis.ts'
import { region } from './aws-account.ts'
import type { Outlet } from './traffic.ts'

export interface LogGroupOutletOptions {
  readonly endpoint: string
  /** Name of the stream that is made. */
  readonly stream: string
  readonly shards: number
}

const logStreamName = 'prod'

export async function logGroupOutlet({ endpoint, stream, shards }: LogGroupOutletOptions): Promise<Outlet> {
  const logGroupName = `/api-gateway/${stream}`
  const destinationArn = await createStream({ endpoint, stream, shards })
  const logs = new CloudWatchLogsClient({ region, endpoint })
  await logs.send(new CreateLogGroupCommand({ logGroupName }))
  await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }))
  await logs.send(
    new PutSubscriptionFilterCommand({
      logGroupName,
      filterName: 'to-kinesis',
      filterPattern: '',
      destinationArn,
      roleArn: 'arn:aws:iam::123456789012:role/logs-to-kinesis',
      distribution: 'Random',
    }),
  )
  return {
    async send(lines) {
      const timestamp = Date.now()
      const logEvents = lines.map(message => ({ timestamp, message }))
      await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents }))
    },
    close: async () => logs.destroy(),
  }
}

async function createStream({ endpoint, stream, shards }: LogGroupOutletOptions): Promise<string> {
  const client = kinesisClient({ region, endpoint })
  try {
    await client.send(new CreateStreamCommand({ StreamName: stream, ShardCount: shards }))
    await waitUntilStreamExists({ client, maxWaitTime: 30, minDelay: 1 }, { StreamName: stream })
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName: stream }))
    return StreamDescriptionSummary?.StreamARN ?? ''
  } finally {
    client.destroy()
  }
}
