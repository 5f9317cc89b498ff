/** On kinesalite: a stream that splits and merges while it is written and read, and a worker that is started anew between. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { weirSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import { createDecoder, maxRecordBytes } from '../core/formats/decoder.ts'
import type { Outcome } from '../core/incident/effect.ts'
import { openCheckpoints } from '../stores/checkpoint.ts'
import { openEffectJournal } from '../stores/effect-journal.ts'
import { openRejects } from '../stores/rejects.ts'
import { openUndelivered } from '../stores/undelivered.ts'
import { type KinesaliteServer, startKinesalite } from '../testing/servers/kinesalite.ts'
import { until } from '../testing/until.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { runWorker } from '../worker/worker.ts'
import { kinesisClient, kinesisSource } from './kinesis.ts'

describe('a Kinesis stream that splits and merges while it is written', () => {
  let server: KinesaliteServer
  let client: KinesisClient
  let folder: string

  beforeAll(async () => {
    server = await startKinesalite()
    client = kinesisClient({ endpoint: server.endpoint })
    folder = await mkdtemp(join(tmpdir(), 'weir-resharding-'))
  })
  afterAll(async () => {
    client.destroy()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('is read whole and once by one worker', async () => {
    const producer = await startProducer('calls')
    const worker = await startWorker('calls', join(folder, 'one'))
    await split('calls', 0)
    await merge('calls', 3, 1)
    await split('calls', 4)
    const sent = await producer.stop()
    await worker.untilCounted(sent)
    // Long enough for a second copy to come, if one did.
    await pause(1_000)
    expect(await worker.stop()).toBe(sent)
    expect(worker.begun()).toEqual(shards(0, 1, 2, 3, 4, 5, 6))
  })

  test('is read whole and once by a worker that dies in the middle of it and one that goes on from its folder', async () => {
    const producer = await startProducer('restarted')
    const first = await startWorker('restarted', join(folder, 'first'))
    await split('restarted', 0)
    await first.untilCounted(100)
    // The folder as a sudden death leaves it: what the first one reads and notes from here on is nobody's.
    await cp(join(folder, 'first'), join(folder, 'second'), { recursive: true, filter: path => !path.endsWith('lock') })
    await merge('restarted', 3, 1)
    await first.stop()
    await split('restarted', 2)
    const second = await startWorker('restarted', join(folder, 'second'))
    await merge('restarted', 6, 4)
    const sent = await producer.stop()
    await second.untilCounted(sent)
    await pause(1_000)
    expect(await second.stop()).toBe(sent)
    const stopped = await openCheckpoints(join(folder, 'second'))
    const positions = (await stopped.read())?.snapshot.positions ?? {}
    await stopped.close()
    // Both are open; whatever came before has an heir with a position.
    expect(Object.keys(positions).toSorted()).toEqual(shards(5, 7))
  })

  async function startProducer(StreamName: string) {
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }))
    await active(StreamName)
    let isOver = false
    let sent = 0
    const putting = (async () => {
      while (!isOver) {
        const Records = Array.from({ length: 10 }, () => {
          const line = { requestTimeEpoch: Date.now(), apiKeyId: 'k1', status: 200, requestId: ++sent }
          return { Data: Buffer.from(JSON.stringify(line)), PartitionKey: String(sent) }
        })
        const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName, Records }))
        if (FailedRecordCount) throw new Error(`${FailedRecordCount} records were not taken`)
        await pause(10)
      }
    })()
    // Told by stop(): until then nobody waits for it.
    putting.catch(() => undefined)
    return {
      async stop() {
        isOver = true
        await putting
        return sent
      },
    }
  }

  async function startWorker(stream: string, directory: string) {
    const config = weirSchema.parse({})
    const told: TelemetryEvent[] = []
    const clock = systemClock()
    const begun: string[] = []
    const source = kinesisSource(
      { stream, from: 'TRIM_HORIZON', pollEveryMs: 200 },
      {
        ...{ client: kinesisClient({ endpoint: server.endpoint }), clock, random: Math.random },
        onEvent: ({ name, detail }) => name === 'shardsFound' && begun.push(...detail.split(', ')),
      },
    )
    const checkpoints = await openCheckpoints(directory)
    const journal = await openEffectJournal(directory)
    const asked = new AbortController()
    const applied = { perform: async (): Promise<Outcome> => ({ kind: 'applied' }) }
    const running = runWorker(
      {
        ...{ source, clock, checkpoints, journal, checkpointEveryMs: 200, mode: 'observe' },
        decoder: createDecoder({ format: 'auto', fields: config.fields, hashSecret: 'for tests', maxRecordBytes }),
        engine: engineSettings(config, {}),
        rejects: await openRejects(directory),
        undelivered: await openUndelivered(directory),
        performers: { alert: applied, plan: applied },
        telemetry: event => void told.push(event),
      },
      asked.signal,
    )
    running.catch(() => undefined)
    const counted = (): number =>
      told.reduce((most, event) => ('totalCalls' in event ? Math.max(most, event.totalCalls) : most), 0)
    return {
      begun: () => begun.toSorted(),
      untilCounted: (calls: number) =>
        until(`${calls} calls to be counted`, () => (counted() >= calls ? true : undefined), 60_000),
      /** Answers how many calls its state has counted, lives before included. */
      async stop() {
        asked.abort()
        await running
        await source.close()
        await journal.close()
        await checkpoints.close()
        return counted()
      },
    }
  }

  /** Hash keys of the first two shards lie below and above the middle; a split is in the middle of what a shard has. */
  async function split(StreamName: string, shard: number): Promise<void> {
    const [ShardToSplit = ''] = shards(shard)
    const ranges = await rangesOf(StreamName)
    const { StartingHashKey = '0', EndingHashKey = '0' } = ranges.get(ShardToSplit) ?? {}
    const NewStartingHashKey = String((BigInt(StartingHashKey) + BigInt(EndingHashKey)) / 2n)
    await client.send(new SplitShardCommand({ StreamName, ShardToSplit, NewStartingHashKey }))
    await active(StreamName)
    await pause(300)
  }

  async function merge(StreamName: string, one: number, other: number): Promise<void> {
    const [ShardToMerge, AdjacentShardToMerge] = shards(one, other)
    await client.send(new MergeShardsCommand({ StreamName, ShardToMerge, AdjacentShardToMerge }))
    await active(StreamName)
    await pause(300)
  }

  async function rangesOf(StreamName: string) {
    const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }))
    return new Map(Shards.map(({ ShardId, HashKeyRange }) => [ShardId, HashKeyRange]))
  }

  async function active(StreamName: string): Promise<void> {
    await until(
      'the stream to be active',
      async () => {
        const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }))
        return StreamDescriptionSummary?.StreamStatus === 'ACTIVE' || undefined
      },
      10_000,
    )
  }
})

const shards = (...numbers: readonly number[]): readonly string[] =>
  numbers.map(number => `shardId-${String(number).padStart(12, '0')}`)
