/** On moto: the real client over real HTTP, and the envelope that a CloudWatch Logs subscription writes. */
import { gunzipSync } from 'node:zlib'
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
  PutSubscriptionFilterCommand,
} from '@aws-sdk/client-cloudwatch-logs'
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  PutRecordsCommand,
  waitUntilStreamExists,
} from '@aws-sdk/client-kinesis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { type MotoServer, startMoto } from '../testing/servers/moto.ts'
import { describeWith } from '../testing/servers/requirements.ts'
import { kinesisClient, kinesisSource } from './kinesis.ts'
import type { Positions, Source, SourceBatch } from './source.ts'

describeWith('moto', 'a Kinesis stream', () => {
  const region = 'us-east-1'
  let server: MotoServer
  let client: KinesisClient

  beforeAll(async () => {
    process.env.AWS_ACCESS_KEY_ID = 'test'
    process.env.AWS_SECRET_ACCESS_KEY = 'test'
    server = await startMoto()
    client = kinesisClient({ region, endpoint: server.endpoint })
  })
  afterAll(async () => {
    client?.destroy()
    await server?.stop()
  })

  test('of two shards is read whole, and resumed exactly after the given positions', async () => {
    await createStream('calls', 2)
    await put('calls', 0, 100)
    const first = await readUntil(open('calls'), new Map(), batches => textsOf(batches).length === 100)
    await put('calls', 100, 50)
    const second = await readUntil(open('calls'), positionsAfter(first), batches => textsOf(batches).length === 50)

    expect(new Set(first.map(({ partition }) => partition)).size).toBe(2)
    expect(textsOf(first)).toEqual(texts(0, 100))
    expect(textsOf(second)).toEqual(texts(100, 50))
  })

  test('brings what a CloudWatch Logs subscription writes as its gzip envelope', async () => {
    const streamArn = await createStream('subscribed', 2)
    const logs = new CloudWatchLogsClient({ region, endpoint: server.endpoint })
    const logGroupName = '/api/payments'
    const logStreamName = 'stage-prod'
    await logs.send(new CreateLogGroupCommand({ logGroupName }))
    await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }))
    await logs.send(
      new PutSubscriptionFilterCommand({
        logGroupName,
        filterName: 'to-kinesis',
        filterPattern: '',
        destinationArn: streamArn,
        roleArn: 'arn:aws:iam::123456789012:role/logs-to-kinesis',
        distribution: 'Random',
      }),
    )
    const message = JSON.stringify({ apiKeyId: 'key_abc123', status: '200' })
    await logs.send(
      new PutLogEventsCommand({ logGroupName, logStreamName, logEvents: [{ timestamp: Date.now(), message }] }),
    )
    logs.destroy()

    const [batch] = await readUntil(open('subscribed'), new Map(), batches => batches.length === 1)
    const payload = batch?.records[0]?.payload ?? new Uint8Array()
    expect(JSON.parse(gunzipSync(payload).toString())).toMatchObject({
      messageType: 'DATA_MESSAGE',
      logGroup: logGroupName,
      logEvents: [{ message }],
    })
  })

  test('is read by its ARN, through a role, and tells how long it keeps its records', async () => {
    const stream = await createStream('elsewhere', 1)
    await put('elsewhere', 0, 10)
    const roleArn = 'arn:aws:iam::123456789012:role/weir-reader'
    const client = kinesisClient({ stream, endpoint: server.endpoint, roleArn, externalId: 'partner-7' })
    const settings = { stream, from: 'TRIM_HORIZON', pollEveryMs: 200 }
    const source = kinesisSource(settings, { client, clock: systemClock(), random: Math.random })

    expect(await source.retainedMs?.()).toBe(24 * 3_600_000)
    expect(textsOf(await readUntil(source, new Map(), batches => textsOf(batches).length === 10))).toEqual(texts(0, 10))
  })

  test('that is not there is told with what to look for', async () => {
    const reading = open('misspelt').read(new Map(), new AbortController().signal)

    await expect(reading[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining('Kinesis stream misspelt'),
      hint: expect.stringContaining('source.stream'),
    })
  })

  function open(stream: string): Source {
    return kinesisSource(
      { stream, from: 'TRIM_HORIZON', pollEveryMs: 200 },
      { client: kinesisClient({ region, endpoint: server.endpoint }), clock: systemClock(), random: Math.random },
    )
  }

  async function createStream(StreamName: string, ShardCount: number): Promise<string> {
    await client.send(new CreateStreamCommand({ StreamName, ShardCount }))
    await waitUntilStreamExists({ client, maxWaitTime: 30, minDelay: 1 }, { StreamName })
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }))
    return StreamDescriptionSummary?.StreamARN ?? ''
  }

  async function put(StreamName: string, from: number, count: number): Promise<void> {
    const Records = texts(from, count).map(text => ({ Data: Buffer.from(text), PartitionKey: text }))
    await client.send(new PutRecordsCommand({ StreamName, Records }))
  }
})

/** Padded, so that their order as text is the order in which they were written. */
function texts(from: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `call ${String(from + index).padStart(4, '0')}`)
}

function textsOf(batches: readonly SourceBatch[]): readonly string[] {
  return batches.flatMap(({ records }) => records.map(({ payload }) => Buffer.from(payload).toString())).sort()
}

function positionsAfter(batches: readonly SourceBatch[]): Positions {
  return new Map(batches.flatMap(({ records }) => records.map(({ partition, position }) => [partition, position])))
}

async function readUntil(
  source: Source,
  given: Positions,
  enough: (batches: readonly SourceBatch[]) => boolean,
): Promise<readonly SourceBatch[]> {
  const batches: SourceBatch[] = []
  for await (const batch of source.read(given, new AbortController().signal)) {
    batches.push(batch)
    if (enough(batches)) break
  }
  await source.close()
  return batches
}
